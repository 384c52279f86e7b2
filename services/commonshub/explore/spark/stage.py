"""The tables between the graph and the documents, as views of a Spark session."""

# ruff: noqa: S608 - names are quoted

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sql.names import quote
from ..sql.stage import Stage
from .dialect import SparkDialect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class SparkStage(Stage):
    """See :class:`~commonshub.explore.sql.stage.Stage`; a helper table is computed where it is used."""

    dialect = SparkDialect()

    def __init__(self, session: "SparkSession") -> None:
        self.session = session
        self._tables = 0

    def show(self, name: str, rows: "DataFrame") -> None:
        """Let queries read rows under a name."""
        rows.createOrReplaceTempView(f"`{name}`")

    def table(self, select: str) -> str:
        self._tables += 1
        name = f"part_{self._tables}"
        self.show(name, self.session.sql(select))
        return name

    def keep(self, name: str, select: str) -> None:
        self.show(name, self.session.sql(select).persist())

    def closure(self, start: str, step: Callable[[str], str]) -> str:
        # A recursive query of Spark's takes each row as often as it is found, and so never leaves a circle.
        found = self.session.sql(f"select distinct * from ({start})").persist()
        fresh = found
        while not fresh.isEmpty():
            self.show("fresh rows", fresh)
            fresh = self.session.sql(step(quote("fresh rows"))).distinct().subtract(found).persist()
            found = found.union(fresh)
        self._tables += 1
        name = f"part_{self._tables}"
        self.show(name, found)
        return name
