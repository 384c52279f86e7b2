"""Reading ``etlMapping.yaml`` with its line numbers, and collecting everything that is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from commonshub.core.errors import ValidationFailed

MAX_ITEMS = 100_000


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the file with where it stands: a dict of items, a list of items, or a scalar."""

    value: Any
    line: int
    at: str

    def __iter__(self) -> Iterator["Item"]:
        return iter(self.value)


class Faults:
    """Collects what is wrong, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self.faults: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    def add(self, item: Item, message: str) -> None:
        """Something that must be mended."""
        self.faults.append({"line": item.line, "path": item.at, "message": message})

    def warn(self, item: Item, message: str) -> None:
        """Something that has no effect."""
        self.warnings.append(f"line {item.line}: {item.at}: {message}")

    def finish(self) -> None:
        """Raise :class:`ValidationFailed` with every fault, if there is one."""
        if self.faults:
            faults = sorted(self.faults, key=lambda fault: fault["line"])
            told = "\n".join(f"  line {each['line']}: {each['path']}: {each['message']}" for each in faults)
            raise ValidationFailed(f"The mapping cannot be used:\n{told}", faults)

    # -- taking an item apart ------------------------------------------------------

    def keys(self, item: Item, known: set[str], required: set[str] = frozenset()) -> dict[str, Item]:  # type: ignore[assignment]
        """The entries of an object, checked for unknown and missing keys."""
        if not isinstance(item.value, dict):
            self.add(item, "must be an object.")
            return {}
        for key, child in item.value.items():
            if key not in known:
                self.add(
                    child, f"the key {key!r} is unknown or not supported here; known are {', '.join(sorted(known))}."
                )
        for key in sorted(required - item.value.keys()):
            self.add(item, f"{key} is missing.")
        found: dict[str, Item] = item.value
        return found

    def items(self, item: Item | None) -> list[Item]:
        """The entries of a list, or nothing."""
        if item is None or item.value is None:
            return []
        if not isinstance(item.value, list):
            self.add(item, "must be a list.")
            return []
        return list(item.value)

    def text(self, item: Item | None) -> str:
        """A text, or nothing."""
        if item is None or item.value is None:
            return ""
        if not isinstance(item.value, str):
            self.add(item, "must be text.")
            return ""
        return item.value

    def choice(self, item: Item | None, known: tuple[str, ...]) -> str:
        """One of some words, or nothing."""
        text = self.text(item)
        if item is not None and text and text not in known:
            self.add(item, f"{text!r} is none of {', '.join(known)}.")
            return ""
        return text


def read(text: str, name: str = "etlMapping.yaml") -> Item:
    """The file as items.

    Raises
    ------
    ValidationFailed
        It is not YAML, has a key twice, or is far too large.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise ValidationFailed(f"{name} is empty: it must have a list `mappings`.")
        return _Converter(loader, name).convert(root, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}" if mark else "somewhere"
        raise ValidationFailed(f"{name} is not YAML: {where}: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ValidationFailed(f"{name} is not YAML: {error}.") from error
    finally:
        loader.dispose()


class _Converter:
    def __init__(self, loader: Any, name: str) -> None:
        self.loader = loader
        self.name = name
        self.items = 0

    def convert(self, node: yaml.Node, at: str) -> Item:
        self.items += 1
        line = node.start_mark.line + 1
        if self.items > MAX_ITEMS:
            raise ValidationFailed(f"{self.name} has more than {MAX_ITEMS} values.")
        if isinstance(node, yaml.SequenceNode):
            return Item([self.convert(each, f"{at}[{n}]") for n, each in enumerate(node.value)], line, at)
        if isinstance(node, yaml.MappingNode):
            found: dict[Any, Item] = {}
            for key_node, value in node.value:
                key = self.loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
                if key is None or key in found:
                    line = key_node.start_mark.line + 1
                    what = "is not a plain word" if key is None else f"has the key {key!r} twice"
                    raise ValidationFailed(f"{self.name} line {line}: {at or 'the file'} {what}.")
                found[key] = self.convert(value, f"{at}.{key}" if at else str(key))
            return Item(found, line, at)
        return Item(self.loader.construct_object(node), line, at)
