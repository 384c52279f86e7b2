"""Documents of a graph by a plain reading of a mapping, record by record: written without a look at the engine.

It knows one small dictionary, :data:`FAMILY`, that has what mappings meet: links of every multiplicity, several ways to
one ancestor, a link from a node type to itself, lists, and one property of different types in two kinds of files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
Document = dict[str, Any]

SCALARS = {"name": "string", "size": "integer", "weight": "number", "flag": "boolean"}
LISTS = {"words": "string", "counts": "integer"}
PROPERTIES: dict[str, dict[str, tuple[str, bool]]] = {
    node: {
        "submitter_id": ("string", False),
        **{name: (kind, False) for name, kind in SCALARS.items()},
        **{name: (kind, True) for name, kind in LISTS.items()},
    }
    for node in ("case", "visit", "sample", "raw_file")
}
PROPERTIES["cooked_file"] = {"submitter_id": ("string", False), "size": ("number", False), "flag": ("string", False),
                             "name": ("string", False), "words": ("integer", True)}  # fmt: skip
PROPERTIES["project"] = {"name": ("string", False), "code": ("string", False)}
PROPERTIES["program"] = {"name": ("string", False)}
FILES = ("raw_file", "cooked_file")
# Child, name of the link, parent, backref, multiplicity.
LINKS = (
    ("project", "programs", "program", "projects", "many_to_one"),
    ("case", "projects", "project", "cases", "many_to_one"),
    ("visit", "cases", "case", "visits", "many_to_many"),
    ("visit", "before", "visit", "after", "many_to_one"),
    ("sample", "cases", "case", "samples", "many_to_one"),
    ("sample", "visits", "visit", "samples", "one_to_one"),
    ("raw_file", "samples", "sample", "raw_files", "many_to_many"),
    ("raw_file", "cases", "case", "raw_files", "many_to_one"),
    ("cooked_file", "raws", "raw_file", "cooked_files", "many_to_many"),
)


def family() -> dict[str, Any]:
    """The dictionary, as the content of a JSON file."""
    return {"_settings.yaml": {}, **{f"{node}.yaml": _schema(node) for node in PROPERTIES}}


def _schema(node: str) -> dict[str, Any]:
    links = [
        {"name": name, "backref": backref, "label": f"of_{name}", "target_type": parent, "multiplicity": multiplicity,
         "required": False}
        for child, name, parent, backref, multiplicity in LINKS if child == node
    ]  # fmt: skip
    own: dict[str, Any] = {"type": {"type": "string"}, "id": {"type": "string", "systemAlias": "node_id"}}
    if node not in ("program", "project"):
        own["project_id"] = {"type": "string"}
    for name, (kind, array) in PROPERTIES[node].items():
        own[name] = {"type": "array", "items": {"type": kind}} if array else {"type": kind}
    return {
        "$schema": "http://json-schema.org/draft-04/schema#", "id": node, "title": node, "type": "object",
        "category": "data_file" if node in FILES else "clinical", "description": node, "program": "*", "project": "*",
        "submittable": True, "validators": None, "additionalProperties": False, "systemProperties": ["id"],
        "links": links, "required": ["type"], "uniqueKeys": [["id"]],
        "properties": {**own, **{link["name"]: {"type": ["array", "object"]} for link in links}},
    }  # fmt: skip


@dataclass
class Family:
    """A graph: records by node type and id, and edges (child, parent) by child type and name of the link."""

    records: dict[str, dict[str, Record]] = field(default_factory=lambda: {node: {} for node in PROPERTIES})
    edges: dict[tuple[str, str], set[tuple[str, str]]] = field(
        default_factory=lambda: {(child, name): set() for child, name, *_ in LINKS}
    )

    def step(self, node: str, id: str, segment: str, *, up: bool = False) -> Iterator[tuple[str, str]]:
        """The records over one segment of a path, each as often as an edge leads there."""
        below = [(child, name) for child, name, parent, backref, _ in LINKS if (parent, backref) == (node, segment)]
        above = [(parent, name) for child, name, parent, _, _ in LINKS if (child, name) == (node, segment)]
        if (above and up) or not below:
            ((parent, name),) = above
            yield from ((parent, p) for c, p in sorted(self.edges[node, name]) if c == id)
        else:
            ((child, name),) = below
            yield from ((child, c) for c, p in sorted(self.edges[child, name]) if p == id)

    def ways(self, node: str, id: str, path: Iterable[str], *, up: bool = False) -> list[tuple[str, str]]:
        """The records at the end of a path, each as often as there are ways to it."""
        found = [(node, id)]
        for segment in path:
            found = [further for near in found for further in self.step(*near, segment, up=up)]
        return found

    def value(self, node: str, id: str, source: str) -> Any:
        """A property in the type that the dictionary gives it; what cannot be of that type is missing."""
        if source == "id":
            return id
        if source == "type":
            return node
        given = self.records[node][id].get(source)
        kind, array = PROPERTIES[node].get(source, ("string", False))
        if not array:
            return _typed(given, kind)
        if given is None:
            return None
        return [_typed(each, kind) for each in (given if isinstance(given, list) else [given])]

    def above(self, node: str, id: str) -> set[tuple[str, str]]:
        """All records above one, over one link or more."""
        found: set[tuple[str, str]] = set()
        waiting = [(node, id)]
        while waiting:
            near, at = waiting.pop()
            for child, name, *_ in LINKS:
                if child == near:
                    new = set(self.step(near, at, name, up=True)) - found
                    found |= new
                    waiting += new
        return found


def _typed(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind in ("integer", "number"):
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _replaced(value: Any, take: Record) -> Any:
    """A single value with its replacements; where a number can become a word, all are text."""
    pairs = [pair for each in take.get("value_mappings", []) for pair in each.items()]
    if value is None or not pairs:
        return value
    number = isinstance(value, int | float)
    for old, new in pairs:
        if (number and float(old) == value) or (not number and str(old) == value):
            value = new
            break
    numeric = number and all(isinstance(new, int | float) for _, new in pairs)
    return value if numeric else str(value)


def _flat(values: Iterable[Any], take: Record) -> list[Any]:
    singles = [single for each in values for single in (each if isinstance(each, list) else [each])]
    return [_replaced(single, take) for single in singles if single is not None]


def _reduced(function: str, values: list[Any], ways: int) -> Any:
    match function:
        case "count":
            return ways
        case "sum":
            return sum(values) if values else None
        case "min":
            return min(values, default=None)
        case "max":
            return max(values, default=None)
        case "list":
            return sorted(values)
    return sorted(set(values))


def _one(value: Any, take: Record) -> Any:
    return [_replaced(each, take) for each in value] if isinstance(value, list) else _replaced(value, take)


class Evaluator:
    """Evaluates a mapping, given as the value of its YAML, on a graph."""

    def __init__(self, mapping: Record, graph: Family) -> None:
        self.entries = mapping["mappings"]
        self.graph = graph

    def documents(self) -> dict[str, list[Document]]:
        """By document type, in the order of their ids."""
        frames = {entry["doc_type"]: self._frame(entry) for entry in self.entries}
        joined: dict[str, list[Document]] = {}
        for entry in self.entries:
            name = entry["doc_type"]
            joined[name] = [{**each, **self._joined(entry, each, frames)} for each in frames[name]]
        return joined

    def _frame(self, entry: Record) -> list[Document]:
        if entry["type"] == "collector":
            return sorted(
                (self._collected(entry, node, id) for node in FILES for id in self.graph.records[node]),
                key=lambda document: str(document[f"_{entry['doc_type']}_id"]),
            )
        root = entry["root"]
        chosen = [id for id in sorted(self.graph.records[root]) if self._holds(entry.get("filter"), root, id)]
        return [self._aggregated(entry, root, id) for id in chosen]

    def _whose(self, node: str, id: str, *parts: str) -> Document:
        """To which project a record belongs."""
        graph = self.graph
        projects = {}
        for code in graph.records["project"]:
            for _, program in graph.step("project", code, "programs", up=True):
                names = graph.records["program"][program]["name"], graph.records["project"][code]["code"]
                projects["-".join(names)] = (code, names)
        own = next((key for key, (code, _) in projects.items() if code == id), None)
        project_id = own if node == "project" else graph.records[node][id].get("project_id")
        _, names = projects.get(project_id, (None, None))
        found = dict(zip(("program_name", "project_code"), names or (None, None), strict=True))
        path = f"/programs/{names[0]}/projects/{names[1]}" if names else None
        return {"project_id": project_id, "auth_resource_path": path, **{part: found[part] for part in parts}}

    def _aggregated(self, entry: Record, root: str, id: str) -> Document:
        graph = self.graph
        document = {f"_{entry['doc_type']}_id": id}
        document |= self._whose(root, id, *(("program_name", "project_code") if root == "project" else ()))
        document |= self._picked(entry["props"], root, id)
        for block in entry.get("flatten_props", []):
            ways = graph.ways(root, id, block["path"].split("."))
            document |= self._summed([each for each in block["props"] if "fn" in each], ways)
            first = self._first(ways, block.get("sorted_by"))
            document |= self._picked([each for each in block["props"] if "fn" not in each], *first)
        for block in entry.get("parent_props", []):
            document |= self._parents(block, root, id)
        for block in entry.get("aggregated_props", []):
            document |= self._summed([block], graph.ways(root, id, block["path"].split(".")))
        for block in entry.get("nested_props", []):
            document[block["name"]] = self._nested(block, root, id)
        return document

    def _picked(self, takes: list[Record], node: str, id: str | None) -> Document:
        if id is None:
            return {take["name"]: None for take in takes}
        return {
            take["name"]: _one(self.graph.value(node, id, take.get("src", take["name"])), take) for take in takes
        }  # fmt: skip

    def _summed(self, takes: list[Record], ways: list[tuple[str, str]]) -> Document:
        found = {}
        for take in takes:
            counted = take["fn"] == "count"
            values = [] if counted else [self.graph.value(*each, take.get("src", take["name"])) for each in ways]
            found[take["name"]] = _reduced(take["fn"], _flat(values, take), len(ways))
        return found

    def _first(self, ways: list[tuple[str, str]], order: str | None) -> tuple[str, str | None]:
        found = sorted(set(ways), key=lambda each: each[1])
        if order and found:
            name, _, direction = (part.strip() for part in order.partition(","))
            having = [each for each in found if self.graph.value(*each, name) is not None]
            having.sort(key=lambda each: self.graph.value(*each, name), reverse=direction == "desc")
            found = having or found
        return found[0] if found else ("", None)

    def _parents(self, block: Record, root: str, id: str) -> Document:
        document: Document = {}
        path: list[str] = []
        for part in block["path"].replace("]", "").split("."):
            segment, _, fields = part.partition("[")
            path.append(segment)
            ways = self.graph.ways(root, id, path, up=True)
            pairs = [each.split(":") for each in fields.split(",") if each]
            takes = [{"name": pair[0], "src": pair[-1]} for pair in pairs]
            if block.get("relation") == "1-1":
                document |= self._picked(takes, *self._first(ways, None))
            else:
                document |= self._summed([{**take, "fn": "set"} for take in takes], ways)
        return document

    def _nested(self, block: Record, node: str, id: str) -> list[Document]:
        found = sorted(set(self.graph.ways(node, id, block["path"].split("."))), key=lambda each: each[1])
        return [
            {
                f"_{inner}_id": at,
                **self._picked(block["props"], inner, at),
                **{each["name"]: self._nested(each, inner, at) for each in block.get("nested_props", [])},
            }
            for inner, at in found
            if self._holds(block.get("filter"), inner, at)
        ]

    def _holds(self, condition: Record | None, node: str, id: str) -> bool:
        if condition is None:
            return True
        if "logics" in condition:
            parts = [self._holds(each, node, id) for each in condition["logics"]]
            return all(parts) if condition["op"] == "and" else any(parts) or not parts
        *path, name = condition["prop"].split(".")
        if path:
            return any(_compare("=", self.graph.value(*each, name), condition["value"])
                       for each in self.graph.ways(node, id, path))  # fmt: skip
        return _compare(condition["op"], self.graph.value(node, id, name), condition["value"])

    def _collected(self, entry: Record, node: str, id: str) -> Document:
        document = {f"_{entry['doc_type']}_id": id, **self._whose(node, id, "program_name", "project_code")}
        for take in entry["props"]:
            source = take.get("src", take["name"]).replace("source_node", "type")
            having = [leaf for leaf in FILES if source in PROPERTIES[leaf] or source in ("id", "type")]
            document[take["name"]] = None
            if node in having:
                kinds = [PROPERTIES[leaf].get(source, ("string", False)) for leaf in having]
                document[take["name"]] = _common(_one(self.graph.value(node, id, source), take), kinds, take)
        above = self.graph.above(node, id)
        for label, block in entry.get("injecting_props", {}).items():
            there = [each for each in above if each[0] == label]
            takes = [{"fn": "set", **take} for take in block["props"] if take["name"] != "project_id"]
            document |= self._summed(takes, there)
        return document

    def _joined(self, entry: Record, own: Document, frames: dict[str, list[Document]]) -> Document:
        document: Document = {}
        for block in entry.get("joining_props", []):
            keys = block["join_on"].split(",")
            others = [
                other for other in frames[block["index"]]
                if own["auth_resource_path"] is not None
                and own["auth_resource_path"] == other["auth_resource_path"]
                and all(_agree(own[key], other[key]) for key in keys)
            ]  # fmt: skip
            for take in block["props"]:
                name, source = take["name"], take.get("src", take["name"])
                if "fn" in take:
                    values = [] if take["fn"] == "count" else [other[source] for other in others]
                    document[name] = _reduced(take["fn"], _flat(values, {}), len(others))
                else:
                    document[name] = others[0][source] if others else None
        return document


def _agree(mine: Any, theirs: Any) -> bool:
    one, other = ([each for each in (side if isinstance(side, list) else [side]) if each is not None]
                  for side in (mine, theirs))  # fmt: skip
    return any(x == y if isinstance(x, int | float) and isinstance(y, int | float) else str(x) == str(y)
               for x in one for y in other)  # fmt: skip


def _common(value: Any, kinds: list[tuple[str, bool]], take: Record) -> Any:
    """A value in the type that holds the values of all kinds of files."""
    if value is None:
        return None
    types = {kind for kind, _ in kinds}
    if any(array for _, array in kinds) and not isinstance(value, list):
        value = [value]
    if len(types) > 1 and not types <= {"integer", "number"}:
        return [str(each) for each in value] if isinstance(value, list) else str(value)
    return value


def _compare(operator: str, found: Any, given: Any) -> bool:
    wanted = [_typed(each, "string") if isinstance(each, bool | str) else each
              for each in (given if isinstance(given, list) else [given])]  # fmt: skip
    values = [each for each in (found if isinstance(found, list) else [found]) if each is not None]
    if operator in ("=", "in", "contains"):
        return any(value == each for value in values for each in wanted)
    if operator == "!=":
        return not any(value == each for value in values for each in wanted)
    compare = {"<": lambda x, y: x < y, "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y}
    return any(compare[operator](value, wanted[0]) for value in values)
