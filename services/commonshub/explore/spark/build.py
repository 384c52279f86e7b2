"""Executing a plan in Spark: from the extracted graph to documents, as Parquet, and from these to an index file.

The graph goes to Spark as Parquet in the types of its fields, and the documents come back as such. DuckDB writes the
one and reads the other, in streams.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted

from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from commonshub.core.storage import Storage

from ..duck.build import workbench
from ..duck.dialect import literal
from ..duck.index import Index
from ..duck.load import tables
from ..extract import Progress
from ..inputs import Job
from ..plan import Document, Plan
from ..settings import ExploreSettings
from ..sql.documents import Documents
from ..sql.frames import Frames
from ..sql.names import quote
from .exchange import Exchange, exchange
from .session import session
from .stage import SparkStage

_FILE_BYTES = 32 * 2**20


def build(
    todo: Job,
    folder: Path,
    target: Path,
    run: int,
    settings: ExploreSettings,
    progress: Progress,
    storage: Storage | None = None,
) -> dict[str, int]:
    """Make the index `target` of the files in `folder`, and of an earlier one.

    Parameters
    ----------
    storage
        Where the upload bucket is.

    Returns
    -------
    dict
        Number of documents by document type.
    """
    with workbench(folder, settings) as connection:
        names = list(_convert(connection, todo.made, folder, progress))
        index = Index(connection, target, todo)
        for name, rows in index.frames():
            _copy(connection, rows, folder / name)
            names.append(name)
        with exchange(settings, folder, run, storage) as way:
            _compute(todo.made, names, way, settings, progress)
        return index.write(run, lambda document: _numbered(document, folder), progress)


def _convert(connection: duckdb.DuckDBPyConnection, plan: Plan, folder: Path, progress: Progress) -> Iterator[str]:
    """Write each table of the graph as Parquet, in place of the file of the extract; their names."""
    for number, (name, rows, file) in enumerate(tables(plan, folder)):
        progress("loading", number, len(plan.nodes) + len(plan.links))
        _copy(connection, rows, folder / name)
        connection.execute(f"create view {quote(name)} as from {_files(folder / name)}")
        file.unlink()
        yield name


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, target: Path) -> None:
    """Write rows as files of a folder, of which each can be read on another machine."""
    how = f"format parquet, compression zstd, file_size_bytes {_FILE_BYTES}"
    connection.execute(f"copy ({rows}) to {literal(str(target))} ({how})")


def _compute(plan: Plan, names: Iterable[str], way: Exchange, settings: ExploreSettings, progress: Progress) -> None:
    """Let Spark make the documents of `plan` from the named tables."""
    with session(settings, way.folder) as spark:
        stage = SparkStage(spark)
        for name in names:
            stage.show(name, way.give(spark, name))
        Frames(stage, plan).build(progress)
        for number, document in enumerate(plan.documents):
            progress("computing", number, len(plan.documents))
            way.take(spark.sql(Documents(stage, document).select()).drop("_rid"), _documents(document))


def _documents(document: Document) -> str:
    return f"documents of {document.doc_type.name}"


def _numbered(document: Document, folder: Path) -> str:
    """A query of the documents that Spark made, with the numbers that they have in an index."""
    files = _files(folder / _documents(document))
    return f"select row_number() over (order by {quote(document.doc_type.key)}) as _rid, * from {files}"


def _files(folder: Path) -> str:
    return f"read_parquet({literal(str(folder / '*.parquet'))})"
