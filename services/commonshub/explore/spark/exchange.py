"""Where a build and Spark hand each other Parquet: the run's folder, or the upload bucket.

Spark on this machine reads and writes the folder itself. A cluster sees no such folder, so for it the files go through
the object store, by presigned URLs: its machines get no keys of the store, and need no library of Java's for it. What
they wrote is known by what they tell of it; nothing is read because it is there.
"""

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from commonshub.core import parts
from commonshub.core.blobs import DOCUMENTS
from commonshub.core.errors import CommonsError, Unavailable
from commonshub.core.storage import Location, Storage

from ..settings import ExploreSettings
from . import courier
from .session import quiet

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession
    from pyspark.sql.types import StructType

ON_ITS_WAY = f"{DOCUMENTS}spark/"
"""Folder of the upload bucket with what goes to Spark and comes back; a build that is killed leaves some there."""


class Exchange(ABC):
    """What is handed over is a folder of Parquet files in the run's own, and has its name.

    Parameters
    ----------
    folder
        The run's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def give(self, spark: "SparkSession", name: str) -> "DataFrame":
        """Rows of Spark's from files of ours."""

    def schema(self, name: str) -> "StructType":
        """The columns of files of ours: Spark would start a job to find them out."""
        from pyarrow.parquet import read_schema
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(read_schema(next((self.folder / name).iterdir())))

    @abstractmethod
    def take(self, rows: "DataFrame", name: str) -> None:
        """Files of ours from rows of Spark's, which computes them for it."""


class Folder(Exchange):
    """Spark sees the folder."""

    def give(self, spark: "SparkSession", name: str) -> "DataFrame":
        return spark.read.schema(self.schema(name)).parquet(str(self.folder / name))

    def take(self, rows: "DataFrame", name: str) -> None:
        rows.write.parquet(str(self.folder / name), compression="zstd")


class Bucket(Exchange):
    """The upload bucket, which Spark reaches by URLs.

    Parameters
    ----------
    run
        Whose folder of the bucket it is.
    ttl_s
        Life of the URLs, in seconds.
    """

    def __init__(self, folder: Path, run: int, storage: Storage, ttl_s: int) -> None:
        from pyspark import cloudpickle

        super().__init__(folder)
        self.run = run
        self.storage = storage
        self.ttl_s = ttl_s
        cloudpickle.register_pickle_by_value(courier)  # type: ignore[no-untyped-call]

    def give(self, spark: "SparkSession", name: str) -> "DataFrame":
        schema, files = self.schema(name), sorted((self.folder / name).iterdir())
        for number, file in enumerate(files):
            parts.put(self.storage, self._place(name, number), file)
            file.unlink()
        urls = [self.storage.presign("GET", self._place(name, number), self.ttl_s) for number in range(len(files))]
        with quiet():
            rows = spark.range(0, len(urls), 1, len(urls)).mapInArrow(courier.fetching(urls), schema)
        # Queries read a table many times.
        return rows.persist()

    def take(self, rows: "DataFrame", name: str) -> None:
        from pyarrow.parquet import write_table
        from pyspark.sql.pandas.types import to_arrow_schema

        most = int(rows.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
        urls = [self.storage.presign("PUT", self._place(name, number), self.ttl_s) for number in range(most)]
        with quiet():
            receipts = rows.coalesce(most).mapInArrow(courier.sending(urls), courier.RECEIPT)
        folder = self.folder / name
        folder.mkdir()
        # Of no documents there is no part that could say what their fields are.
        write_table(to_arrow_schema(rows.schema).empty_table(), folder / "none.parquet")
        for receipt in receipts.collect():
            self._fetch(self._place(name, receipt.part), folder / f"{receipt.part}.parquet", receipt)

    def _fetch(self, place: Location, file: Path, receipt: "Row") -> None:
        digest = hashlib.sha256()
        with file.open("wb") as out:
            for chunk in self.storage.stream(place):
                digest.update(chunk)
                out.write(chunk)
        # A task that was given up on may have sent what it made, too, and after the one that counts.
        if not hmac.compare_digest(digest.hexdigest(), receipt.digest):
            raise Unavailable("What Spark stored of the documents was replaced before it was read.")

    def _place(self, name: str, number: int) -> Location:
        return Location(self.storage.settings.upload_bucket, f"{ON_ITS_WAY}{self.run}/{name}/{number}.parquet")


@contextmanager
def exchange(settings: ExploreSettings, folder: Path, run: int, storage: Storage | None) -> Iterator[Exchange]:
    """What the settings choose, for the holder of the build's lock: what others left in the bucket is removed.

    Raises
    ------
    Unavailable
        There is no bucket, or it is away.
    """
    if settings.spark_exchange == "folder":
        yield Folder(folder)
        return
    if storage is None:
        raise Unavailable("There is no upload bucket for Spark; let spark_exchange be folder.")
    sweep(storage)
    try:
        yield Bucket(folder, run, storage, settings.spark_url_ttl_s)
    finally:
        # The next build sweeps, too.
        with suppress(CommonsError):
            sweep(storage)


def sweep(storage: Storage) -> None:
    """Remove what is on its way."""
    for location in list(_there(storage)):
        storage.delete(location)


def _there(storage: Storage) -> Iterable[Location]:
    for page in storage.listing(storage.settings.upload_bucket, prefix=ON_ITS_WAY):
        yield from (listed.location for listed in page)
