"""Loading the extracted graph into DuckDB."""

# ruff: noqa: S608 - names come from the dictionary and are quoted, values are literals

from collections.abc import Iterator
from pathlib import Path

import duckdb

from commonshub.core.graph import edge_table, node_table

from ..catalog import Field
from ..extract import NULL, Progress, edge_file, node_file
from ..plan import Plan
from ..sql.expressions import finite
from ..sql.names import node, quote
from .dialect import DuckDialect, literal

MAX_LINE_BYTES = 64 * 2**20


def load_graph(connection: duckdb.DuckDBPyConnection, plan: Plan, folder: Path, progress: Progress) -> None:
    """Load the files of :func:`commonshub.explore.extract.extract`, and remove each."""
    for number, (name, rows, file) in enumerate(tables(plan, folder)):
        progress("loading", number, len(plan.nodes) + len(plan.links))
        connection.execute(f"create table {quote(name)} as {rows}")
        file.unlink()


def tables(plan: Plan, folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Each table of the graph in the types of its fields: its name, the query of its rows, and the file of these.

    Edges to records that were left out go, too, so their queries read the tables of nodes, which come first.
    """
    for node_id, fields in plan.nodes.items():
        columns = ["_id", *(field.name for field in fields)]
        chosen = ["_id", *(f"{_typed(field)} as {quote(field.name)}" for field in fields)]
        file = folder / node_file(node_id)
        yield node_table(node_id), f"select {', '.join(chosen)} from {_csv(file, columns)}", file
    for link in plan.links:
        file = folder / edge_file(link)
        yield (
            edge_table(link),
            f"select src, dst from {_csv(file, ['src', 'dst'])} "
            f"where src in (select _id from {node(link.source)}) and dst in (select _id from {node(link.target)})",
            file,
        )


def _csv(file: Path, columns: list[str]) -> str:
    types = ", ".join(f"{literal(column)}: 'varchar'" for column in columns)
    return (
        f"read_csv({literal(str(file))}, auto_detect = false, header = false, delim = ',', quote = '\"', "
        f"escape = '\"', nullstr = {literal(NULL)}, allow_quoted_nulls = false, columns = {{{types}}}, "
        f"max_line_size = {MAX_LINE_BYTES}, parallel = false)"
    )


def _typed(field: Field) -> str:
    """A text column in the type of its field; a value of another type, left from an earlier dictionary, is missing."""
    column = quote(field.name)
    if field.array:
        values = f"try_cast(from_json({column}, '[\"varchar\"]') as {DuckDialect().type_of(field)})"
        return DuckDialect().changed(values, finite) if field.kind == "number" else values
    if not field.numeric:
        return column
    # DuckDB moves a bare cast into the reader of the file, where a wrong value ends the build instead of being missing.
    given = f"nullif({column}, '')"
    if field.kind == "integer":
        return f"coalesce(try_cast({given} as bigint), try_cast(try_cast({given} as double) as bigint))"
    return finite(f"try_cast({given} as double)")
