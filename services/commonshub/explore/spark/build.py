"""Executing a plan in Spark: from the extracted graph to documents, as Parquet, and from these to an index file.

The graph goes to Spark as Parquet in the types of its fields, and the documents come back as such. DuckDB writes the
one and reads the other, in streams.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted

from collections.abc import Iterator
from pathlib import Path

import duckdb

from commonshub.core.graph import edge_table, node_table

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
from .session import session
from .stage import SparkStage


def build(
    todo: Job, folder: Path, target: Path, run: int, settings: ExploreSettings, progress: Progress
) -> dict[str, int]:
    """Make the index `target` of the files in `folder`, and of an earlier one.

    Returns
    -------
    dict
        Number of documents by document type.
    """
    plan = todo.made
    with workbench(folder, settings) as connection:
        _convert(connection, plan, folder, progress)
        index = Index(connection, target, todo)
        frames = list(index.frames())
        for name, rows in frames:
            _copy(connection, rows, _file(folder, name))
        with session(settings, folder) as spark:
            stage = SparkStage(spark)
            for name, columns in _columns(plan):
                stage.show(name, spark.read.schema(columns).parquet(str(_file(folder, name))))
            for name, _ in frames:
                stage.show(name, spark.read.parquet(str(_file(folder, name))))
            Frames(stage, plan).build(progress)
            for number, document in enumerate(plan.documents):
                progress("computing", number, len(plan.documents))
                made = spark.sql(Documents(stage, document).select()).drop("_rid")
                made.write.parquet(str(_documents(folder, document)), compression="zstd")
        return index.write(run, lambda document: _numbered(document, folder), progress)


def _convert(connection: duckdb.DuckDBPyConnection, plan: Plan, folder: Path, progress: Progress) -> None:
    """Write each table of the graph as a Parquet file, in place of that of the extract."""
    for number, (name, rows, file) in enumerate(tables(plan, folder)):
        progress("loading", number, len(plan.nodes) + len(plan.links))
        _copy(connection, rows, _file(folder, name))
        connection.execute(f"create view {quote(name)} as from {literal(str(_file(folder, name)))}")
        file.unlink()


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, target: Path) -> None:
    connection.execute(f"copy ({rows}) to {literal(str(target))} (format parquet, compression zstd)")


def _columns(plan: Plan) -> Iterator[tuple[str, str]]:
    """The columns of each table of the graph, in Spark's words: it would open every file to find them out."""
    type_of = SparkStage.dialect.type_of
    for node_id, fields in plan.nodes.items():
        typed = [f"`{field.name.replace('`', '``')}` {type_of(field)}" for field in fields]
        yield node_table(node_id), ", ".join(["_id string", *typed])
    for link in plan.links:
        yield edge_table(link), "src string, dst string"


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.parquet"


def _documents(folder: Path, document: Document) -> Path:
    return folder / f"documents of {document.doc_type.name}"


def _numbered(document: Document, folder: Path) -> str:
    """A query of the documents that Spark made, with the numbers that they have in an index."""
    files = literal(str(_documents(folder, document) / "*.parquet"))
    return f"select row_number() over (order by {quote(document.doc_type.key)}) as _rid, * from read_parquet({files})"
