"""Index records: the table that index, auth and submission share, and the SQL on it.

Vocabulary
----------
record
    What the commons knows of one data object, in indexd's single-table layout, so that an existing indexd database
    can be served as it is. Sizes are bytes, dates are naive UTC.
GUID, did
    Identifier of a record; may contain ``/`` (``<prefix>/<uuid>``).
baseid
    Identifier that all versions of one object share.
rev
    Revision of a record: eight hexadecimal digits, new at every change. Who changes a record names the revision that
    he has seen.
blank record
    A record without size and hashes: an upload is expected.

Every function takes an open connection and works in the caller's transaction; all of them handle any number of
records with a fixed number of statements.
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from .catalog import filled
from .catalog import tables as tables
from .drafts import ENCODERS, lines
from .drafts import Draft as Draft
from .errors import Conflict, NotFound
from .loading import load
from .texts import TEXTS
from .uuids import fresh

_ENDS_AS_A_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_MINTED_AT_A_TIME = 64
_COLUMN = {"did": "guid", "metadata": "record_metadata", "urls_metadata": "url_metadata", "aliases": "alias"}
UPDATABLE = frozenset(each.name for each in fields(Draft)) - {"did", "baseid"}
_COLUMNS = {each.name: _COLUMN.get(each.name, each.name) for each in fields(Draft)}
_values = attrgetter(*_COLUMNS)


class Record(NamedTuple):
    """One stored record."""

    did: str
    baseid: str | None
    rev: str | None
    form: str | None
    size: int | None
    file_name: str | None
    version: str | None
    uploader: str | None
    urls: list[str]
    urls_metadata: dict[str, Any]
    acl: list[str]
    authz: list[str]
    hashes: dict[str, str]
    metadata: dict[str, Any]
    created_date: datetime | None
    updated_date: datetime | None
    description: str | None
    content_created_date: datetime | None
    content_updated_date: datetime | None
    aliases: list[str]

    @property
    def blank(self) -> bool:
        """Whether neither size nor hashes are known yet."""
        return self.size is None and not self.hashes


class Made(NamedTuple):
    """What a new record is called, and what one must know to change it."""

    did: str
    baseid: str
    rev: str


def of_row(row: sa.Row[Any]) -> Record:
    """The record in a row with the :func:`columns` of the table; SQL nulls in lists and objects count as empty."""
    return Record(
        did=row.guid,
        baseid=row.baseid,
        rev=row.rev,
        form=row.form,
        size=row.size,
        file_name=row.file_name,
        version=row.version,
        uploader=row.uploader,
        urls=row.urls or [],
        urls_metadata=row.url_metadata or {},
        acl=row.acl or [],
        authz=row.authz or [],
        hashes=row.hashes or {},
        metadata=row.record_metadata or {},
        created_date=row.created_date,
        updated_date=row.updated_date,
        description=row.description,
        content_created_date=row.content_created_date,
        content_updated_date=row.content_updated_date,
        aliases=row.alias or [],
    )


def columns(table: sa.Table) -> list[sa.Column[Any]]:
    """What :func:`of_row` makes records of: the columns of the table that are not made of others."""
    return [each for each in table.c if each.server_default is None]


def have_alias(table: sa.Table, names: Any) -> sa.ColumnElement[bool]:
    """Which records have one of these aliases."""
    return sa.and_(filled(table.c.alias), table.c.alias.overlap(names))


def column(name: str) -> str:
    """The column that holds a field of a record."""
    return _COLUMN.get(name, name)


def mint(prefix: str = "") -> str:
    """A new GUID."""
    return prefix + fresh(1)[0]


def minted(prefix: str = "") -> Iterator[str]:
    """New GUIDs without end."""
    while True:
        for each in fresh(_MINTED_AT_A_TIME):
            yield prefix + each


def new_rev() -> str:
    """A new revision."""
    return secrets.token_hex(4)


def any_rev() -> sa.ColumnElement[str]:
    """A new revision for each row of a statement."""
    return sa.func.left(sa.func.md5(sa.cast(sa.func.random(), sa.Text)), 8)


def now() -> sa.ColumnElement[datetime]:
    """The moment of the statement, as naive UTC: distinct for the steps of one transaction."""
    return sa.func.timezone("UTC", sa.func.clock_timestamp())


def create(connection: sa.Connection, schema: str, records: Sequence[Draft], *, prefix: str = "") -> list[Made]:
    """Store new records in one statement; what they are called comes back in the order given.

    Parameters
    ----------
    prefix
        Prefix of the GUIDs that are made up here.

    Raises
    ------
    Conflict
        A GUID is taken, or given twice; the message names it.
    """
    made = create_free(connection, schema, records, prefix=prefix)
    for draft, record in zip(records, made, strict=True):
        if record is None:
            raise taken(draft.did)
    return [record for record in made if record is not None]


def taken(guid: str | None) -> Conflict:
    """The refusal to store a second record with the same GUID."""
    return Conflict(f"A record with the GUID {guid} exists already, or is given twice.")


def add(connection: sa.Connection, schema: str, records: Sequence[Draft]) -> None:
    """Store new records by ``COPY``, for who does not need them back.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        A GUID is taken, or given twice.
    """
    moment = connection.execute(sa.select(now())).scalar_one()
    names = ("guid", "baseid", "rev", "created_date", "updated_date", *map(column, ENCODERS))
    # In the order of their GUIDs, as those of :func:`_insert`; one that is made up here nobody else waits for.
    ordered = sorted(records, key=lambda draft: draft.did or "")
    load(connection, tables(schema).record, names, lines(ordered, moment))


def create_free(
    connection: sa.Connection, schema: str, records: Sequence[Draft], *, prefix: str = ""
) -> list[Made | None]:
    """Store, in one statement, those new records whose GUIDs are free; None stands for those whose GUID is taken.

    Of several with the same GUID one is stored.
    """
    fresh_ids = iter(fresh(sum((not draft.did) + (not draft.baseid) for draft in records)))
    revs = secrets.token_hex(4 * len(records))
    rows = [_row(draft, prefix, fresh_ids, revs[8 * place : 8 * place + 8]) for place, draft in enumerate(records)]
    stored = {(guid, rev) for guid, rev in connection.execute(_insert(schema), {"rows": rows})}
    made = [Made(row["guid"], row["baseid"], row["rev"]) for row in rows]
    return [each if (each.did, each.rev) in stored else None for each in made]


@lru_cache(maxsize=8)
def _insert(schema: str) -> sa.Executable:
    """Insert the rows in the parameter ``rows``."""
    table = tables(schema).record
    columns = [table.c[name] for name in ("rev", *_COLUMNS.values())]
    # One parameter for all rows. COPY into a temporary table takes the database as long and Python longer; arrays to
    # unnest take both longer.
    given = (
        sa.func.jsonb_to_recordset(sa.bindparam("rows", type_=pg.JSONB()))
        .table_valued(*(sa.column(column.name, column.type) for column in columns))
        .render_derived(name="given", with_types=True)
    )
    names = [column.name for column in columns]
    moment = now()
    # In the order of their GUIDs, so that two who create the same ones wait for each other one way only.
    chosen = sa.select(*(given.c[name] for name in names), moment, moment).order_by(given.c.guid)
    return (
        pg.insert(table)
        .from_select([*names, "created_date", "updated_date"], chosen)
        .on_conflict_do_nothing()
        .returning(table.c.guid, table.c.rev)
    )


def _row(draft: Draft, prefix: str, made: Iterator[str], rev: str) -> dict[str, Any]:
    # What is left out is null in the table as well, and PostgreSQL has less to read.
    row = {column: value for column, value in zip(_COLUMNS.values(), _values(draft), strict=True) if value is not None}
    row["guid"] = draft.did or prefix + next(made)
    row["baseid"] = draft.baseid or next(made)
    row["rev"] = rev
    return row


def get(connection: sa.Connection, schema: str, guid: str) -> Record | None:
    """The record with exactly this GUID."""
    table = tables(schema).record
    row = connection.execute(sa.select(*columns(table)).where(table.c.guid == guid)).one_or_none()
    return of_row(row) if row else None


def get_many(connection: sa.Connection, schema: str, guids: Iterable[str]) -> dict[str, Record]:
    """The records with these GUIDs, by GUID; what does not exist is left out."""
    return {row.guid: of_row(row) for row in connection.execute(_by_guid(schema), {"guids": list(guids)})}


@lru_cache(maxsize=8)
def _by_guid(schema: str) -> sa.Select[Any]:
    table = tables(schema).record
    return sa.select(*columns(table)).where(table.c.guid == sa.any_(sa.bindparam("guids", type_=TEXTS)))


def update(connection: sa.Connection, schema: str, guid: str, rev: str | None, changes: Mapping[str, Any]) -> Record:
    """Change one record and give it a new revision, in one statement.

    Parameters
    ----------
    rev
        Revision that the caller has seen; None changes the record whatever its revision is.
    changes
        New values by name (those of :data:`UPDATABLE`).

    Raises
    ------
    NotFound
        There is no such record.
    Conflict
        The record has another revision by now.
    """
    table = tables(schema).record
    return _one(connection, schema, sa.update(table).values(_changed(changes)), guid, rev)


def assign(
    connection: sa.Connection, schema: str, guids: Iterable[str], changes: Mapping[str, Any]
) -> dict[str, Record]:
    """Give many records the same values in one statement, whatever their revisions; the changed ones, by GUID."""
    table = tables(schema).record
    wanted = sa.bindparam("guids", list(guids), type_=TEXTS)
    values = {**_changed(changes), "rev": any_rev()}
    statement = sa.update(table).where(table.c.guid == sa.any_(wanted)).values(values).returning(*columns(table))
    return {row.guid: of_row(row) for row in connection.execute(statement)}


def _changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    assert changes.keys() <= UPDATABLE, changes.keys() - UPDATABLE
    values = {_COLUMN.get(name, name): value for name, value in changes.items()}
    return {**values, "rev": new_rev(), "updated_date": now()}


def _one(
    connection: sa.Connection, schema: str, statement: sa.Update | sa.Delete, guid: str, rev: str | None
) -> Record:
    """Run a statement on the record of this GUID and, unless it is None, this revision; the record it was or became."""
    table = tables(schema).record
    found = statement.where(table.c.guid == guid)
    if rev is not None:
        found = found.where(table.c.rev == rev)
    row = connection.execute(found.returning(*columns(table))).one_or_none()
    if row is not None:
        return of_row(row)
    if get(connection, schema, guid) is None:
        raise NotFound(f"There is no record with the GUID {guid}.")
    raise Conflict(f"revision mismatch: the record {guid} has been changed since you read it; read it again.")


def delete(connection: sa.Connection, schema: str, guid: str, rev: str | None) -> Record:
    """Delete one record, and its blob's entry, in one statement; the bytes are the caller's business.

    Raises
    ------
    NotFound
        There is no such record.
    Conflict
        The record has another revision by now.
    """
    table = tables(schema).record
    return _one(connection, schema, sa.delete(table), guid, rev)


def delete_many(connection: sa.Connection, schema: str, guids: Iterable[str]) -> list[str]:
    """Delete records whatever their revisions; the GUIDs that there were."""
    table = tables(schema).record
    wanted = sa.bindparam("guids", list(guids), type_=TEXTS)
    statement = sa.delete(table).where(table.c.guid == sa.any_(wanted)).returning(table.c.guid)
    return list(connection.execute(statement).scalars())


def ends_as_guid(name: str) -> bool:
    """Whether a name could be a GUID."""
    return _ENDS_AS_A_GUID.search(name) is not None
