"""SQL of the index beyond single records: lists, versions, aliases, URLs and totals."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core import records
from commonshub.core.errors import Conflict, NotFound
from commonshub.core.names import spellings
from commonshub.core.records import Draft, Made, Record
from commonshub.core.texts import TEXTS

from . import conditions, documents
from .ahead import Page
from .documents import Document
from .filters import Filter
from .pages import Place, Start
from .reads import Form
from .rooms import Room, bounded

T = TypeVar("T")
_VIEW = sa.select(documents.VIEW)


class Totals(NamedTuple):
    """How much there is."""

    records: int
    size_bytes: int


def documents_of(connection: sa.Connection, schema: str, guids: Sequence[str], room: Room) -> str:
    """The records with exactly these GUIDs, as a JSON list in their order; what does not exist is left out.

    Raises
    ------
    TooLarge
        They are longer than there is room for.
    """
    values = {"guids": list(dict.fromkeys(guids)), **room.values()}
    return documents.read_list(connection.execute(_documents_of(schema), values), room)


@lru_cache(maxsize=8)
def _documents_of(schema: str) -> sa.Select[str]:
    table = records.tables(schema).record
    names = sa.func.unnest(sa.bindparam("guids", type_=TEXTS))
    asked = names.table_valued(sa.column("guid", sa.VARCHAR()), with_ordinality="place").render_derived(name="asked")
    chosen = sa.select(*documents.columns(table)).join(asked, asked.c.guid == table.c.guid).order_by(asked.c.place)
    return documents.listed(chosen)


def latest(
    connection: sa.Connection, schema: str, identifier: str, *, prefix: str = "", versioned: bool = False
) -> Document:
    """The newest version of an object, by GUID or baseid; of those that have a version where `versioned`.

    Raises
    ------
    NotFound
        There is none.
    """
    table = records.tables(schema).record
    query = sa.select(*documents.columns(table)).where(_same_object(table, identifier, prefix))
    if versioned:
        query = query.where(table.c.version.is_not(None))
    query = query.order_by(table.c.created_date.desc().nulls_last(), table.c.guid).limit(1)
    found = documents.read(connection.execute(query))
    if not found:
        raise NotFound("no record found")
    return found[0]


def versions(
    connection: sa.Connection, schema: str, form: Form[T], identifier: str, room: Room, *, prefix: str = ""
) -> list[T]:
    """All versions of an object, oldest first.

    Raises
    ------
    NotFound
        There is none.
    TooLarge
        They are longer than there is room for.
    """
    table = records.tables(schema).record
    query = sa.select(*form.columns(table)).where(_same_object(table, identifier, prefix))
    query = query.order_by(table.c.created_date.nulls_first(), table.c.guid)
    found = room.read(connection.execute(bounded(query), room.values()))
    if not found:
        raise NotFound("no record found")
    return [form.make(row) for row in found]


def _same_object(table: sa.Table, identifier: str, prefix: str) -> sa.ColumnElement[bool]:
    """Which records are versions of the object with this GUID or baseid; an old record may have no baseid."""
    of = table.alias("of")
    names = sa.any_(sa.literal(spellings(identifier, prefix), TEXTS))
    by_guid = of.c.guid == names
    known = (
        sa.select(of.c.guid, of.c.baseid)
        .where(sa.or_(by_guid, of.c.baseid == names))
        .order_by((of.c.guid == identifier).desc(), by_guid.desc())
        .limit(1)
        .cte("known")
    )
    same = table.c.baseid == sa.select(known.c.baseid).scalar_subquery()
    return sa.or_(same, table.c.guid == sa.select(known.c.guid).scalar_subquery())


def listing(connection: sa.Connection, schema: str, wanted: Filter, room: Room, *, prefix: str = "") -> Page:
    """The records that pass a filter, in order of GUID.

    Raises
    ------
    TooLarge
        They are longer than there is room for.
    """
    special = conditions.special(records.tables(schema).record, wanted)
    names = conditions.names(wanted)
    statement = _special_listing(schema, names, special) if special else _plain_listing(schema, names)
    values = conditions.values(wanted, prefix) | {"limit": wanted.limit} | room.values()
    return documents.read_page(connection.execute(statement, values), room)


def _special_listing(schema: str, names: frozenset[str], special: list[conditions.Condition]) -> sa.Select[Any]:
    table = records.tables(schema).record
    chosen = sa.select(*documents.columns(table)).where(*conditions.named(table, names), *special)
    return documents.page(chosen.order_by(table.c.guid).limit(sa.bindparam("limit", type_=sa.Integer())))


@lru_cache(maxsize=256)
def _plain_listing(schema: str, names: frozenset[str]) -> sa.Select[Any]:
    return _special_listing(schema, names, [])


def turn(connection: sa.Connection, schema: str, wanted: Filter) -> str | None:
    """The last GUID of a page of all records of a form; None where the page is not full."""
    values = conditions.values(wanted, "") | {"limit": wanted.limit}
    found: str | None = connection.execute(_turn(schema, conditions.names(wanted)), values).scalar()
    return found


@lru_cache(maxsize=8)
def _turn(schema: str, names: frozenset[str]) -> sa.Select[Any]:
    table = records.tables(schema).record
    full = sa.bindparam("limit", type_=sa.Integer()) - 1
    return sa.select(table.c.guid).where(*conditions.named(table, names)).order_by(table.c.guid).offset(full).limit(1)


def view(connection: sa.Connection) -> str:
    """What is seen of the database now; who sees the same sees the same records."""
    found: str = connection.execute(_VIEW).scalar_one()
    return found


def page(
    connection: sa.Connection, schema: str, wanted: Filter, start: Start, room: Room, *, prefix: str = ""
) -> tuple[list[Document], list[Place | None]]:
    """One page of them in order of change, and the places where this page and the next one begin.

    Records of unknown date come first; none of them is a place.

    Raises
    ------
    TooLarge
        They are longer than there is room for.
    """
    table = records.tables(schema).record
    limit = wanted.limit or 0
    changed = table.c.updated_date.label("changed")
    query = sa.select(*documents.columns(table), changed).where(*conditions.of_filter(table, wanted))
    if start.place:
        query = query.where(sa.tuple_(table.c.updated_date, table.c.guid) >= start.place)
    query = query.order_by(table.c.updated_date.nulls_first(), table.c.guid).offset(limit * start.pages)
    told = bounded(query.limit(limit + 1))
    rows = room.read(connection.execute(told, conditions.values(wanted, prefix) | room.values()), limit)
    places = [Place(row.changed, row.did) if row.changed else None for row in rows[:: limit or 1]]
    return documents.read(row[:3] for row in rows[:limit]), places


def urls(
    connection: sa.Connection, schema: str, wanted: Filter, offset: int, limit: int, room: Room, *, prefix: str = ""
) -> list[dict[str, Any]]:
    """URLs of the records that pass a filter, with their metadata, in order of GUID.

    Raises
    ------
    TooLarge
        Their metadata are longer than there is room for.
    """
    table = records.tables(schema).record
    url = _each_url(table)
    metadata = sa.func.coalesce(sa.cast(table.c.url_metadata[url.c.url], sa.Text), "{}")
    query = (
        sa.select(url.c.url, metadata.label("text"))
        .select_from(table.join(url, sa.true()))
        .where(*conditions.of_filter(table, wanted))
        .order_by(table.c.guid, url.c.place)
        .offset(offset)
        .limit(limit)
    )
    rows = room.read(connection.execute(bounded(query), conditions.values(wanted, prefix) | room.values()))
    return [{"url": row.url, "metadata": orjson.Fragment(row.text)} for row in rows]


def _each_url(table: sa.Table) -> sa.TableValuedAlias:
    """The URLs of a record as rows, numbered; PostgreSQL joins a function's rows laterally by itself."""
    urls = sa.func.unnest(table.c.urls).table_valued(sa.column("url", sa.VARCHAR), with_ordinality="place")
    return urls.render_derived(name="each_url")


