"""Names that servers give never lead anywhere but into the folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.client.download import plan
from commonshub.client.names import MAX_NAME_BYTES, apart, safe_name
from commonshub.client.objects import DataObject


def an_object(guid: str, name: str | None) -> DataObject:
    return DataObject(guid, name, 1, {}, (), f"drs://h/{guid}", {})


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("a.csv", "a.csv"),
        ("dir/a.csv", "a.csv"),
        ("..\\..\\a.csv", "a.csv"),
        ("../../../etc/passwd", "passwd"),
        ("a b (1).csv", "a b (1).csv"),
        ("Messwerte-ä.csv", "Messwerte-ä.csv"),
        (".bashrc", "bashrc"),
        ("...", "guid"),
        ("..", "guid"),
        ("/", "guid"),
        ("", "guid"),
        (None, "guid"),
        ("a\x00b\n.csv", "ab.csv"),
        ("invoice\u202ecod.exe", "invoicecod.exe"),
        ("a\u00a0b\u2028.csv", "a b .csv"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("a:b?.csv", "a_b_.csv"),
        ("trailing. ", "trailing"),
    ],
)
def test_a_name_becomes_one_plain_segment(given_name: str | None, expected: str) -> None:
    assert safe_name(given_name, "prefix/guid") == expected


@given(st.text(), st.text())
def test_no_name_is_a_path(name: str, guid: str) -> None:
    safe = safe_name(name, guid)
    assert Path(safe).name == safe
    assert safe not in ("", ".", "..")
    assert not safe.startswith(".")
    assert len(safe.encode()) <= MAX_NAME_BYTES + 1
    assert safe.isprintable()


@given(st.lists(st.sampled_from(["a.csv", "A.csv", "a-00000000.csv", "", "..", "2-a.csv"]), max_size=12))
def test_no_two_files_share_a_name(names: list[str]) -> None:
    objects = [an_object(f"0000000{n % 3}/0000000{n}", name) for n, name in enumerate(names)]
    paths = [target.path for target in plan(objects, Path("data"))]
    assert len({str(path).casefold() for path in paths}) == len(objects)
    assert all(path.parent == Path("data") for path in paths)


def test_an_object_asked_for_twice_is_one_file() -> None:
    assert len(plan([an_object("g", "a"), an_object("g", "a")], Path())) == 1


def test_telling_apart_keeps_the_extensions() -> None:
    assert apart("scan.nii.gz", "dg.X/0b5e1234-aaaa") == "scan-0b5e1234.nii.gz"
