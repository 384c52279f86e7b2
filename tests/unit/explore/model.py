"""A catalogue, documents of it, and a plain evaluator of filters, written without a look at the engine."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import duckdb

from commonshub.explore.catalog import DocType, Field, Nest

LEAF = Nest("visits", (Field("_visit_id", "string"), Field("place", "string"), Field("weight", "number")))
TYPE = DocType(
    "case",
    (
        Field("_case_id", "string"),
        Field("sex", "string"),
        Field("age", "integer"),
        Field("tags", "string", array=True),
        Field("project_id", "string"),
        Field("auth_resource_path", "string"),
    ),
    (Nest("stays", (Field("_stay_id", "string"), Field("ward", "string"), Field("days", "integer")), (LEAF,)),),
    index="model_case",
)
PATHS = ("/programs/p/projects/a", "/programs/p/projects/b")

Document = dict[str, Any]


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


COMPARE = {">": lambda x, y: x > y, ">=": lambda x, y: x >= y, "<": lambda x, y: x < y, "<=": lambda x, y: x <= y}


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
        return ("no data" in given and not found) or any(_same(x, y) for x in found for y in given if y != "no data")
    if operator == "!=":
        number = name in ("age", "days", "weight")
        return not leaf("IN", name, given, document, ()) and not (number and not found)
    if operator == "CONTAINS_ALL":
        return all(any(_same(x, y) for x in found) for y in given)
    if operator == "like":
        return any(fnmatchcase(x, given[0]) for x in found)
    if operator == "EXCLUDES_ALL":
        return not leaf("CONTAINS_ALL", name, given, document, ())
    return any(COMPARE[operator](x, given[0]) for x in found)


def holds(filter: Any, document: Document, nests: tuple[str, ...] = ()) -> bool:
    """Whether a filter in Guppy's grammar holds on a document."""
    if not filter:
        return True
    ((key, value),) = filter.items()
    if key == "AND":
        return all(holds(part, document, nests) for part in value)
    if key == "OR":
        return not value or any(holds(part, document, nests) for part in value)
    if key == "NOT":
        return not any(holds(part, document, nests) for part in value)
    if key == "nested":
        rest = {name: each for name, each in value.items() if name != "path"}
        path = tuple(value["path"].split("."))
        return any(holds(rest, element, path) for element in elements(document, path[len(nests) :]))
    ((path, given),) = value.items()
    return leaf(key, path, given, document, nests)


def write_index(file: Path, documents: list[Document]) -> None:
    """An index file of some documents, in the layout that a build gives it."""
    import json

    from commonshub.explore.catalog import dump

    connection = duckdb.connect(str(file))
    connection.execute("create table _run (run bigint, catalog varchar)")
    connection.execute("insert into _run values (1, ?)", [json.dumps(dump([TYPE]))])
    connection.execute("create table _path (path varchar)")
    connection.executemany("insert into _path values (?)", [[path] for path in PATHS])
    visit = "struct(_visit_id varchar, place varchar, weight double)"
    stay = f"struct(_stay_id varchar, ward varchar, days bigint, visits {visit}[])"
    connection.execute(
        'create table "case" (_rid bigint, _case_id varchar, sex varchar, age bigint, tags varchar[], '
        f"project_id varchar, auth_resource_path varchar, stays {stay}[])"
    )
    connection.execute(
        'create table "case.stays" (_eid bigint, _rid bigint, _pid bigint, _stay_id varchar, ward varchar, days bigint)'
    )
    connection.execute(
        'create table "case.stays.visits" (_eid bigint, _rid bigint, _pid bigint, _visit_id varchar, place varchar, '
        "weight double)"
    )
    stays = visits = 0
    for number, each in enumerate(documents):
        row = [number, *(each[field.name] for field in TYPE.fields), each["stays"]]
        connection.execute('insert into "case" values (?, ?, ?, ?, ?, ?, ?, ?)', row)
        for element in each["stays"]:
            stays += 1
            part = [stays, number, None, element["_stay_id"], element["ward"], element["days"]]
            connection.execute('insert into "case.stays" values (?, ?, ?, ?, ?, ?)', part)
            for inner in element["visits"]:
                visits += 1
                part = [visits, number, stays, inner["_visit_id"], inner["place"], inner["weight"]]
                connection.execute('insert into "case.stays.visits" values (?, ?, ?, ?, ?, ?)', part)
    connection.close()
