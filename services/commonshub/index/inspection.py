"""Whether records and bytes agree: bytes that are missing or changed, and bytes that no record knows of.

Everything comes in pages, so that any number of records and objects take the same memory, and no transaction is open
while a store is asked.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from commonshub.core import records
from commonshub.core.blobs import DOCUMENTS
from commonshub.core.database import Database
from commonshub.core.errors import BadRequest, Conflict, NotFound, Unavailable, UpstreamError
from commonshub.core.records import Record
from commonshub.core.storage import Listed, Location, Storage
from commonshub.core.texts import TEXTS

from . import ledger
from .measure import read

PAGE = 500
# As many as the services keep connections to a store.
THREADS = 8
CHUNK_BYTES = 2**20

# What to do about each kind of finding.
ADVICE = {
    "unknown": "check the GUID",
    "missing": "restore the object, or delete the record",
    "unreadable": "look into the log of the store, and run again",
    "changed": "restore the object, or add what is there now as a new version",
    "rewritten": "run again with --read to compare the checksums",
    "refused": "check the bucket's credentials, and that they may list it; delete nothing before",
    "failed": "ask for a new upload URL (GET /user/data/upload/<GUID>) and upload again, or delete the record",
    "doomed": "make the store accept the deletion; the index service goes on trying",
    "unindexed": "make a record of it (`commonshub index import`), or delete the object",
}


class Finding(NamedTuple):
    """One thing that is not as it should be.

    Parameters
    ----------
    kind
        Key of :data:`ADVICE`.
    guid
        Empty for bytes without a record.
    """

    kind: str
    guid: str
    location: str
    reason: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]


class Subject(NamedTuple):
    """A record, and what is known of its upload."""

    record: Record
    state: str | None
    reason: str | None
    location: str | None
    stamp: str | None


@dataclass(frozen=True)
class Inspection:
    """Compares records with what the stores have.

    Parameters
    ----------
    thorough
        Whether all bytes are read and their checksums compared; otherwise the stores are only asked for sizes.
    tell
        Called with the number of records, or objects, that were looked at.
    skip
        Called with the number of locations that were not, because they lie in no bucket of this commons.
    """

    database: Database
    schema: str
    storage: Storage
    thorough: bool = False
    tell: Callable[[int], object] = lambda count: None
    skip: Callable[[int], object] = lambda count: None
    _listable: dict[str, bool] = field(default_factory=dict)

    def count(self) -> int:
        """How many records there are."""
        table = records.tables(self.schema).record
        count: int = self.database.call(
            lambda connection: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        )
        return count

    def records(self, guids: Sequence[str] | None = None) -> Iterator[Finding]:
        """What is wrong with these records, or with all.

        Raises
        ------
        Unavailable
            A store, or the database, does not answer.
        """
        with ThreadPoolExecutor(THREADS, thread_name_prefix="inspect") as threads:
            for page in self._all() if guids is None else self._named(guids):
                for found in threads.map(self._inspect, page):
                    yield from found
                self.tell(len(page))
                urls = [url for each in page if isinstance(each, Subject) for url in each.record.urls]
                self.skip(sum(self._own(url) is None for url in urls))

    def deletions(self) -> Iterator[Finding]:
        """Bytes whose record is deleted, and which a store does not let go."""
        table = records.tables(self.schema).deletion
        query = sa.select(table.c.guid, table.c.location, table.c.reason).where(table.c.reason.is_not(None))
        for row in self.database.call(lambda connection: connection.execute(query.order_by(table.c.location)).all()):
            yield Finding("doomed", row.guid, row.location, row.reason)

    def objects(self, bucket: str) -> Iterator[Finding]:
        """Objects of a bucket that no record knows of, and that are not the explorer's.

        Raises
        ------
        NotFound
            There is no such bucket, or none that the commons may list.
        """
        for page in self.storage.listing(bucket):
            known = self.database.call(_known, self.schema, page)
            for each in page:
                ours = bucket == self.storage.settings.upload_bucket and each.location.key.startswith(DOCUMENTS)
                if not ours and str(each.location) not in known:
                    yield Finding("unindexed", "", str(each.location), f"No record has these {each.size} bytes.")
            self.tell(len(page))

    def _all(self) -> Iterator[list[Subject]]:
        last = ""
        while page := self.database.call(_page, self.schema, last):
            yield page
            last = page[-1].record.did

    def _named(self, guids: Sequence[str]) -> Iterator[list[Subject | str]]:
        for start in range(0, len(guids), PAGE):
            wanted = guids[start : start + PAGE]
            found = self.database.call(_chosen, self.schema, wanted)
            yield [found.get(guid, guid) for guid in wanted]

    def _inspect(self, subject: Subject | str) -> list[Finding]:
        if isinstance(subject, str):
            return [Finding("unknown", subject, "", "There is no such record.")]
        record = subject.record
        found = [self._locate(subject, url) for url in record.urls]
        if subject.state == "failed":
            found.append(Finding("failed", record.did, subject.location or "", subject.reason or ""))
        return [each for each in found if each]

    def _locate(self, subject: Subject, url: str) -> Finding | None:
        """Compare what is at one location; None where it agrees, or cannot be compared by us."""
        location = self._own(url)
        if location is None:
            return None
        try:
            kind, reason = self._compare(subject, location)
        except Unavailable as error:
            if not self._shown(location.bucket):
                raise
            # The store is there, so this is about the one object.
            kind, reason = "unreadable", error.message
        except NotFound as error:
            kind, reason = "missing", error.message
        except Conflict as error:
            kind, reason = "changed", error.message
        except UpstreamError as error:
            kind, reason = "refused", error.message
        return Finding(kind, subject.record.did, url, reason) if kind else None

    def _own(self, url: str) -> Location | None:
        """The location in a bucket of this commons, or None."""
        try:
            location = Location.parse(url)
        except BadRequest:
            return None
        return location if location.bucket in self.storage.buckets else None

    def _shown(self, bucket: str) -> bool:
        """Whether the commons may list a bucket: if not, a store says of what is there that it is not.

        Raises
        ------
        Unavailable
            The store does not answer.
        """
        try:
            next(self.storage.listing(bucket, page=1))
        except (NotFound, UpstreamError):
            return False
        return True

    def _compare(self, subject: Subject, location: Location) -> tuple[str, str]:
        head = self.storage.head(location)
        if head is None:
            if location.bucket not in self._listable:
                self._listable[location.bucket] = self._shown(location.bucket)
            if self._listable[location.bucket]:
                return "missing", "There is no object."
            return "refused", "The store shows the commons neither the object nor a list of its bucket."
        record = subject.record
        if record.size is not None and head.size != record.size:
            return "changed", f"The record says {record.size} bytes, the object has {head.size}."
        if self.thorough:
            found = read(self.storage, location, CHUNK_BYTES, threading.Event())
            fault = ledger.difference(record, found)
            return ("changed", fault) if fault else ("", "")
        if subject.location == str(location) and subject.stamp not in (None, head.stamp):
            return "rewritten", "The object was written again after it was verified."
        return "", ""


def _subjects(schema: str) -> sa.Select[Any]:
    record, blob, *_ = records.tables(schema)
    told = (blob.c.state, blob.c.reason, blob.c.location, blob.c.stamp)
    columns = [*records.columns(record), *(column.label(f"blob_{column.name}") for column in told)]
    return sa.select(*columns).join_from(record, blob, record.c.guid == blob.c.guid, isouter=True)


def _read(rows: Iterable[sa.Row[Any]]) -> list[Subject]:
    return [
        Subject(records.of_row(row), row.blob_state, row.blob_reason, row.blob_location, row.blob_stamp) for row in rows
    ]


def _page(connection: sa.Connection, schema: str, last: str) -> list[Subject]:
    guid = records.tables(schema).record.c.guid
    return _read(connection.execute(_subjects(schema).where(guid > last).order_by(guid).limit(PAGE)))


def _chosen(connection: sa.Connection, schema: str, guids: Sequence[str]) -> Mapping[str, Subject]:
    guid = records.tables(schema).record.c.guid
    found = _read(connection.execute(_subjects(schema).where(guid.in_(guids))))
    return {each.record.did: each for each in found}


def _known(connection: sa.Connection, schema: str, page: Sequence[Listed]) -> set[str]:
    """Which of these objects a record points to, an upload is expected at, or a deletion is about to remove."""
    record, blob, deletion, *_ = records.tables(schema)
    urls = [str(each.location) for each in page]
    given = sa.literal(urls, TEXTS)
    known = set(
        connection.execute(sa.select(sa.func.unnest(record.c.urls)).where(record.c.urls.overlap(given))).scalars()
    )
    # GUID and file name may both hold slashes, so every cut of a key is a candidate.
    keys = [each.location.key.split("/") for each in page]
    guids = {"/".join(parts[:count]) for parts in keys for count in range(1, len(parts))}
    known.update(connection.execute(sa.select(blob.c.location).where(blob.c.guid.in_(guids))).scalars())
    known.update(connection.execute(sa.select(deletion.c.location).where(deletion.c.location.in_(urls))).scalars())
    return known
