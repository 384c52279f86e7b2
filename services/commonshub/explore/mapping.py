"""Reading ``etlMapping.yaml`` with its line numbers, and collecting everything that is wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from commonshub.core import located
from commonshub.core.errors import ValidationFailed

# How alike a key and a known one are that is meant by it.
_ALIKE = 0.75


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
        """The entries of an object, checked for missing keys and for misspelt ones.

        A key that is unlike any known one has no effect, and is no fault: files that Tube reads have such.
        """
        if not isinstance(item.value, dict):
            return self.entries(item)
        for key, child in item.value.items():
            if key not in known:
                self._unknown(child, str(key), known)
        for key in sorted(required - item.value.keys()):
            self.add(item, f"{key} is missing.")
        return self.entries(item)

    def entries(self, item: Item) -> dict[str, Item]:
        """The entries of an object whose keys are names."""
        if not isinstance(item.value, dict):
            self.add(item, "must be an object.")
            return {}
        found: dict[str, Item] = item.value
        return found

    def _unknown(self, item: Item, key: str, known: set[str]) -> None:
        meant = get_close_matches(key.lower(), sorted(known), 1, _ALIKE)
        if meant:
            self.add(item, f"the key {key!r} is unknown; was {meant[0]} meant?")
        else:
            self.warn(item, f"the key {key!r} has no effect here; known are {', '.join(sorted(known))}.")

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
    document = located.read(text)
    if document.faults:
        told = "\n".join(f"  {fault}" for fault in document.faults)
        raise ValidationFailed(f"{name} cannot be read:\n{told}", [fault._asdict() for fault in document.faults])
    if document.data is None:
        raise ValidationFailed(f"{name} is empty: it must have a list `mappings`.")
    return _item(document.lines(), document.data, ())


def _item(lines: Mapping[located.Where, int], value: Any, where: located.Where) -> Item:
    if isinstance(value, list):
        value = [_item(lines, each, (*where, number)) for number, each in enumerate(value)]
    elif isinstance(value, dict):
        value = {key: _item(lines, each, (*where, key)) for key, each in value.items()}
    return Item(value, located.line(lines, where), located.show(where))
