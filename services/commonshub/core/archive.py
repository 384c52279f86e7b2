"""Dictionaries of other times: what was frozen under one is read by it, whatever is in force by now."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from .database import Database
from .dictionary import Dictionary
from .versions import of_digest

T = TypeVar("T")

KEPT = 4
"""Dictionaries that are kept at hand; the one that came first goes first, since each may take many megabytes."""


class Archive(Generic[T]):
    """What is made of the versions of a dictionary, by their digests.

    Parameters
    ----------
    make
        Makes it, on a thread of its own.
    """

    def __init__(self, database: Database, make: Callable[[Dictionary], T]) -> None:
        self._database = database
        self._make = make
        self._kept: dict[str, T] = {}
        # Several that ask for the same wait for one of them.
        self._loading = asyncio.Lock()

    async def find(self, digest: str) -> T | None:
        """What belongs to a dictionary; None where no version has this digest."""
        if digest not in self._kept:
            async with self._loading:
                if digest not in self._kept:
                    await self._load(digest)
        return self._kept.get(digest)

    async def _load(self, digest: str) -> None:
        dictionary = await self._database.run(of_digest, self._database.settings.graph_schema, digest)
        if dictionary is not None:
            self._kept[digest] = await asyncio.to_thread(self._make, dictionary)
            if len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
