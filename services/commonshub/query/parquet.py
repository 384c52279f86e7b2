"""A program that writes Parquet: rows from its standard input, a JSON object a line, become a file in a folder.

The folder has ``columns.json``: pairs of name and type of the columns. In the rows they are called by their numbers,
since DuckDB takes two names that differ in case only for one.
"""

import json
import sys
from pathlib import Path

import duckdb

_MEMORY_LIMIT = "256MB"


def main(folder: Path) -> None:
    """Write ``table.parquet``."""
    columns: list[tuple[str, str]] = json.loads((folder / "columns.json").read_bytes())
    types = ", ".join(f"'{place}': '{type_}'" for place, (_, type_) in enumerate(columns))
    named = ", ".join(f'"{place}" as ' + _quoted(name, '"') for place, (name, _) in enumerate(columns))
    source = f"read_json('/dev/stdin', format='newline_delimited', columns={{{types}}})"
    target = _quoted(str(folder / "table.parquet"), "'")
    limits: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY_LIMIT,
        "threads": "1",
        "temp_directory": str(folder),
        "autoinstall_known_extensions": "false",
    }
    with duckdb.connect(config=limits) as connection:
        connection.execute(f"copy (select {named} from {source}) to {target} (format parquet, compression zstd)")  # noqa: S608


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, 2 * mark) + mark


if __name__ == "__main__":
    main(Path(sys.argv[1]))
