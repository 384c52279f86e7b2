"""Loading the extracted graph into DuckDB."""

# ruff: noqa: S608 - names come from the dictionary and are quoted, values are literals

from pathlib import Path

import duckdb

from commonshub.core.graph import edge_table, node_table

from ..catalog import Field, Kind
from ..extract import NULL, Progress, edge_file, node_file
from ..plan import Plan
from .predicate import quote

MAX_LINE_BYTES = 64 * 2**20

TYPES: dict[Kind, str] = {"string": "varchar", "boolean": "varchar", "integer": "bigint", "number": "double"}


def literal(text: str) -> str:
    """An SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


def type_of(field: Field) -> str:
    """DuckDB's type of a field."""
    return TYPES[field.kind] + ("[]" if field.array else "")


def node(node_id: str) -> str:
    """The table of a node type: ``_id``, then a column for each property."""
    return f"stage.{quote(node_table(node_id))}"


def edge(name: str) -> str:
    """The table of a link: ``src`` child, ``dst`` parent."""
    return f"stage.{quote(name)}"


def load_graph(connection: duckdb.DuckDBPyConnection, plan: Plan, folder: Path, progress: Progress) -> None:
    """Load the files of :func:`commonshub.explore.extract.extract`; edges to records that were left out go, too."""
    tables = len(plan.nodes) + len(plan.links)
    for number, (node_id, fields) in enumerate(plan.nodes.items()):
        progress("loading", number, tables)
        columns = ["_id", *(field.name for field in fields)]
        chosen = ["_id", *(f"{_typed(field)} as {quote(field.name)}" for field in fields)]
        rows = _csv(folder / node_file(node_id), columns)
        connection.execute(f"create table {node(node_id)} as select {', '.join(chosen)} from {rows}")
        (folder / node_file(node_id)).unlink()
    for number, link in enumerate(plan.links, len(plan.nodes)):
        progress("loading", number, tables)
        rows = _csv(folder / edge_file(link), ["src", "dst"])
        connection.execute(
            f"create table {edge(edge_table(link))} as select src, dst from {rows} "
            f"where src in (select _id from {node(link.source)}) and dst in (select _id from {node(link.target)})"
        )
        (folder / edge_file(link)).unlink()


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
        return f"try_cast(from_json({column}, '[\"varchar\"]') as {type_of(field)})"
    if not field.numeric:
        return column
    # DuckDB moves a bare cast into the reader of the file, where a wrong value ends the build instead of being missing.
    given = f"nullif({column}, '')"
    if field.kind == "integer":
        return f"coalesce(try_cast({given} as bigint), try_cast(try_cast({given} as double) as bigint))"
    return f"try_cast({given} as double)"
