"""YAML whose every part knows its line, for messages that a person can act on.

Files come from people and, in a hosted commons, from uploads: a document is bounded in size and depth, aliases count
for what they expand to, and only plain data can come out of it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

MAX_NODES = 1_000_000
MAX_DEPTH = 64

Where = tuple[str | int, ...]


class Fault(NamedTuple):
    """One thing wrong with a document; lines count from 1."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path or 'top level'}: {self.message}"


@dataclass
class Document:
    """Plain data, and the line of each part."""

    data: Any = None
    lines: dict[Where, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, where: Sequence[str | int], message: str) -> Fault:
        """A fault at `where`, or at the closest part above it that the document has."""
        place = tuple(where)
        while place and place not in self.lines:
            place = place[:-1]
        return Fault(self.lines.get(place, 1), show(where), message)


def show(where: Sequence[str | int]) -> str:
    """A place as ``authz.roles[2].id``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")


def read(text: str) -> Document:
    """Read one YAML document; what is wrong with its form is in ``faults``, and then there may be no data."""
    document = Document()
    loader = yaml.CSafeLoader(text)
    try:
        _check_depth(text)
        node = loader.get_single_node()
        if node is not None:
            document.data = _Builder(loader, document).build(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.faults.append(Fault(mark.line + 1 if mark else 1, "", f"not YAML: {error.problem or error.context}"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        document.faults.append(Fault(1, "", f"not YAML: {error}"))
    finally:
        loader.dispose()
    return document


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the tree is composed: libyaml's composer recurses in C, which a deep file crashes."""
    loader = yaml.CSafeLoader(text)
    depth = 0
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    def __init__(self, loader: yaml.CSafeLoader, document: Document) -> None:
        self.loader = loader
        self.document = document
        self.nodes = 0

    def build(self, node: yaml.Node, where: Where) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(where) > MAX_DEPTH:
            raise ValueError(f"more than {MAX_NODES} values, or nested more than {MAX_DEPTH} deep")
        self.document.lines.setdefault(where, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(each, (*where, index)) for index, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key: Hashable = self.loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            name = key_node.value if isinstance(key, int | float | bool) else key
            line = key_node.start_mark.line + 1
            if not isinstance(name, str):
                self.document.faults.append(Fault(line, show(where), "a key must be text"))
                continue
            if name in found:
                self.document.faults.append(Fault(line, show((*where, name)), "this key occurs twice"))
            self.document.lines[(*where, name)] = line
            found[name] = self.build(value_node, (*where, name))
        return found