class UrlQuery(NamedTuple):
    """A question about the URLs of records."""

    include: str | None = None
    exclude: str | None = None
    metadata: tuple[str, str] | None = None
    versioned: bool | None = None
    limit: int = 1000
    offset: int = 0


def find_urls(connection: sa.Connection, schema: str, wanted: UrlQuery, room: Room) -> list[dict[str, Any]]:
    """Records that have URLs with and without these substrings, and those URLs, in order of GUID.

    Raises
    ------
    TooLarge
        The URLs are longer than there is room for.
    """
    table = records.tables(schema).record
    url = _each_url(table)
    found = sa.cast(sa.func.json_agg(pg.aggregate_order_by(url.c.url, url.c.place)), sa.Text)
    query = sa.select(table.c.guid, table.c.rev, found.label("text"))
    query = query.select_from(table.join(url, sa.true()))
    if wanted.include:
        query = query.where(conditions.some_url_contains(table, wanted.include))
        query = query.where(sa.func.strpos(url.c.url, wanted.include) > 0)
    if wanted.exclude:
        query = query.where(sa.func.strpos(url.c.url, wanted.exclude) == 0)
    if wanted.versioned is not None:
        query = query.where(table.c.version.is_not(None) if wanted.versioned else table.c.version.is_(None))
    if wanted.metadata:
        key, value = wanted.metadata
        query = query.where(*conditions.some_url_may_hold(table, {key: value}))
        query = query.where(table.c.url_metadata[url.c.url][key].astext == value)
    query = query.group_by(table.c.guid).order_by(table.c.guid).limit(wanted.limit).offset(wanted.offset)
    rows = room.read(connection.execute(bounded(query), room.values()))
    return [{"did": row.guid, "rev": row.rev, "urls": orjson.Fragment(row.text)} for row in rows]


