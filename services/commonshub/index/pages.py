"""Where the pages of a list begin, so that a page far on costs no more than the first.

A page number says how many records to pass over, and PostgreSQL can only count them one by one. Who reads a list reads
page after page, though: each reading tells with which record the next page begins, and that is remembered for a while.

That is also the better answer while records change. A changed record moves to the end of the list, and by counting,
the next page would leave out the record that moved into the page before.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

# So many pages before the wanted one are looked for: clients that read pages side by side are a few ahead.
MAX_DISTANCE = 32


class Place(NamedTuple):
    """A record's place in a list by date of change."""

    updated: datetime
    guid: str


class Start(NamedTuple):
    """Where to begin to read a page: so many pages on from a place, or from the beginning of the list (None)."""

    place: Place | None
    pages: int


class Pages:
    """Beginnings of pages that were read lately by one process.

    Parameters
    ----------
    most
        Beginnings that are kept; those that were not used for longest give way.
    life_s
        How long a beginning counts, in seconds: what has been deleted since moves no page.
    """

    def __init__(self, most: int, life_s: float) -> None:
        self._most = most
        self._life_s = life_s
        self._known: OrderedDict[tuple[bytes, int], tuple[Place, float]] = OrderedDict()

    def start(self, listed: bytes, page: int, now: float) -> Start:
        """Where to begin for a page.

        Parameters
        ----------
        listed
            What is listed: filter and size of the page.
        page
            Counted from 0.
        now
            Seconds of a clock that only goes forward.
        """
        for near in range(page, max(0, page - MAX_DISTANCE), -1):
            known = self._known.get((listed, near))
            if known and now - known[1] < self._life_s:
                self._known.move_to_end((listed, near))
                return Start(known[0], page - near)
        return Start(None, page)

    def note(self, listed: bytes, page: int, places: Sequence[Place | None], now: float) -> None:
        """Remember where a page begins, and the pages after it.

        A place is None where the record has no date.
        """
        for number, place in enumerate(places, page):
            if place and number:
                self._known[listed, number] = (place, now)
                self._known.move_to_end((listed, number))
        while len(self._known) > self._most:
            self._known.popitem(last=False)
