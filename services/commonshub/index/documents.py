"""Records as the JSON that clients read: PostgreSQL writes it, and nobody decodes it on the way.

Every key is always there, in indexd's order; null for a list or an object, be it SQL's or JSON's, counts as empty.
Aliases have their own route. Dates are ISO 8601 in UTC, without a zone as indexd gives them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core.records import Record
from commonshub.core.texts import TEXTS

from .ahead import Page
from .rooms import Room, joined

EMPTY_LIST = sa.cast(pg.array([]), TEXTS)
EMPTY_OBJECT = sa.cast(sa.literal_column("'{}'"), pg.JSONB())
JSON_NULL = sa.cast(sa.literal_column("'null'"), pg.JSONB())

_DATES = ("created_date", "updated_date", "content_created_date", "content_updated_date")

# What a subquery with the fields of documents is called, and what is made of it. The text is constant, since to build
# it of parts takes SQLAlchemy longer than a small list takes PostgreSQL. It is cast, because the driver would parse
# what it knows to be JSON.
NAME = "document"
COLUMNS: list[sa.ColumnElement[Any]] = [
    sa.literal_column("document.did", sa.Text).label("did"),
    sa.literal_column("document.size is null", sa.Boolean).label("pending"),
    sa.literal_column("cast(row_to_json(document) as text)", sa.Text).label("text"),
]
_ITEMS: sa.ColumnElement[str] = sa.literal_column("string_agg(cast(row_to_json(document) as text), ',')", sa.Text)
_LIST: list[sa.ColumnElement[Any]] = [sa.func.count().label("number"), joined(_ITEMS).label("items")]
# Everything that a statement sees is the same as long as this is, whoever writes.
VIEW: sa.ColumnElement[str] = sa.literal_column("cast(pg_current_snapshot() as text)", sa.Text)
CHANGED = sa.literal_column("document.updated_date", sa.TIMESTAMP).label("changed")


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
def fields(table: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    """What :data:`COLUMNS` makes the document of, to be selected from the table of records; the GUID comes first."""
    c = table.c
    return [
        c.guid.label("did"),
        *(c[name] for name in ("baseid", "rev", "form", "size", "file_name", "version", "uploader")),
        sa.func.coalesce(c.urls, EMPTY_LIST).label("urls"),
        _object(c.url_metadata).label("urls_metadata"),
        *(sa.func.coalesce(c[name], EMPTY_LIST).label(name) for name in ("acl", "authz")),
        _object(c.hashes).label("hashes"),
        _object(c.record_metadata).label("metadata"),
        *(c[name] for name in ("created_date", "updated_date", "description")),
        *(c[name] for name in ("content_created_date", "content_updated_date")),
    ]


def all_fields(table: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    """The same and those that documents leave out."""
    return [*fields(table), sa.func.coalesce(table.c.alias, EMPTY_LIST).label("aliases")]


def _object(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    # Python's None, written to such a column by SQLAlchemy as indexd uses it, is JSON's null.
    return sa.func.coalesce(sa.func.nullif(column, JSON_NULL), EMPTY_OBJECT)


def record(text: str) -> Record:
    """The record that a document of :func:`all_fields` tells of.

    One text costs a third of what psycopg2 and SQLAlchemy take to make values of twenty columns.
    """
    values = orjson.loads(text)
    for name in _DATES:
        values[name] = values[name] and datetime.fromisoformat(values[name])
    return Record(**values)


def select(chosen: sa.Select[Any]) -> sa.Select[Any]:
    """A statement for the documents of those records whose :func:`fields` a statement selects, in its order."""
    return sa.select(*COLUMNS).select_from(chosen.subquery(NAME))


def listed(chosen: sa.Select[Any]) -> sa.Select[Any]:
    """The same, with all documents in one text, to be read by :func:`read_list`.

    PostgreSQL puts them together in the order of the subquery, and Python has no work with each.
    """
    return sa.select(*_LIST).select_from(chosen.subquery(NAME))


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
    documents = chosen.subquery(NAME)
    columns: list[sa.ColumnElement[Any]] = [VIEW.label("view"), sa.func.max(documents.c.did).label("last"), *_LIST]
    return sa.select(*columns).select_from(documents)


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
    """The documents in rows of :data:`COLUMNS`."""
    return [Document(did, pending, text) for did, pending, text in rows]
