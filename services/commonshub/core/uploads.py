"""Uploads and deletions of data: who may, and where the bytes go.

A new upload makes a blank record that belongs to its uploader, or to the resource paths that he names and may write
to. A URL for a record that exists is given only to its uploader or to who has ``write-storage`` on it, whatever else he
may upload.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from . import audit, blobs, deletions, names
from .access import SERVICE, Asker, lifetime, may_delete, may_write
from .downloads import Downloads
from .errors import AuthenticationRequired, BadRequest, CommonsError, NotFound, PermissionDenied
from .parts import MAX_PARTS
from .policy import Request, parse_path
from .records import Record
from .storage import Location

UPLOAD_RESOURCE = "/data_file"
STORE_THREADS = 8
# The most that S3 takes in one request, so also as one part; the last part alone may have fewer bytes than the least.
MAX_PUT_BYTES = 5 * 2**30
MIN_PART_BYTES = 5 * 2**20
PART_LIMITS = (
    f"An upload has 1 to {MAX_PARTS} parts, each but the last of {MIN_PART_BYTES} to {MAX_PUT_BYTES} bytes "
    "(5 MiB to 5 GiB)."
)
_MD5 = re.compile("[0-9a-fA-F]{32}")

T = TypeVar("T")
# More to do in the transaction of a creation or a deletion, about a GUID.
Also = Callable[[sa.Connection, str], object]


@dataclass(frozen=True, slots=True)
class Promise:
    """What a caller says beforehand of the bytes; the URL then takes those and no others.

    Parameters
    ----------
    size
        In bytes.
    md5
        In hexadecimal digits.
    """

    size: int | None = None
    md5: str | None = None

    @classmethod
    def read(cls, size: Any, md5: Any) -> "Promise":
        """From a body or a query.

        Raises
        ------
        BadRequest
            One of them is malformed; the message names it.
        """
        if size is not None and (type(size) is not int or not 0 <= size <= MAX_PUT_BYTES):
            raise BadRequest(f"size must be an integer from 0 to {MAX_PUT_BYTES}; upload larger files in parts.")
        if md5 is not None and not (isinstance(md5, str) and _MD5.fullmatch(md5)):
            raise BadRequest("md5 must be 32 hexadecimal digits.")
        return cls(size, md5)

    @classmethod
    def read_parts(cls, size: Any, md5: Any) -> "Promise":
        """The same for an upload in parts, of which no URL can hold it to anything.

        Raises
        ------
        BadRequest
            No parts could make so many bytes, or an MD5 is promised.
        """
        most = MAX_PARTS * MAX_PUT_BYTES
        if size is not None and (type(size) is not int or not 0 <= size <= most):
            raise BadRequest(f"size must be an integer from 0 to {most}. {PART_LIMITS}")
        if md5 is not None:
            raise BadRequest("md5 cannot be promised for an upload in parts: no URL takes the bytes as a whole.")
        return cls()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the upload must have."""
        size = {} if self.size is None else {"Content-Length": str(self.size)}
        md5 = {} if self.md5 is None else {"Content-MD5": base64.b64encode(bytes.fromhex(self.md5)).decode()}
        return size | md5


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants to upload."""

    file_name: str
    authz: tuple[str, ...] = ()
    guid: str | None = None
    bucket: str | None = None
    expires_in: int | None = None
    promise: Promise = field(default_factory=Promise)

    @classmethod
    def read(cls, body: Mapping[str, Any], *, parts: bool = False) -> "Wish":
        """From the body of ``POST /user/data/upload``, or of one that begins an upload in parts.

        Raises
        ------
        BadRequest
            A field is missing or of the wrong type; the message names it.
        """
        for name in ("file_name", "guid", "bucket", "protocol"):
            if not isinstance(body.get(name), str | None):
                raise BadRequest(f"{name} must be a string.")
        authz = body.get("authz") or []
        if not body.get("file_name"):
            raise BadRequest("The body lacks file_name.")
        if not isinstance(authz, list) or not all(isinstance(path, str) for path in authz):
            raise BadRequest("authz must be a list of resource paths.")
        require_s3(body.get("protocol"))
        for path in authz:
            parse_path(path)
        promise = Promise.read_parts if parts else Promise.read
        return cls(
            body["file_name"],
            tuple(authz),
            body.get("guid"),
            body.get("bucket"),
            seconds(body.get("expires_in")),
            promise(body.get("size"), body.get("md5")),
        )


def seconds(value: Any) -> int | None:
    """``expires_in`` of a body.

    Raises
    ------
    BadRequest
        It is not an integer.
    """
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise BadRequest("expires_in must be an integer.")
    return value


def _subject(asked: Any) -> str:
    """What a refused request was about: a GUID, or the key of an upload in parts."""
    return asked if isinstance(asked, str) else getattr(asked, "key", None) or getattr(asked, "guid", None) or ""


def require_s3(protocol: str | None) -> None:
    """Raise :class:`BadRequest` for a protocol that nothing can be uploaded by."""
    if protocol not in (None, "s3"):
        raise BadRequest(f"The specified protocol {protocol} is not supported")


class Uploads:
    """Gives out upload URLs and deletes data, each with a row in the audit trail."""

    def __init__(self, downloads: Downloads) -> None:
        self.guid_prefix = downloads.guid_prefix
        self.storage = downloads.storage
        self.database = downloads.database
        self.schema = downloads.index_schema
        self.auth_schema = downloads.auth_schema
        # Threads of their own: a store that hangs must not hold up what the database alone can answer.
        self._threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")

    def close(self) -> None:
        """Take up no more work at the store."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def create(self, asker: Asker, wish: Wish, also: Also | None = None) -> tuple[str, str]:
        """GUID and URL for a new upload.

        Parameters
        ----------
        also
            Its errors undo the creation.

        Raises
        ------
        PermissionDenied
            The caller may not upload (there), or the bucket is not ours.
        NotFound
            The GUID that he names does not exist.
        Conflict
            The data of that GUID are complete.
        """
        ttl_s = lifetime(self.storage.settings, wish.expires_in)
        guid, url = await self._run("upload", asker, self._create, wish, ttl_s, also)
        return guid, url

    async def url(self, asker: Asker, guid: str, wish: Wish) -> str:
        """A URL to upload the bytes of a record that exists.

        Raises
        ------
        AuthenticationRequired
            The caller may not write the record's bytes.
        NotFound
            There is no such record.
        Conflict
            Its data are complete.
        """
        ttl_s = lifetime(self.storage.settings, wish.expires_in)
        _, url = await self._run("upload", asker, self._renew, guid, wish, ttl_s)
        return str(url)

    async def delete(self, asker: Asker, guid: str, also: Also | None = None) -> None:
        """Delete a record and its bytes at all locations, or nothing; see :mod:`.deletions`.

        Raises
        ------
        NotFound
            There is no such record.
        PermissionDenied
            The caller may not delete it.
        Conflict
            It was changed meanwhile.
        Unavailable
            A store that has bytes of it does not answer; nothing is deleted then.
        """
        did, record, locations = await self._run("delete", asker, self._doomed, guid)
        for location in locations:
            await self._at_store("delete", asker, did, partial(self.storage.head, location))
        locations = await self.database.run(self._begin, record, also)
        for location in locations:
            # The deletion is decided: what fails from here on, the index service finishes.
            with suppress(CommonsError):
                await self._at_store("delete", asker, did, partial(self.storage.delete, location))
                await self.database.run(deletions.end, self.schema, [location])

    def _begin(self, connection: sa.Connection, record: Record, also: Also | None) -> list[Location]:
        locations = deletions.begin(connection, self.schema, record, self.storage.settings)
        if also:
            also(connection, record.did)
        return locations

    async def _at_store(self, action: audit.DataAction, asker: Asker, subject: str, work: Callable[[], T]) -> T:
        """Ask the object store for something, with no transaction open meanwhile; what fails leaves a row, too."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work)
        except CommonsError as error:
            await self.database.run(self._note, action, asker, subject, error)
            raise

    async def _run(self, action: audit.DataAction, asker: Asker, work: Any, *arguments: Any) -> Any:
        """Do `work` in one transaction with its audit row; a refusal undoes the work and keeps the row."""
        outcome = await self.database.run(self._audited, action, asker, work, *arguments)
        if isinstance(outcome, CommonsError):
            raise outcome
        return outcome

    def _audited(
        self, connection: sa.Connection, action: audit.DataAction, asker: Asker, work: Any, *arguments: Any
    ) -> Any:
        outcome: Any
        try:
            with connection.begin_nested():
                outcome = work(connection, asker, *arguments)
        except CommonsError as error:
            outcome = error
        if isinstance(outcome, CommonsError):
            self._note(connection, action, asker, _subject(arguments[0]), outcome)
        else:
            self._note(connection, action, asker, outcome[0], None)
        return outcome

    def _note(
        self,
        connection: sa.Connection,
        action: audit.DataAction,
        asker: Asker,
        subject: str,
        error: CommonsError | None,
    ) -> None:
        decision: audit.Decision = "allowed"
        if error is not None:
            decision = "denied" if isinstance(error, AuthenticationRequired | PermissionDenied) else "failed"
        audit.write(
            connection,
            self.auth_schema,
            asker.identity,
            asker.request_id,
            action=action,
            subject=subject,
            decision=decision,
            detail={"status": error.status} if error else {},
        )

    def _create(
        self, connection: sa.Connection, asker: Asker, wish: Wish, ttl_s: int, also: Also | None
    ) -> tuple[str, str]:
        guid, location = self._place(connection, asker, wish)
        if also:
            also(connection, guid)
        return guid, self.storage.presign("PUT", location, ttl_s, headers=wish.promise.headers)

    def _place(self, connection: sa.Connection, asker: Asker, wish: Wish) -> tuple[str, Location]:
        """GUID and location of what is going to be uploaded, once the caller is found to have the right."""
        if wish.guid is not None:
            return self._place_again(connection, asker, wish.guid, wish.file_name, wish.bucket)
        if wish.authz:
            pairs = [(method, path) for method in ("create", "write-storage") for path in wish.authz]
        else:
            pairs = [("file_upload", UPLOAD_RESOURCE)]
        asker.policy.require(asker.identity, *(Request(SERVICE, method, path) for method, path in pairs))
        record = blobs.create_blank(
            connection,
            self.schema,
            uploader=None if wish.authz else asker.identity.username,
            file_name=wish.file_name,
            authz=wish.authz,
            bucket=self._bucket(wish.bucket),
            prefix=self.guid_prefix,
        )
        return record.did, blobs.location_of(self._bucket(wish.bucket), record.did, wish.file_name)

    def _renew(self, connection: sa.Connection, asker: Asker, guid: str, wish: Wish, ttl_s: int) -> tuple[str, str]:
        guid, location = self._place_again(connection, asker, guid, wish.file_name, wish.bucket)
        return guid, self.storage.presign("PUT", location, ttl_s, headers=wish.promise.headers)

    def _place_again(
        self, connection: sa.Connection, asker: Asker, guid: str, file_name: str, bucket: str | None
    ) -> tuple[str, Location]:
        record = self._record(connection, guid)
        if not may_write(asker, record):
            raise AuthenticationRequired("You don't have access permission on this file")
        location = blobs.location_of(self._bucket(bucket), record.did, file_name)
        blobs.register(connection, self.schema, record.did, location)
        return record.did, location

    def _bucket(self, name: str | None) -> str:
        chosen = name or self.storage.settings.upload_bucket
        if chosen != self.storage.settings.upload_bucket:
            raise PermissionDenied(f"Uploads to the bucket {chosen!r} are not allowed.")
        return chosen

    def _record(self, connection: sa.Connection, guid: str) -> Record:
        found = names.find(connection, self.schema, guid, prefix=self.guid_prefix) if "\x00" not in guid else None
        if found is None:
            raise NotFound(f"There is no record with the GUID {guid}.")
        return found

    def _doomed(self, connection: sa.Connection, asker: Asker, guid: str) -> tuple[str, Record, list[Location]]:
        record = self._record(connection, guid)
        if not may_delete(asker, record):
            raise PermissionDenied("You don't have access permission to delete this file")
        return record.did, record, deletions.own_locations(connection, self.schema, record, self.storage.settings)
