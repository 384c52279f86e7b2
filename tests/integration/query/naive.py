"""The meaning of a query, spelled out in plain Python over a list of records: slow and obvious."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from operator import ge, gt, le, lt
from typing import Any

from tests.integration.query.model import Record

from commonshub.core.dictionary import Dictionary

Args = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """One selected field: a scalar, a list below a link, or the count of one."""

    name: str
    args: Args
    below: tuple["Field", ...] | None = None

    def text(self) -> str:
        args = f"({', '.join(f'{key}: {literal(value)}' for key, value in self.args.items())})" if self.args else ""
        below = f" {{ {' '.join(each.text() for each in self.below)} }}" if self.below is not None else ""
        return f"{self.name}{args}{below}"

    @property
    def ordered(self) -> bool:
        return any(self.args.get(key) for key in ("order_by_asc", "order_by_desc", "offset")) or (
            self.args.get("first", 10) > 0
        )


def literal(value: Any) -> str:
    """A GraphQL literal."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else repr(value)


class World:
    """The records that one caller may see.

    Parameters
    ----------
    granted
        Pairs of program name and project code.
    """

    def __init__(self, dictionary: Dictionary, records: Sequence[Record], granted: set[tuple[str, str]]) -> None:
        self.dictionary = dictionary
        self.all = {each.id: each for each in records}
        pairs = [(self._program(each), each.props["code"]) for each in records if each.type == "project"]
        hidden = {"-".join(pair) for pair in pairs if pair not in granted}
        self.granted = granted
        self.project_ids = {"-".join(pair) for pair in pairs if pair in granted} - hidden
        self.records = [each for each in records if self._visible(each)]

    def _program(self, project: Record) -> str:
        return str(self.all[project.parents[0][1]].props["name"])

    def _visible(self, record: Record) -> bool:
        if record.type == "program":
            return record.props["name"] in {program for program, _ in self.granted}
        if record.type == "project":
            return (self._program(record), record.props["code"]) in self.granted
        return record.props["project_id"] in self.project_ids

    # -- links -----------------------------------------------------------------

    def steps(self, type_: str) -> dict[str, tuple[str, bool, str]]:
        """Field name of each link: name at the child, whether it goes up, and the far type."""
        up = {link.name: (link.name, True, link.target) for link in self.dictionary.nodes[type_].links}
        down = {link.backref: (link.name, False, link.source) for link in self.dictionary.backlinks(type_)}
        return {**down, **up}

    def neighbours(self, record: Record, name: str) -> list[Record]:
        link, up, far = self.steps(record.type)[name]
        if up:
            ids = {parent for each, parent in record.parents if each == link}
            return [each for each in self.records if each.id in ids and each.type == far]
        return [each for each in self.records if each.type == far and (link, record.id) in each.parents]

    def leads(self, record: Record, entry: Args, up: bool) -> bool:
        for name, (_, goes_up, _) in self.steps(record.type).items():
            if goes_up == up:
                for each in self.neighbours(record, name):
                    if (each.type == entry["type"] and self.fits(each, entry)) or self.leads(each, entry, up):
                        return True
        return False

    # -- filters ---------------------------------------------------------------

    def fits(self, record: Record, entry: Args) -> bool:
        asked = {key: value for key, value in entry.items() if key not in ("type", "id")}
        return entry.get("id", record.id) == record.id and all(
            self.has(record, key, value if isinstance(value, list) else [value]) for key, value in asked.items()
        )

    def has(self, record: Record, key: str, values: list[Any]) -> bool:
        each = self.dictionary.nodes[record.type].properties.get(key)
        stored = record.props.get(key)
        if each is None:
            return False
        if each.kind == "array":
            return isinstance(stored, list) and set(values) <= set(stored)
        if stored is None:
            return None in values
        if each.kind == "string":
            return str(stored) in values
        return any(type(value) is bool if isinstance(stored, bool) else True for value in values) and stored in values

    def keeps(self, record: Record, args: Args) -> bool:
        linked = {name: bool(self.neighbours(record, name)) for name in self.steps(record.type)}
        paths = {
            key: [any(self.leads(record, entry, up) for up in (True, False)) for entry in args.get(key, [])]
            for key in ("with_path_to", "with_path_to_any", "without_path_to")
        }
        properties = self.dictionary.nodes[record.type].properties
        search = args.get("quick_search", "").lower()
        return all(
            [
                args.get("id", record.id) == record.id,
                record.id in args.get("ids", [record.id]),
                search in record.id.lower() or search in str(record.props.get("submitter_id", "")).lower(),
                all(self.has(record, key, args[key]) for key in args if key in properties and key != "id"),
                not any(self.fits(record, entry) for entry in args.get("not", [])),
                all(linked[name] for name in args.get("with_links", [])),
                not any(linked[name] for name in args.get("without_links", [])),
                any(linked[name] for name in args.get("with_links_any", [])) or not args.get("with_links_any"),
                all(paths["with_path_to"]),
                any(paths["with_path_to_any"]) or "with_path_to_any" not in args,
                not any(paths["without_path_to"]),
                self.holds(record, args.get("filter", {})),
            ]
        )

    def holds(self, record: Record, given: Args) -> bool:
        """Whether a ``filter`` is true of a record."""
        return all(self._term(record, key, value) for key, value in given.items())

    def _term(self, record: Record, key: str, value: Any) -> bool:
        match key:
            case "and":
                return all(self.holds(record, each) for each in value)
            case "or":
                return any(self.holds(record, each) for each in value)
            case "not":
                return not self.holds(record, value)
        stored = record.id if key == "id" else record.props.get(key)
        return all(self._compare(stored, operator, wanted) for operator, wanted in value.items())

    def _compare(self, stored: Any, operator: str, wanted: Any) -> bool:
        match operator:
            case "exists":
                return (stored is not None) == wanted
            case "ne" | "nin":
                return not self._compare(stored, {"ne": "eq", "nin": "in"}[operator], wanted)
            case "in":
                return stored in wanted
        if stored is None:
            return False
        match operator:
            case "eq":
                return bool(stored == wanted)
            case "contains_all":
                return set(wanted) <= set(stored)
            case "contains_any":
                return bool(set(wanted) & set(stored))
            case "contains":
                return wanted.lower() in stored.lower()
            case "prefix":
                return bool(stored.lower().startswith(wanted.lower()))
        compared: dict[str, Callable[[Any, Any], bool]] = {"lt": lt, "lte": le, "gt": gt, "gte": ge}
        return compared[operator](stored, wanted)

    def page(self, records: Iterable[Record], args: Args) -> list[Record]:
        found = sorted(records, key=lambda each: each.id)
        for argument, descending in (("order_by_desc", True), ("order_by_asc", False)):
            key = args.get(argument)
            if key is not None:
                found.sort(
                    key=lambda each, key=key: (  # type: ignore[misc]
                        each.props.get(key) is None,
                        each.props.get(key) or 0,
                    ),
                    reverse=descending,
                )
                if descending:
                    found = _stable_by_id(found, key)
        found = found[args.get("offset", 0) :]
        first = args.get("first", 10)
        return found[:first] if first > 0 else found

    # -- answers ---------------------------------------------------------------

    def root(self, field: Field) -> Any:
        if field.name.endswith("_aggregate"):
            type_ = field.name.removeprefix("_").removesuffix("_aggregate")
            found = [each for each in self.records if each.type == type_ and self.keeps(each, field.args)]
            return {each.name: _figure(found, each) for each in field.below or ()}
        counting = field.name.startswith("_")
        type_ = field.name.removeprefix("_").removesuffix("_count") if counting else field.name
        found = [each for each in self.records if each.type == type_ and self.keeps(each, field.args)]
        return len(found) if counting else self._shown(found, field)

    def value(self, record: Record, field: Field) -> Any:
        if field.name == "id":
            return record.id
        if field.name.endswith("_count"):
            name = field.name.removeprefix("_").removesuffix("_count")
            return sum(self.keeps(each, field.args) for each in self.neighbours(record, name))
        if field.below is None:
            return record.props.get(field.name)
        return self._shown(
            [each for each in self.neighbours(record, field.name) if self.keeps(each, field.args)], field
        )

    def _shown(self, found: list[Record], field: Field) -> list[dict[str, Any]]:
        return [
            {each.name: self.value(record, each) for each in field.below or ()}
            for record in self.page(found, field.args)
        ]


