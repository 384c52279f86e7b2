"""One consistent picture of the graph, as CSV files that any engine can load.

All tables are copied inside one repeatable-read transaction, so the documents never mix two states of the graph.
``COPY`` streams: memory stays flat whatever the size.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from psycopg2 import sql

from commonshub.core.dictionary import Link
from commonshub.core.graph import edge_table, node_table

from .catalog import Field
from .plan import Plan

NULL = r"\N"
Progress = Callable[[str, int, int], None]


def node_file(node_id: str) -> str:
    """Name of the file with the nodes of a type: ``id``, then the properties of the plan."""
    return f"{node_table(node_id)}.csv"


def edge_file(link: Link) -> str:
    """Name of the file with the edges of a link: child, parent."""
    return f"{edge_table(link)}.csv"


class Picture:
    """The graph as it was at one moment.

    Parameters
    ----------
    connection
        In a transaction that sees this moment.
    """

    def __init__(self, connection: sa.Connection, schema: str) -> None:
        self.connection = connection
        self.schema = schema
        self._present = set(sa.inspect(connection).get_table_names(schema=schema))

    def marks(self, plan: Plan) -> dict[str, str]:
        """For each table that `plan` reads what changes with any row: each new version has a transaction id of its own.

        A table that does not exist yet has none.
        """
        tables = [node_table(node) for node in plan.nodes] + [edge_table(link) for link in plan.links]
        return {name: self._mark(name) for name in tables if name in self._present}

    def _mark(self, name: str) -> str:
        xmin = sa.cast(sa.cast(sa.literal_column("xmin"), sa.Text), sa.BigInteger)
        counted = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(xmin), 0), sa.func.max(xmin))
        return ":".join(
            map(str, self.connection.execute(counted.select_from(sa.table(name, schema=self.schema))).one())
        )

    def copy(self, plan: Plan, folder: Path, progress: Progress) -> None:
        """Copy what `plan` reads to files in `folder`.

        A table that does not exist yet counts as empty; records marked ``to_delete`` are left out.
        """
        copies = [
            (node_file(node), node_table(node), _nodes(self.schema, node, fields))
            for node, fields in plan.nodes.items()
        ]
        copies += [(edge_file(link), edge_table(link), _edges(self.schema, link)) for link in plan.links]
        raw: Any = self.connection.connection.dbapi_connection
        with raw.cursor() as cursor:
            for number, (name, table, query) in enumerate(copies):
                progress("reading", number, len(copies))
                with (folder / name).open("wb") as file:
                    if table in self._present:
                        cursor.copy_expert(query.as_string(cursor), file)


@contextmanager
def picture(engine: sa.Engine, schema: str) -> Iterator[Picture]:
    """The graph in `schema` as it is now, for as long as the block lasts."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        # Out of the pool: others are needed meanwhile.
        connection.detach()
        connection.execute(sa.text("set transaction read only"))
        connection.execute(sa.text("set local statement_timeout = 0"))
        yield Picture(connection, schema)


def fingerprint(plan: Plan, marks: Mapping[str, str]) -> str:
    """Changes with the plan, and with any row that it reads."""
    return " ".join([plan.digest, *(f"{name}:{mark}" for name, mark in marks.items())])


def _nodes(schema: str, node_id: str, fields: tuple[Field, ...]) -> sql.Composed:
    columns = [sql.SQL("node_id"), *(_property(field) for field in fields)]
    return sql.SQL(
        "copy (select {} from {} where not coalesce(_sysan @> '{{\"to_delete\": true}}', false)) "
        "to stdout (format csv, null {})"
    ).format(sql.SQL(", ").join(columns), sql.Identifier(schema, node_table(node_id)), sql.Literal(NULL))


def _property(field: Field) -> sql.Composed:
    name = sql.Literal(field.name)
    if not field.array:
        return sql.SQL("_props->>{}").format(name)
    # A single value in a list property, left from an earlier dictionary, is a list of one.
    return sql.SQL(
        "case jsonb_typeof(_props->{n}) when 'array' then _props->{n} when 'null' then null "
        "else case when _props->{n} is null then null else jsonb_build_array(_props->{n}) end end"
    ).format(n=name)


def _edges(schema: str, link: Link) -> sql.Composed:
    return sql.SQL("copy (select src_id, dst_id from {}) to stdout (format csv, null {})").format(
        sql.Identifier(schema, edge_table(link)), sql.Literal(NULL)
    )
