"""The documents of an index file, one after another."""

# ruff: noqa: S608 - names come from the catalogue and are quoted

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from ..catalog import DocType
from ..sql.names import quote

CHUNK_ROWS = 10_000


def documents(index: Path, doc_type: DocType) -> Iterator[list[dict[str, Any]]]:
    """All documents of a type in the order of their numbers, a chunk at a time; a result is never held whole."""
    chosen = ", ".join(map(quote, doc_type.names))
    table = quote(doc_type.name)
    with duckdb.connect(str(index), read_only=True, config={"autoinstall_known_extensions": "false"}) as connection:
        (last,) = connection.execute(f'select coalesce(max("_rid"), -1) from {table}').fetchone() or (-1,)
        for start in range(0, last + 1, CHUNK_ROWS):
            rows = f'select {chosen} from {table} where "_rid" >= {start} and "_rid" < {start + CHUNK_ROWS}'
            found = connection.execute(f'{rows} order by "_rid"').fetchall()
            yield [dict(zip(doc_type.names, row, strict=True)) for row in found]
