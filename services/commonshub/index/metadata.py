"""SQL of the metadata service: any JSON object by GUID.

Vocabulary
----------
entry
    A GUID and the JSON object kept for it. The GUID may be a record's, and need not be.
alias
    Another name of one entry.
path
    Keys that lead to a value: ``a.b``.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core import records
from commonshub.core.errors import Conflict, NotFound, PermissionDenied
from commonshub.core.records import Record
from commonshub.core.texts import TEXTS

from .catalog import tables
from .rooms import Room, bounded

# What Gen3 writes where nobody says who may read; nothing else is written here, and nothing reads it.
AUTHZ = {"version": 0, "_resource_paths": ["/open"]}
_EMPTY = sa.cast(sa.literal_column("'{}'"), pg.JSONB())
_NULL = sa.cast(sa.literal_column("'null'"), pg.JSONB())
# Texts that may stand for a number or truth value of JSON.
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?|true|false")

Entries = Mapping[str, dict[str, Any]]


class Query(NamedTuple):
    """Which entries to list.

    Parameters
    ----------
    values
        The texts any of which a path must have; none of them means that the path must be there.
    """

    values: Mapping[tuple[str, ...], Sequence[str]]
    limit: int
    offset: int


class Written(NamedTuple):
    """What became of many entries, by GUID."""

    created: list[str]
    updated: list[str]
    conflict: list[str]


def get(connection: sa.Connection, schema: str, name: str) -> dict[str, Any]:
    """The entry with this GUID or alias.

    Raises
    ------
    NotFound
        There is none.
    """
    data = find(connection, schema, name)
    if data is None:
        raise NotFound(f"Not found: {name}")
    return data


def find(connection: sa.Connection, schema: str, name: str) -> dict[str, Any] | None:
    """The same, None where there is none."""
    entry, alias = tables(schema).metadata, tables(schema).alias
    by_alias = sa.select(alias.c.guid).where(alias.c.alias == name).scalar_subquery()
    query = sa.select(entry.c.data).where(sa.or_(entry.c.guid == name, entry.c.guid == by_alias))
    row = connection.execute(query.order_by((entry.c.guid == name).desc()).limit(1)).one_or_none()
    return None if row is None else row.data or {}


def resolve(connection: sa.Connection, schema: str, name: str) -> str:
    """The GUID of the entry with this GUID or alias.

    Raises
    ------
    NotFound
        There is none.
    """
    entry, alias = tables(schema).metadata, tables(schema).alias
    by_guid = sa.select(entry.c.guid, sa.literal(0).label("place")).where(entry.c.guid == name)
    by_alias = sa.select(alias.c.guid, sa.literal(1)).where(alias.c.alias == name)
    found = connection.execute(by_guid.union_all(by_alias).order_by("place").limit(1)).first()
    if found is None:
        raise NotFound(f"Not found: {name}")
    return str(found.guid)


def search(connection: sa.Connection, schema: str, wanted: Query, room: Room) -> dict[str, orjson.Fragment]:
    """The entries that have all that is asked for, in order of GUID, as they are to be put into an answer.

    Raises
    ------
    TooLarge
        They are longer than there is room for.
    """
    entry = tables(schema).metadata
    data = sa.cast(sa.func.coalesce(sa.func.nullif(entry.c.data, _NULL), _EMPTY), sa.Text)
    query = sa.select(entry.c.guid, data.label("text")).where(*_conditions(entry, wanted))
    told = bounded(query.order_by(entry.c.guid).limit(wanted.limit).offset(wanted.offset))
    rows = room.read(connection.execute(told, room.values()))
    return {row.guid: orjson.Fragment(row.text) for row in rows}


def search_guids(connection: sa.Connection, schema: str, wanted: Query) -> list[str]:
    """The GUIDs of the same."""
    entry = tables(schema).metadata
    query = sa.select(entry.c.guid).where(*_conditions(entry, wanted))
    return list(connection.execute(query.order_by(entry.c.guid).limit(wanted.limit).offset(wanted.offset)).scalars())


def _conditions(entry: sa.Table, wanted: Query) -> list[sa.ColumnElement[bool]]:
    return [_has(entry.c.data, path, values) for path, values in wanted.values.items()]


def _has(data: Any, path: tuple[str, ...], values: Sequence[str]) -> sa.ColumnElement[bool]:
    if not values:
        *above, last = path
        inner = sa.func.jsonb_extract_path(data, *above, type_=pg.JSONB()) if above else data
        held: sa.ColumnElement[bool] = inner.has_key(last)
        return held
    return sa.or_(*(_equals(data, path, value) for value in values))


def _equals(data: Any, path: tuple[str, ...], value: str) -> sa.ColumnElement[bool]:
    """Whether a path has a text, or what is written like it: the one index of all data answers both."""
    forms: list[Any] = [value]
    if _SCALAR.fullmatch(value):
        # As it is written: a float would lose digits.
        forms.append(orjson.Fragment(value))
    held = sa.or_(*(data.contains(_nested(path, form)) for form in forms))
    # Not data[path], which cannot have a comma or a brace in a key.
    return sa.and_(held, sa.func.jsonb_extract_path_text(data, *path) == value)


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    found: dict[str, Any] = value
    return found


def write(connection: sa.Connection, schema: str, entries: Entries, *, overwrite: bool) -> Written:
    """Store many entries in one statement; those that there are keep their data unless `overwrite`."""
    entry = tables(schema).metadata
    rows = [{"guid": guid, "data": data} for guid, data in entries.items()]
    given = (
        sa.func.jsonb_to_recordset(sa.bindparam("rows", rows, type_=pg.JSONB()))
        .table_valued(sa.column("guid", sa.VARCHAR()), sa.column("data", pg.JSONB()))
        .render_derived(name="given", with_types=True)
    )
    # In one order, so that two who write the same entries do not wait for each other in a circle.
    chosen = sa.select(given.c.guid, given.c.data, sa.literal(AUTHZ, pg.JSONB())).order_by(given.c.guid)
    insert = pg.insert(entry).from_select(["guid", "data", "authz"], chosen)
    if overwrite:
        insert = insert.on_conflict_do_update(index_elements=["guid"], set_={"data": insert.excluded.data})
    else:
        insert = insert.on_conflict_do_nothing()
    is_new = (sa.cast(sa.literal_column("xmax"), sa.Text) == "0").label("is_new")
    there = {row.guid: row.is_new for row in connection.execute(insert.returning(entry.c.guid, is_new))}
    return Written(
        [guid for guid in entries if there.get(guid) is True],
        [guid for guid in entries if there.get(guid) is False],
        [guid for guid in entries if guid not in there],
    )


def update(connection: sa.Connection, schema: str, guid: str, data: dict[str, Any], *, merge: bool) -> dict[str, Any]:
    """Replace the data of an entry, or with `merge` those of its top-level keys that `data` has.

    Raises
    ------
    NotFound
        There is no such entry.
    """
    entry = tables(schema).metadata
    given = sa.literal(data, pg.JSONB())
    value = sa.func.coalesce(entry.c.data, sa.literal({}, pg.JSONB())).concat(given) if merge else given
    changed = sa.update(entry).where(entry.c.guid == guid).values(data=value).returning(entry.c.data)
    row = connection.execute(changed).one_or_none()
    if row is None:
        raise NotFound(f"Not found: {guid}")
    found: dict[str, Any] = row.data
    return found


def delete(connection: sa.Connection, schema: str, guid: str) -> dict[str, Any] | None:
    """Delete an entry and its aliases; what it was, or None where there is none."""
    entry = tables(schema).metadata
    row = connection.execute(sa.delete(entry).where(entry.c.guid == guid).returning(entry.c.data)).one_or_none()
    return None if row is None else row.data or {}


def describe(
    connection: sa.Connection,
    schema: str,
    guid: str,
    data: dict[str, Any],
    names: Sequence[str],
    *,
    as_guids: bool,
) -> None:
    """Store the entry of a record that is just being made, with its aliases.

    Parameters
    ----------
    as_guids
        Whether aliases may look like GUIDs. Who only uploads could by such a name describe what somebody else is
        going to make.

    Raises
    ------
    PermissionDenied
        An alias looks like a GUID.
    Conflict
        An alias is the GUID of a record, or another entry's.
    """
    if not as_guids and (guids := [name for name in names if records.ends_as_guid(name)]):
        raise PermissionDenied(
            f"The alias {guids[0]!r} looks like a GUID; giving such takes the right to change metadata."
        )
    if taken := records.get_many(connection, schema, names):
        raise Conflict(f"A record has the GUID {next(iter(taken))!r}, so it cannot be an alias.")
    write(connection, schema, {guid: data}, overwrite=False)
    if names:
        set_aliases(connection, schema, guid, lambda _: names)


def delete_object(connection: sa.Connection, schema: str, guid: str, record: Record | None) -> None:
    """Delete a record, at the revision that was read, together with its entry.

    Raises
    ------
    NotFound
        There is neither.
    Conflict
        The record has been changed in between.
    """
    if record is not None:
        records.delete(connection, schema, guid, record.rev)
    if delete(connection, schema, guid) is None and record is None:
        raise NotFound(f"Not found: {guid}")


def aliases(connection: sa.Connection, schema: str, guid: str) -> list[str]:
    """The aliases of an entry, sorted.

    Raises
    ------
    NotFound
        There is no such entry.
    """
    entry, alias = tables(schema).metadata, tables(schema).alias
    query = sa.select(alias.c.alias).select_from(entry.outerjoin(alias)).where(entry.c.guid == guid)
    rows = list(connection.execute(query).scalars())
    if not rows:
        raise NotFound(f"Not found: {guid}")
    return sorted(each for each in rows if each is not None)


def set_aliases(
    connection: sa.Connection, schema: str, guid: str, change: Callable[[list[str]], Iterable[str]]
) -> list[str]:
    """Give an entry the aliases that `change` makes of those it has; all of them, sorted.

    Raises
    ------
    Conflict
        Another entry has one of them.
    NotFound
        There is no such entry, or `change` says so of an alias.
    """
    entry, alias = tables(schema).metadata, tables(schema).alias
    # Two changes of one entry wait for each other; two entries meet in the unique index.
    connection.execute(sa.select(entry.c.guid).where(entry.c.guid == guid).with_for_update())
    held = aliases(connection, schema, guid)
    wanted = sorted(set(change(held)))
    gone = [each for each in held if each not in wanted]
    connection.execute(sa.delete(alias).where(alias.c.guid == guid, alias.c.alias == sa.any_(sa.literal(gone, TEXTS))))
    added = [each for each in wanted if each not in held]
    if added:
        rows = [{"alias": each, "guid": guid} for each in added]
        insert = pg.insert(alias).values(rows).on_conflict_do_nothing().returning(alias.c.alias)
        made = set(connection.execute(insert).scalars())
        if taken := [each for each in added if each not in made]:
            raise Conflict(f"Another entry has the alias {taken[0]!r}.")
    return wanted


def paths(connection: sa.Connection, schema: str) -> list[str]:
    """The paths that somebody has asked to have indexed, sorted."""
    path = tables(schema).path
    return list(connection.execute(sa.select(path.c.path).order_by(path.c.path)).scalars())


def add_path(connection: sa.Connection, schema: str, name: str) -> None:
    """Note that a path is to be indexed. (The index of all data has every path already.)

    Raises
    ------
    Conflict
        It is noted already.
    """
    path = tables(schema).path
    insert = pg.insert(path).values(path=name).on_conflict_do_nothing().returning(path.c.path)
    if connection.execute(insert).one_or_none() is None:
        raise Conflict(f"Conflict: {name}")


def drop_path(connection: sa.Connection, schema: str, name: str) -> None:
    """Forget a path.

    Raises
    ------
    NotFound
        It is not noted.
    """
    path = tables(schema).path
    if connection.execute(sa.delete(path).where(path.c.path == name)).rowcount == 0:
        raise NotFound(f"Not found: {name}")
