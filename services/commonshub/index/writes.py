"""SQL of many records at once: bulk changes, and records by their checksums."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core import records
from commonshub.core.errors import Conflict, TooLarge
from commonshub.core.records import Draft, Record
from commonshub.core.texts import TEXTS

from . import documents
from .documents import Document
from .rooms import Room, bounded


def lock(connection: sa.Connection, schema: str, guids: Sequence[str]) -> dict[str, str | None]:
    """Keep others from changing these records until the transaction ends; their revisions by GUID.

    Everybody locks in the order of the GUIDs, so that two who want the same records wait for each other one way only.
    """
    table = records.tables(schema).record
    wanted = sa.select(table.c.guid, table.c.rev).where(table.c.guid == sa.any_(sa.literal(list(guids), TEXTS)))
    rows = connection.execute(wanted.order_by(table.c.guid).with_for_update())
    return {row.guid: row.rev for row in rows}


def assign(
    connection: sa.Connection, schema: str, seen: Mapping[str, str | None], changes: Mapping[str, Any]
) -> dict[str, Record]:
    """Give many records the same values; the changed ones, by GUID.

    Parameters
    ----------
    seen
        Revisions by GUID that the caller has seen, and has decided by.

    Raises
    ------
    Conflict
        A record has another revision by now, or is gone.
    """
    held = lock(connection, schema, list(seen))
    if stale := sorted(guid for guid, rev in seen.items() if guid not in held or held[guid] != rev):
        raise Conflict(f"revision mismatch: the record {stale[0]} has just been changed or deleted; try again.")
    return records.assign(connection, schema, seen, changes)


def update(
    connection: sa.Connection, schema: str, held: Mapping[str, Record], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Give each record its own new values in one statement; the new revisions by GUID.

    Parameters
    ----------
    held
        The records as they are; the caller has locked them.
    changes
        New values by GUID and name.
    """
    if not changes:
        return {}
    table = records.tables(schema).record
    names = sorted({name for each in changes.values() for name in each})
    columns = {name: table.c[records.column(name)] for name in names} | {"rev": table.c.rev}
    rows = [
        {"guid": guid, "rev": records.new_rev()}
        | {records.column(name): each[name] if name in each else getattr(held[guid], name) for name in names}
        for guid, each in changes.items()
    ]
    given = _rows([table.c.guid, *columns.values()], rows)
    values = {column: given.c[column.name] for column in columns.values()}
    connection.execute(
        sa.update(table).where(table.c.guid == given.c.guid).values({**values, table.c.updated_date: records.now()})
    )
    return {row["guid"]: row["rev"] for row in rows}


def _rows(columns: Sequence[sa.Column[Any]], rows: Sequence[Mapping[str, Any]]) -> sa.TableValuedAlias:
    """`rows` as a table, by one parameter."""
    return (
        sa.func.jsonb_to_recordset(sa.literal(rows, pg.JSONB()))
        .table_valued(*(sa.column(column.name, column.type) for column in columns))
        .render_derived(name="given", with_types=True)
    )


def by_hashes(
    connection: sa.Connection, schema: str, wanted: Sequence[tuple[str, str]], most: int, room: Room
) -> dict[tuple[str, str], list[Document]]:
    """The records that have each of these hashes, in order of GUID, by kind and value.

    Raises
    ------
    TooLarge
        There are more than `most` of them, or they are longer than there is room for.
    """
    if not wanted:
        return {}
    table = records.tables(schema).record
    asked = sa.func.unnest(
        sa.literal([kind for kind, _ in wanted], TEXTS), sa.literal([value for _, value in wanted], TEXTS)
    ).table_valued(sa.column("kind", sa.VARCHAR), sa.column("digest", sa.VARCHAR))
    given = asked.render_derived(name="asked")
    has = table.c.hashes.contains(sa.func.jsonb_build_object(given.c.kind, given.c.digest))
    holder = sa.select(*documents.columns(table)).where(has).lateral("holder")
    query = (
        sa.select(given.c.kind, given.c.digest, *holder.c).select_from(given.join(holder, sa.true())).limit(most + 1)
    )
    rows = room.read(connection.execute(bounded(query), room.values()))
    if len(rows) > most:
        raise TooLarge(f"More than {most} records have these hashes. {room.advice}")
    found: dict[tuple[str, str], list[Document]] = {each: [] for each in wanted}
    for row in rows:
        found[row.kind, row.digest].append(Document(row.did, row.pending, row.text))
    for each in found.values():
        each.sort(key=lambda document: document.did)
    return found


def alike(connection: sa.Connection, schema: str, drafts: Sequence[Draft]) -> set[int]:
    """Places, in `drafts`, of those that say just what some record says of its bytes and of who may have them."""
    if not drafts:
        return set()
    table = records.tables(schema).record
    arrays = ("urls", "acl", "authz")
    rows = [
        {"place": place, **{name: getattr(draft, name) for name in ("size", "hashes", "file_name", *arrays)}}
        for place, draft in enumerate(drafts)
    ]
    columns = [table.c[name] for name in ("size", "hashes", "file_name", *arrays)]
    given = _rows([sa.Column("place", sa.INTEGER()), *columns], rows)
    same = [
        table.c.hashes.contains(given.c.hashes),
        table.c.size == given.c.size,
        table.c.file_name.is_not_distinct_from(given.c.file_name),
        *(sa.func.coalesce(table.c[name], sa.literal([], TEXTS)) == given.c[name] for name in arrays),
    ]
    found = sa.select(given.c.place).where(sa.exists(sa.select(sa.literal(1)).select_from(table).where(*same)))
    return set(connection.execute(found).scalars())
