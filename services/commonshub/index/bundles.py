"""SQL of bundles.

The table is indexd's. It keeps what indexd calls a snapshot of the members, of which only the ids and names are
written and read here: what a member is now, the records say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core import records
from commonshub.core.errors import BadRequest, Conflict, NotFound, TooLarge
from commonshub.core.names import spellings
from commonshub.core.records import Record
from commonshub.core.texts import TEXTS

from . import conditions, contents, reads
from .catalog import tables
from .contents import Bundle, Bundles, Member
from .filters import Filter
from .reads import Form
from .rooms import Room

T = TypeVar("T")

# Members of bundles, as they are stored, that one statement may bring into memory.
MAX_READ_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleDraft:
    """A bundle before it is stored; what is None follows from the members."""

    members: Sequence[str]
    id: str | None = None
    name: str | None = None
    size: int | None = None
    checksums: Sequence[dict[str, str]] | None = None
    description: str | None = None
    version: str | None = None
    aliases: Sequence[str] = field(default_factory=list)


def _of_row(row: sa.Row[Any]) -> Bundle:
    members = [Member(each["id"], each.get("name") or each["id"]) for each in orjson.loads(row.bundle_data or "[]")]
    return Bundle(
        id=row.bundle_id,
        name=row.name or row.bundle_id,
        created_time=row.created_time,
        updated_time=row.updated_time,
        checksums=orjson.loads(row.checksum or "[]"),
        size=row.size or 0,
        members=members,
        description=row.description or None,
        version=row.version or None,
        aliases=orjson.loads(row.aliases or "[]"),
    )


def get_many(connection: sa.Connection, schema: str, ids: Iterable[str]) -> dict[str, Bundle]:
    """The bundles with these ids, by id; what does not exist is left out.

    Raises
    ------
    TooLarge
        They hold more than one answer may bring into memory.
    """
    bundle = tables(schema).bundle
    return _read(connection, bundle, bundle.c.bundle_id == sa.any_(sa.literal(list(ids), TEXTS)))


def _read(connection: sa.Connection, bundle: sa.Table, wanted: sa.ColumnElement[bool]) -> dict[str, Bundle]:
    # What is before a bundle counts, not its own: a single one is bounded when it is made.
    before = sa.func.sum(sa.func.octet_length(bundle.c.bundle_data)).over(order_by=bundle.c.bundle_id, rows=(None, -1))
    beyond = (sa.func.coalesce(before, 0) > MAX_READ_BYTES).label("beyond")
    chosen = sa.select(bundle, beyond).where(wanted).subquery()
    members = sa.case((chosen.c.beyond, None), else_=chosen.c.bundle_data).label("bundle_data")
    query: sa.Select[Any] = sa.select(*_but_members(chosen), members, chosen.c.beyond)
    rows = connection.execute(query).all()
    if any(row.beyond for row in rows):
        raise TooLarge("These bundles hold more than one answer may; ask for fewer at once, or without expand.")
    return {row.bundle_id: _of_row(row) for row in rows}


def _but_members(bundle: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    return [bundle.c[column.name] for column in bundle.c if column.name not in ("bundle_data", "beyond")]


def without_members(connection: sa.Connection, schema: str, ids: Iterable[str]) -> dict[str, Bundle]:
    """The bundles with these ids, by id, as if they were empty: for lists, which do not tell what is in them."""
    bundle = tables(schema).bundle
    query: sa.Select[Any] = sa.select(*_but_members(bundle), sa.null().label("bundle_data"))
    rows = connection.execute(query.where(bundle.c.bundle_id == sa.any_(sa.literal(list(ids), TEXTS))))
    return {row.bundle_id: _of_row(row) for row in rows}


def below(connection: sa.Connection, schema: str, ids: Iterable[str]) -> dict[str, Bundle]:
    """The bundles with these ids and all bundles below them, by id, in one statement.

    Raises
    ------
    TooLarge
        As :func:`get_many`.
    """
    bundle = tables(schema).bundle
    reached = sa.select(sa.func.unnest(sa.literal(list(ids), TEXTS)).label("id")).cte("reached", recursive=True)
    member = (
        sa.func.jsonb_array_elements(sa.cast(bundle.c.bundle_data, pg.JSONB))
        .table_valued(sa.column("value", pg.JSONB))
        .render_derived(name="member")
    )
    held = sa.select(member.c.value["id"].astext).select_from(
        reached.join(bundle, bundle.c.bundle_id == reached.c.id).join(member, sa.true())
    )
    # UNION, not UNION ALL: what is reached by two ways is followed once.
    reached = reached.union(held)
    return _read(connection, bundle, bundle.c.bundle_id.in_(sa.select(reached.c.id)))


class Family(NamedTuple):
    """A bundle and what is needed to list its contents.

    Attributes
    ----------
    below
        The bundles below it that are to be expanded.
    names
        Names of all others there are among its contents.
    """

    bundle: Bundle
    below: Bundles
    names: dict[str, str | None]


def resolve(connection: sa.Connection, schema: str, names: Sequence[str], *, expand: bool) -> Family:
    """The bundle with one of these ids and what its contents are now; with `expand` everything below it.

    Raises
    ------
    NotFound
        There is no such bundle.
    """
    found = families(connection, schema, {"": names}, expand=expand)
    if not found:
        raise NotFound("no record found")
    return found[""]


def families(
    connection: sa.Connection, schema: str, wanted: Mapping[str, Sequence[str]], *, expand: bool
) -> dict[str, Family]:
    """Many bundles, each by the name it is asked for; what does not exist is left out.

    Parameters
    ----------
    wanted
        The ids that each name may stand for.
    """
    heads = get_many(connection, schema, [name for names in wanted.values() for name in names])
    if not heads:
        return {}
    inner = {member.id for bundle in heads.values() for member in bundle.members}
    found = below(connection, schema, inner) if expand else {}
    listed = inner | {member.id for bundle in found.values() for member in bundle.members}
    names = _names(connection, schema, listed - found.keys())
    hits = {asked: next((heads[each] for each in names if each in heads), None) for asked, names in wanted.items()}
    return {asked: Family(bundle, found, names) for asked, bundle in hits.items() if bundle}


def _names(connection: sa.Connection, schema: str, guids: Iterable[str]) -> dict[str, str | None]:
    record, bundle = records.tables(schema).record, tables(schema).bundle
    wanted = sa.any_(sa.literal(list(guids), TEXTS))
    called = sa.func.coalesce(sa.func.nullif(bundle.c.name, ""), bundle.c.bundle_id)
    query = sa.union_all(
        sa.select(record.c.guid, record.c.file_name).where(record.c.guid == wanted),
        sa.select(bundle.c.bundle_id, called).where(bundle.c.bundle_id == wanted),
    )
    return {row.guid: row.file_name for row in connection.execute(query)}


def create(connection: sa.Connection, schema: str, draft: BundleDraft, *, prefix: str) -> Bundle:
    """Store a new bundle of objects that there are.

    Raises
    ------
    BadRequest
        A member is named twice, has no bytes yet, or is the bundle itself, or bundles are nested too deeply.
    NotFound
        There is no such member; the message names it.
    Conflict
        The id is taken by a bundle or a record.
    """
    bundle = tables(schema).bundle
    # Who makes a bundle must see all that there are: two at once could each hold the other.
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"commonshub.bundle.{schema}"))))
    spelt = {each: spellings(each, prefix) for each in draft.members}
    every = [name for names in spelt.values() for name in names]
    deeper = below(connection, schema, every)
    there: dict[str, Record | Bundle] = {**deeper, **records.get_many(connection, schema, every)}
    members = {name: there[name] for name in _identified(spelt, there)}
    bundle_id = draft.id or records.mint(prefix)
    contents.check_nesting(bundle_id, members, deeper)
    if records.get(connection, schema, bundle_id):
        raise Conflict(f"A record has the id {bundle_id} already.")
    values = _values(bundle_id, draft, members)
    made = connection.execute(pg.insert(bundle).values(values).on_conflict_do_nothing().returning(bundle))
    row = made.one_or_none()
    if row is None:
        raise Conflict(f"A bundle with the id {bundle_id} exists already.")
    return _of_row(row)


def _values(bundle_id: str, draft: BundleDraft, members: Mapping[str, Record | Bundle]) -> dict[str, Any]:
    """The row of a new bundle."""
    return {
        "bundle_id": bundle_id,
        "name": draft.name or bundle_id,
        "created_time": records.now(),
        "updated_time": records.now(),
        "size": draft.size if draft.size is not None else sum(each.size or 0 for each in members.values()),
        "checksum": _text(draft.checksums or contents.checksum(members.values())),
        "bundle_data": snapshot(Member(name, _name(name, each)) for name, each in members.items()),
        "description": draft.description or "",
        "version": draft.version or "",
        "aliases": _text(list(draft.aliases)),
    }


def _identified(spelt: dict[str, list[str]], there: dict[str, Record | Bundle]) -> list[str]:
    """The ids of members, however they are spelt."""
    found = []
    for asked, names in spelt.items():
        name = next((each for each in names if each in there), None)
        if name is None:
            raise NotFound(f"bundles: there is no object {asked}.")
        member = there[name]
        if isinstance(member, Record) and (member.size is None or not member.hashes):
            raise BadRequest(f"bundles: the bytes of {asked} have not been verified yet.")
        if name in found:
            raise BadRequest(f"bundles: {asked} is named twice.")
        found.append(name)
    return found


def snapshot(members: Iterable[Member]) -> str:
    """Members as the table keeps them, and as indexd tells of them: JSON in JSON."""
    return _text([{"id": each.id, "name": each.name} for each in members])


def _name(member_id: str, member: Record | Bundle) -> str:
    return (member.name if isinstance(member, Bundle) else member.file_name) or member_id


def _text(document: Any) -> str:
    return orjson.dumps(document).decode()


def delete(connection: sa.Connection, schema: str, bundle_id: str, *, prefix: str) -> None:
    """Delete one bundle, whose id may be given with or without the commons' prefix; its members stay.

    Raises
    ------
    NotFound
        There is no such bundle.
    """
    bundle = tables(schema).bundle
    called = bundle.c.bundle_id.in_(spellings(bundle_id, prefix))
    exact_first = (bundle.c.bundle_id == bundle_id).desc()
    meant = sa.select(bundle.c.bundle_id).where(called).order_by(exact_first).limit(1).scalar_subquery()
    if connection.execute(sa.delete(bundle).where(bundle.c.bundle_id == meant)).rowcount == 0:
        raise NotFound(f"no bundle found with the id {bundle_id}")


def listing(
    connection: sa.Connection,
    schema: str,
    form: Form[T],
    wanted: Filter,
    room: Room,
    *,
    prefix: str,
    complete: bool = False,
) -> list[T | Bundle]:
    """One page of records, bundles or both, by id, or by date of change where a page number is given.

    Parameters
    ----------
    form
        How the records are read.
    complete
        Leave out records whose bytes are not known yet.

    Raises
    ------
    TooLarge
        The records are longer than there is room for.
    """
    query = _keys(schema, wanted, prefix, complete=complete)
    page = connection.execute(query, conditions.values(wanted, prefix)).all()
    found = reads.many(connection, schema, form, [row.id for row in page if not row.bundle], room)
    ids = [row.id for row in page if row.bundle]
    there = without_members(connection, schema, ids) if ids else {}
    every = [there.get(row.id) if row.bundle else found.get(row.id) for row in page]
    return [each for each in every if each is not None]


def _keys(schema: str, wanted: Filter, prefix: str, *, complete: bool) -> sa.Select[Any]:
    """The ids of a page, each with whether it is a bundle's."""
    record, bundle = records.tables(schema).record, tables(schema).bundle
    parts = []
    if wanted.form != "bundle":
        known = [record.c.size.is_not(None), record.c.hashes != {}] if complete else []
        chosen = _key(record.c.guid, record.c.updated_date, bundle=False)
        parts.append(chosen.where(*conditions.of_filter(record, wanted), *known))
    if wanted.form != "object":
        chosen = _key(bundle.c.bundle_id, bundle.c.updated_time, bundle=True)
        parts.append(chosen.where(*_conditions(bundle, wanted, prefix)))
    both = sa.union_all(*parts).subquery() if len(parts) > 1 else parts[0].subquery()
    query = sa.select(both.c.id, both.c.bundle).limit(wanted.limit)
    if wanted.page is None:
        return query.order_by(both.c.id)
    return query.order_by(both.c.moment, both.c.id).offset((wanted.limit or 0) * wanted.page)


