"""Bodies of requests as documents."""

import contextlib
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.core.dictionary import load
from commonshub.core.errors import BadRequest
from commonshub.submission.body import BLOCK_BYTES, Body, join
from commonshub.submission.documents import Limits, document_format
from commonshub.submission.documents import read as read_body
from commonshub.submission.tables import MAX_ROW_CHARS
from commonshub.submission.workbook import OLD_WORKBOOK

LIMITS = Limits()
NODES = load(str(Path(__file__).parents[2] / "data" / "dictionary")).nodes


def parse(body: bytes, kind: str) -> list[Any]:
    """All documents of a body."""
    return [document for _, document in read_body(Body.of(body), kind, NODES, LIMITS)]


def read(text: str, kind: str = "text/tsv") -> list[Any]:
    return parse(text.encode(), kind)


def reading(text: str) -> tuple[list[tuple[int, Any]], Any]:
    """What is read of a table, with what reading it found."""
    table = read_body(Body.of(text.encode()), "text/tsv", NODES, LIMITS)
    return list(table), table


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/csv", "csv"),
        ("text/tsv", "tsv"),
        ("text/tab-separated-values", "tsv"),
        ("Text/TSV; charset=UTF-8", "tsv"),
        ("application/json", "json"),
        ("", "json"),
    ],
)
def test_the_content_type_gives_the_format(content_type: str, kind: str) -> None:
    assert document_format(content_type) == kind


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("year_of_birth", "1980", 1980),
        ("year_of_birth", "1980.5", "1980.5"),
        ("year_of_birth", "1_980", "1_980"),
        ("year_of_birth", str(2**63), str(2**63)),
        ("age", "1_0", "1_0"),
        ("age", "2.0", 2),
        ("age", str(2**53 + 1), 2**53 + 1),
        ("age", "2.5", 2.5),
        ("age", "nan", "nan"),
        ("age", "inf", "inf"),
        ("age", "1e400", "1e400"),
        ("age", "", None),
        ("age", "null", None),
        ("alive", "TRUE", True),
        ("alive", "no", "no"),
        ("gender", "12", "12"),
        ("cases.submitter_id", "a", [{"submitter_id": "a"}]),
        ("cases.submitter_id", "a, b", [{"submitter_id": "a"}, {"submitter_id": "b"}]),
        ("unknown", " x ", "x"),
    ],
)
def test_a_cell_becomes_what_the_property_is(column: str, cell: str, value: Any) -> None:
    [document] = read(f"type\t{column}\ndemographic\t{cell}\n")
    assert document[column.partition(".")[0]] == value


def test_an_empty_link_cell_says_nothing() -> None:
    assert read("type\tcases.submitter_id\ndemographic\t\n") == [{"type": "demographic"}]


