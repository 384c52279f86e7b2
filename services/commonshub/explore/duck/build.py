"""Executing a plan in DuckDB: from the extracted graph to an index file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ..extract import Progress
from ..plan import Plan
from ..sql.documents import Documents
from ..sql.frames import Frames
from .index import Index
from .load import load_graph
from .stage import DuckStage


@contextmanager
def workbench(folder: Path, memory_bytes: int, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database for helper tables in `folder`; what does not fit into the memory goes there, too."""
    limits: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_bytes}B",
        "threads": str(threads),
        "temp_directory": str(folder / "spill"),
    }
    limits |= {"preserve_insertion_order": "false", "autoinstall_known_extensions": "false"}
    with duckdb.connect(str(folder / "stage.duckdb"), config=limits) as connection:
        yield connection


def build(
    plan: Plan, folder: Path, target: Path, run: int, memory_bytes: int, threads: int, progress: Progress
) -> dict[str, int]:
    """Make the index `target` of the files in `folder`.

    Returns
    -------
    dict
        Number of documents by document type.
    """
    with workbench(folder, memory_bytes, threads) as connection:
        load_graph(connection, plan, folder, progress)
        stage = DuckStage(connection)
        Frames(stage, plan).build(progress)
        index = Index(connection, target)
        for number, document in enumerate(plan.documents):
            progress("writing", number, len(plan.documents))
            index.add(document.doc_type, Documents(stage, document).select())
        return index.finish(plan, run)
