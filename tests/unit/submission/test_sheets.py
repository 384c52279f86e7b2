"""Workbooks that are written."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.core.dictionary import load
from commonshub.core.errors import BadRequest
from commonshub.submission import sheets
from commonshub.submission.body import Body
from commonshub.submission.documents import CONTENT_TYPES, XLSX, Limits, read
from commonshub.submission.export import Row

DICTIONARY = load(str(Path(__file__).parents[2] / "data" / "dictionary"))


def written(kind: str, properties: dict[str, Any], **links: list[str]) -> bytes:
    book, buffer = sheets.Workbook(DICTIONARY, without_id=True), io.BytesIO()
    targets = {name: [{"node_id": key, "submitter_id": key} for key in keys] for name, keys in links.items()}
    try:
        book.add(DICTIONARY.nodes[kind], [[Row("i", properties, targets)]])
    finally:
        book.save(buffer)
    return buffer.getvalue()


def again(data: bytes) -> dict[str, Any]:
    [(_, document)] = read(Body.of(data), CONTENT_TYPES[XLSX], DICTIONARY.nodes, Limits())
    found: dict[str, Any] = document
    return found


# Spreadsheets know no carriage return; what stands around a cell is no part of it.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30).map(
    str.strip
)


@settings(deadline=None)
@given(text=texts | st.sampled_from(["=A1", "=", "#REF!", "'x", "1e5", "TRUE", "2020-01-01", "a\nb\tc"]))
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    document = again(written("case", {"submitter_id": "c", "primary_site": text}, experiments=["e"]))
    # An empty cell is null, and so is the word.
    assert document["primary_site"] == (None if text in ("", "null") else text)


@settings(deadline=None)
@given(number=st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False), truth=st.booleans())
def test_a_number_is_read_as_it_was_written(number: float, truth: bool) -> None:
    document = again(
        written("sample", {"submitter_id": "s", "longest_dimension": number, "is_ffpe": truth}, cases=["c"])
    )
    assert (document["longest_dimension"], document["is_ffpe"]) == (number, truth)
    assert document["cases"] == {"submitter_id": "c"} or document["cases"] == [{"submitter_id": "c"}]


@pytest.mark.parametrize("text", ["\x00", "a\x0bb", "\ufffe", "\ud800", "x" * 32_768])
def test_what_no_cell_can_hold_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest, match="primary_site of case 'c'"):
        written("case", {"submitter_id": "c", "primary_site": text})


def test_a_long_name_that_is_not_the_only_one_has_no_sheet() -> None:
    case = DICTIONARY.nodes["case"]
    names = ["x" * 31 + "a", "x" * 31 + "b", "y" * 40, "case"]
    nodes = {name: replace(case, id=name) for name in names}
    with pytest.raises(BadRequest, match="choose tsv"):
        sheets.sheet_name(nodes[names[0]], nodes)
    assert [sheets.sheet_name(nodes[name], nodes) for name in names[2:]] == ["y" * 31, "case"]


def test_a_form_can_be_opened() -> None:
    book = openpyxl.load_workbook(io.BytesIO(sheets.form(DICTIONARY, [DICTIONARY.nodes["case"]])))
    assert book.sheetnames == ["case", "#values"]