def test_id_and_key_of_a_target_come_together() -> None:
    text = "type\tsamples.id\tsamples.submitter_id\naliquot\t1,2\ta,b\n"
    assert read(text)[0]["samples"] == [{"id": "1", "submitter_id": "a"}, {"id": "2", "submitter_id": "b"}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_kind(end: str) -> None:
    assert [each["submitter_id"] for each in read(f"type\tsubmitter_id{end}case\ta{end}{end}case\tb")] == ["a", "b"]


# -- what is no table --------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("type\tsubmitter_id\ncase\tä\n".encode("latin-1"), "text/tsv", "byte 23 is not UTF-8 (line 2)"),
        ("type\tsubmitter_id\ncase\ta\n".encode("utf-16"), "text/tsv", "it is UTF-16"),
        ("type\tsubmitter_id\ncase\ta\n".encode("utf-16-le"), "text/tsv", "line 1 contains NUL"),
        ('{"type": "ä"}'.encode("latin-1"), "application/json", "0xe4 in position 10"),
        ('{"type": "ä"}'.encode("utf-16"), "application/json", "it is UTF-16"),
        (b"type\ncase\n", "text/tsv; charset=latin-1", "charset is 'latin-1'"),
        (b"type\tsubmitter_id\ncase\ta\0\n", "text/tsv", "line 2 contains NUL"),
        (b"type\tsubmitter_id\tsubmitter_id\n", "text/tsv", "more than once (submitter_id in columns 2 and 3)"),
        (b"Type\tsubmitter_id\ncase\ta\n", "text/tsv", "no column 'type'. Did you mean 'type' by 'Type'?"),
        (b'type\tsubmitter_id\ncase\t"a\n', "text/tsv", "row 2: a cell begins with a quote that is closed nowhere"),
        (b'type\tsubmitter_id\ncase\t"a" b\n', "text/tsv", "row 2: a cell goes on after its closing quote"),
        (b"type,submitter_id\ncase,a\n", "text/tsv", "parted by commas; text/tab-separated-values takes tabs"),
        (b"type;submitter_id\ncase;a\n", "text/csv", "parted by semicolons"),
        (b"submitter_id\t*type\na\tcase\n", "text/csv", "parted by tabs"),
        (b"\n\ntype\tsubmitter_id\ncase\ta\n", "text/tsv", "row 1 is empty; it must have the names of the columns"),
        (OLD_WORKBOOK, "text/csv", "a workbook in the format before .xlsx, or one with a password; save it as .xlsx"),
        (b"--x\r\nContent-Disposition", "multipart/form-data; boundary=x", "it comes as a form; send the file itself"),
        (b"*type\tsubmitter_id\n", "", "(char 0) Send a table with the content type text/tsv or text/csv."),
        (b"PK\x03\x04\xff", "text/tsv", "it is a workbook or another archive; send a workbook (.xlsx) with"),
        (b"type\tsubmitter_id\n\ncase\t" + b"x" * 200_000, "text/tsv", "row 3: a cell has more than 131072 characters"),
        (b'[{}, {"a": ["' + b"x" * 200_000 + b'"]}]', "application/json", "the text at /1/a/0 has 200000 characters"),
        (b'{"a": "' + b'\\"' * 200_000 + b'"}', "application/json", "the text at /a has 200000 characters"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_whole_body_is_told_with_its_place(body: bytes, kind: str, message: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(message)):
        parse(body, kind)


def test_long_texts_are_no_fault_while_each_is_short_enough() -> None:
    body = json.dumps([{"a": "x" * 100_000}, {"a": 'x"' * 60_000}]).encode()
    assert len(parse(body, "application/json")) == 2


def test_rows_are_numbered_as_a_spreadsheet_does() -> None:
    read, _ = reading('type\tsubmitter_id\ncase\t"a\nb"\n\ncase\tb\n')
    assert [number for number, _ in read] == [2, 4]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("type\tsubmitter_id", "case\ta\tb", "The row has 3 cells, the header names 2."),
        ("type\tsubmitter_id\t", "case\ta\tb", "The row has 3 cells, the header names 2."),
        ("type\t\tsubmitter_id", "case\tb\ta", "The row has 3 cells, the header names 2."),
    ],
)
def test_a_cell_without_a_header_is_a_fault_of_its_row(header: str, row: str, message: str) -> None:
    _, table = reading(f"{header}\n{row}\n")
    [[found]] = table.faults.values()
    assert (list(table.faults), found["message"], found["rule"], found["value"]) == ([2], message, "cells", "b")


@pytest.mark.parametrize(
    ("header", "cells", "document"),
    [
        ("cases.submitter_id\tcases.submitter_id#1", "a\tb", {"cases.submitter_id#1": "b"}),
        ("cases.submitter_id\tcases", "a\tb", {"cases": "b"}),
        ("cases\tcases.submitter_id", "b\ta", {"cases": "b"}),
        ("cases\tcases.submitter_id", "\ta", {"cases": [{"submitter_id": "a"}]}),
        ("is_ffpe\tis_ffpe.id", "true\ta", {"is_ffpe": True, "is_ffpe.id": "a"}),
        ("is_ffpe.id\tis_ffpe", "a\t", {"is_ffpe": None, "is_ffpe.id": "a"}),
        (".id\tage.", "a\tb", {".id": "a", "age.": "b"}),
        ("foo.id\tfoo", "a\tb", {"foo": "b"}),
    ],
)
def test_nothing_that_is_said_of_a_link_or_property_in_two_ways_is_lost(
    header: str, cells: str, document: dict[str, Any]
) -> None:
    [found] = read(f"type\t{header}\nsample\t{cells}\n")
    assert {name: found.get(name) for name in document} == document


def test_a_row_that_ends_early_says_nothing_of_the_rest() -> None:
    read, table = reading("type\tsubmitter_id\tprimary_site\ncase\ta\n")
    assert read == [(2, {"type": "case", "submitter_id": "a"})]
    assert table.warnings[2][0]["message"] == "The row has 2 cells, the header names 3; nothing is said of the others."


def test_columns_of_other_types_and_remarks_are_no_part_of_a_record() -> None:
    text = "type\tsubmitter_id\tage\t#errors\tfoo\ncase\ta\t\tx: wrong\t\ncase\tb\t3\t\t\n"
    assert read(text) == [
        {"type": "case", "submitter_id": "a"},
        {"type": "case", "submitter_id": "b", "age": "3"},
    ]


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.lists(VALUES, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_written_table_is_read_back(values: list[str]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t")
    writer.writerow(["type", "submitter_id"])
    writer.writerows(["case", value] for value in values)
    expected = [None if value.strip() in ("", "null") else value.strip() for value in values]
    assert [each["submitter_id"] for each in read(buffer.getvalue())] == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES.map(lambda text: f"k{text}"), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=5), st.booleans())
