"""Tables as text."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.core.cells import table_text

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10) | st.sampled_from(
    ["\r", "a\rb", '"']
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4), st.sampled_from("\t,"))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_again(rows: list[list[str]], delimiter: str) -> None:
    text = table_text(rows, delimiter)
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)) == rows


@pytest.mark.parametrize(("cell", "text"), [("a", "a\tb\n"), ("a\rb", '"a\rb"\t"b"\n')])
def test_cells_are_quoted_only_where_they_have_to_be(cell: str, text: str) -> None:
    assert table_text([[cell, "b"]], "\t") == text
