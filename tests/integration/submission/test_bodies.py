"""Bodies of any kind are taken whole or refused with a word, by way of HTTP and in whatever chunks."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TABLE = "text/tab-separated-values"
ONCE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

CASES = [
    {"type": "case", "submitter_id": f"b{n}", "experiments": {"submitter_id": "e"}, "primary_site": "lung"}
    for n in range(3)
]
PEOPLE = [
    {
        "type": "demographic",
        "submitter_id": f"d{n}",
        "cases": {"submitter_id": f"b{n}"},
        "year_of_birth": 1980,
        "age": 0.5,
    }
    for n in range(2)
]
ROWS = (
    "type\tsubmitter_id\texperiments.submitter_id\tcases.submitter_id\tyear_of_birth\tage\n"
    'case\tb0\te\t\t\t\ncase\t"b1"\te\t\t\t\ndemographic\td0\t\tb0\t1980\t0.5\ndemographic\td1\t\tb1\t\t1e3\n'
)
GOOD = {
    "application/json": json.dumps(CASES + PEOPLE).encode(),
    TABLE: ROWS.encode(),
    "text/csv": ROWS.replace("\t", ",").encode(),
}
# What stands for something in one of the formats, and what stands for nothing in any.
BITS = [*b"\t\n\r ,;:\"'[]{}\\=-0eE.", 0, 0xFF, 0xC3, 0xEF]


@pytest.fixture(params=[1, 1000])
def chunks(request: pytest.FixtureRequest, running: Any) -> Iterator[None]:
    """Work on so many records at a time."""
    model = running.app.model
    sizes = replace(model.tools.sizes, chunk=request.param)
    running.app.model = replace(model, tools=replace(model.tools, sizes=sizes))
    yield
    running.app.model = model


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good body with a few bytes changed, taken out, put in or given twice."""
    kind = draw(st.sampled_from(sorted(GOOD)))
    body = bytearray(GOOD[kind])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 12))
        piece = draw(st.lists(st.sampled_from(BITS), max_size=3).map(bytes) | st.just(bytes(body[at : at + length])))
        body[at : at + draw(st.integers(0, length))] = piece
    return kind, bytes(body)


NAMES = [
    "type", "*type", "submitter_id", "id", "experiments.submitter_id", "experiments.id", "cases.submitter_id", "cases",
    "year_of_birth", "age", "alive", "consent_codes", "project_id", "state", "foo", "#errors", "", " ",
]  # fmt: skip
CELLS = [
    "case", "demographic", "root", "b0", "B0", "e", "P-one", "P-two", "", "null", "1e400", "-1", "9" * 400, "true",
    "=1+1", "@SUM(A1)", '"', 'a"b', "a,b", "\u2028", "\ud7ff", "é\U0001f600", "x" * 2000, "NaN",
]  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """A table of any header and cells, with rows of any length."""
    header = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6))
    rows = draw(st.lists(st.lists(st.sampled_from(CELLS), max_size=7), max_size=4))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return TABLE, end.join("\t".join(row) for row in [header, *rows]).encode()


def count(sql: Any) -> dict[str, int]:
    return {
        kind: sql(f"select count(*) from graph.node_{kind}")[0][0] for kind in ("case", "demographic", "experiment")
    }


@pytest.mark.usefixtures("chunks")
@given(sent=damaged() | tables())
@ONCE
def test_a_body_is_taken_whole_or_refused_with_a_word(api: Any, sql: Any, sent: tuple[str, bytes]) -> None:
    kind, body = sent
    before = count(sql)
    response = api("PUT", "/P/one", data=body, headers={"Content-Type": kind})
    answer = response.json()
    created = sum(count(sql).values()) - sum(before.values())
    assert response.status_code in (200, 400), answer
    assert answer.get("created_entity_count", 0) == created
    if response.status_code == 400:
        assert created == 0
        assert answer["transactional_errors"] or any(each["errors"] for each in answer["entities"])
    for entity in answer.get("entities", ()):
        assert all(error["message"] and error["row"] is not None for error in entity["errors"])
