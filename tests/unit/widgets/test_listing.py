"""The files that a browser shows."""

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.widgets.listing import Listing, code, guid_of, label

ROWS: list[dict[str, Any]] = [
    {"object_id": f"0000-0000-{n}", "file_name": f"file-{n}.{'csv' if n % 2 else 'dcm'}", "file_size": n}
    for n in range(45)
]


def a_listing(**changes: Any) -> Listing:
    return Listing(rows=ROWS, page_size=20, **changes)


def test_pages_cover_all_files_once() -> None:
    listing = a_listing()
    seen = []
    for page in range(listing.pages):
        listing.turn(page)
        seen += [guid_of(row) for row in listing.shown]
    assert seen == [guid_of(row) for row in ROWS]


@given(st.integers())
def test_turning_never_leaves_the_pages(page: int) -> None:
    listing = a_listing()
    listing.turn(page)
    assert listing.shown


@pytest.mark.parametrize(
    ("words", "count"),
    [("", 45), ("CSV", 22), ("csv file-1", 6), ("nowhere", 0), ("0000-0000-44", 1), ("44", 1), ("000", 0)],
)
def test_a_file_is_shown_when_all_words_occur(words: str, count: int) -> None:
    listing = a_listing()
    listing.filter(words)
    assert len(listing.matching) == count


def test_filtering_goes_to_the_first_page() -> None:
    listing = a_listing(page=2)
    listing.filter("csv")
    assert listing.page == 0


def test_choices_on_other_pages_stay() -> None:
    listing = a_listing()
    for row in listing.shown[1:3]:
        listing.toggle(row, chosen=True)
    listing.turn(1)
    listing.toggle(listing.shown[1], chosen=True)
    listing.turn(0)
    listing.toggle(listing.shown[1], chosen=False)
    assert list(listing.chosen) == ["0000-0000-2", "0000-0000-21"]
    assert listing.chosen_bytes == 23


def test_an_unknown_file_cannot_be_chosen() -> None:
    with pytest.raises(KeyError):
        a_listing().choose(["nowhere"])


def test_other_files_start_with_nothing_chosen() -> None:
    listing = a_listing()
    listing.choose(["0000-0000-1"])
    listing.replace(ROWS[:3])
    assert (listing.chosen, listing.page) == ({}, 0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"object_id": "g", "file_name": "a.csv", "file_size": 1500, "data_format": "CSV"},
            "a.csv   ·   1.5 kB   ·   CSV",
        ),
        ({"object_id": "g", "submitter_id": "s"}, "s   ·   unknown"),
        ({"object_id": "g", "file_name": None, "file_size": None}, "g   ·   unknown"),
    ],
)
def test_a_label_tells_files_apart(row: dict[str, Any], expected: str) -> None:
    assert label(row) == expected


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=4), st.text(), st.text())
def test_the_code_holds_nothing_but_the_choice(files: list[tuple[str, str]], folder: str, origin: str) -> None:
    rows = [{"object_id": guid, "file_name": name} for guid, name in files]
    tree = ast.parse(code(origin, rows, folder))
    _, make, fetch = tree.body
    assert isinstance(make, ast.Assign)
    assert isinstance(fetch, ast.Assign)
    assert isinstance(fetch.value, ast.Call)
    assert [ast.literal_eval(argument) for argument in fetch.value.args] == [[guid for guid, _ in files], folder]