def totals(connection: sa.Connection, schema: str, before: datetime | None = None) -> Totals:
    """Number and bytes of all records, or of those made before a moment."""
    table = records.tables(schema).record
    total = sa.func.coalesce(sa.func.sum(table.c.size), 0)
    query = sa.select(sa.func.count(), sa.cast(total, sa.BigInteger)).select_from(table)
    if before is not None:
        query = query.where(table.c.created_date < before)
    return Totals(*connection.execute(query).one())


def add_version(connection: sa.Connection, schema: str, earlier: Record, draft: Draft, *, prefix: str = "") -> Made:
    """Store a new version of `earlier`.

    Raises
    ------
    Conflict
        The GUID of the draft is taken.
    """
    values = {name: getattr(draft, name) for name in Draft.__slots__} | {"baseid": earlier.baseid}
    return records.create(connection, schema, [Draft(**values)], prefix=prefix)[0]


def set_aliases(
    connection: sa.Connection, schema: str, did: str, change: Callable[[list[str]], list[str]]
) -> list[str]:
    """Give a record the aliases that `change` makes of those it has; they belong to no revision.

    Raises
    ------
    Conflict
        Another record has one of them.
    NotFound
        There is no such record, or `change` says so of an alias.
    """
    table = records.tables(schema).record
    # Arrays have no unique index, so those who give aliases away wait for one another.
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"commonshub.alias.{schema}"))))
    row = connection.execute(sa.select(table.c.alias).where(table.c.guid == did).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(did)
    names = change(row.alias or [])
    taken = sa.select(table.c.alias).where(records.have_alias(table, names), table.c.guid != did).limit(1)
    holder = connection.execute(taken).scalar_one_or_none()
    if holder is not None:
        raise Conflict(f"Another record has the alias {next(name for name in names if name in holder)!r}.")
    connection.execute(sa.update(table).where(table.c.guid == did).values(alias=names))
    return names
