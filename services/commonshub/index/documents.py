"""Records as the JSON that clients read: PostgreSQL keeps it with each record, and nobody decodes it on the way.

Every key is always there, in indexd's order; null for a list or an object, be it SQL's or JSON's, counts as empty.
Aliases have their own route. Dates are ISO 8601 in UTC, without a zone as indexd gives them. What makes the text is
the expression of the column ``document``, in migration 0008.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from commonshub.core.records import Record

from .ahead import Page
from .rooms import Room, joined

_DATES = ("created_date", "updated_date", "content_created_date", "content_updated_date")

# The texts are constant, since to build them of parts takes SQLAlchemy longer than a small list takes PostgreSQL.
_LIST: list[sa.ColumnElement[Any]] = [
    sa.literal_column("count(*)", sa.BigInteger).label("number"),
    joined(sa.literal_column("string_agg(chosen.text, ',')", sa.Text)).label("items"),
]
# Everything that a statement sees is the same as long as this is, whoever writes.
VIEW: sa.ColumnElement[str] = sa.literal_column("cast(pg_current_snapshot() as text)", sa.Text)


class Document(NamedTuple):
    """One record as text.

    Parameters
    ----------
    pending
        Whether the size is not known yet: an upload is expected.
    """

    did: str
    pending: bool
    text: str

    @property
    def json(self) -> orjson.Fragment:
        """The document as a part of a larger answer."""
        return orjson.Fragment(self.text)


@lru_cache(maxsize=8)
def columns(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """What :func:`read` makes documents of."""
    c = table.c
    return [c.guid.label("did"), c.size.is_(None).label("pending"), c.document.label("text")]


@lru_cache(maxsize=8)
def whole(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The same and what documents leave out."""
    return [*columns(table), table.c.alias]


def record(text: str, aliases: list[str] | None) -> Record:
    """The record that a document tells of.

    One text costs a third of what psycopg2 and SQLAlchemy take to make values of twenty columns.
    """
    values = orjson.loads(text)
    for name in _DATES:
        values[name] = values[name] and datetime.fromisoformat(values[name])
    return Record(**values, aliases=aliases or [])


def listed(chosen: sa.Select[Any]) -> sa.Select[Any]:
    """A statement for those records whose :func:`columns` a statement selects, in one text, for :func:`read_list`.

    PostgreSQL puts them together in the order of the subquery, and Python has no work with each.
    """
    return sa.select(*_LIST).select_from(chosen.subquery("chosen"))


def read_list(rows: sa.Result[Any], room: Room) -> str:
    """A JSON list of the documents of :func:`listed`.

    Raises
    ------
    TooLarge
        It is longer than there is room for.
    """
    return _list(rows.one(), room)


def page(chosen: sa.Select[Any]) -> sa.Select[Any]:
    """The same with the number and the last of them, to be read by :func:`read_page`."""
    records = chosen.subquery("chosen")
    return sa.select(VIEW.label("view"), sa.func.max(records.c.did).label("last"), *_LIST).select_from(records)


def read_page(rows: sa.Result[Any], room: Room) -> Page:
    """The page of :func:`page`.

    Raises
    ------
    TooLarge
        As :func:`read_list`.
    """
    row = rows.one()
    return Page(row.view, row.number, row.last, _list(row, room))


def _list(row: sa.Row[Any], room: Room) -> str:
    if row.number and row.items is None:
        raise room.refusal()
    return f"[{row.items or ''}]"


def read(rows: Iterable[Sequence[Any]]) -> list[Document]:
    """The documents in rows of :func:`columns`."""
    return [Document(did, pending, text) for did, pending, text in rows]
