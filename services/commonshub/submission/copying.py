"""Tables that PostgreSQL writes itself: of a million records none becomes a Python object.

They have what :meth:`.export.Writer.cells` says, whose rows are the same.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from ..core.dictionary import Link, Property
from .export import DELIMITERS, Writer, target_key
from .sources import Source

_DIALECT = PGDialect_psycopg2()  # type: ignore[no-untyped-call]
_EMPTY: sa.ColumnElement[str] = sa.literal_column("''")
_TRUE: sa.ColumnElement[str] = sa.literal_column("'True'")
_FALSE: sa.ColumnElement[str] = sa.literal_column("'False'")


class Copier:
    """Writes the records of one type of a project, a page at a time, by statements that are made once.

    Parameters
    ----------
    writer
        Says which type, which columns and which format.
    """

    def __init__(self, source: Source, writer: Writer) -> None:
        after, last = sa.bindparam("after", type_=sa.Text), sa.bindparam("last", type_=sa.Text)
        records = source.records(writer.node)
        ids = sa.select(records.c.node_id).where(records.c.node_id > after).order_by(records.c.node_id)
        found = ids.limit(sa.bindparam("limit", type_=sa.Integer)).subquery()
        self._end = sa.select(sa.func.max(found.c.node_id), sa.func.count()).select_from(found)
        rows = _rows(source, writer, records).where(records.c.node_id > after, records.c.node_id <= last)
        self._rows = rows.order_by(records.c.node_id).compile(dialect=_DIALECT)
        self._options = f"format csv, delimiter '{DELIMITERS[writer.kind]}'"

    def page(self, connection: sa.Connection, after: str, limit: int) -> tuple[bytes, str | None]:
        """Records with ids greater than `after`, in the order of their ids.

        Returns
        -------
        bytes
            Their rows, as TSV or CSV.
        str or None
            The id of the last one where there may be more.
        """
        last, count = connection.execute(self._end, {"after": after, "limit": limit}).one()
        if not count:
            return b"", None
        return self._copied(connection, {"after": after, "last": last}), last if count == limit else None

    def _copied(self, connection: sa.Connection, parameters: Mapping[str, str]) -> bytes:
        buffer, driver = io.BytesIO(), connection.connection.dbapi_connection
        with cast(Any, driver).cursor() as cursor:
            # COPY takes no parameters; the driver puts them in as it does for every other statement.
            text = cursor.mogrify(self._rows.string, self._rows.construct_params(parameters)).decode()
            cursor.copy_expert(f"copy ({text}) to stdout with ({self._options})", buffer)
        return buffer.getvalue()


def _rows(source: Source, writer: Writer, records: sa.FromClause) -> sa.Select[Any]:
    node, separator = writer.node, "#" if writer.kind == "csv" else ","
    own: dict[str, sa.ColumnElement[Any]] = {"type": sa.literal(node.id), "id": records.c.node_id}
    cells = [own[name] if name in own else _cell(records.c._props, node.properties[name]) for name in writer.properties]
    joined: sa.FromClause = records
    targets: dict[str, sa.FromClause] = {}
    for name in dict.fromkeys(column.partition(".")[0] for column in writer.links):
        targets[name] = _targets(source, node.links_by_name[name], records, separator)
        joined = joined.join(targets[name], sa.true(), isouter=True)
    for column in writer.links:
        name, _, key = column.partition(".")
        cells.append(targets[name].c["ids" if key == "id" else "names"])
    return sa.select(*(cell.label(f"c{number}") for number, cell in enumerate(cells))).select_from(joined)


def _targets(source: Source, link: Link, records: sa.FromClause, separator: str) -> sa.FromClause:
    """Ids and keys of a record's targets, each in one text."""
    edge, target = source.links(link).alias(), source.targets(link).alias()
    key = sa.func.coalesce(target.c._props[target_key(source.dictionary, link.target)].astext, _EMPTY)
    parts = [("ids", target.c.node_id), ("names", key)]
    columns = [sa.func.nullif(sa.func.string_agg(each, separator), _EMPTY).label(name) for name, each in parts]
    query = sa.select(*columns).select_from(edge.join(target, target.c.node_id == edge.c.dst_id))
    return query.where(edge.c.src_id == records.c.node_id).correlate(records).lateral()


def _cell(stored: Any, each: Property) -> sa.ColumnElement[Any]:
    """A property as text, whatever it is stored as: an earlier dictionary may have left a list, or a truth value."""
    value, text = stored[each.name], stored[each.name].astext
    kind = sa.func.jsonb_typeof(value)
    truth = [(sa.and_(text == "true", kind == "boolean"), _TRUE), (sa.and_(text == "false", kind == "boolean"), _FALSE)]
    listed = sa.and_(text.startswith("["), kind == "array")
    return sa.case((listed, _items(value)), *truth, else_=sa.func.nullif(text, _EMPTY))


def _items(value: Any) -> sa.ColumnElement[Any]:
    """The items of a list in one text."""
    items = sa.func.jsonb_array_elements(value).table_valued(sa.column("item", JSONB)).render_derived()
    item = items.c.item
    text = item.op("#>>")(sa.literal_column("'{}'"))
    kind = sa.func.jsonb_typeof(item)
    shown: Sequence[Any] = [
        (kind == "null", sa.literal_column("'None'")),
        (kind == "boolean", sa.case((text == "true", _TRUE), else_=_FALSE)),
    ]
    joined = sa.func.string_agg(sa.case(*shown, else_=text), sa.literal_column("','"))
    return sa.func.nullif(sa.select(joined).select_from(items).scalar_subquery(), _EMPTY)
