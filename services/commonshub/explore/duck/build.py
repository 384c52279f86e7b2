"""Executing a plan in DuckDB: from the extracted graph to an index file."""

# ruff: noqa: S608 - names come from the mapping and are quoted

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ..extract import Progress
from ..inputs import Job
from ..sql.documents import Documents
from ..sql.frames import Frames, frame_of
from ..sql.names import quote
from .dialect import literal
from .index import Index
from .load import load_graph
from .stage import DuckStage

_EARLIER = "earlier"


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
    todo: Job, folder: Path, target: Path, run: int, memory_bytes: int, threads: int, progress: Progress
) -> dict[str, int]:
    """Make the index `target` of the files in `folder`, and of an earlier one.

    Returns
    -------
    dict
        Number of documents by document type.
    """
    with workbench(folder, memory_bytes, threads) as connection:
        load_graph(connection, todo.made, folder, progress)
        stage = DuckStage(connection)
        Frames(stage, todo.made).build(progress)
        if todo.earlier:
            connection.execute(f"attach {literal(str(todo.earlier))} as {_EARLIER} (read_only)")
            _show_frames(connection, todo)
        index = Index(connection, target)
        for number, document in enumerate(todo.plan.documents):
            progress("writing", number, len(todo.plan.documents))
            if document.doc_type.name in todo.kept:
                index.take_over(document.doc_type, _EARLIER)
            else:
                index.add(document.doc_type, Documents(stage, document).select())
        return index.finish(todo.plan, run, todo.marks)


def _show_frames(connection: duckdb.DuckDBPyConnection, todo: Job) -> None:
    """Let the documents of the earlier index stand for the frames that others take fields from."""
    for document in todo.plan.documents:
        if document.doc_type.name in todo.kept:
            name, key = document.doc_type.name, quote(document.doc_type.key)
            connection.execute(
                f"create view {quote(frame_of(name))} as select *, {key} as _id from {_EARLIER}.{quote(name)}"
            )
