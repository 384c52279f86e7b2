"""Workbooks as documents."""

import contextlib
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.core.dictionary import load
from commonshub.core.errors import BadRequest, CommonsError, TooLarge
from commonshub.submission.body import Body
from commonshub.submission.workbook import OLD_WORKBOOK, Bounds, Workbook

NODES = load(str(Path(__file__).parents[2] / "data" / "dictionary")).nodes
BOUNDS = Bounds(10 * 2**20, 500_000, 1000)
CASE = ["*submitter_id", "*experiments.submitter_id", "primary_site"]


def workbook(**sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def read(data: bytes, bounds: Bounds = BOUNDS) -> tuple[list[Any], Workbook]:
    reading = Workbook(Body.of(data), NODES, bounds)
    return [document for _, document in reading], reading


GOOD = workbook(case=[CASE, ["a", "e", "x"]], demographic=[["submitter_id", "age"], ["d", 3]])


def test_each_sheet_holds_records_of_its_type() -> None:
    data = workbook(
        case=[CASE, ["a", "e", "lung"], [], ["b", "e", None]],
        sample=[["type", "submitter_id", "cases.submitter_id", "is_ffpe"], [None, "s", "a, b", True]],
    )
    documents, reading = read(data)
    link = [{"submitter_id": "e"}]
    assert documents == [
        {"type": "case", "submitter_id": "a", "primary_site": "lung", "experiments": link},
        {"type": "case", "submitter_id": "b", "primary_site": None, "experiments": link},
        {
            "type": "sample",
            "submitter_id": "s",
            "is_ffpe": True,
            "cases": [{"submitter_id": "a"}, {"submitter_id": "b"}],
        },
    ]
    places = [reading.places.place(number, "submitter_id", None) for number, _ in reading]
    assert [(each["sheet"], each["row"], each["column"]) for each in places] == [
        ("case", 2, "*submitter_id"), ("case", 4, "*submitter_id"), ("sample", 2, "submitter_id"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("year_of_birth", 1980, 1980),
        ("year_of_birth", 1980.0, 1980),
        ("year_of_birth", 1980.5, "1980.5"),
        ("age", 2.5, 2.5),
        ("age", 1234567890123456, 1234567890123456),
        ("gender", 123456789012345, "123456789012345"),
        ("gender", 12, "12"),
        ("gender", 12.0, "12"),
        ("gender", True, "true"),
        ("alive", True, True),
        ("alive", "FALSE", False),
        ("seen_at", date(2024, 1, 31), "2024-01-31"),
        ("seen_at", datetime(2024, 1, 31), "2024-01-31T00:00:00"),
        ("seen_at", datetime(2024, 1, 31, 12, 30), "2024-01-31T12:30:00"),
        ("seen_at", time(12, 30), "12:30:00"),
        ("seen_at", " 2024-01-31T12:00:00Z ", "2024-01-31T12:00:00Z"),
        ("gender", "null", None),
    ],
)
def test_a_cell_becomes_what_the_property_is(column: str, cell: Any, value: Any) -> None:
    [document], _ = read(workbook(demographic=[["submitter_id", column], ["x", cell]]))
    assert document[column] == value


@pytest.mark.parametrize(
    ("row", "rule", "cell", "column"),
    [
        (["a", "=A1&B1", "x"], "formula", "B2", "experiments"),
        (["a", "e", "#N/A"], "formula", "C2", "primary_site"),
        (["a", "e", None, "more"], "cells", "D2", None),
        (["a", "e", "x" * 1001], "maxLength", "C2", "primary_site"),
        ([1234567890123456, "e", "x"], "digits", "A2", "submitter_id"),
        (["a", -1e15, "x"], "digits", "B2", "experiments"),
    ],
)
def test_what_a_cell_cannot_hold_is_told_with_sheet_and_cell(
    row: list[Any], rule: str, cell: str, column: str | None
) -> None:
    _, reading = read(workbook(case=[CASE, row]))
    [[found]] = reading.faults.values()
    assert (found["rule"], found["cell"], (found["keys"] or [None])[0]) == (rule, cell, column)
    assert cell in found["message"]


def test_a_row_of_another_type_than_its_sheet_is_a_fault() -> None:
    _, reading = read(workbook(case=[["type", "submitter_id"], ["sample", "a"]]))
    assert [found["rule"] for [found] in reading.faults.values()] == ["nodeType"]


def test_empty_sheets_and_remarks_are_passed_over() -> None:
    documents, reading = read(
        workbook(Sheet2=[], case=[[*CASE, "#errors"], ["a", "e", None, "=A1"]], **{"#notes": [["what"], ["ever"]]})
    )
    assert (len(documents), reading.faults) == (1, {})


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ({"cases": [CASE, ["a"]]}, "sheet 'cases' is named after no node type. Did you mean 'case'?"),
        ({"case": [["a", "a"], ["x"]]}, "sheet 'case': the header has a more than once (a in columns 1 and 2)"),
        ({"case": [[], ["x"]]}, "sheet 'case' has no names of columns"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_named(sheets: dict[str, list[list[Any]]], message: str) -> None:
    with pytest.raises(BadRequest) as error:
        read(workbook(**sheets))
    assert message in error.value.message


Change = Callable[[str, bytes], bytes]


def rebuilt(data: bytes, change: Change) -> bytes:
    """The same archive with the content of its parts changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    return buffer.getvalue()


def padded(name: str, content: bytes) -> bytes:
    return content + b" " * 20_000_000 if name.endswith("sheet1.xml") else content


def far_row(name: str, content: bytes) -> bytes:
    return content.replace(b'<row r="2"', b'<row r="9999999"')


def far_column(name: str, content: bytes) -> bytes:
    return content.replace(b'r="A2"', b'r="ZZZ2"')


def wrong_size(name: str, content: bytes) -> bytes:
    return content.replace(b'<dimension ref="A1:C2"', b'<dimension ref="A1:A1"')


def entities(name: str, content: bytes) -> bytes:
    if not name.endswith("sheet1.xml"):
        return content
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    return f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'.encode() + content.replace(b"</v>", b"&l9;</v>")


@pytest.mark.parametrize(("change", "error"), [(padded, TooLarge), (far_row, TooLarge), (entities, BadRequest)])
def test_a_small_file_cannot_unfold_into_a_large_one(change: Change, error: type[CommonsError]) -> None:
    data = rebuilt(workbook(case=[CASE, ["a", "e", "x"]]), change)
    assert len(data) < 100_000
    with pytest.raises(error):
        read(data)


def test_a_workbook_of_the_old_format_is_named() -> None:
    with pytest.raises(BadRequest, match=r"save it as \.xlsx"):
        read(OLD_WORKBOOK + bytes(600))


def test_a_long_file_is_refused_before_it_is_in_memory() -> None:
    with pytest.raises(TooLarge):
        read(GOOD, BOUNDS._replace(bytes=len(GOOD) - 1))


@pytest.mark.parametrize("change", [far_column, wrong_size])
def test_what_a_file_says_of_its_own_size_is_not_believed(change: Change) -> None:
    documents, _ = read(rebuilt(workbook(case=[CASE, ["a", "e", "x"]]), change))
    assert documents[0]["primary_site"] == "x"


def test_a_type_whose_name_is_too_long_for_a_sheet_is_known_by_its_beginning() -> None:
    long = "case_with_a_name_that_excel_does_not_take"
    nodes = {**NODES, long: NODES["case"]}
    reading = Workbook(Body.of(workbook(**{long[:31]: [CASE, ["a", "e", None]]})), nodes, BOUNDS)
    assert len(list(reading)) == 1


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        read(data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_workbook_is_read_or_refused(data: Any) -> None:
    """Bytes are changed in the archive, or in one of its parts."""
    place = data.draw(st.integers(0, 5000))
    new = data.draw(st.binary(min_size=1, max_size=12))
    part = data.draw(st.sampled_from(["", *zipfile.ZipFile(io.BytesIO(GOOD)).namelist()]))

    def spoil(name: str, content: bytes) -> bytes:
        at = place % len(content)
        return content[:at] + new + content[at + len(new) :] if name == part else content

    with contextlib.suppress(CommonsError):
        read(rebuilt(GOOD, spoil) if part else spoil("", GOOD))


CELLS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f"), max_size=20)


@given(st.lists(st.lists(CELLS | TEXTS | st.dates(date(1900, 3, 1)), max_size=5), max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_workbook_is_read_or_refused(rows: list[list[Any]]) -> None:
    with contextlib.suppress(CommonsError):
        read(workbook(case=rows))
