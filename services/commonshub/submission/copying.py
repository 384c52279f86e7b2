"""Tables that PostgreSQL writes itself: of a million records none becomes a Python object.

They have what :meth:`.export.Writer.cells` says, whose rows are the same.
"""

import io
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ..core.dictionary import Link, Property
from .export import DELIMITERS, Writer, target_key
from .sources import Source

_EMPTY: sa.ColumnElement[str] = sa.literal_column("''")
_TRUE: sa.ColumnElement[str] = sa.literal_column("'True'")
_FALSE: sa.ColumnElement[str] = sa.literal_column("'False'")


def page(connection: sa.Connection, source: Source, writer: Writer, after: str, limit: int) -> tuple[bytes, str | None]:
    """Records of a project with ids greater than `after`, in the order of their ids.

    Returns
    -------
    bytes
        Their rows, as TSV or CSV.
    str or None
        The id of the last one where there are more.
    """
    records = source.records(writer.node)
    ids = sa.select(records.c.node_id).where(records.c.node_id > after).order_by(records.c.node_id).limit(limit)
    found = ids.subquery()
    last, count = connection.execute(sa.select(sa.func.max(found.c.node_id), sa.func.count())).one()
    if not count:
        return b"", None
    query = _rows(source, writer, records).where(records.c.node_id > after, records.c.node_id <= last)
    text = _copied(connection, query.order_by(records.c.node_id), DELIMITERS[writer.kind])
    return text, last if count == limit else None


def _copied(connection: sa.Connection, query: sa.Select[Any], delimiter: str) -> bytes:
    compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
    parameters = compiled.construct_params()
    buffer = io.BytesIO()
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor:
        # COPY takes no parameters; the driver puts them in as it does for every other statement.
        text = cursor.mogrify(compiled.string, parameters).decode()
        options = f"format csv, delimiter '{delimiter}'"
        cursor.copy_expert(f"copy ({text}) to stdout with ({options})", buffer)
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