def _figure(found: list[Record], field: Field) -> Any:
    """One field of an aggregation of records."""
    if field.name == "_totalCount":
        return len(found)
    if field.name == "_groups":
        groups = Counter(tuple(_key(each.props.get(key)) for key in field.args["by"]) for each in found)
        # Without an order of keys: there are null ones, and numbers and texts.
        return sorted(({"key": list(key), "count": count} for key, count in groups.items()), key=repr)
    values = [each.props.get(field.name) for each in found]
    return {each.name: _summary(values, each) for each in field.below or ()}


def _summary(values: list[Any], field: Field) -> Any:
    present = [each for each in values if each is not None]
    items = [item for each in present for item in (each if isinstance(each, list) else [each])]
    match field.name:
        case "_totalCount":
            return len(present)
        case "_missing":
            return len(values) - len(present)
        case "_cardinalityCount":
            return len(set(items))
        case "stats":
            return {"min": min(present, default=None), "max": max(present, default=None), "count": len(present)}
    if "width" in field.args or "buckets" in field.args:
        return _ranges(present, field.args)
    counted = sorted(Counter(items).items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"key": _key(key), "count": count} for key, count in counted]


def _ranges(present: list[Any], args: Args) -> list[dict[str, Any]]:
    if not present:
        return []
    start = 0 if "width" in args else min(present)
    width = args.get("width") or (max(present) - min(present)) / args["buckets"]
    places = [floor((each - start) / width) if width else 0 for each in present]
    if "buckets" in args:
        last = args["buckets"] - 1 if width else 0
        places = [min(each, last) for each in places]
        shown = range(last + 1)
    else:
        shown = range(min(places), max(places) + 1)
    return [{"key": [start + n * width, start + (n + 1) * width], "count": places.count(n)} for n in shown]


