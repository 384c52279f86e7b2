"""A catalogue, documents of it, and a plain evaluator of filters, written without a look at the engine."""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import duckdb

from commonshub.explore.catalog import DocType, Field, Nest, dump
from commonshub.explore.duck.dialect import DuckDialect
from commonshub.explore.sql.names import quote

LEAF = Nest("visits", (Field("_visit_id", "string"), Field("place", "string"), Field("weight", "number")))
TYPE = DocType(
    "case",
    (
        Field("_case_id", "string"),
        Field("sex", "string"),
        Field("age", "integer"),
        Field("tags", "string", array=True),
        Field("marks", "integer", array=True),
        Field("project_id", "string"),
        Field("auth_resource_path", "string"),
    ),
    (Nest("stays", (Field("_stay_id", "string"), Field("ward", "string"), Field("days", "integer")), (LEAF,)),),
    index="model_case",
)
PATHS = ("/programs/p/projects/a", "/programs/p/projects/b")
SETS = {
    "01000000-0000-7000-8000-000000000000": ("x", "c1", "c2", "c3", "c50"),
    "02000000-0000-7000-8000-000000000000": ("y", "no data"),
    "03000000-0000-7000-8000-000000000000": (),
}
NUMBERS = ("age", "days", "weight", "marks")

Document = dict[str, Any]
DIALECT = DuckDialect()


def elements(document: Document, nests: tuple[str, ...]) -> Iterator[Document]:
    """All elements of a document at a path of nests."""
    if not nests:
        yield document
        return
    for element in document[nests[0]]:
        yield from elements(element, nests[1:])


def values_of(element: Document, name: str) -> list[Any]:
    value = element[name]
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _same(left: Any, right: Any) -> bool:
    return float(left) == float(right) if isinstance(left, int | float) else left == str(right)


SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
COMPARE = {">": lambda x, y: x > y, ">=": lambda x, y: x >= y, "<": lambda x, y: x < y, "<=": lambda x, y: x <= y}


def written_out(values: list[Any]) -> list[Any]:
    """Values of an equality with what their sets hold, where ``None`` stands for a missing one."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, str) and value.startswith("set_id:"):
            found += SETS[value.removeprefix("set_id:")]
        else:
            found.append(None if value == "no data" else value)
    return found


def among(values: list[Any], given: list[Any]) -> bool:
    """Whether a field with these values is equal to one of the `given`."""
    wanted = written_out(given)
    return (None in wanted and not values) or any(_same(x, y) for x in values for y in wanted if y is not None)


def leaf(operator: str, path: str, value: Any, document: Document, nests: tuple[str, ...]) -> bool:
    """Whether one condition holds on an element of `nests`, of which `path` names a field."""
    *inner, name = path.split(".")
    given = value if isinstance(value, list) else [value]
    if inner and tuple(inner) != nests:
        if operator == "!=":
            return not any(leaf("IN", name, given, each, ()) for each in elements(document, tuple(inner)))
        return any(leaf(operator, name, value, each, ()) for each in elements(document, tuple(inner)))
    found = values_of(document, name)
    if operator in ("=", "IN"):
        return among(found, given)
    if operator == "!=":
        return not among(found, given) and not (name in NUMBERS and not found)
    if operator == "CONTAINS_ALL":
        return all(any(_same(x, y) for x in found) for y in given)
    if operator == "like":
        return any(fnmatchcase(x, given[0]) for x in found)
    if operator == "EXCLUDES_ALL":
        return not leaf("CONTAINS_ALL", name, given, document, ())
    return any(COMPARE[operator](x, given[0]) for x in found)


def holds(filter: Any, document: Document, nests: tuple[str, ...] = ()) -> bool:
    """Whether a filter in Guppy's grammar, or Arranger's, holds on a document."""
    if not filter:
        return True
    if "op" in filter:
        return sqon_holds(filter, document, nests)
    ((key, value),) = filter.items()
    if key == "AND":
        return all(holds(part, document, nests) for part in value) and within_one(value, document)
    if key == "OR":
        return not value or any(holds(part, document, nests) for part in value)
    if key == "NOT":
        return not any(holds(part, document, nests) for part in value)
    if key == "nested":
        rest = {name: each for name, each in value.items() if name != "path"}
        path = tuple(value["path"].split("."))
        return any(holds(rest, element, path) for element in elements(document, path[len(nests) :]))
    if key == "search":
        return searched(value, document, nests)
    ((path, given),) = value.items()
    return leaf(key, path, given, document, nests)


def within_one(parts: list[Any], element: Document) -> bool:
    """Whether one value of a field meets all comparisons with it that stand side by side in an AND."""
    bounds: dict[str, list[tuple[str, Any]]] = {}
    for operator, compared in (item for part in parts if part for item in part.items()):
        if operator in COMPARE:
            ((path, given),) = compared.items()
            bounds.setdefault(path, []).append((operator, given))
    return all(
        any(all(COMPARE[operator](x, y) for operator, y in limits) for x in values_of(element, path))
        for path, limits in bounds.items()
        if "." not in path
    )


def searched(search: Any, element: Document, nests: tuple[str, ...]) -> bool:
    names = search.get("fields") or [field.name for field in (TYPE.inside(nests) or TYPE).fields if not field.numeric]
    found = (text for name in names for text in values_of(element, name.split(".")[-1]))
    return any(search["keyword"].lower() in text.lower() for text in found)


def sqon_holds(sqon: Any, element: Document, nests: tuple[str, ...]) -> bool:
    """Whether a filter of Arranger's grammar, which names fields from the top, holds on an element of `nests`."""
    op, content = sqon["op"], sqon["content"]
    if op in ("and", "or", "not"):
        pivot = tuple(sqon["pivot"].split(".")) if "pivot" in sqon else nests
        inside: Iterable[Document] = elements(element, pivot[len(nests) :])
        return any(_grouped(op, content, each, pivot) for each in inside)
    if op == "filter":
        return searched({"keyword": content["value"], "fields": content["fieldNames"]}, element, nests)
    *path, name = content["fieldName"].split(".")
    values = content["value"] if isinstance(content["value"], list) else [content["value"]]
    below = path[len(nests) :]
    inner = elements(element, tuple(below))
    if op == "not-in":
        return not any(_listed(values_of(each, name), values) for each in inner)
    return any(_compared(op, values_of(each, name), values) for each in inner)


