"""Where pages begin."""

from datetime import datetime

import pytest

from commonshub.index.pages import MAX_DISTANCE, Pages, Place, Start

LISTED = b"all"
LIFE_S = 60


def place(number: int) -> Place:
    return Place(datetime(2020, 1, 1), f"guid-{number}")


@pytest.fixture
def pages() -> Pages:
    """Page 4 was read at 100 s, and told where pages 4 and 5 begin."""
    pages = Pages(4, LIFE_S)
    pages.note(LISTED, 4, [place(4), place(5)], 100)
    return pages


@pytest.mark.parametrize(
    ("listed", "page", "now", "start"),
    [
        (LISTED, 4, 101, Start(place(4), 0)),
        (LISTED, 5, 101, Start(place(5), 0)),
        (LISTED, 7, 101, Start(place(5), 2)),
        (LISTED, 3, 101, Start(None, 3)),
        (LISTED, 0, 101, Start(None, 0)),
        (LISTED, 5 + MAX_DISTANCE, 101, Start(None, 5 + MAX_DISTANCE)),
        (LISTED, 5, 100 + LIFE_S, Start(None, 5)),
        (b"another", 5, 101, Start(None, 5)),
    ],
)
def test_a_page_is_read_from_the_nearest_known_one(
    pages: Pages, listed: bytes, page: int, now: float, start: Start
) -> None:
    assert pages.start(listed, page, now) == start


def test_what_was_not_used_for_longest_is_forgotten(pages: Pages) -> None:
    pages.start(LISTED, 4, 101)
    pages.note(LISTED, 8, [place(8), place(9), place(10)], 102)
    known = {page for page in range(11) if pages.start(LISTED, page, 103) == Start(place(page), 0)}
    assert known == {4, 8, 9, 10}


def test_the_first_page_is_where_the_list_begins() -> None:
    pages = Pages(4, LIFE_S)
    pages.note(LISTED, 0, [place(0), None], 100)
    assert pages.start(LISTED, 0, 101) == Start(None, 0)
    assert pages.start(LISTED, 1, 101) == Start(None, 1)