def _key(value: Any) -> str | None:
    return None if value is None else literal(value).strip('"')


def _stable_by_id(found: list[Record], key: str) -> list[Record]:
    """A descending sort with equal keys still by rising id."""
    groups: dict[Any, list[Record]] = {}
    for each in found:
        groups.setdefault(each.props.get(key), []).append(each)
    return [each for group in groups.values() for each in sorted(group, key=lambda one: one.id)]


def settled(answer: Any, field: Field) -> Any:
    """An answer with the lists sorted that have no order of their own."""
    if isinstance(answer, dict) and "_groups" in answer:
        return {**answer, "_groups": sorted(answer["_groups"], key=repr)}
    if not isinstance(answer, list):
        return answer
    below = {each.name: each for each in field.below or ()}
    rows = [{key: settled(value, below[key]) for key, value in row.items()} for row in answer]
    return rows if field.ordered else sorted(rows, key=lambda row: row["id"])


# -- tables ------------------------------------------------------------------------


def flat(value: Any, field: Field) -> list[dict[str, Any]]:
    """The rows of the root field's value, each with the cells that it has."""
    if not isinstance(value, list | dict):
        return [{field.name: value}]
    items = value if isinstance(value, list) else [value]
    return [row for item in items for row in _rows(item, field, "")]


def _rows(item: Mapping[str, Any], field: Field, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{}]
    for each in field.below or ():
        name, value = path + each.name, item[each.name]
        if each.below is None:
            parts = [{name: value}]
        elif isinstance(value, dict):
            parts = _rows(value, each, f"{name}.")
        else:
            parts = [row for one in value for row in _rows(one, each, f"{name}.")] or [{}]
        rows = [{**row, **part} for row in rows for part in parts]
    return rows


def lists(field: Field) -> int:
    """The most lists that are side by side anywhere below a field."""
    return max([_beside(field), *(lists(each) for each in field.below or ())])


def _beside(field: Field) -> int:
    count = 0
    for each in field.below or ():
        if each.below is not None:
            # A summary and its statistics are objects; what else has something below it is a list.
            inside = each.name == "stats" or any(one.name == "_missing" for one in each.below)
            count += _beside(each) if inside else 1
    return count