def _grouped(op: str, content: list[Any], element: Document, nests: tuple[str, ...]) -> bool:
    met = [holds(part, element, nests) for part in content]
    return all(met) if op == "and" else any(met) or not met if op == "or" else not any(met)


def _listed(found: list[Any], given: list[Any]) -> bool:
    patterns = [value for value in given if isinstance(value, str) and "*" in value]
    exact = ["no data" if value == "__missing__" else value for value in given if value not in patterns]
    return among(found, exact) or any(fnmatchcase(x, pattern) for x in found for pattern in patterns)


def _compared(op: str, found: list[Any], given: list[Any]) -> bool:
    if op == "some-not-in":
        return not _listed(found, given)
    if op == "in":
        return _listed(found, given)
    if op == "all":
        return all(any(_same(x, y) for x in found) for y in given)
    if op == "between":
        return any(min(given) <= x <= max(given) for x in found)
    return any(COMPARE[SIGNS[op]](x, given[0]) for x in found)


def linked_out(filter: Any, readable: list[Document]) -> Any:
    """A filter whose links, which may stand in groups, are written as the values that they lead to."""
    if isinstance(filter, dict) and "linked" in filter:
        name, inner = filter["linked"]["field"], linked_out(filter["linked"]["filter"], readable)
        found = {value for each in readable if holds(inner, each) for value in values_of(each, name)}
        return {"IN": {name: sorted(found - {"no data"})}}
    if isinstance(filter, dict) and filter.keys() & {"AND", "OR", "NOT"}:
        return {key: [linked_out(part, readable) for part in parts] for key, parts in filter.items()}
    return filter


def write_index(file: Path, documents: list[Document], doc_type: DocType = TYPE) -> None:
    """An index file of some documents, in the layout that a build gives it."""
    connection = duckdb.connect(str(file))
    connection.execute("create table _run (run bigint, catalog varchar)")
    connection.execute("insert into _run values (1, ?)", [json.dumps(dump([doc_type]))])
    connection.execute("create table _path (path varchar)")
    connection.executemany("insert into _path values (?)", [[path] for path in PATHS])
    types = [f"{quote(field.name)} {DIALECT.type_of(field)}" for field in doc_type.fields]
    types += [f"{quote(nest.name)} {DIALECT.type_of_nest(nest)}" for nest in doc_type.nests]
    connection.execute(f"create table {quote(doc_type.name)} (_rid bigint, {', '.join(types)})")
    for number, each in enumerate(documents):
        _insert(connection, doc_type.name, [number, *(each[name] for name in doc_type.names)])
    for nest in doc_type.nests:
        around = [(number, None, each) for number, each in enumerate(documents)]
        _write_nest(connection, nest, (doc_type.name, nest.name), around)
    connection.close()


def _write_nest(connection: Any, nest: Nest, names: tuple[str, ...], around: list[Any]) -> None:
    """The table of a nest; `around` are document number, element number and value of what has it."""
    table = ".".join(names)
    types = [f"{quote(field.name)} {DIALECT.type_of(field)}" for field in nest.fields]
    connection.execute(f"create table {quote(table)} (_eid bigint, _rid bigint, _pid bigint, {', '.join(types)})")
    found = []
    for number, parent, outer in around:
        for element in outer[nest.name]:
            found.append((number, len(found) + 1, element))
            facts = [element[field.name] for field in nest.fields]
            _insert(connection, table, [len(found), number, parent, *facts])
    for child in nest.nests:
        _write_nest(connection, child, (*names, child.name), found)


def _insert(connection: Any, table: str, row: list[Any]) -> None:
    connection.execute(f"insert into {quote(table)} values ({', '.join('?' for _ in row)})", row)
