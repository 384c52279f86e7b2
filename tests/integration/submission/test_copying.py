"""The two ways of writing a table write the same."""

import csv
import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonshub.core.dictionary import load
from commonshub.core.graph import Graph
from commonshub.submission import copying, export
from commonshub.submission.entity import Project
from commonshub.submission.sources import Live

DICTIONARY = load(str(Path(__file__).parents[2] / "data" / "dictionary"))
GRAPH = Graph(DICTIONARY, "copied")
PROJECT = Project("P", "one", str(uuid.uuid4()), {})
# PostgreSQL writes no number with an exponent, and Python the largest and smallest ones.
NUMBERS = st.integers(-(10**12), 10**12) | st.sampled_from([0.5, -2.25, 1234.125])
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", " ", '"', "\t", ",", "\n", "\r", "\r\n", "\\.", "\\N", "=1+1", "%s", "true", "[", "[1]", "null", "None", "'"]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = SCALARS | st.lists(SCALARS, max_size=4)


@pytest.fixture(scope="module")
def connection(database_url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        GRAPH.create(connection)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def insert(connection: sa.Connection, type_: str, rows: list[dict[str, Any]]) -> list[str]:
    made = [str(uuid.uuid4()) for _ in rows]
    table = GRAPH.node(type_)
    for id_, row in zip(made, rows, strict=True):
        connection.execute(table.insert(), {"node_id": id_, "_props": {"project_id": PROJECT.project_id, **row}})
    return made


def link(connection: sa.Connection, type_: str, name: str, pairs: list[tuple[str, str]]) -> None:
    table = GRAPH.edge(DICTIONARY.nodes[type_].links_by_name[name])
    for child, parent in pairs:
        connection.execute(table.insert(), {"src_id": child, "dst_id": parent})


def read(table: bytes, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.decode(), newline=""), delimiter=delimiter))


@pytest.mark.parametrize(("kind", "delimiter"), [("tsv", "\t"), ("csv", ",")])
@pytest.mark.parametrize("without_id", [True, False])
@given(rows=st.lists(st.fixed_dictionaries({}, optional={"primary_site": VALUES, "consent_codes": VALUES}), max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_the_same_whoever_writes_them(
    connection: sa.Connection, kind: str, delimiter: str, without_id: bool, rows: list[dict[str, Any]]
) -> None:
    writer = export.Writer(DICTIONARY, DICTIONARY.nodes["case"], kind, without_id)
    source = Live(GRAPH, PROJECT)
    try:
        experiments = insert(connection, "experiment", [{"submitter_id": "e,1"}, {"submitter_id": "é"}, {}])
        cases = insert(connection, "case", [{"submitter_id": f"c{number}", **row} for number, row in enumerate(rows)])
        link(connection, "case", "experiments", [(id_, experiments[at % 3]) for at, id_ in enumerate(cases) if at % 2])
        copied, _ = copying.Copier(source, writer).page(connection, "", 100)
        written, _ = export.Pages(source, writer).page(connection, "", 100)
    finally:
        connection.rollback()
    assert read(copied, delimiter) == read(written, delimiter)


@pytest.mark.parametrize("write", [copying.Copier, export.Pages])
def test_several_targets_stand_in_one_cell_and_pages_are_disjoint(connection: sa.Connection, write: Any) -> None:
    writer = export.Writer(DICTIONARY, DICTIONARY.nodes["aliquot"], "tsv")
    source = Live(GRAPH, PROJECT)
    try:
        samples = insert(connection, "sample", [{"submitter_id": "s1"}, {"submitter_id": "s2"}])
        aliquots = insert(connection, "aliquot", [{"submitter_id": f"a{number}"} for number in range(5)])
        link(connection, "aliquot", "samples", [(id_, sample) for id_ in aliquots for sample in samples])
        last: str | None = ""
        pages = []
        while last is not None:
            text, last = write(source, writer).page(connection, last, 2)
            pages.append(read(text, "\t"))
    finally:
        connection.rollback()
    rows = [dict(zip(writer.header, row, strict=True)) for page in pages for row in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row["id"] for row in rows] == sorted(aliquots)
    assert {frozenset(row["samples.submitter_id"].split(",")) for row in rows} == {frozenset(["s1", "s2"])}
    assert all(set(row["samples.id"].split(",")) == set(samples) for row in rows)


@pytest.mark.parametrize("write", [copying.Copier, export.Pages])
def test_a_record_has_one_row_though_a_link_to_one_has_two_targets(connection: sa.Connection, write: Any) -> None:
    writer = export.Writer(DICTIONARY, DICTIONARY.nodes["case"], "csv")
    assert DICTIONARY.nodes["case"].links_by_name["experiments"].to_one
    try:
        experiments = insert(connection, "experiment", [{"submitter_id": "e1"}, {"submitter_id": "e2"}])
        cases = insert(connection, "case", [{"submitter_id": f"c{number}"} for number in range(3)])
        link(connection, "case", "experiments", [(cases[0], experiments[0])])
        link(connection, "case", "experiments", [(cases[1], experiment) for experiment in experiments])
        text, _ = write(Live(GRAPH, PROJECT), writer).page(connection, "", 10)
    finally:
        connection.rollback()
    rows = [dict(zip(writer.header, row, strict=True)) for row in read(text, ",")]
    found = {row["submitter_id"]: set(row["experiments.submitter_id"].split("#")) for row in rows}
    assert len(rows) == 3
    assert found == {"c0": {"e1"}, "c1": {"e1", "e2"}, "c2": {""}}
