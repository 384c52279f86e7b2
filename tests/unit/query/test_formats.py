"""Cells and typed values of tables."""

import csv
import io
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import BadRequest
from commonshub.query.formats import BLOCK_BYTES, blocks, encode, typed
from commonshub.query.table import Column, Kind, Level, Table

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", '"', "\t", ",", "\n", "\r", "\r\n", "=1+1", "null", "None"]
)
CELLS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | TEXTS


def table(*columns: Column) -> Table:
    return Table("x", columns, Level(tuple(enumerate(column.name for column in columns)), ()))


@pytest.mark.parametrize(("form", "delimiter"), [("tsv", "\t"), ("csv", ",")])
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_a_table_is_read_back_cell_by_cell(form: str, delimiter: str, rows: list[tuple[Any, Any]]) -> None:
    two = table(Column("a", "string"), Column("b.c", "string"))
    text = b"".join(encode(two, iter(map(list, rows)), form)).decode()
    header, *found = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    assert header == ["a", "b.c"]
    assert found == [["" if each is None else str(each) for each in row] for row in rows]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([], ""),
        (["a", "b"], "a,b"),
        ([1, 2.5], "1,2.5"),
        ({"a": ["ä"]}, '{"a":["ä"]}'),
        ([{"a": 1}], '[{"a":1}]'),
        ([["a"]], '[["a"]]'),
    ],
)
def test_what_is_no_single_value_is_a_list_or_json(value: Any, shown: str) -> None:
    text = b"".join(encode(table(Column("a", "string"), Column("b", "string")), iter([[value, 1]]), "tsv")).decode()
    assert next(csv.reader(io.StringIO(text.partition("\n")[2]), delimiter="\t")) == [shown, "1"]


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("string", "x", "x"),
        ("string", 5, "5"),
        ("string", {"a": True}, '{"a":true}'),
        ("integer", 5, 5),
        ("integer", 5.0, 5),
        ("number", 5, 5.0),
        ("number", 2.5, 2.5),
        ("boolean", False, False),
    ],
)
def test_a_value_is_held_as_the_type_of_its_column(kind: Kind, value: Any, held: Any) -> None:
    (line,) = typed([Column("a", kind)], [[value]])
    assert orjson.loads(line) == {"0": held}
    (line,) = typed([Column("a", kind, many=True)], [[[value, None]]])
    assert orjson.loads(line) == {"0": [held, None]}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("integer", value) for value in (2.5, "5", True, [5], {}, 2**63, 1e300)),
        *(("number", value) for value in ("5", True, [5])),
        *(("boolean", value) for value in (0, "true", [True])),
    ],
)
def test_what_a_type_cannot_hold_is_refused_by_name(kind: Kind, value: Any) -> None:
    with pytest.raises(BadRequest, match=rf"^a\.b of a record is .*, which is no {kind}"):
        list(typed([Column("a.b", kind)], [[value]]))


@given(pieces=st.lists(st.integers(0, 3 * BLOCK_BYTES // 2).map(bytes), max_size=6))
def test_blocks_are_the_same_bytes_in_larger_pieces(pieces: list[bytes]) -> None:
    found = list(blocks(pieces))
    assert b"".join(found) == b"".join(pieces)
    assert all(len(block) >= BLOCK_BYTES for block in found[:-1])
