"""What is asked of the trail, and what a spreadsheet gets."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.auth.trail.questions import Question, moment, read_question
from commonshub.auth.trail.sheet import cell, lines
from commonshub.auth.trail.store import Place
from commonshub.core.errors import BadRequest

COLUMNS = ("guid", "username", "status_code")


def test_a_question_keeps_every_value_of_a_filter() -> None:
    found = read_question(
        {"guid": ["a", "b"], "start": ["0"], "stop": ["2026-01-31T12:00:00Z"], "groupby": ["username"], "count": [""]},
        "presigned_url",
        COLUMNS,
    )
    assert found == Question(
        {"guid": ("a", "b")},
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        ("username",),
        True,
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"whatisthis": ["yes"]}, "whatisthis"),
        ({"groupby": ["whatisthis"]}, "whatisthis"),
        ({"start": ["yesterday"]}, "start"),
        ({"stop": ["99999999999999999999"]}, "stop"),
        ({"stop": ["-1"]}, "stop"),
        ({"start": ["20"], "stop": ["10"]}, "start"),
    ],
)
def test_a_faulty_question_is_refused_by_name(arguments: dict[str, list[str]], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        read_question(arguments, "presigned_url", COLUMNS)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 2**63 - 1))
def test_a_place_is_read_back_to_the_microsecond(at: datetime, number: int) -> None:
    assert Place.parse(str(Place(at, number))) == Place(at, number)


@pytest.mark.parametrize("text", ["", "1", "a.1", "1.a", "9" * 40 + ".1"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="after"):
        Place.parse(text)


@given(st.text(max_size=20))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        found = moment(text, "start")
    except BadRequest:
        return
    assert found.tzinfo is UTC


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_s25_no_cell_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), (-3, "-3"), (["/a"], '["/a"]'), ({"a": 1}, '{"a":1}'), ("alice", "alice")]
)
def test_a_value_is_one_cell(value: Any, shown: str) -> None:
    assert cell(value) == shown


@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.text()}), max_size=5))
def test_csv_keeps_the_shape_of_any_rows(rows: list[dict[str, str]]) -> None:
    read = list(csv.reader(io.StringIO(lines(rows, ["a", "b"], heading=True), newline="")))
    assert read == [["a", "b"], *([cell(row["a"]), cell(row["b"])] for row in rows)]
