"""The documents of an index as Parquet files."""

# ruff: noqa: S608 - names come from the catalogue and are quoted

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import duckdb
import orjson

from ..catalog import AUTH_FIELD, DocType, load
from ..sql.names import quote
from .dialect import DuckDialect, literal
from .load import MAX_LINE_BYTES


def copied(connection: duckdb.DuckDBPyConnection, rows: str, values: dict[str, Any], file: Path) -> None:
    """Write the rows of a query to a Parquet file, whose bytes depend on nothing but them.

    A column that was read from a table is packed in another way where *other* rows of the table have no value in it.
    So the rows go through a table of their own.
    """
    connection.execute(f"create temp table copied as {rows}", values)
    connection.execute(f"copy copied to {literal(str(file))} (format parquet, compression zstd)")
    connection.execute("drop table copied")


def write(index: Path, folder: Path, memory_bytes: int) -> Iterator[tuple[str, Path]]:
    """A file for each document type, with nests as lists of structs; documents that nobody may read are left out."""
    limits = {"memory_limit": f"{memory_bytes}B", "temp_directory": str(folder / "spill")}
    limits |= {"autoinstall_known_extensions": "false"}
    with duckdb.connect(str(index), read_only=True, config={**limits}) as connection:
        (catalog,) = connection.execute("select catalog from _run").fetchone() or ("[]",)
        for doc_type in load(json.loads(catalog)).values():
            chosen = ", ".join(map(quote, doc_type.names))
            file = folder / f"{doc_type.name}.parquet"
            rows = f"select {chosen} from {quote(doc_type.name)} where {AUTH_FIELD} is not null order by _rid"
            copied(connection, rows, {}, file)
            yield doc_type.name, file


def from_rows(doc_type: DocType, names: Sequence[str], chunks: Iterable[list[dict[str, Any]]]) -> BinaryIO:
    """Documents, with the named fields and nests, as a Parquet file that is gone when it is closed."""
    dialect = DuckDialect()
    types = {field.name: dialect.type_of(field) for field in doc_type.fields}
    types |= {nest.name: dialect.type_of_nest(nest) for nest in doc_type.nests}
    columns = ", ".join(f"{literal(name)}: {literal(types[name])}" for name in names)
    with TemporaryDirectory(prefix="commonshub-explore-") as folder:
        lines, file = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        with lines.open("wb") as writing:
            for chunk in chunks:
                writing.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in chunk)
        rows = (
            f"read_json({literal(str(lines))}, format = 'newline_delimited', columns = {{{columns}}}, "
            f"maximum_object_size = {MAX_LINE_BYTES})"
        )
        with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
            connection.execute(f"copy (from {rows}) to {literal(str(file))} (format parquet, compression zstd)")
        return file.open("rb")
