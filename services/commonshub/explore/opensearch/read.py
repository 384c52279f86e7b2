"""Reading an index in OpenSearch."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from commonshub.core.errors import CommonsError, Unavailable

from ..catalog import load
from ..filters import Filter
from ..requests import Bins, Cardinality, Count, Parts, Question, Rows, Run, Terms, ValueCount
from .bins import bins
from .client import Client
from .facets import cardinality, terms, total, value_count
from .layout import facts_of, index_of
from .links import unlinked
from .parts import parts
from .rows import documents, scan
from .steps import Search, Steps, side_by_side

CHUNK_ROWS = 2_000
FACTS = "facts"
"""The one document in the index with the facts of a run."""


class OpenSearchReader:
    """An open index; see :class:`commonshub.explore.requests.Reader`.

    Parameters
    ----------
    prefix
        What the names of the commons' indexes begin with.
    run
        Number of the run.
    max_buckets
        Most buckets of one facet.

    Raises
    ------
    Unavailable
        The run is not there, or OpenSearch is away.
    """

    def __init__(self, client: Client, prefix: str, run: int, max_buckets: int) -> None:
        self._client = client
        self._prefix = prefix
        self._max_buckets = max_buckets
        found = client.ask("GET", f"/{facts_of(prefix, run)}/_doc/{FACTS}")
        if found is None:
            raise Unavailable(f"OpenSearch has no index of run {run}; `commonshub etl run` builds a new one.")
        facts = found["_source"]
        self.run = Run(run, load(facts["catalog"]), frozenset(facts["paths"]))

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def _send(self, searches: list[Search]) -> list[dict[str, Any] | CommonsError]:
        named = [(index_of(self._prefix, scope.doc_type.name, self.run.id), body) for scope, body in searches]
        return self._client.search(named)

    def answer(self, questions: list[Question]) -> list[Any]:
        """The answers, in order."""
        filters: list[Filter] = list(dict.fromkeys(question.scope.filter for question in questions))
        replaced = dict(zip(filters, side_by_side([unlinked(each) for each in filters], self._send), strict=True))
        steps = [self._steps(_about(question, replaced[question.scope.filter])) for question in questions]
        return side_by_side(steps, self._send)

    def _steps(self, question: Question) -> Steps[Any]:
        match question:
            case Rows():
                return documents(question)
            case Count():
                return total(question)
            case ValueCount():
                return value_count(question)
            case Cardinality():
                return cardinality(question)
            case Terms():
                return terms(question, self._max_buckets)
            case Bins():
                return bins(question, self._max_buckets)
            case Parts():
                return parts(question, self._max_buckets)

    def scan(self, rows: Rows, chunk_rows: int) -> Iterator[list[dict[str, Any]]]:
        """The documents of `rows`, a chunk at a time."""
        (filter,) = side_by_side([unlinked(rows.scope.filter)], self._send)
        yield from scan(_about(rows, filter), chunk_rows, self._send)

    def parquet(self, rows: Rows) -> BinaryIO:
        """The documents of `rows` as a Parquet file that is gone when it is closed."""
        from ..duck.parquet import from_rows

        doc_type = rows.scope.doc_type
        names = doc_type.names if rows.names is None else rows.names
        return from_rows(doc_type, names, self.scan(rows, CHUNK_ROWS))

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The `names` that a regular expression finds."""
        import duckdb

        from ..duck.patterns import matching

        with duckdb.connect() as connection:
            return matching(connection, names, pattern)


def _about(question: Question, filter: Filter) -> Any:
    """The question with another filter."""
    return replace(question, scope=replace(question.scope, filter=filter))
