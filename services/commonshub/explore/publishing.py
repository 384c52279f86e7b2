"""The documents of a run as Parquet in the object store, for pandas, polars and DuckDB in a notebook.

They are written after the run has become active, so that nobody waits for them, and taken away with its index. A run
that has none yet, because it was killed or the store was away, gets them from the next.
"""

from contextlib import suppress
from pathlib import Path

from commonshub.core import parts
from commonshub.core.blobs import DOCUMENTS
from commonshub.core.database import Database
from commonshub.core.errors import CommonsError
from commonshub.core.storage import Location, Storage

from . import store
from .extract import Progress


def location_of(bucket: str, run: int, doc_type: str) -> Location:
    """Where the documents of a type are."""
    return Location(bucket, f"{DOCUMENTS}{run}/{doc_type}.parquet")


class Publisher:
    """Writes and takes away; for the holder of the build's lock only.

    Parameters
    ----------
    memory_bytes
        Memory that DuckDB may take.
    """

    def __init__(
        self, database: Database, schema: str, storage: Storage, memory_bytes: int, progress: Progress
    ) -> None:
        self.database = database
        self.memory_bytes = memory_bytes
        self.schema = schema
        self.storage = storage
        self.progress = progress

    def publish(self, run: int, index: Path, work: Path) -> None:
        """Store the documents of `run`, unless they are there, and delete those of runs that have no index any more.

        Parameters
        ----------
        work
            A folder for the files on their way, removed by whoever made it.

        Raises
        ------
        Unavailable
            The object store is away, or refuses.
        """
        self._give_up()
        if self.database.call(store.parquet, self.schema, run) is None:
            self.database.call(store.set_parquet, self.schema, run, self._stored(run, index, work))
        for number, sizes in self.database.call(store.outdated_parquet, self.schema).items():
            for doc_type in sizes:
                self.storage.delete(location_of(self._bucket, number, doc_type))
            self.database.call(store.set_parquet, self.schema, number, None)

    def _give_up(self) -> None:
        """End the uploads that killed processes left behind, if the store tells of such."""
        with suppress(CommonsError):
            for location, upload in parts.unended(self.storage, self._bucket, DOCUMENTS):
                parts.give_up(self.storage, location, upload)

    @property
    def _bucket(self) -> str:
        return self.storage.settings.upload_bucket

    def _stored(self, run: int, index: Path, work: Path) -> dict[str, int]:
        from .duck.parquet import write

        sizes = {}
        files = list(write(index, work, self.memory_bytes))
        for number, (doc_type, file) in enumerate(files):
            self.progress("publishing", number, len(files))
            parts.put(self.storage, location_of(self._bucket, run, doc_type), file)
            sizes[doc_type] = file.stat().st_size
        return sizes
