"""What one request can take: of work, of memory, of time, and of room in an error."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commonshub.core.errors import BadRequest, Unavailable
from commonshub.explore import endpoint as endpoint_module
from commonshub.explore.duck import read
from commonshub.explore.duck.read import DuckReader
from commonshub.explore.endpoint import Endpoint
from commonshub.explore.grammar import parse
from commonshub.explore.requests import MAX_LISTED, Count, Rows, Scope
from commonshub.explore.rights import Rights
from commonshub.explore.tiers import Caller, Tiers

from .conftest import opened
from .model import PATHS, SETS, TYPE
from .samples import DOCUMENTS

EVERYBODY = Caller(Tiers("libre"), frozenset(), whole=False)
TOTAL = "query($f: JSON) { _aggregation { case(filter: $f) { _totalCount } } }"
MALE = {"=": {"sex": "x"}}


@pytest.fixture
def endpoint(reader: DuckReader) -> Endpoint:
    return Endpoint(reader, 1000, 0)


def answered(endpoint: Endpoint, query: str, filter: Any = None) -> Any:
    asked = endpoint.read({"query": query, "variables": {"f": filter}}, EVERYBODY)
    return json.loads(endpoint.answer(asked)[1])


def nested(number: int) -> Any:
    return {"nested": {"path": "stays", "=": {"ward": f"w{number}"}}}


def linked(number: int) -> Any:
    return {"linked": {"type": "case", "field": "sex", "filter": {"=": {"sex": f"x{number}"}}}}


@pytest.mark.parametrize(
    ("filter", "told"),
    [
        ({"AND": [MALE] * 501}, "more than 500 clauses"),
        ({"AND": [{"=": {"sex": "x", "project_id": "y"}}] * 251}, "more than 500 clauses"),
        ({"OR": [nested(number) for number in range(101)]}, "nested"),
        ({"OR": [{"=": {"stays.ward": str(number)}} for number in range(101)]}, "nested"),
        ({"OR": [linked(number) for number in range(101)]}, "links"),
        ({"linked": {"type": "case", "field": "sex", "filter": {"AND": [MALE] * 500}}}, "more than 500 clauses"),
        ({"like": {"sex": [f"{number}*" for number in range(1001)]}}, "1000 patterns"),
        ({"like": {"sex": "*a" * 1000}}, "500 characters"),
        ({"search": {"keyword": "x" * 1001}}, "1000 characters"),
    ],
    ids=range(9),
)
def test_a_filter_that_makes_too_much_work_is_refused(filter: Any, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(filter, TYPE, lambda _: (TYPE, Rights(frozenset(), "public")), SETS)
    assert told in caught.value.message


@pytest.mark.parametrize(
    "filter",
    [
        {"AND": [{"!=": {"sex": f"w{number}"}} for number in range(499)]},
        {"OR": [{"=": {"sex": f"w{number}"}} for number in range(498)] + [{"!=": {"sex": "w"}}]},
        {"OR": [nested(number) for number in range(90)] + [{"!=": {"sex": "w"}}]},
        {"search": {"keyword": "no", "fields": ["sex"] * 100_000}},
        {"!=": {"sex": [f"w{number}" for number in range(100_000)]}},
        {"IN": {"age": [10**60, -(10**30), 2**63, 2**64 - 1, 0.5, 1, "1e300"]}},
    ],
    ids=range(6),
)
def test_a_large_filter_is_answered(reader: DuckReader, filter: Any) -> None:
    scope = Scope(TYPE, Rights(frozenset(PATHS)), parse(filter, TYPE))
    assert isinstance(reader.answer([Count(scope)])[0], int)


def test_a_filter_that_many_fields_have_is_read_once(endpoint: Endpoint) -> None:
    fields = " ".join(f"a{number}: case(filter: $f) {{ _totalCount }}" for number in range(900))
    found = answered(endpoint, f"query($f: JSON) {{ _aggregation {{ {fields} }} }}", {"IN": {"sex": ["x"] * 3000}})
    assert "errors" not in found
    assert len({each["_totalCount"] for each in found["data"]["_aggregation"].values()}) == 1


def test_the_values_of_all_filters_are_limited(endpoint: Endpoint) -> None:
    fields = " ".join(f"a{number}: case(filter: {{AND: [$f, $f]}}) {{ _totalCount }}" for number in range(9))
    query = f"query($f: JSON) {{ _aggregation {{ {fields} }} }}"
    found = answered(endpoint, query, {"IN": {"sex": [str(number) for number in range(150_000)]}})
    told = {error["message"] for error in found["errors"]}
    assert told == {"The filters have more than 2000000 values together: split the query."}
    assert sum(each is not None for each in found["data"]["_aggregation"].values()) == 6


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckReader]:
    documents = [{**DOCUMENTS[0], "_case_id": f"c{number}", "stays": []} for number in range(400)]
    found = opened(tmp_path_factory.mktemp("many"), documents)
    yield found
    found.close()


def test_the_buckets_of_all_fields_are_limited(many: DuckReader) -> None:
    field = "case { _case_id { histogram { count } } }"
    fields = " ".join(f"a{number}: {field}" for number in range(800))
    found = answered(Endpoint(many, 1000, 0), f"{{ _aggregation {{ {fields} }} }}")
    histograms = [each["_case_id"]["histogram"] for each in found["data"]["_aggregation"].values()]
    assert [each is None for each in histograms] == [number >= MAX_LISTED / 400 for number in range(800)]
    assert {error["extensions"]["code"] for error in found["errors"]} == {"BAD_USER_INPUT"}


FACETS = """{ _aggregation { case { _case_id { histogram { count } } sex { histogram { count } } _totalCount } } }"""


def test_buckets_are_not_even_read_beyond_the_limit(many: DuckReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_LISTED", 100)
    found = answered(Endpoint(many, 1000, 0), FACETS)
    facets = found["data"]["_aggregation"]["case"]
    assert (facets["_case_id"]["histogram"], facets["_totalCount"]) == (None, 400)
    assert len(facets["sex"]["histogram"]) == 1
    assert [error["path"][2] for error in found["errors"]] == ["_case_id"]


def test_rows_are_limited_in_bytes(many: DuckReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_ROW_BYTES", 5_000)
    found = answered(Endpoint(many, 1000, 0), "{ few: case(first: 5) { _case_id } case(first: 400) { _case_id } }")
    assert (len(found["data"]["few"]), found["data"]["case"]) == (5, None)
    (error,) = found["errors"]
    assert (error["extensions"]["code"], "download" in error["message"]) == ("BAD_USER_INPUT", True)


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    opened(tmp_path, DOCUMENTS[:1]).close()
    reader = DuckReader(tmp_path / "1.duckdb", memory_bytes=2**26, timeout_s=-1, max_buckets=10)
    for question in (Count(Scope(TYPE, Rights(frozenset(PATHS)))), Rows(Scope(TYPE, Rights(frozenset(PATHS))))):
        with pytest.raises(Unavailable):
            reader.answer([question])
    reader.close()


def test_fields_beside_a_refused_one_are_not_asked_for_ever(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "SINGLE_S", -1.0)
    found = answered(endpoint, "{ _aggregation { case { _totalCount age { histogram(rangeStep: 1e-9) { count } } } } }")
    assert len(found["errors"]) == 2


def test_bins_of_an_endless_width_are_refused(endpoint: Endpoint) -> None:
    arguments = "rangeStart: -1e308, rangeEnd: 1e308, binCount: 3"
    found = answered(endpoint, f"{{ _aggregation {{ case {{ age {{ histogram({arguments}) {{ key }} }} }} }} }}")
    assert "too wide" in found["errors"][0]["message"]


@pytest.mark.parametrize(
    "filter",
    [
        {"=": {"x" * 100_000: 1}},
        {"x" * 100_000: 1},
        {"=": {"sex": [["x"] * 100_000]}},
        {">": {"age": "x" * 100_000}},
        {"IN": {"sex": ["set_id:" + "x" * 100_000]}},
        {"nested": {"path": "x" * 100_000}},
        {"linked": {"type": "x" * 100_000}},
        {"op": "x" * 100_000, "content": {"fieldName": "sex", "value": 1}},
        {"{0.__class__}{1}": 1},
    ],
    ids=range(9),
)
def test_an_error_does_not_repeat_all_that_was_sent(endpoint: Endpoint, filter: Any) -> None:
    found = answered(endpoint, TOTAL, filter)
    assert len(json.dumps(found)) < 2_000
    assert found["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
