"""Which release a query reads, and whether its caller may."""

from collections import OrderedDict

from commonshub.core.database import Database
from commonshub.core.errors import NotFound
from commonshub.core.releases import Release, Releases, link_key

from .scope import Scope
from .sql import ReleaseTables

KEPT = 1000
"""Releases whose row is remembered; it never changes."""


class Shelf:
    """The releases of a commons, as queries read them."""

    def __init__(self, database: Database, releases: Releases) -> None:
        self._database = database
        self._releases = releases
        self._known: OrderedDict[str, Release] = OrderedDict()

    async def tables(self, id_: str, scope: Scope) -> ReleaseTables:
        """What stands for the graph's tables where a release is read; there is nothing else in them.

        Raises
        ------
        NotFound
            There is no such release, or it is of a project that is not in `scope`.
        """
        release = self._known.get(id_) or await self._find(id_)
        if release is None or not scope.covers(release.program, release.project):
            raise NotFound(f"There is no release {id_[:300]!r} that you may read.")
        return ReleaseTables(self._releases.schema, release.key, link_key)

    async def _find(self, id_: str) -> Release | None:
        found = None if "\0" in id_ else await self._database.read(self._releases.find, id_)
        if found is not None:
            self._known[id_] = found
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found
