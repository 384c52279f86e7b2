"""Index files, as the service opens them."""

from collections.abc import Collection
from pathlib import Path

from commonshub.core.errors import Unavailable

from ..extract import Progress
from ..indexes import file_of
from ..settings import ExploreSettings
from .read import DuckReader


class DuckIndexes:
    """See :class:`commonshub.explore.indexes.Indexes`; the files themselves are kept by whoever builds them."""

    def __init__(self, settings: ExploreSettings) -> None:
        self.settings = settings

    def open(self, run: int) -> DuckReader:
        """The index of a run, to be asked."""
        if not self.has(run):
            raise Unavailable(
                f"The file of the explorer's run {run} is missing; `commonshub etl run` builds a new one."
            )
        return self.read(file_of(self.settings, run))

    def read(self, file: Path) -> DuckReader:
        """An index file, to be asked."""
        settings = self.settings
        return DuckReader(
            file, settings.query_memory_bytes, settings.query_timeout_s, settings.max_buckets, settings.query_cores
        )

    def has(self, run: int) -> bool:
        """Whether the file of a run is here."""
        return file_of(self.settings, run).exists()

    def take(self, run: int, file: Path, progress: Progress) -> None:
        """The file is the index."""

    def point(self, active: int) -> None:
        """Nobody else looks for the files."""

    def keep(self, runs: Collection[int]) -> None:
        """The files go with what else is left of a build."""
