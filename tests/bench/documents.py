"""A million simulated documents of the explorer, as the index file of a run."""

import json
import time
from pathlib import Path

import duckdb
import sqlalchemy as sa

from commonshub.explore import store
from commonshub.explore.catalog import DocType, Field, Nest, dump

DOCUMENTS = 1_000_000
PROJECTS = 200
VALUES = (2, 3, 5, 8, 10, 12, 20, 30, 40, 50, 60, 80, 100, 150, 200, 250, 300, 400, 500, 1000, *[7] * 10)
"""How many different values each text field has."""
NUMBERS = 8

CASE = DocType(
    "case",
    (
        Field("_case_id", "string"),
        Field("submitter_id", "string"),
        *(Field(f"text{n}", "string") for n in range(len(VALUES))),
        *(Field(f"number{n}", "number") for n in range(NUMBERS)),
        Field("count", "integer"),
        Field("tags", "string", array=True, distinct=True),
        Field("project_id", "string"),
        Field("auth_resource_path", "string"),
    ),
    (Nest("visits", (Field("_visit_id", "string"), Field("place", "string"), Field("weight", "number"))),),
    index="bench_case",
)


def write(file: Path) -> None:
    """Write them in the layout that a build gives an index; the same at every call."""
    columns = [
        "i as _rid",
        "md5(i::varchar) as _case_id",
        "'subject_' || i as submitter_id",
        *(f"{_text(n, count)} as text{n}" for n, count in enumerate(VALUES)),
        *(f"{_number(n)} as number{n}" for n in range(NUMBERS)),
        "(hash(i, 300) % 100)::bigint as count",
        "list_distinct(['tag ' || hash(i, 301) % 20, 'tag ' || hash(i, 302) % 20]) as tags",
        f"'prog-p' || hash(i, 303) % {PROJECTS} as project_id",
        f"'/programs/prog/projects/p' || hash(i, 303) % {PROJECTS} as auth_resource_path",
        f"[{_visit(0)}, {_visit(1)}] as visits",
    ]
    connection = duckdb.connect(str(file))
    connection.execute(f'create table "case" as select {", ".join(columns)} from range({DOCUMENTS}) t(i) order by i')
    connection.execute(
        'create table "case.visits" as select row_number() over () as _eid, _rid, null::bigint as _pid, '
        'v._visit_id, v.place, v.weight from (select _rid, unnest(visits) as v from "case") order by _rid'
    )
    connection.execute("create table _run (run bigint, catalog varchar)")
    connection.execute("insert into _run values (0, ?)", [json.dumps(dump([CASE]))])
    connection.execute('create table _path as select distinct auth_resource_path as path from "case" order by path')
    connection.close()


def _text(number: int, count: int) -> str:
    return _hole(number, f"'value ' || hash(i, {number}) % {count}")


def _number(number: int) -> str:
    return _hole(100 + number, f"(hash(i, {200 + number}) % 10000)::double / 100")


def _hole(seed: int, value: str) -> str:
    """A value that one in twenty documents lacks."""
    return f"case when hash(i, {1000 + seed}) % 20 > 0 then {value} end"


def _visit(number: int) -> str:
    weight = f"(hash(i, {400 + number}) % 1000)::double / 10"
    return f"{{_visit_id: i || '-{number}', place: 'place ' || hash(i, {500 + number}) % 30, weight: {weight}}}"


def publish(url: str, folder: Path) -> Path:
    """Make them the active run of a commons, after the one that it builds when it starts; returns the file."""
    # Not named as an index: a run removes those that it does not know.
    written = folder / "documents.bench"
    write(written)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        while store.active(connection, "explore") is None:
            time.sleep(0.1)
        number = store.begin(connection, "explore")
        file = written.rename(folder / f"{number}.duckdb")
        facts = {"catalog": dump([CASE]), "counts": {"case": DOCUMENTS}}
        store.activate(connection, "explore", number, fingerprint="simulated", **facts)
    engine.dispose()
    return file
