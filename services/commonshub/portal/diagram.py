"""Where the boxes and lines of the data model's picture go.

Vocabulary
----------
layer
    A column. A node type stands one column to the right of its farthest parent, so every line runs leftwards.
slot
    A place in a column: a box, or a *bend*, which is where a line that spans several columns passes between boxes.

Columns are put in order by the mean place of each slot's neighbours, swept to and fro, which keeps crossings few. The
result depends on nothing but the dictionary, so the picture stays the same from one visit to the next.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from .model import NodeView

BOX_WIDTH = 152
BOX_HEIGHT = 48
COLUMN_GAP = 40
ROW_GAP = 16
BEND_HEIGHT = 12
MARGIN = 8
SWEEPS = 6
TITLE_CHARS = 17

Slot = tuple[str, ...]


@dataclass(frozen=True)
class Box:
    """A node type's box, by its upper left corner."""

    node: NodeView
    x: float
    y: float

    @property
    def title(self) -> tuple[str, ...]:
        """The title in one or two lines that fit the box."""
        lines = wrap(self.node.title, TITLE_CHARS, max_lines=2, placeholder=" …")
        return tuple(line if len(line) <= TITLE_CHARS else f"{line[: TITLE_CHARS - 1]}…" for line in lines)


@dataclass(frozen=True)
class Line:
    """A link, as the ``d`` of an SVG path from child to parent."""

    path: str
    source: str
    target: str


@dataclass(frozen=True)
class Diagram:
    """The whole picture; lengths in pixels."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def layers_of(nodes: Mapping[str, NodeView]) -> dict[str, int]:
    """Column of each node type: 0 without parents, else one more than its farthest parent's.

    Links to unknown types, and those that would close a circle, are passed over.
    """
    found: dict[str, int] = {}

    def layer(node_id: str, above: frozenset[str]) -> int:
        if node_id not in found:
            seen = above | {node_id}
            parents = [link.target for link in nodes[node_id].links if link.target in nodes and link.target not in seen]
            found[node_id] = 1 + max((layer(parent, seen) for parent in parents), default=-1)
        return found[node_id]

    for node_id in nodes:
        layer(node_id, frozenset())
    return found


def draw(nodes: Mapping[str, NodeView]) -> Diagram:
    """Place the node types of a dictionary."""
    layer = layers_of(nodes)
    links = sorted(
        {
            (node.id, link.target)
            for node in nodes.values()
            for link in node.links
            if link.target in nodes and layer[link.target] < layer[node.id]
        }
    )
    chains = {(child, parent): _chain(child, parent, layer) for child, parent in links}
    columns = _order(nodes, layer, chains.values())
    points, height = _place(columns)
    boxes = tuple(Box(node, points[(node.id,)][0], points[(node.id,)][1] - BOX_HEIGHT / 2) for node in nodes.values())
    lines = tuple(Line(_path([points[slot] for slot in chain]), *link) for link, chain in chains.items())
    width = len(columns) * (BOX_WIDTH + COLUMN_GAP) - COLUMN_GAP + 2 * MARGIN
    return Diagram(max(width, 0), height, boxes, lines)


def _chain(child: str, parent: str, layer: Mapping[str, int]) -> list[Slot]:
    """The slots that a line passes, from child to parent."""
    bends: list[Slot] = [(child, parent, str(column)) for column in range(layer[child] - 1, layer[parent], -1)]
    return [(child,), *bends, (parent,)]


def _order(nodes: Iterable[str], layer: Mapping[str, int], chains: Iterable[Sequence[Slot]]) -> list[list[Slot]]:
    """The slots of each column, from top to bottom."""
    columns: list[list[Slot]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    neighbours: dict[Slot, list[Slot]] = {}
    for node_id in nodes:
        columns[layer[node_id]].append((node_id,))
    for chain in chains:
        for slot in chain[1:-1]:
            columns[int(slot[2])].append(slot)
        for left, right in pairwise(chain):
            neighbours.setdefault(left, []).append(right)
            neighbours.setdefault(right, []).append(left)
    for sweep in range(SWEEPS):
        rank = {slot: (place + 0.5) / len(column) for column in columns for place, slot in enumerate(column)}
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            means = {slot: _mean([rank[each] for each in neighbours.get(slot, [])], rank[slot]) for slot in column}
            column.sort(key=lambda slot: (means[slot], slot))
            rank |= {slot: (place + 0.5) / len(column) for place, slot in enumerate(column)}
    return columns


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _place(columns: Sequence[Sequence[Slot]]) -> tuple[dict[Slot, tuple[float, float]], float]:
    """Left edge and middle height of each slot, and the height of the picture."""
    heights = [sum(_height(slot) + ROW_GAP for slot in column) - ROW_GAP for column in columns]
    tallest = max(heights, default=0)
    points: dict[Slot, tuple[float, float]] = {}
    for position, column in enumerate(columns):
        x = MARGIN + position * (BOX_WIDTH + COLUMN_GAP)
        y = MARGIN + (tallest - heights[position]) / 2
        for slot in column:
            points[slot] = (x, y + _height(slot) / 2)
            y += _height(slot) + ROW_GAP
    return points, tallest + 2 * MARGIN


def _height(slot: Slot) -> int:
    return BOX_HEIGHT if len(slot) == 1 else BEND_HEIGHT


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A smooth line from the left side of the first box, through the bends, to the right side of the last."""
    x, y = points[0]
    parts = [f"M{x:g} {y:g}"]
    for position, (left, height) in enumerate(points[1:], 1):
        end = left + BOX_WIDTH
        middle = (x + end) / 2
        parts.append(f"C{middle:g} {y:g} {middle:g} {height:g} {end:g} {height:g}")
        x, y = end, height
        if position < len(points) - 1:
            parts.append(f"H{left:g}")
            x = left
    return "".join(parts)
