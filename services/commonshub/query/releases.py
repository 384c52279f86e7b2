"""Which release a query reads, and whether its caller may."""

from collections.abc import Callable

from commonshub.core.archive import Archive
from commonshub.core.database import Database
from commonshub.core.dictionary import Dictionary
from commonshub.core.errors import NotFound
from commonshub.core.releases import Release, Releases, link_key

from .answers import Answers
from .scope import Scope
from .sql import ReleaseTables

KEPT = 1000
"""Releases whose row is remembered; it never changes."""


class Shelf:
    """The releases of a commons, as queries read them.

    Parameters
    ----------
    make
        Makes the answers of a dictionary.
    """

    def __init__(self, database: Database, releases: Releases, make: Callable[[Dictionary], Answers]) -> None:
        self._database = database
        self._releases = releases
        self._archive = Archive(database, make)
        self._known: dict[str, Release] = {}

    async def find(self, id_: str, scope: Scope, current: Answers) -> tuple[Answers, ReleaseTables]:
        """How a release is read: by the dictionary of its time, and in tables that hold nothing but it.

        Parameters
        ----------
        current
            Answers of the dictionary in force, for releases of which no other is known.

        Raises
        ------
        NotFound
            There is no such release, or it is of a project that is not in `scope`.
        """
        release = self._known.get(id_) or await self._find(id_)
        if release is None or not scope.covers(release.program, release.project):
            raise NotFound(f"There is no release {id_[:300]!r} that you may read.")
        is_current = release.dictionary == current.dictionary.digest
        earlier = None if is_current else await self._archive.find(release.dictionary)
        return earlier or current, ReleaseTables(self._releases.schema, release.key, link_key)

    async def _find(self, id_: str) -> Release | None:
        found = None if "\0" in id_ else await self._database.read(self._releases.find, id_)
        if found is not None:
            self._known[id_] = found
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return found
