"""The documents of an index as Parquet files."""

# ruff: noqa: S608 - names come from the catalogue and are quoted

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb

from ..catalog import AUTH_FIELD, load
from ..sql.names import quote
from .dialect import literal


def write(index: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """A file for each document type, with nests as lists of structs; documents that nobody may read are left out."""
    with duckdb.connect(str(index), read_only=True, config={"autoinstall_known_extensions": "false"}) as connection:
        (catalog,) = connection.execute("select catalog from _run").fetchone() or ("[]",)
        for doc_type in load(json.loads(catalog)).values():
            fields = [field.name for field in doc_type.fields] + [nest.name for nest in doc_type.nests]
            chosen = ", ".join(map(quote, fields))
            file = folder / f"{doc_type.name}.parquet"
            rows = f"select {chosen} from {quote(doc_type.name)} where {AUTH_FIELD} is not null order by _rid"
            connection.execute(f"copy ({rows}) to {literal(str(file))} (format parquet, compression zstd)")
            yield doc_type.name, file
