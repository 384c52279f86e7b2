"""Random graphs of the family, and random mappings over it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from .evaluator import FILES, LINKS, PROPERTIES, SCALARS, Family

Record = dict[str, Any]
Draw = st.DrawFn

WORDS = ["a", "b", 'c,"d"\n', "é \\N"]
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from(WORDS),
    "integer": st.integers(-2, 3),
    "number": st.sampled_from([-1.5, 0.0, 0.5, 2.0]),
    "boolean": st.booleans(),
}
PROJECTS = ("one", "two")
FUNCTIONS = ("count", "sum", "min", "max", "set", "list")
_UP = {node: [(name, parent) for child, name, parent, *_ in LINKS if child == node] for node in PROPERTIES}
_DOWN = {node: [(backref, child) for child, _, parent, backref, _ in LINKS if parent == node] for node in PROPERTIES}


@st.composite
def graphs(draw: Draw) -> Family:
    """A few records of each type, with holes and values of wrong types, linked as multiplicities allow."""
    graph = Family()
    graph.records["program"] = {"P": {"name": "P"}}
    graph.records["project"] = {code: {"code": code, "name": draw(_VALUES["string"])} for code in PROJECTS}
    graph.edges["project", "programs"] = {(code, "P") for code in PROJECTS}
    for node in ("case", "visit", "sample", *FILES):
        for number in range(draw(st.integers(0, 4))):
            graph.records[node][f"{node}-{number}"] = draw(_record(node))
    for child, name, parent, _, multiplicity in LINKS[1:]:
        graph.edges[child, name] = draw(_edges(list(graph.records[child]), list(graph.records[parent]), multiplicity))
    return graph


@st.composite
def _record(draw: Draw, node: str) -> Record:
    record = {"project_id": draw(st.sampled_from(["P-one", "P-two", "P-two", "gone"]))}
    for name, (kind, array) in PROPERTIES[node].items():
        value = _VALUES[kind]
        if array:
            # A list may have been a single value under an earlier dictionary.
            value = st.lists(value, max_size=3) | value
        elif kind in ("integer", "number"):
            value = value | st.sampled_from(["odd", "NaN", "-Infinity", "1e999"])
        record[name] = draw(st.none() | value)
    return {name: value for name, value in record.items() if value is not None or draw(st.booleans())}


@st.composite
def _edges(draw: Draw, children: list[str], parents: list[str], multiplicity: str) -> set[tuple[str, str]]:
    if not children or not parents:
        return set()
    found: set[tuple[str, str]] = draw(st.sets(st.tuples(st.sampled_from(children), st.sampled_from(parents))))
    if multiplicity.endswith("to_one"):
        found = set({child: (child, parent) for child, parent in sorted(found)}.values())
    if multiplicity.startswith("one_to"):
        found = set({parent: (child, parent) for child, parent in sorted(found)}.values())
    return found


@st.composite
def mappings(draw: Draw, most: int = 3) -> Record:
    """A mapping of up to `most` entries, of which every one is right."""
    entries = [draw(_entry(f"d{number}")) for number in range(draw(st.integers(1, most)))]
    fields = {entry["doc_type"]: _own_fields(entry) for entry in entries}
    for entry in entries:
        if entry["type"] == "aggregator" and draw(st.booleans()):
            entry["joining_props"] = [draw(_join(entry["doc_type"], fields))]
    return {"mappings": entries}


@st.composite
def _entry(draw: Draw, name: str) -> Record:
    names = map("f{}".format, itertools.count())
    if draw(st.booleans()):
        return draw(_collector(name, names))
    root = draw(st.sampled_from(["case", "visit", "sample", "project"]))
    entry: Record = {"name": f"{name}_index", "doc_type": name, "type": "aggregator", "root": root}
    entry |= {"settings": {"bypass_multiplicity_check": True}, "props": draw(_takes(root, names))}
    entry["flatten_props"] = draw(st.lists(_flatten(root, names), max_size=2))
    entry["parent_props"] = draw(st.lists(_parents(root, names), max_size=2))
    entry["aggregated_props"] = draw(st.lists(_aggregated(root, names), max_size=4))
    entry["nested_props"] = draw(st.lists(_nested(root, names, 2), max_size=2))
    if draw(st.booleans()):
        entry["filter"] = draw(_conditions(root))
    return entry


@st.composite
def _walk(draw: Draw, node: str, longest: int = 3) -> tuple[str, str]:
    """A path from a node type, and where it ends."""
    path: list[str] = []
    for _ in range(draw(st.integers(1, longest))):
        steps = [*_DOWN[node], *_UP[node]]
        if not steps:
            break
        segment, node = draw(st.sampled_from(steps))
        path.append(segment)
    return ".".join(path), node


def _sources(node: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["id", "type", *PROPERTIES[node]])


@st.composite
def _take(draw: Draw, node: str, names: Iterator[str], functions: bool = False) -> Record:
    source = draw(_sources(node))
    take: Record = {"name": next(names), "src": source}
    kind, _ = PROPERTIES[node].get(source, ("string", False))
    if functions:
        take["fn"] = draw(
            st.sampled_from([each for each in FUNCTIONS if each != "sum" or kind in ("integer", "number")])
        )
    if draw(st.integers(0, 3)) == 0 and source not in ("id", "type") and take.get("fn") not in ("count", "sum"):
        take["value_mappings"] = draw(_replacements(kind))
    return take


def _replacements(kind: str) -> st.SearchStrategy[list[Record]]:
    old = st.integers(-1, 2) if kind in ("integer", "number") else st.sampled_from(["a", "b", "true"])
    new: st.SearchStrategy[Any] = st.sampled_from(["x", "y"])
    if kind in ("integer", "number"):
        new = new | st.integers(7, 8) | st.just(0.25)
    return st.dictionaries(old, new, min_size=1, max_size=2).map(lambda found: [{key: found[key]} for key in found])


def _takes(node: str, names: Iterator[str], functions: bool = False) -> st.SearchStrategy[list[Record]]:
    return st.lists(_take(node, names, functions), min_size=1, max_size=3)


@st.composite
def _flatten(draw: Draw, root: str, names: Iterator[str]) -> Record:
    path, node = draw(_walk(root))
    block = {"path": path, "props": [*draw(_takes(node, names)), *draw(_takes(node, names, True))]}
    order = draw(st.none() | st.sampled_from(sorted(SCALARS.keys() & PROPERTIES[node].keys()) or ["id"]))
    return block if order is None else {**block, "sorted_by": f"{order}, {draw(st.sampled_from(['asc', 'desc']))}"}


@st.composite
def _parents(draw: Draw, root: str, names: Iterator[str]) -> Record:
    node, parts = root, []
    for _ in range(draw(st.integers(1, 3))):
        if not _UP[node]:
            break
        segment, node = draw(st.sampled_from(_UP[node]))
        fields = ",".join(f"{next(names)}:{source}" for source in draw(st.lists(_sources(node), max_size=2)))
        parts.append(f"{segment}[{fields}]" if fields else segment)
    block = {"path": ".".join(parts)}
    return {**block, "relation": "1-1"} if draw(st.booleans()) else block


@st.composite
def _aggregated(draw: Draw, root: str, names: Iterator[str]) -> Record:
    path, node = draw(_walk(root))
    return {"path": path, **draw(_take(node, names, True))}


@st.composite
def _nested(draw: Draw, root: str, names: Iterator[str], deep: int) -> Record:
    path, node = draw(_walk(root, 2))
    block: Record = {"name": next(names), "path": path, "props": draw(_takes(node, names))}
    if draw(st.booleans()):
        block["filter"] = draw(_conditions(node))
    if deep > 1 and draw(st.booleans()):
        block["nested_props"] = [draw(_nested(node, names, deep - 1))]
    return block


def _conditions(node: str) -> st.SearchStrategy[Record]:
    return st.recursive(
        _condition(node),
        lambda inner: st.fixed_dictionaries(
            {"op": st.sampled_from(["and", "or"]), "logics": st.lists(inner, min_size=1, max_size=2)}
        ),
        max_leaves=3,
    )


@st.composite
def _condition(draw: Draw, node: str) -> Record:
    path = ""
    if draw(st.integers(0, 2)) == 0:
        path, node = draw(_walk(node, 2))
    name = draw(st.sampled_from(sorted(PROPERTIES[node])))
    kind = PROPERTIES[node][name][0]
    operator = "contains" if path else draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "in"]))
    value = draw(_VALUES[kind])
    if operator == "in":
        value = draw(st.lists(_VALUES[kind], max_size=2))
    return {"prop": f"{path}.{name}" if path else name, "op": operator, "value": value}


@st.composite
def _collector(draw: Draw, name: str, names: Iterator[str]) -> Record:
    entry: Record = {"name": f"{name}_index", "doc_type": name, "type": "collector", "root": "None"}
    sources = ["id", "source_node", *PROPERTIES["raw_file"]]
    chosen = draw(st.lists(st.sampled_from(sources), min_size=1, max_size=5))
    entry["props"] = [{"name": next(names), "src": source} for source in chosen]
    injected = draw(
        st.lists(st.sampled_from(["project", "case", "visit", "sample", "raw_file"]), unique=True, max_size=3)
    )
    entry["injecting_props"] = {
        node: {"props": draw(st.lists(_take(node, names) | _take(node, names, True), min_size=1, max_size=3))}
        for node in injected
    }
    return entry


def _own_fields(entry: Record) -> list[tuple[str, bool]]:
    """The fields of an entry that others can join, and whether each is certainly a number."""
    fields = [(f"_{entry['doc_type']}_id", False), ("project_id", False)]
    for take in (*entry["props"], *entry.get("aggregated_props", [])):
        counted = take.get("fn") in ("count", "sum")
        fields.append((take["name"], counted))
    return fields


@st.composite
def _join(draw: Draw, own: str, fields: dict[str, list[tuple[str, bool]]]) -> Record:
    other = draw(st.sampled_from(sorted(fields)))
    shared = sorted({name for name, _ in fields[own]} & {name for name, _ in fields[other]})
    keys = draw(st.lists(st.sampled_from(shared), min_size=1, max_size=2, unique=True))
    takes: list[Record] = []
    for number in range(draw(st.integers(1, 3))):
        source, numeric = draw(st.sampled_from(fields[other]))
        take: Record = {"name": f"j{number}", "src": source}
        function = draw(st.none() | st.sampled_from(["count", "set", "list", "min", "max", *(["sum"] * numeric)]))
        takes.append(take if function is None else {**take, "fn": function})
    return {"index": other, "join_on": ",".join(keys), "props": takes}


@dataclass(frozen=True)
class Change:
    """Something that happens to a graph: to the first record of a node type, or to all edges of a link.

    Parameters
    ----------
    record
        What the record becomes; None for one that is marked for deletion.
    """

    node: str
    record: Record | None = None
    new: bool = False
    link: str | None = None


@st.composite
def changes(draw: Draw) -> list[Change]:
    """One or two things that happen between two builds; often to what no document reads."""
    return draw(st.lists(_change(), min_size=1, max_size=2))


@st.composite
def _change(draw: Draw) -> Change:
    kind = draw(st.sampled_from(["touch", "add", "drop", "cut", "name"]))
    if kind == "cut":
        child, name, *_ = draw(st.sampled_from(LINKS[1:]))
        return Change(child, link=name)
    if kind == "name":
        return Change("project", {"code": PROJECTS[0], "name": draw(_VALUES["string"])})
    node = draw(st.sampled_from(["case", "visit", "sample", *FILES]))
    return Change(node, None if kind == "drop" else draw(_record(node)), new=kind == "add")
