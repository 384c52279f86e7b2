"""Executing a plan in DuckDB: from the extracted graph to an index file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ..extract import Progress
from ..inputs import Job
from ..settings import ExploreSettings
from ..sql.documents import Documents
from ..sql.frames import Frames
from ..sql.names import quote
from .index import Index
from .load import load_graph
from .stage import DuckStage


@contextmanager
def workbench(folder: Path, settings: ExploreSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database for helper tables in `folder`; what does not fit into the memory goes there, too."""
    limits: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{settings.build_memory_bytes}B",
        "threads": str(settings.build_threads),
        "temp_directory": str(folder / "spill"),
    }
    limits |= {"preserve_insertion_order": "false", "autoinstall_known_extensions": "false"}
    with duckdb.connect(str(folder / "stage.duckdb"), config=limits) as connection:
        yield connection


def build(
    todo: Job, folder: Path, target: Path, run: int, settings: ExploreSettings, progress: Progress
) -> dict[str, int]:
    """Make the index `target` of the files in `folder`, and of an earlier one.

    Returns
    -------
    dict
        Number of documents by document type.
    """
    with workbench(folder, settings) as connection:
        load_graph(connection, todo.made, folder, progress)
        stage = DuckStage(connection)
        Frames(stage, todo.made).build(progress)
        index = Index(connection, target, todo)
        for name, rows in index.frames():
            connection.execute(f"create view {quote(name)} as {rows}")
        return index.write(run, lambda document: Documents(stage, document).select(), progress)
