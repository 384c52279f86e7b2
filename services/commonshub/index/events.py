"""What object stores tell of their buckets, in the forms in which they send it.

Vocabulary
----------
event
    That something has happened to an object. Only that it was written matters here, and of that only where: size and
    checksums are what the worker reads, never what somebody says.

The forms are those of S3 (``Records``, also MinIO's and Ceph's), of Amazon EventBridge (``detail``) and of Google's
Pub/Sub (``message.attributes``). S3 writes a key as a form does: ``a b/ä`` is ``a+b/%C3%A4``.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from commonshub.core.errors import BadRequest
from commonshub.core.storage import Location


class Events(NamedTuple):
    """What a body tells.

    Parameters
    ----------
    written
        Where objects were written, each place once.
    total
        Number of all events.
    """

    written: list[Location]
    total: int


def read(body: Any) -> Events:
    """The events in a body.

    Raises
    ------
    BadRequest
        It has none of the forms; the message names what is missing.
    """
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object: S3's Records, EventBridge's detail or Pub/Sub's message.")
    if "Records" in body:
        records = body["Records"]
        if not isinstance(records, list):
            raise BadRequest("Records must be a list.")
        found = [_of_s3(record, f"Records[{place}]") for place, record in enumerate(records)]
    elif "detail" in body:
        found = [_of_eventbridge(body)]
    elif "message" in body:
        found = [_of_pubsub(body)]
    elif body.get("Event") == "s3:TestEvent":
        # What S3 sends when its notifications are set up.
        found = []
    else:
        raise BadRequest("The body lacks Records (S3), detail (EventBridge) or message (Pub/Sub).")
    return Events(list(dict.fromkeys(each for each in found if each)), len(found))


def _of_s3(record: Any, where: str) -> Location | None:
    name = _part(record, where, "eventName")
    bucket = _part(record, where, "s3", "bucket", "name")
    key = _part(record, where, "s3", "object", "key")
    if "ObjectCreated:" not in name:
        return None
    try:
        return _location(bucket, unquote_plus(key, errors="strict"))
    except UnicodeDecodeError:
        # No key of ours, which are all UTF-8.
        return None


def _of_eventbridge(body: Mapping[str, Any]) -> Location | None:
    kind = _part(body, "", "detail-type")
    bucket, key = _part(body, "", "detail", "bucket", "name"), _part(body, "", "detail", "object", "key")
    return _location(bucket, key) if kind == "Object Created" else None


def _of_pubsub(body: Mapping[str, Any]) -> Location | None:
    kind, bucket, key = (
        _part(body, "", "message", "attributes", name) for name in ("eventType", "bucketId", "objectId")
    )
    return _location(bucket, key) if kind == "OBJECT_FINALIZE" else None


def _part(value: Any, where: str, *names: str) -> str:
    for name in names:
        where = f"{where}.{name}".lstrip(".")
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        raise BadRequest(f"{where} must be a string.")
    return value


def _location(bucket: str, key: str) -> Location | None:
    # Of what the database cannot hold, nothing is expected.
    return None if "\0" in bucket + key or not key else Location(bucket, key)
