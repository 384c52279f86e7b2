"""Records as the JSON that clients read: PostgreSQL writes it, and nobody decodes it on the way.

Every key is always there, in indexd's order; SQL nulls in lists and objects count as empty. Aliases have their own
route. Dates are ISO 8601 in UTC, without a zone as indexd gives them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.sql.selectable import NamedFromClause

EMPTY_LIST = sa.cast(pg.array([]), pg.ARRAY(sa.VARCHAR()))
EMPTY_OBJECT = sa.cast(sa.literal_column("'{}'"), pg.JSONB())


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


def fields(table: sa.FromClause) -> list[sa.ColumnElement[Any]]:
    """What :func:`columns` makes the document of, to be selected from the table of records; the GUID comes first."""
    c = table.c
    return [
        c.guid.label("did"),
        *(c[name] for name in ("baseid", "rev", "form", "size", "file_name", "version", "uploader")),
        sa.func.coalesce(c.urls, EMPTY_LIST).label("urls"),
        sa.func.coalesce(c.url_metadata, EMPTY_OBJECT).label("urls_metadata"),
        *(sa.func.coalesce(c[name], EMPTY_LIST).label(name) for name in ("acl", "authz")),
        sa.func.coalesce(c.hashes, EMPTY_OBJECT).label("hashes"),
        sa.func.coalesce(c.record_metadata, EMPTY_OBJECT).label("metadata"),
        *(c[name] for name in ("created_date", "updated_date", "description")),
        *(c[name] for name in ("content_created_date", "content_updated_date")),
    ]


def columns(chosen: NamedFromClause) -> list[sa.ColumnElement[Any]]:
    """The columns of :class:`Document`, from a subquery that selects the :func:`fields`."""
    # As text, because the driver parses what it knows to be JSON.
    text = sa.cast(sa.func.row_to_json(chosen.table_valued()), sa.Text)
    return [chosen.c.did, chosen.c.size.is_(None), text]


def select(chosen: sa.Select[Any]) -> sa.Select[Any]:
    """A statement for the documents of those records whose :func:`fields` a statement selects, in its order."""
    return sa.select(*columns(chosen.subquery("document")))


def read(rows: Iterable[Sequence[Any]]) -> list[Document]:
    """The documents in rows of :func:`columns`."""
    return [Document(did, pending, text) for did, pending, text in rows]