@settings(max_examples=100, deadline=None)
def test_json_without_duplicate_keys_is_taken_as_it_is(documents: list[Any], pretty: bool) -> None:
    body = json.dumps(documents, indent=2 if pretty else None).encode()
    assert parse(body, "application/json") == documents


@pytest.mark.parametrize(
    "body",
    ['{"a":1,"a":2}', '{"*a":1,"a":2}', '{"*a":1,"**a":2}', '{"b":{"a" : 1, "a": 2}}', '[{"a":":"},{"a":1, "a":1}]'],
)
def test_duplicate_keys_are_refused(body: str) -> None:
    with pytest.raises(BadRequest, match="duplicate keys: a"):
        parse(body.encode(), "application/json")


def test_marks_of_templates_are_taken_off() -> None:
    read = parse(b'{"*type": "case", "x": "*"}', "application/json")
    assert read == [{"type": "case", "x": "*"}]


@pytest.mark.parametrize("depth", [51, 200, 2000, 200_000])
@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_endless_nesting_is_refused(begin: bytes, end: bytes, depth: int) -> None:
    with pytest.raises(BadRequest, match="nested"):
        parse(begin * depth + b"1" + end * depth, "application/json")


WORDS = st.sampled_from(["type", "case", "sample", "cases", "is_ffpe", "age", ".", "id", "*", "#", "a", "null", ","])
TABLES = st.lists(
    st.lists(st.lists(WORDS, max_size=3).map("".join), max_size=4).map("\t".join), min_size=1, max_size=4
).map(lambda lines: "type\t{}\n".format("\nsample\t".join(lines)).encode())


@given(st.binary(max_size=60) | TABLES, st.sampled_from(["text/tsv", "text/csv", "application/json"]))
@settings(max_examples=300, deadline=None)
def test_nothing_but_bad_requests_comes_of_any_body(body: bytes, kind: str) -> None:
    with contextlib.suppress(BadRequest):
        parse(body, kind)


# -- bodies that do not fit into memory --------------------------------------------


@given(st.lists(st.binary(max_size=50)), st.integers(0, 100))
@settings(max_examples=50)
def test_a_body_is_what_was_written_wherever_it_is_kept(tmp_path_factory: Any, pieces: list[bytes], most: int) -> None:
    body = Body(tmp_path_factory.getbasetemp() / "bodies", most)
    for piece in pieces:
        body.write(piece)
    whole = b"".join(pieces)
    assert (body.bytes(), body.size, body.large) == (whole, len(whole), len(whole) > most)
    assert join(body.parts(), Body.of(b"")).bytes() == whole
    body.close()


def test_a_file_without_a_name_leaves_none(tmp_path: Path) -> None:
    body = Body(tmp_path / "bodies", 1)
    body.write(b"abc")
    assert list((tmp_path / "bodies").iterdir()) == []
    body.close()


def test_a_file_with_a_name_outlives_its_process(tmp_path: Path) -> None:
    body = Body(tmp_path / "bodies", 10, tmp_path / "bodies" / "1")
    body.write(b"abc")
    body.settle()
    body.close(remove=False)
    again = Body.kept(tmp_path / "bodies" / "1")
    assert again.bytes() == b"abc"
    again.close()
    assert list((tmp_path / "bodies").iterdir()) == []


@pytest.mark.parametrize("filler", [0, BLOCK_BYTES - 6, BLOCK_BYTES - 5, 3 * BLOCK_BYTES])
@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3(", b"\xe2\x82"])
def test_a_byte_that_is_no_text_is_named_wherever_it_is(filler: int, wrong: bytes) -> None:
    body = b"type\n" + b"x" * filler + wrong
    with pytest.raises(BadRequest, match=f"byte {5 + filler} is not UTF-8"):
        parse(body, "text/tsv")


@pytest.mark.parametrize("row", ["x" * (MAX_ROW_CHARS + 1), '"\n' + "x\n" * MAX_ROW_CHARS, '"x\n"\t' * MAX_ROW_CHARS])
def test_a_row_that_does_not_end_is_refused(row: str) -> None:
    with pytest.raises(BadRequest, match=r"longer than|more than"):
        read(f"type\n{row}")


def test_a_table_is_read_again_from_its_beginning() -> None:
    table = read_body(Body.of(b"type\tsubmitter_id\ncase\ta\n"), "text/tsv", NODES, LIMITS)
    assert list(table) == list(table)
