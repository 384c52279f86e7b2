"""Tables that PostgreSQL writes itself: of a million records none becomes a Python object.

They have what :meth:`.export.Writer.cells` says, whose rows are the same.

Most links lead to one target, and a join finds those of a whole page at once, where an aggregation would have to be
begun for each record. Nothing in the tables forbids a second target, left from an earlier dictionary: a page whose
rows are more than its records is written again, with all targets of a record in one cell.
"""

import io
from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.engine.interfaces import Compiled

from ..core.dictionary import Link
from .export import DELIMITERS, Writer, target_key
from .sources import Source

_DIALECT = PGDialect_psycopg2()  # type: ignore[no-untyped-call]
_EMPTY: sa.ColumnElement[str] = sa.literal_column("''")
# A property as text, whatever it is stored as: an earlier dictionary may have left a list, or a truth value. An empty
# list is by far the most frequent one, and taking it apart is dear. It is text, since SQLAlchemy would take longer to
# write it out for each column than PostgreSQL to read some hundred records.
_CELL = """
case
  when starts_with({text}, '[') and jsonb_typeof({value}) = 'array' then case when {text} <> '[]' then (
    select nullif(string_agg(case jsonb_typeof(item)
                               when 'null' then 'None'
                               when 'boolean' then case item when 'true' then 'True' else 'False' end
                               else item #>> '{{}}' end, ','), '')
    from jsonb_array_elements({value}) item) end
  when {text} = 'true' and jsonb_typeof({value}) = 'boolean' then 'True'
  when {text} = 'false' and jsonb_typeof({value}) = 'boolean' then 'False'
  else nullif({text}, '')
end
"""


class Copier:
    """Writes the records of one type of a project, a page at a time, by statements that are made once.

    Parameters
    ----------
    writer
        Says which type, which columns and which format.
    """

    def __init__(self, source: Source, writer: Writer) -> None:
        self._source = source
        self._writer = writer
        self._records = source.records(writer.node)
        self._options = f"format csv, delimiter '{DELIMITERS[writer.kind]}'"

    @cached_property
    def _end(self) -> sa.Select[Any, int]:
        """The last id of a page, and how many records it has."""
        id_, after = self._records.c.node_id, sa.bindparam("after", type_=sa.Text)
        found = (
            sa.select(id_).where(id_ > after).order_by(id_).limit(sa.bindparam("limit", type_=sa.Integer)).subquery()
        )
        return sa.select(sa.func.max(found.c.node_id), sa.func.count()).select_from(found)

    @cached_property
    def _rows(self) -> Compiled:
        """The rows of a page; several of a record that has several targets of a link to one."""
        return _rows(self._source, self._writer, self._records, joined=True).compile(dialect=_DIALECT)

    @cached_property
    def _single_rows(self) -> Compiled:
        """The rows of a page, one of each record."""
        return _rows(self._source, self._writer, self._records, joined=False).compile(dialect=_DIALECT)

    def page(self, connection: sa.Connection, after: str, limit: int) -> tuple[bytes, str | None]:
        """Records with ids greater than `after`, in the order of their ids.

        Parameters
        ----------
        connection
            Sees one state of the database all the time: then a page has as many rows as records, or some have several
            targets.

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
        page = {"after": after, "last": last}
        text, written = self._copied(connection, self._rows, page)
        if written != count:
            text, _ = self._copied(connection, self._single_rows, page)
        return text, last if count == limit else None

    def _copied(self, connection: sa.Connection, rows: Compiled, page: Mapping[str, str]) -> tuple[bytes, int]:
        """Rows as text, and how many there are."""
        buffer, driver = io.BytesIO(), connection.connection.dbapi_connection
        with cast(Any, driver).cursor() as cursor:
            # COPY takes no parameters; the driver puts them in as it does for every other statement.
            text = cursor.mogrify(rows.string, rows.construct_params(page)).decode()
            cursor.copy_expert(f"copy ({text}) to stdout with ({self._options})", buffer)
            return buffer.getvalue(), cursor.rowcount


def _in_page(id_: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether an id is in the range of those of a page."""
    return sa.and_(id_ > sa.bindparam("after", type_=sa.Text), id_ <= sa.bindparam("last", type_=sa.Text))


def _rows(source: Source, writer: Writer, records: sa.FromClause, *, joined: bool) -> sa.Select[Any]:
    """The rows of a page in the order of their ids.

    Parameters
    ----------
    joined
        Whether links to one are joined; else all targets of a record are put into one cell.
    """
    node, separator = writer.node, "#" if writer.kind == "csv" else ","
    stored = [name for name in writer.properties if name not in ("type", "id")]
    # Without an offset PostgreSQL would put each text's expression into all places that look at it.
    texts = [records.c._props[name].astext.label(f"t{number}") for number, name in enumerate(stored)]
    query = sa.select(records.c.node_id, records.c._props, *texts).where(_in_page(records.c.node_id))
    page = query.offset(sa.literal_column("0")).subquery("page")
    cells: dict[str, sa.ColumnElement[Any]] = {"type": sa.literal(node.id), "id": page.c.node_id}
    for number, name in enumerate(stored):
        value = "page._props->'" + name.replace("'", "''") + "'"
        cells[name] = sa.literal_column(_CELL.format(text=f"page.t{number}", value=value))
    found: sa.FromClause = page
    for name in dict.fromkeys(column.partition(".")[0] for column in writer.links):
        link = node.links_by_name[name]
        if joined and link.to_one:
            targets = _target(source, link)
            found = found.join(targets, targets.c.src_id == page.c.node_id, isouter=True)
        else:
            targets = _targets(source, link, page, separator)
            found = found.join(targets, sa.true(), isouter=True)
        cells |= {f"{name}.id": targets.c.ids, f"{name}.{target_key(source.dictionary, link.target)}": targets.c.names}
    shown = (cells[name].label(f"c{number}") for number, name in enumerate(writer.header))
    return sa.select(*shown).select_from(found).order_by(page.c.node_id)


def _target(source: Source, link: Link) -> sa.FromClause:
    """Ids and keys of targets, each by itself with what leads to it; the range lets an index give just those."""
    edge, target = source.links(link).alias(), source.targets(link).alias()
    key = sa.func.nullif(target.c._props[target_key(source.dictionary, link.target)].astext, _EMPTY)
    query = sa.select(edge.c.src_id, target.c.node_id.label("ids"), key.label("names"))
    joined = edge.join(target, target.c.node_id == edge.c.dst_id)
    return query.select_from(joined).where(_in_page(edge.c.src_id)).subquery()


def _targets(source: Source, link: Link, records: sa.FromClause, separator: str) -> sa.FromClause:
    """Ids and keys of a record's targets, each in one text."""
    edge, target = source.links(link).alias(), source.targets(link).alias()
    key = sa.func.coalesce(target.c._props[target_key(source.dictionary, link.target)].astext, _EMPTY)
    parts = [("ids", target.c.node_id), ("names", key)]
    columns = [sa.func.nullif(sa.func.string_agg(each, separator), _EMPTY).label(name) for name, each in parts]
    query = sa.select(*columns).select_from(edge.join(target, target.c.node_id == edge.c.dst_id))
    return query.where(edge.c.src_id == records.c.node_id).correlate(records).lateral()
