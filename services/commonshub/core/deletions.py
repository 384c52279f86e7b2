"""Deleting data: a record and the bytes at all its locations, or none of it.

A database and several stores cannot commit together, so the order decides. First every store is asked whether it
answers: one that does not ends the deletion before anything has changed. Then one transaction deletes the record and
notes each of its locations as *doomed*: from here on there is no way back, and nobody sees the record any more. Then
the bytes go, and each note with them. What a crash, or a store that fails meanwhile, has left is finished by the index
service, which looks for notes that are due.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from . import records
from .access import owns
from .catalog import tables
from .errors import BadRequest
from .records import Record
from .settings import StorageSettings
from .storage import Location

# Time in which who began a deletion has finished it, or has died.
BEGUN_S = 30


class Doomed(NamedTuple):
    """Bytes whose record is gone."""

    location: Location
    guid: str
    attempts: int


def own_locations(connection: sa.Connection, schema: str, record: Record, settings: StorageSettings) -> list[Location]:
    """Where bytes are that are the record's own, whatever its URLs say."""
    blob = tables(schema).blob
    registered = connection.execute(sa.select(blob.c.location).where(blob.c.guid == record.did)).scalars()
    found = []
    for url in sorted({*registered, *record.urls}):
        with suppress(BadRequest):
            # What is no location has no bytes of ours.
            found.append(Location.parse(url))
    return [each for each in found if owns(record, each, settings)]


def begin(connection: sa.Connection, schema: str, record: Record, settings: StorageSettings) -> list[Location]:
    """Delete a record and doom its bytes; where they are.

    Raises
    ------
    NotFound
        There is no such record any more.
    Conflict
        It has changed since it was read.
    """
    table = tables(schema)
    # An upload that is being registered at this moment ends before, or finds no record.
    connection.execute(sa.select(table.record.c.guid).where(table.record.c.guid == record.did).with_for_update())
    locations = own_locations(connection, schema, record, settings)
    records.delete(connection, schema, record.did, record.rev)
    if locations:
        moment = sa.func.clock_timestamp()
        due = moment + sa.func.make_interval(0, 0, 0, 0, 0, 0, BEGUN_S)
        fresh = {"guid": record.did, "reason": None, "attempts": 0, "begun": moment, "due": due}
        statement = pg.insert(table.deletion).values([{"location": str(each), **fresh} for each in locations])
        connection.execute(statement.on_conflict_do_update(index_elements=["location"], set_=fresh))
    return locations


def end(connection: sa.Connection, schema: str, locations: Iterable[Location]) -> None:
    """The bytes at these locations are gone."""
    table = tables(schema).deletion
    connection.execute(sa.delete(table).where(table.c.location.in_([str(each) for each in locations])))


def take(connection: sa.Connection, schema: str, most: int, lease_s: float) -> tuple[Sequence[Doomed], float | None]:
    """Take up to `most` locations that are due, and say in how many seconds there are more (None: nothing is doomed).

    What a record that was created since points to is spared.
    """
    table, record = tables(schema).deletion, tables(schema).record
    moment = sa.func.clock_timestamp()
    claimed = sa.exists().where(
        record.c.urls.contains(pg.array([table.c.location])),
        record.c.created_date > sa.func.timezone("UTC", table.c.begun),
    )
    connection.execute(sa.delete(table).where(table.c.due <= moment, claimed))
    chosen = (
        sa.select(table.c.location)
        .where(table.c.due <= moment)
        .order_by(table.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(
        sa.update(table)
        .where(table.c.location.in_(chosen.scalar_subquery()))
        .values(due=moment + sa.func.make_interval(0, 0, 0, 0, 0, 0, lease_s))
        .returning(table.c.location, table.c.guid, table.c.attempts)
    )
    taken = [Doomed(Location.parse(row.location), row.guid, row.attempts) for row in rows]
    next_s = connection.execute(sa.select(sa.extract("epoch", sa.func.min(table.c.due) - moment))).scalar_one()
    return taken, None if next_s is None else max(0.0, float(next_s))


def postpone(connection: sa.Connection, schema: str, location: Location, reason: str, wait_s: float) -> None:
    """The bytes could not be deleted: try again in `wait_s` seconds, for ever."""
    table = tables(schema).deletion
    connection.execute(
        sa.update(table)
        .where(table.c.location == str(location))
        .values(
            reason=reason,
            attempts=table.c.attempts + 1,
            due=sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, wait_s),
        )
    )
