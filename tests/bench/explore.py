"""The explorer: building documents, and on a million of them facets, pages and downloads, beside bare DuckDB."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import documents
import duckdb
import rebuild
from harness import Commons, Figure, milliseconds
from load import Call, Client

FACETS = (*(f"text{n}" for n in range(13)), "number0", "tags")
PAGE = (*(f"text{n}" for n in range(len(documents.VALUES))), *(f"number{n}" for n in range(8)), "count", "project_id")
TAKEN = PAGE[:10]

_FACETED = (
    "query($filter: JSON) { _aggregation { case(filter: $filter, filterSelf: false) { "
    + " ".join(f"{name} {{ histogram {{ key count }} }}" for name in FACETS)
    + " } } }"
)
_PAGED = (
    "query($filter: JSON, $offset: Int) { case(filter: $filter, first: 20, offset: $offset, "
    f'sort: [{{number1: "asc"}}]) {{ {" ".join(PAGE)} }} }}'
)


def measure() -> Iterator[Figure]:
    commons = Commons()
    try:
        yield from Reading(commons).measure()
    finally:
        commons.close()
    yield from rebuild.measure()


def chosen(number: int) -> dict[str, Any]:
    """A filter of three clauses, two of them on facets of text and one on a range; each number makes another."""
    ten = [f"value {(number + n) % 20}" for n in range(10)]
    return {
        "AND": [
            {"IN": {"text3": [f"value {number % 8}", f"value {(number + 1) % 8}"]}},
            {"IN": {"text6": ten}},
            {"AND": [{">=": {"number0": 10 + number / 1000}}, {"<=": {"number0": 90}}]},
        ]
    }


def where(number: int) -> str:
    """The same filter in SQL."""
    parts = chosen(number)["AND"]
    listed = [f"{field} in {tuple(values)}" for part in parts[:2] for field, values in part["IN"].items()]
    return f"where {' and '.join(listed)} and number0 >= {10 + number / 1000} and number0 <= 90"


class Reading:
    """A published run and two ways to ask it: a commons past its proxy, and the file itself."""

    def __init__(self, commons: Commons) -> None:
        embedded = json.loads((commons.data_dir / "run" / "embedded.json").read_text())
        self.file = documents.publish(embedded["DatabaseSettings"]["url"], commons.data_dir / "explore")
        self.bare = duckdb.connect(str(self.file), read_only=True)
        self.client = Client(commons.service("explore"))
        self.headers = {"Authorization": str(commons.session.headers["Authorization"])}
        self.numbers = itertools.count()

    def measure(self) -> Iterator[Figure]:
        self.check()
        cold = milliseconds(lambda: self.ask(_FACETED, filter=chosen(next(self.numbers))), runs=20)
        yield Figure("explore.facets_cold_ms", cold, "ms", floor=self.floor(self.facets), bound=200)
        same = chosen(next(self.numbers))
        cached = milliseconds(lambda: self.ask(_FACETED, filter=same), runs=50)
        yield Figure("explore.facets_cached_ms", cached, "ms", bound=5)
        page = milliseconds(lambda: self.ask(_PAGED, filter=chosen(next(self.numbers)), offset=200), runs=20)
        yield Figure("explore.page_ms", page, "ms", floor=self.floor(self.page), bound=50)
        rate, floor = self.download_rate(), self.bare_rate()
        yield Figure("explore.download_rows_s", rate, "rows/s", floor=floor, bound=100_000, better="high")

    def ask(self, query: str, **variables: Any) -> bytes:
        """The answer to a query, as it comes."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        return self.client.send(Call("/guppy/graphql", body, self.headers))

    def check(self) -> None:
        """Look at answers before they are timed.

        Raises
        ------
        RuntimeError
            One is wrong, and so would be its time.
        """
        found = json.loads(self.ask(_FACETED, filter=chosen(0)))
        counted = {row[0]: row[1] for row in self.bare.execute(
            f'select text0, count(*) from "case" {where(0)} group by 1').fetchall()}  # fmt: skip
        told = {each["key"]: each["count"] for each in found["data"]["_aggregation"]["case"]["text0"]["histogram"]}
        rows = json.loads(self.ask(_PAGED, filter=chosen(0), offset=200))["data"]["case"]
        if told != {"no data" if key is None else key: count for key, count in counted.items()} or len(rows) != 20:
            raise RuntimeError(f"The explorer answers wrongly: {str(found)[:500]} {str(rows)[:500]}")

    def floor(self, statement: Callable[[int], str]) -> float:
        return milliseconds(lambda: self.bare.execute(statement(next(self.numbers))).fetchall(), runs=20)

    def facets(self, number: int) -> str:
        """All facets as if they saw the same documents, in one statement."""
        plain = ", ".join(name for name in FACETS if name != "tags")
        sets = ", ".join(f"({name})" for name in FACETS if name != "tags")
        return f'select {plain}, count(*) from "case" {where(number)} group by grouping sets ({sets})'

    def page(self, number: int) -> str:
        return f'select {", ".join(PAGE)} from "case" {where(number)} order by number1, _rid limit 20 offset 200'

    def download_rate(self) -> float:
        """Rows in a second of a download as JSON."""
        wanted = {"type": "case", "fields": TAKEN, "filter": {"<": {"count": 25}}}
        call = Call("/guppy/download", json.dumps(wanted).encode(), self.headers)
        best = 0.0
        for _ in range(3):
            begin = time.perf_counter()
            body = self.client.send(call)
            best = max(best, 1 / (time.perf_counter() - begin))
        return best * len(json.loads(body))

    def bare_rate(self) -> float:
        """Rows in a second of the same, fetched as JSON texts."""
        begin = time.perf_counter()
        fields = ", ".join(f"{name}: {name}" for name in TAKEN)
        rows = self.bare.execute(f'select to_json({{{fields}}})::varchar from "case" where count < 25').fetchall()
        return len(rows) / (time.perf_counter() - begin)