def _key(key: sa.ColumnElement[str], moment: sa.ColumnElement[Any], *, bundle: bool) -> sa.Select[Any]:
    return sa.select(key.label("id"), moment.label("moment"), sa.literal(bundle).label("bundle"))


def objects(
    connection: sa.Connection, schema: str, wanted: Filter, room: Room, *, prefix: str
) -> list[Record | Family]:
    """The same page as objects of DRS, with the direct contents of its bundles."""
    page = listing(connection, schema, reads.RECORD, wanted, room, prefix=prefix, complete=True)
    wished = {each.id: [each.id] for each in page if isinstance(each, Bundle)}
    known = families(connection, schema, wished, expand=False) if wished else {}
    # A bundle that was deleted since the page was read is left out.
    found = [each if isinstance(each, Record) else known.get(each.id) for each in page]
    return [each for each in found if each is not None]


def _conditions(bundle: sa.Table, wanted: Filter, prefix: str) -> list[sa.ColumnElement[bool]]:
    """The filter, for bundles; what only records have, no bundle passes."""
    of_records = (wanted.uploader, wanted.acl, wanted.authz, wanted.negation)
    if any(each is not None for each in of_records) or any(
        (wanted.urls, wanted.hashes, wanted.metadata, wanted.urls_metadata)
    ):
        return [sa.false()]
    columns = bundle.c
    asked = [(columns.size, wanted.size), (columns.name, wanted.file_name), (columns.version, wanted.version)]
    held: list[sa.ColumnElement[bool]] = [column == value for column, value in asked if value is not None]
    if wanted.ids is not None:
        names = [name for each in wanted.ids for name in spellings(each, prefix)]
        held.append(columns.bundle_id == sa.any_(sa.literal(names, TEXTS)))
    if wanted.start is not None:
        held.append(columns.bundle_id > wanted.start)
    return held
