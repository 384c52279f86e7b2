"""Blobs: the bytes behind uploads, where they go, and that they are awaited.

Vocabulary
----------
blob
    The bytes behind an upload: ``registered`` (a URL was given out), ``uploaded`` (the bytes have arrived),
    ``verified`` (size and checksums were computed and written to the record) or ``failed`` (with the reason).

Every function that takes an open connection works in the caller's transaction.
"""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from .catalog import tables
from .errors import BadRequest, Conflict
from .records import Draft, Made, create, ends_as_guid, mint
from .storage import Location

CHANNEL = "commonshub_blob"
MAX_FILE_NAME_BYTES = 900
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")

DOCUMENTS = "explore/"
"""Folder of the upload bucket with the explorer's documents. No record can have it: a GUID ends in a UUID."""


def has_folder(guid: str) -> bool:
    """Whether the folder ``<guid>/`` of the upload bucket is this record's alone.

    A GUID may hold slashes and ends in a UUID. One below another that does too, ``<GUID>/…<UUID>``, would share the
    folder of that record, whose files may lie in folders of any name.
    """
    return exact(guid) and not any(ends_as_guid(segment) for segment in guid.split("/")[:-1])


def exact(key: str) -> bool:
    """Whether no store could take the key of an object for another one."""
    return not any(segment in ("", ".", "..") for segment in key.split("/"))


def location_of(bucket: str, guid: str, file_name: str) -> Location:
    """Where an upload's bytes go: ``s3://<bucket>/<guid>/<file_name>``.

    Raises
    ------
    BadRequest
        `file_name` is empty or too long, has a control character, or an empty, ``.`` or ``..`` segment: the key must
        be exactly what was meant, in every kind of store. Or the record has no folder of its own (:func:`has_folder`).
    """
    if not has_folder(guid):
        raise BadRequest(f"Nothing can be uploaded for {guid}: what lies below its GUID may be another record's.")
    if len(file_name.encode()) > MAX_FILE_NAME_BYTES or _UNSAFE.search(file_name) or not exact(file_name):
        raise BadRequest(
            f"file_name must be a relative path without empty, . or .. parts and control characters, "
            f"of at most {MAX_FILE_NAME_BYTES} bytes; it is {file_name[:80]!r}."
        )
    return Location(bucket, f"{guid}/{file_name}")


def create_blank(
    connection: sa.Connection,
    schema: str,
    *,
    uploader: str | None,
    file_name: str,
    authz: Sequence[str],
    bucket: str,
    prefix: str = "",
) -> Made:
    """Store a blank record and register the blob that is going to be uploaded for it.

    Raises
    ------
    BadRequest
        `file_name` cannot be part of a key; see :func:`location_of`.
    """
    guid = mint(prefix)
    location = location_of(bucket, guid, file_name)
    draft = Draft(did=guid, form=None, uploader=uploader, file_name=file_name, authz=list(authz))
    [record] = create(connection, schema, [draft])
    register(connection, schema, guid, location)
    return record


def register(connection: sa.Connection, schema: str, guid: str, location: Location) -> None:
    """Note that an upload URL for `location` is given out, and tell the index service to look for the bytes.

    A registered, uploaded or failed blob is registered anew.

    Raises
    ------
    Conflict
        The blob is verified: its bytes must not change any more. Or those of an earlier record are still being deleted
        there.
    """
    table, deletion = tables(schema).blob, tables(schema).deletion
    doomed = sa.select(deletion.c.guid).where(deletion.c.location == str(location))
    if connection.execute(doomed).one_or_none():
        raise Conflict(f"Earlier data of {guid} are still being deleted; try again in a minute.")
    moment = sa.func.clock_timestamp()
    fresh: dict[str, Any] = {"location": str(location), "state": "registered", "reason": None, "attempts": 0}
    fresh |= {"registered": moment, "updated": moment, "due": moment, "claim": None, "size": None, "done": 0}
    statement = (
        pg.insert(table)
        .values(guid=guid, **fresh)
        .on_conflict_do_update(index_elements=["guid"], set_=fresh, where=table.c.state != "verified")
        .returning(table.c.guid)
    )
    if connection.execute(statement).one_or_none() is None:
        raise Conflict(f"The data of {guid} are complete and verified; upload changed data as a new version.")
    notify(connection, guid)


def notify(connection: sa.Connection, guid: str) -> None:
    """Ask the index service to look for a blob now; call it when an upload is known to have ended.

    Parameters
    ----------
    guid
        Empty for all that are due.
    """
    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, guid)))
