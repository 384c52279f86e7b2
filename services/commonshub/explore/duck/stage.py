"""The tables between the graph and the documents, in a DuckDB file that is thrown away."""

# ruff: noqa: S608 - names are quoted

from collections.abc import Callable

import duckdb

from ..sql.names import quote
from ..sql.stage import Stage
from .dialect import DuckDialect


class DuckStage(Stage):
    """See :class:`~commonshub.explore.sql.stage.Stage`; the tables are in the database of the connection itself."""

    dialect = DuckDialect()

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._tables = 0

    def table(self, select: str) -> str:
        self._tables += 1
        name = f"part_{self._tables}"
        self.keep(name, select)
        return name

    def keep(self, name: str, select: str) -> None:
        self.connection.execute(f"create table {quote(name)} as {select}")

    def closure(self, start: str, step: Callable[[str], str]) -> str:
        return self.table(f"with recursive found as ({start} union {step('found')}) select * from found")
