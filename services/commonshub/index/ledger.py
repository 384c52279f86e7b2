"""SQL of the life of blobs.

``registered`` → ``uploaded`` → ``verified`` | ``failed``. The column ``due`` says when a pending blob is to be looked
at next. To take one is to move its ``due`` ahead: while an ``uploaded`` blob is measured its worker moves it on again
and again, and when that worker dies, the blob falls due and another takes it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from commonshub.core import records
from commonshub.core.storage import Location

AWAITED, ARRIVED = "registered", "uploaded"


class Blob(NamedTuple):
    """One pending blob."""

    guid: str
    location: Location
    attempts: int


class Measurement(NamedTuple):
    """What the bytes of a blob turned out to be."""

    size: int
    hashes: Mapping[str, str]


class Patience(NamedTuple):
    """When to look for bytes that have not arrived, in seconds.

    The wait grows with the age of the registration, by `age_divisor`, between `shortest_s` and `longest_s`; after
    `abandoned_s` nobody looks any more.
    """

    shortest_s: float
    longest_s: float
    age_divisor: float
    abandoned_s: float


class Due(NamedTuple):
    """What to do now, and in how many seconds there is more (None: nothing is pending)."""

    awaited: list[Blob]
    arrived: list[Blob]
    next_s: float | None


def _seconds(seconds: Any) -> Any:
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _moment() -> Any:
    return sa.func.clock_timestamp()


def take(
    connection: sa.Connection,
    schema: str,
    *,
    awaited: int,
    arrived: int,
    hastened: Iterable[str],
    lease_s: float,
    patience: Patience,
) -> Due:
    """Take up to so many blobs of each kind that are due, together with the `hastened` awaited ones."""
    blob = records.tables(schema).blob
    age = sa.extract("epoch", _moment() - blob.c.registered)
    abandoned = f"No bytes arrived within {patience.abandoned_s:g} s."
    connection.execute(
        sa.update(blob)
        .where(blob.c.state == AWAITED, blob.c.due <= _moment(), age > patience.abandoned_s)
        .values(state="failed", reason=abandoned, updated=_moment())
    )
    wait = sa.func.least(patience.longest_s, sa.func.greatest(patience.shortest_s, age / patience.age_divisor))
    asked = blob.c.guid == sa.any_(sa.literal(list(hastened), sa.ARRAY(sa.VARCHAR)))
    looked = _taken(connection, blob, AWAITED, awaited, sa.or_(blob.c.due <= _moment(), asked), wait)
    begun = _taken(connection, blob, ARRIVED, arrived, blob.c.due <= _moment(), sa.literal(lease_s))
    kinds = ([AWAITED] if awaited else []) + ([ARRIVED] if arrived else [])
    soonest = sa.select(sa.extract("epoch", sa.func.min(blob.c.due) - _moment())).where(blob.c.state.in_(kinds))
    next_s = connection.execute(soonest).scalar_one()
    return Due(looked, begun, None if next_s is None else max(0.0, float(next_s)))


def _taken(
    connection: sa.Connection, blob: sa.Table, state: str, most: int, due: sa.ColumnElement[bool], wait: Any
) -> list[Blob]:
    if not most:
        return []
    chosen = (
        sa.select(blob.c.guid)
        .where(blob.c.state == state, due)
        .order_by(blob.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    statement = (
        sa.update(blob)
        .where(blob.c.guid.in_(chosen.scalar_subquery()))
        .values(due=_moment() + _seconds(wait))
        .returning(blob.c.guid, blob.c.location, blob.c.attempts)
    )
    rows = connection.execute(statement)
    return [Blob(row.guid, Location.parse(row.location), row.attempts) for row in rows]


def arrive(connection: sa.Connection, schema: str, blobs: Iterable[Blob]) -> None:
    """The bytes of these blobs are there."""
    blob = records.tables(schema).blob
    places = [(each.guid, str(each.location)) for each in blobs]
    connection.execute(
        sa.update(blob)
        .where(blob.c.state == AWAITED, sa.tuple_(blob.c.guid, blob.c.location).in_(places))
        .values(state=ARRIVED, attempts=0, updated=_moment(), due=_moment())
    )


def renew(connection: sa.Connection, schema: str, guids: Iterable[str], lease_s: float) -> None:
    """These blobs are still being measured."""
    blob = records.tables(schema).blob
    connection.execute(
        sa.update(blob)
        .where(blob.c.guid.in_(list(guids)), blob.c.state == ARRIVED)
        .values(due=_moment() + _seconds(lease_s))
    )


def release(connection: sa.Connection, schema: str, guids: Iterable[str]) -> None:
    """Let another worker take these blobs at once, because this one stops."""
    renew(connection, schema, guids, 0.0)


def postpone(
    connection: sa.Connection, schema: str, blob: Blob, reason: str, *, wait_s: float, most_attempts: int
) -> None:
    """Measuring did not work: try again later, or give up after so many attempts."""
    table = records.tables(schema).blob
    given_up = blob.attempts + 1 >= most_attempts
    connection.execute(
        sa.update(table)
        .where(table.c.guid == blob.guid, table.c.state == ARRIVED)
        .values(
            state="failed" if given_up else ARRIVED,
            reason=reason,
            attempts=blob.attempts + 1,
            updated=_moment(),
            due=_moment() + _seconds(wait_s),
        )
    )


def settle(connection: sa.Connection, schema: str, blob: Blob, found: Measurement) -> bool:
    """Write what was measured to the record and close the blob, together; whether the blob is now verified.

    A record that says already what its bytes are (an index client filled it) is compared instead of filled: a
    difference makes the blob ``failed``. A record or blob that has gone or changed in between is left alone.
    """
    tables = records.tables(schema)
    row = connection.execute(
        sa.select(tables.record).where(tables.record.c.guid == blob.guid).with_for_update()
    ).one_or_none()
    if row is None:
        return False
    record = records.of_row(row)
    fault = difference(record, found)
    closed = connection.execute(
        sa.update(tables.blob)
        .where(
            tables.blob.c.guid == blob.guid,
            tables.blob.c.location == str(blob.location),
            tables.blob.c.state == ARRIVED,
        )
        .values(state="failed" if fault else "verified", reason=fault, updated=_moment())
    )
    if closed.rowcount == 0 or fault:
        return False
    url = str(blob.location)
    changes = {
        "form": record.form or "object",
        "size": found.size,
        "hashes": {**record.hashes, **found.hashes},
        "urls": record.urls if url in record.urls else [*record.urls, url],
    }
    records.update(connection, schema, blob.guid, None, changes)
    return True


def difference(record: records.Record, found: Measurement) -> str | None:
    """How the bytes differ from what the record says of them; None where they agree."""
    if record.size is not None and record.size != found.size:
        return f"The record says {record.size} bytes, the upload has {found.size}."
    for kind, digest in found.hashes.items():
        if record.hashes.get(kind, digest) != digest:
            return f"The record says {kind} {record.hashes[kind]}, the upload has {digest}."
    return None
