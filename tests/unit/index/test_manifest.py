"""Manifests: every spelling of a list, every name of a column, and back again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import ValidationFailed
from commonshub.index import manifest

MD5 = "0cc175b9c0f1b6a831c399e269772661"
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("", []),
        ("[]", []),
        ("s3://b/a", ["s3://b/a"]),
        ("s3://b/a gs://b/a", ["s3://b/a", "gs://b/a"]),
        ("s3://b/a,gs://b/a", ["s3://b/a", "gs://b/a"]),
        ("['s3://b/a', 'gs://b/a']", ["s3://b/a", "gs://b/a"]),
        ('["s3://b/a", "gs://b/a"]', ["s3://b/a", "gs://b/a"]),
        ("[s3://b/a]", ["s3://b/a"]),
        ("s3://b/a%20b", ["s3://b/a b"]),
        ('["s3://b/a%20b"]', ["s3://b/a b"]),
        (r'["s3://b/a\u002520b"]', ["s3://b/a%20b"]),
        ("  a   b  ", ["a", "b"]),
        ("a a", ["a"]),
        ("[1, 2]", ["1", "2"]),
        ("[", []),
    ],
)
def test_spellings_of_a_list(cell: str, items: list[str]) -> None:
    assert manifest.read_list("urls", cell) == items


@pytest.mark.parametrize("cell", ["['open']", "[u'open']", "['Open']", " ['open'] "])
def test_open_records_of_old_manifests_are_open_to_everybody(cell: str) -> None:
    assert manifest.read_list("acl", cell) == ["*"]
    assert manifest.read_list("authz", cell) != ["*"]


@given(st.lists(texts, unique=True, max_size=5))
def test_what_is_written_is_read(items: list[str]) -> None:
    assert manifest.read_list("urls", manifest.write_list(items)) == items


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("GUID", "did"), ("filename", "file_name"), ("s3_file_size", "size"), ("MD5sum", "md5"), ("gs_path", "urls")],
)
def test_columns_have_several_names(name: str, meaning: str) -> None:
    given = {"md5": MD5, "size": "1", "url": "s3://b/k"}
    values = {"did": "x", "file_name": "f", "size": "7", "md5": MD5.upper(), "urls": "gs://b/k"}
    given = {key: value for key, value in given.items() if key != meaning} | {name: values[meaning]}
    body = manifest.Header(list(given)).row(2, list(given.values())).body
    expected: dict[str, Any] = {
        "did": "x",
        "file_name": "f",
        "size": 7,
        "urls": ["s3://b/k", "gs://b/k"] if name == "gs_path" else ["gs://b/k"],
    }
    assert body["hashes"] == {"md5": MD5}
    if meaning != "md5":
        assert body[meaning] == expected[meaning]


@pytest.mark.parametrize(
    "names", [["md5", "size"], ["size", "urls"], ["md5", "urls"], ["md5", "md5sum", "size", "urls"], ["a"], []]
)
def test_a_header_that_says_too_little_or_too_much_is_refused(names: list[str]) -> None:
    with pytest.raises(ValidationFailed):
        manifest.Header(names)


@given(st.lists(st.binary(max_size=40).map(lambda line: line + b"\n"), max_size=6))
def test_any_bytes_are_either_a_table_or_refused(content: list[bytes]) -> None:
    try:
        rows = manifest.table(manifest.lines(content))
        header = manifest.Header(next(rows)[1])
        for line, cells in rows:
            header.row(line, cells)
    except ValidationFailed as error:
        assert error.message  # noqa: PT017 -- either outcome is right, any other error is not


def test_rows_are_counted_by_the_line_they_begin_on() -> None:
    content = [b"\xef\xbb\xbfmd5,size,urls\r\n", b'"a\n', b'b",1,x\r\n', b"\r\n", b"c,2,y\r\n"]
    assert list(manifest.table(manifest.lines(content))) == [
        (1, ["md5", "size", "urls"]),
        (2, ["a\nb", "1", "x"]),
        (5, ["c", "2", "y"]),
    ]
