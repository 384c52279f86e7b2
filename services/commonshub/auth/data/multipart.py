"""Uploads in parts, for files too large for one request.

A part's URL names its key, and so does the request to put the parts together; both count only when the key is the very
one that was registered for a record whose bytes the caller may still write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from commonshub.core import blobs, parts, records
from commonshub.core.access import Asker, lifetime, may_write
from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, Conflict
from commonshub.core.parts import MAX_PARTS
from commonshub.core.storage import Location
from commonshub.core.uploads import PART_LIMITS, Uploads, Wish

MAX_ID_CHARS = 1024


@dataclass(frozen=True, slots=True)
class Running:
    """The upload in parts that a request is about."""

    key: str
    upload_id: str
    bucket: str | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Running":
        """From the body of a request.

        Raises
        ------
        BadRequest
            A field is missing or of the wrong type; the message names it.
        """
        for name in ("key", "uploadId"):
            value = body.get(name)
            if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS or "\x00" in value:
                raise BadRequest(f"{name} must be a string of 1 to {MAX_ID_CHARS} characters.")
        bucket = body.get("bucket")
        if not isinstance(bucket, str | None):
            raise BadRequest("bucket must be a string.")
        return cls(body["key"], body["uploadId"], bucket)


def part_number(value: Any, name: str = "partNumber") -> int:
    """The number of a part.

    Raises
    ------
    BadRequest
        It is not an integer from 1 to 10 000.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_PARTS:
        raise BadRequest(f"{name} must be an integer from 1 to {MAX_PARTS}. {PART_LIMITS}")
    return value


def read_parts(body: Mapping[str, Any]) -> dict[int, str]:
    """ETags of the parts to put together, by their numbers.

    Raises
    ------
    BadRequest
        They are not a list of part numbers and ETags, or a number occurs twice.
    """
    given = body.get("parts")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_PARTS:
        raise BadRequest(f"parts must be a list of {{PartNumber, ETag}}. {PART_LIMITS}")
    etags: dict[int, str] = {}
    for index, part in enumerate(given):
        match part:
            case {"PartNumber": number, "ETag": str(etag)}:
                number = part_number(number, f"parts[{index}].PartNumber")
            case _:
                raise BadRequest(f"parts[{index}] is not of the form {{PartNumber, ETag}}.")
        if number in etags:
            raise BadRequest(f"parts[{index}].PartNumber {number} occurs twice.")
        etags[number] = etag
    return etags


class MultipartUploads(Uploads):
    """Uploads that arrive in parts."""

    async def start(self, asker: Asker, wish: Wish) -> tuple[str, str]:
        """GUID and identifier of a new upload in parts; refused like :meth:`Uploads.create`."""
        guid, location = await self._run("upload", asker, self._place, wish)
        try:
            upload = await self._at_store("upload", asker, guid, partial(parts.begin, self.storage, location))
        except CommonsError:
            if wish.guid is None:
                await self.database.run(records.delete, self.schema, guid, None)
            raise
        return guid, upload

    async def part_url(self, asker: Asker, running: Running, number: int, expires_in: int | None) -> str:
        """A URL to put one part to.

        Raises
        ------
        AuthenticationRequired
            Nothing is being uploaded to this key, or not by this caller.
        Conflict
            The data are complete.
        """
        ttl_s = lifetime(self.storage.settings, expires_in)
        _, url = await self._run("upload_part", asker, self._part, running, number, ttl_s)
        return str(url)

    async def complete(self, asker: Asker, running: Running, etags: Mapping[int, str]) -> None:
        """Put the parts together, and have the bytes looked at.

        Raises
        ------
        BadRequest
            The parts are not what the store has.
        AuthenticationRequired
            Nothing is being uploaded to this key, or not by this caller.
        Conflict
            The data are complete.
        """
        guid, location = await self._run("upload_complete", asker, self._expected, running)
        work = partial(parts.join, self.storage, location, running.upload_id, etags)
        await self._at_store("upload_complete", asker, guid, work)
        await self.database.run(blobs.notify, guid)

    def _part(
        self, connection: sa.Connection, asker: Asker, running: Running, number: int, ttl_s: int
    ) -> tuple[str, str]:
        guid, location = self._expected(connection, asker, running)
        query = {"uploadId": running.upload_id, "partNumber": str(number)}
        url = self.storage.presign("PUT", location, ttl_s, query)
        return guid, url

    def _expected(self, connection: sa.Connection, asker: Asker, running: Running) -> tuple[str, Location]:
        """GUID and location that the key of a request stands for."""
        location = Location(self._bucket(running.bucket), running.key)
        # GUID and file name may both contain slashes, so every cut is a candidate; the registered location decides.
        segments = running.key.split("/")
        guids = ["/".join(segments[:count]) for count in range(1, len(segments))]
        blob = records.tables(self.schema).blob
        query = sa.select(blob.c.guid, blob.c.state).where(blob.c.guid.in_(guids), blob.c.location == str(location))
        found = connection.execute(query).one_or_none()
        record = records.get(connection, self.schema, found.guid) if found else None
        if found is None or record is None or not may_write(asker, record):
            raise AuthenticationRequired("You don't have access permission on this file")
        if found.state == "verified":
            raise Conflict(f"The data of {record.did} are complete and verified.")
        return record.did, location
