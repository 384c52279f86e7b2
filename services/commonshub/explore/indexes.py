"""Where the indexes of runs are: files of DuckDB, or a cluster of OpenSearch.

Every build makes a file of DuckDB, which stays where the builds run. With OpenSearch as the engine its documents are
copied there before the run becomes active, and the services never look at the file.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from .extract import Progress
from .requests import Reader
from .settings import ExploreSettings

SUFFIX = ".duckdb"


class Indexes(Protocol):
    """The indexes of one engine. Methods block, and raise :class:`commonshub.core.errors.Unavailable`."""

    def open(self, run: int) -> Reader:
        """The index of a run, to be asked."""

    def has(self, run: int) -> bool:
        """Whether the index of a run is there, and whole."""

    def take(self, run: int, file: Path, progress: Progress) -> None:
        """Make an index of the file that was built for a run; nothing is left of one that fails."""

    def point(self, active: int) -> None:
        """Let other programs find the index of the active run."""

    def keep(self, runs: Collection[int]) -> None:
        """Drop the indexes of all other runs; for the holder of the build's lock only."""


def file_of(settings: ExploreSettings, run: int) -> Path:
    """The file that was built for a run."""
    return settings.indexes / f"{run}{SUFFIX}"


def indexes_of(settings: ExploreSettings) -> Indexes:
    """The indexes of the engine that was chosen."""
    if settings.index_engine == "duckdb":
        from .duck.indexes import DuckIndexes

        return DuckIndexes(settings)
    from .opensearch.indexes import OpenSearchIndexes

    return OpenSearchIndexes(settings)
