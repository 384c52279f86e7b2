"""The open index: which run answers queries now.

The index is opened at the first query, so that an idle service needs neither DuckDB nor GraphQL in memory. When
another run becomes active, the next query uses it; a query that is running keeps its own, and the file of that stays
readable until it is done.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .indexes import indexes_of
from .settings import ExploreSettings

if TYPE_CHECKING:
    from .endpoint import Endpoint
    from .requests import Reader


@dataclass(frozen=True)
class OpenIndex:
    """A run with its reader and its GraphQL; without a reader before the first run."""

    run: int | None
    reader: "Reader | None"
    endpoint: "Endpoint"


class Shelf:
    """Opens indexes on demand. Methods block, so they belong on a worker thread; :attr:`wanted` may be set anywhere.

    Attributes
    ----------
    wanted
        Number of the run that queries shall use; None before the first.
    """

    def __init__(self, settings: ExploreSettings) -> None:
        self.settings = settings
        self.indexes = indexes_of(settings)
        self.wanted: int | None = None
        self._open: OpenIndex | None = None
        self._lock = threading.Lock()

    @property
    def used(self) -> bool:
        """Whether there has been a query, so that a new run is worth opening ahead of the next."""
        return self._open is not None

    @property
    def ready(self) -> OpenIndex | None:
        """The index to use, if it is open already; never blocks."""
        found = self._open
        return found if found is not None and found.run == self.wanted else None

    def current(self) -> OpenIndex:
        """The index to use for one request.

        Raises
        ------
        Unavailable
            It is not here, or its engine is away.
        """
        if (found := self.ready) is not None:
            return found
        with self._lock:
            wanted = self.wanted
            if self._open is None or self._open.run != wanted:
                self._open = self._load(wanted)
            return self._open

    def _load(self, run: int | None) -> OpenIndex:
        from .endpoint import Endpoint

        settings = self.settings
        if run is None:
            return OpenIndex(None, None, Endpoint(None, settings.max_first, settings.cache_bytes))
        reader = self.indexes.open(run)
        return OpenIndex(run, reader, Endpoint(reader, settings.max_first, settings.cache_bytes))

    def close(self) -> None:
        """Let the open index go."""
        with self._lock:
            if self._open and self._open.reader:
                self._open.reader.close()
            self._open = None
