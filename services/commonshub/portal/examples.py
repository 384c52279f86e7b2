"""Example queries, made from the commons' own dictionary, for the page where users write their own.

Subject
    The node type that an example asks for.
Ancestor
    A node type that records of the subject lead to by their links.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .model import NodeView, PropertyView

SHOWN_PROPERTIES = 4
SHOWN_COUNTS = 60
SHOWN_VALUES = 8
DEEPEST = 6
LINKS_DEEP = 2


@dataclass(frozen=True)
class Example:
    """A query, and what it does in a few words."""

    title: str
    query: str


def examples(nodes: Mapping[str, NodeView], subject: str | None = None) -> list[Example]:
    """One query of each kind that GraphQL is good for; about the node type `subject`, or one that shows much."""
    node = nodes[subject] if subject else _telling(nodes)
    if node is None:
        return []
    listed, counted = records(nodes, node), _counts(nodes)
    opening = [listed, counted] if subject else [counted, listed]
    return [*opening, *_path(nodes, node), *_figures(node)]


def records(nodes: Mapping[str, NodeView], node: NodeView) -> Example:
    """The first records of a type, with what they belong to."""
    body = "\n".join(_fields(nodes, node, LINKS_DEEP, "    "))
    belongs = " with what they belong to" if node.links else ""
    return Example(f"{node.title}: first records{belongs}", f"{{\n  {node.id}(first: 10) {{\n{body}\n  }}\n}}\n")


def _counts(nodes: Mapping[str, NodeView]) -> Example:
    lines = "\n".join(f"  _{name}_count" for name in list(nodes)[:SHOWN_COUNTS])
    return Example("Count the records of every type", f"{{\n{lines}\n}}\n")


def _path(nodes: Mapping[str, NodeView], node: NodeView) -> Iterator[Example]:
    """Records by a property of something that they lead to."""
    for name in _ancestors(nodes, node):
        chosen = next(_choices(nodes[name]), None)
        if chosen:
            condition = f'{{type: "{name}", {chosen.name}: {json.dumps(chosen.values[0])}}}'
            query = (
                f"{{\n{_remark(chosen)}"
                f"  _{node.id}_count(with_path_to: {condition})\n"
                f"  {node.id}(first: 10, with_path_to: {condition}) {{\n    id\n    submitter_id\n  }}\n}}\n"
            )
            yield Example(f"{node.title}: only those of a certain {nodes[name].title}", query)
            return


def _figures(node: NodeView) -> Iterator[Example]:
    """How often each value of a property is, without reading the records."""
    chosen = next(_choices(node), None)
    if chosen:
        query = (
            f"{{\n  _{node.id}_aggregate {{\n    _totalCount\n"
            f"    {chosen.name} {{\n      histogram {{\n        key\n        count\n      }}\n    }}\n  }}\n}}\n"
        )
        yield Example(f"{node.title}: how often is each {chosen.name}", query)


def _fields(nodes: Mapping[str, NodeView], node: NodeView, deep: int, indent: str) -> Iterator[str]:
    """What to read of a record, and of the records that it belongs to."""
    yield f"{indent}id"
    own = [each.name for each in node.properties if not each.system]
    names = dict.fromkeys([*(["submitter_id"] if _has(node, "submitter_id") else ()), *own])
    for name in list(names)[:SHOWN_PROPERTIES]:
        yield f"{indent}{name}"
    for link in node.links if deep else ():
        if link.target in nodes:
            yield f"{indent}{link.name} {{"
            yield from _fields(nodes, nodes[link.target], deep - 1, f"{indent}  ")
            yield f"{indent}}}"


def _has(node: NodeView, name: str) -> bool:
    return any(each.name == name for each in node.properties)


def _choices(node: NodeView) -> Iterator[PropertyView]:
    """Properties with a fixed list of texts to choose from."""
    for each in node.properties:
        if not each.system and len(each.values) > 1 and not any(map(_is_no_text, each.values)):
            yield each


def _is_no_text(value: str) -> bool:
    """Whether a value may stand for a number or truth, which GraphQL writes without quotes."""
    return value in ("True", "False") or value.lstrip("-").replace(".", "", 1).isdigit()


def _remark(chosen: PropertyView) -> str:
    shown = ", ".join(json.dumps(value) for value in chosen.values[:SHOWN_VALUES])
    more = ", …" if len(chosen.values) > SHOWN_VALUES else ""
    return f"  # {chosen.name} is one of {shown}{more}\n"


def _telling(nodes: Mapping[str, NodeView]) -> NodeView | None:
    """The type whose records lead furthest, through types with values to choose by."""
    return max(nodes.values(), key=lambda node: len(_ancestors(nodes, node)), default=None)


def _ancestors(nodes: Mapping[str, NodeView], node: NodeView) -> list[str]:
    """Types that records of `node` lead to, nearest first."""
    found: dict[str, None] = {}
    level = [node]
    for _ in range(DEEPEST):
        names = {link.target: None for each in level for link in each.links if link.target in nodes}
        fresh = [name for name in names if name not in found and name != node.id]
        found.update(dict.fromkeys(fresh))
        level = [nodes[name] for name in fresh]
    return list(found)
