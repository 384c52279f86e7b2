"""SQL of the life of blobs.

``registered`` → ``uploaded`` → ``verified`` | ``failed``. The column ``due`` says when a pending blob is to be looked
at next. To take one is to move its ``due`` ahead: while an ``uploaded`` blob is measured its worker moves it on again
and again, and when that worker dies, the blob falls due and another takes it.

Every taking of an ``uploaded`` blob is a new *claim*. What a worker writes counts only under the claim that is in the
row: one that was thought dead, and comes back, changes nothing any more.

The *stamp* of a blob is what the store said of the bytes that were measured last (:attr:`.storage.Head.stamp`). A
failed blob that is registered anew waits for bytes of another stamp.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core import blobs, records
from commonshub.core.storage import Location
from commonshub.core.texts import TEXTS

AWAITED, ARRIVED = "registered", "uploaded"


class Blob(NamedTuple):
    """One pending blob."""

    guid: str
    location: Location
    attempts: int
    claim: UUID | None = None


class Arrival(NamedTuple):
    """The bytes of a blob as the store describes them; `size` in bytes."""

    blob: Blob
    size: int
    stamp: str


class Measurement(NamedTuple):
    """What the bytes of a blob turned out to be."""

    size: int
    hashes: Mapping[str, str]
    stamp: str | None = None


class Reading(NamedTuple):
    """How far the measurement under a claim is, in bytes."""

    guid: str
    claim: UUID
    done: int


class Progress(NamedTuple):
    """How far an upload is; `size` is None until the bytes have arrived, `done` counts those that were measured."""

    state: str
    reason: str | None
    size: int | None
    done: int


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
    asked = blob.c.guid == sa.any_(sa.literal(list(hastened), TEXTS))
    looked = _taken(connection, blob, AWAITED, awaited, sa.or_(blob.c.due <= _moment(), asked), wait, {})
    claim = {"claim": sa.func.gen_random_uuid(), "done": 0}
    begun = _taken(connection, blob, ARRIVED, arrived, blob.c.due <= _moment(), sa.literal(lease_s), claim)
    kinds = ([AWAITED] if awaited else []) + ([ARRIVED] if arrived else [])
    soonest = sa.select(sa.extract("epoch", sa.func.min(blob.c.due) - _moment())).where(blob.c.state.in_(kinds))
    next_s = connection.execute(soonest).scalar_one()
    return Due(looked, begun, None if next_s is None else max(0.0, float(next_s)))


def _taken(
    connection: sa.Connection,
    blob: sa.Table,
    state: str,
    most: int,
    due: sa.ColumnElement[bool],
    wait: Any,
    changes: Mapping[str, Any],
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
        .values(due=_moment() + _seconds(wait), **changes)
        .returning(blob.c.guid, blob.c.location, blob.c.attempts, blob.c.claim)
    )
    rows = connection.execute(statement)
    return [Blob(row.guid, Location.parse(row.location), row.attempts, row.claim) for row in rows]


def _given(name: str, **columns: tuple[Any, Sequence[Any]]) -> sa.TableValuedAlias:
    """Columns of values as a table."""
    arrays = [sa.bindparam(None, list(values), type_=sa.ARRAY(kind)) for kind, values in columns.values()]
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name=name)


def arrive(connection: sa.Connection, schema: str, arrivals: Sequence[Arrival]) -> None:
    """The bytes of these blobs are there, unless they are those that have failed already."""
    blob = records.tables(schema).blob
    given = _given(
        "given",
        guid=(sa.VARCHAR, [each.blob.guid for each in arrivals]),
        location=(sa.VARCHAR, [str(each.blob.location) for each in arrivals]),
        size=(sa.BIGINT, [each.size for each in arrivals]),
        stamp=(sa.VARCHAR, [each.stamp for each in arrivals]),
    )
    connection.execute(
        sa.update(blob)
        .where(blob.c.state == AWAITED, blob.c.guid == given.c.guid, blob.c.location == given.c.location)
        .where(blob.c.stamp.is_distinct_from(given.c.stamp))
        .values(state=ARRIVED, size=given.c.size, done=0, claim=None, attempts=0, updated=_moment(), due=_moment())
    )


def hasten(connection: sa.Connection, schema: str, locations: Iterable[Location]) -> int:
    """Look now for the bytes that are expected at these places, of which there may be thousands; how many are.

    What is expected nowhere, has arrived or is verified is left alone, so events may come twice and in any order.
    """
    blob = records.tables(schema).blob
    wanted = sa.any_(sa.literal([str(each) for each in locations], TEXTS))
    statement = sa.update(blob).where(blob.c.state == AWAITED, blob.c.location == wanted)
    count = connection.execute(statement.values(due=sa.func.least(blob.c.due, _moment()))).rowcount
    if count:
        blobs.notify(connection, "")
    return count


def renew(connection: sa.Connection, schema: str, readings: Sequence[Reading], lease_s: float) -> set[UUID]:
    """Note how far measurements are; the claims among them that still hold."""
    blob = records.tables(schema).blob
    given = _given(
        "given",
        guid=(sa.VARCHAR, [each.guid for each in readings]),
        claim=(pg.UUID, [each.claim for each in readings]),
        done=(sa.BIGINT, [each.done for each in readings]),
    )
    statement = (
        sa.update(blob)
        .where(blob.c.guid == given.c.guid, blob.c.claim == given.c.claim, blob.c.state == ARRIVED)
        .values(due=_moment() + _seconds(lease_s), done=given.c.done)
        .returning(blob.c.claim)
    )
    return set(connection.execute(statement).scalars())


def release(connection: sa.Connection, schema: str, readings: Sequence[Reading]) -> None:
    """Let another worker take these blobs at once, because this one stops."""
    renew(connection, schema, readings, 0.0)


def postpone(
    connection: sa.Connection, schema: str, blob: Blob, reason: str, *, wait_s: float, most_attempts: int | None
) -> None:
    """Measuring did not work: try again later, or give up after so many attempts.

    Parameters
    ----------
    most_attempts
        None where it was not the blob's fault, so that this attempt does not count.
    """
    table = records.tables(schema).blob
    attempts = blob.attempts + (most_attempts is not None)
    given_up = most_attempts is not None and attempts >= most_attempts
    connection.execute(
        sa.update(table)
        .where(table.c.guid == blob.guid, table.c.state == ARRIVED, table.c.claim.is_not_distinct_from(blob.claim))
        .values(
            state="failed" if given_up else ARRIVED,
            reason=reason,
            attempts=attempts,
            updated=_moment(),
            due=_moment() + _seconds(wait_s),
        )
    )


def settle(connection: sa.Connection, schema: str, blob: Blob, found: Measurement) -> bool:
    """Write what was measured to the record and close the blob, together; whether the blob is now verified.

    A record that says already what its bytes are (an index client filled it) is compared instead of filled: a
    difference makes the blob ``failed``. A record or blob that has gone or changed in between, or that another worker
    has taken over, is left alone.
    """
    tables = records.tables(schema)
    row = connection.execute(
        sa.select(*records.columns(tables.record)).where(tables.record.c.guid == blob.guid).with_for_update()
    ).one_or_none()
    if row is None:
        return False
    record = records.of_row(row)
    fault = difference(record, found)
    if not _close(connection, tables.blob, blob, found, fault) or fault:
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


def _close(connection: sa.Connection, table: sa.Table, blob: Blob, found: Measurement, fault: str | None) -> bool:
    """Write down how the measurement of a blob has ended; whether it was still this worker's."""
    closed = connection.execute(
        sa.update(table)
        .where(
            table.c.guid == blob.guid,
            table.c.location == str(blob.location),
            table.c.state == ARRIVED,
            table.c.claim.is_not_distinct_from(blob.claim),
        )
        .values(
            state="failed" if fault else "verified",
            reason=fault,
            size=found.size,
            done=found.size,
            stamp=found.stamp,
            updated=_moment(),
        )
    )
    return closed.rowcount > 0


def difference(record: records.Record, found: Measurement) -> str | None:
    """How the bytes differ from what the record says of them; None where they agree."""
    if record.size is not None and record.size != found.size:
        return f"The record says {record.size} bytes, the upload has {found.size}."
    for kind, digest in found.hashes.items():
        if record.hashes.get(kind, digest) != digest:
            return f"The record says {kind} {record.hashes[kind]}, the upload has {digest}."
    return None


def progress(connection: sa.Connection, schema: str, guid: str) -> Progress | None:
    """How far the upload of a record is; None where nothing was ever uploaded through here."""
    blob = records.tables(schema).blob
    query = sa.select(blob.c.state, blob.c.reason, blob.c.size, blob.c.done).where(blob.c.guid == guid)
    row = connection.execute(query).one_or_none()
    return Progress(*row) if row else None
