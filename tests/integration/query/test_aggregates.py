"""Figures of records: how many there are of each value, and how they are spread."""

from typing import Any

import pytest
from tests.integration.query.conftest import Client
from tests.integration.query.test_query import ARGUMENTS, PATHS

AGGREGATES: list[tuple[str, Any]] = [
    ("_case_aggregate { _totalCount __typename }", {"_totalCount": 3, "__typename": "Aggregate_case"}),
    ('_case_aggregate(first: 1, offset: 5, order_by_asc: "age") { n: _totalCount }', {"n": 3}),
    (
        "_case_aggregate { primary_site { _totalCount _missing _cardinalityCount"
        " histogram { key count __typename } } }",
        {
            "primary_site": {
                "_totalCount": 3,
                "_missing": 0,
                "_cardinalityCount": 2,
                "histogram": [
                    {"key": "Lung", "count": 2, "__typename": "TextBucket"},
                    {"key": "Skin", "count": 1, "__typename": "TextBucket"},
                ],
            }
        },
    ),
    (
        "_case_aggregate { primary_site { histogram(first: 1) { key } } }",
        {"primary_site": {"histogram": [{"key": "Lung"}]}},
    ),
    (
        "_case_aggregate { age { _missing stats { min max avg sum count } } weight { _totalCount _missing } }",
        {
            "age": {"_missing": 0, "stats": {"min": 9, "max": 100, "avg": 56.666666666666664, "sum": 170, "count": 3}},
            "weight": {"_totalCount": 1, "_missing": 2},
        },
    ),
    (
        "_case_aggregate { age { histogram(width: 50) { key count min max avg sum } } }",
        {
            "age": {
                "histogram": [
                    {"key": [0, 50], "count": 1, "min": 9, "max": 9, "avg": 9, "sum": 9},
                    {"key": [50, 100], "count": 1, "min": 61, "max": 61, "avg": 61, "sum": 61},
                    {"key": [100, 150], "count": 1, "min": 100, "max": 100, "avg": 100, "sum": 100},
                ]
            }
        },
    ),
    (
        "_case_aggregate { age { histogram(width: 20.5, first: 4) { key count avg } } }",
        {
            "age": {
                "histogram": [
                    {"key": [0, 20.5], "count": 1, "avg": 9},
                    {"key": [20.5, 41], "count": 0, "avg": None},
                    {"key": [41, 61.5], "count": 1, "avg": 61},
                    {"key": [61.5, 82], "count": 0, "avg": None},
                ]
            }
        },
    ),
    (
        "_case_aggregate { age { histogram(buckets: 2) { key count } asTextHistogram { key count } } }",
        {
            "age": {
                "histogram": [{"key": [9, 54.5], "count": 1}, {"key": [54.5, 100], "count": 2}],
                "asTextHistogram": [{"key": "9", "count": 1}, {"key": "61", "count": 1}, {"key": "100", "count": 1}],
            }
        },
    ),
    (
        "_case_aggregate(filter: {age: {lt: 10}}) { age { histogram { key count } } }",
        {"age": {"histogram": [{"key": [9, 9], "count": 1}]}},
    ),
    (
        '_case_aggregate(id: "zz") { age { stats { min sum } histogram { key } } alive { histogram { key } } }',
        {
            "age": {"stats": {"min": None, "sum": None}, "histogram": []},
            "alive": {"histogram": []},
        },
    ),
    (
        "_case_aggregate { alive { _missing histogram { key count } } }",
        {"alive": {"_missing": 1, "histogram": [{"key": "false", "count": 1}, {"key": "true", "count": 1}]}},
    ),
    (
        "_case_aggregate { consent_codes { _missing _cardinalityCount histogram { key count } }"
        " scores { histogram { key } } }",
        {
            "consent_codes": {
                "_missing": 1,
                "_cardinalityCount": 3,
                "histogram": [{"key": "cc1", "count": 1}, {"key": "cc2", "count": 1}, {"key": "xcc1", "count": 1}],
            },
            "scores": {"histogram": [{"key": "1"}, {"key": "2.5"}]},
        },
    ),
    (
        '_case_aggregate { _groups(by: ["primary_site", "alive"]) { key count } }',
        {
            "_groups": [
                {"key": ["Lung", "true"], "count": 1},
                {"key": ["Lung", None], "count": 1},
                {"key": ["Skin", "false"], "count": 1},
            ]
        },
    ),
    (
        '_case_aggregate { _groups(by: ["primary_site"], first: 1) { key count }'
        ' two: _groups(by: "age", first: 1) { key } }',
        {"_groups": [{"key": ["Lung"], "count": 2}], "two": [{"key": ["9"]}]},
    ),
    (
        "_project_aggregate { project_id { histogram { key } } }",
        {"project_id": {"histogram": [{"key": "P-Q"}, {"key": "P-R"}, {"key": "X-Y"}]}},
    ),
    (
        '_reading_aggregate(with_path_to: {type: "case", id: "c1"}) { file_size { stats { max } } }',
        {"file_size": {"stats": {"max": 2**40}}},
    ),
    (
        "_standard_aggregate { _totalCount label { histogram { key } } }",
        {"_totalCount": 1, "label": {"histogram": [{"key": "ISO"}]}},
    ),
]


@pytest.mark.parametrize(("asked", "expected"), AGGREGATES, ids=[asked for asked, _ in AGGREGATES])
def test_records_are_counted_by_value_and_range(client: Client, asked: str, expected: Any) -> None:
    assert client.ask(f"{{ found: {asked} }}")["found"] == expected


@pytest.mark.parametrize(("call", "expected"), ARGUMENTS + PATHS, ids=[call for call, _ in ARGUMENTS + PATHS])
@pytest.mark.parametrize("user", ["alice", "bob", "nobody"])
def test_an_aggregate_is_of_what_a_list_gives(client: Client, call: str, expected: list[str], user: str) -> None:
    type_, _, args = call.partition("(")
    if type_ in ("node", "datanode"):
        return
    rows = client.ask(f"{{ found: {type_}(first: 0{f', {args}' if args else ')'} {{ id }} }}", user=user)["found"]
    found = client.ask(f"{{ found: _{type_}_aggregate{f'({args}' if args else ''} {{ _totalCount }} }}", user=user)
    assert found["found"] == {"_totalCount": len(rows)}


def test_all_figures_of_one_aggregate_take_one_scan(client: Client) -> None:
    client.ask(
        """{ _case_aggregate(filter: {age: {gt: 1}}) { _totalCount primary_site { histogram { key count } _missing }
               age { stats { avg } histogram(width: 10) { key } asTextHistogram { key } }
               _groups(by: ["primary_site", "age"]) { key } } }"""
    )
    (statement,) = client.statements.texts
    assert statement.count('"node_case"') == 1


FAULTS: list[tuple[str, str]] = [
    ("age { histogram(width: 0) { key } }", "histogram: width must be more than 0."),
    ("age { histogram(width: -1) { key } }", "histogram: width must be more than 0."),
    ("age { histogram(width: 1, buckets: 2) { key } }", "histogram: takes width or buckets, not both."),
    ("age { histogram(buckets: 0) { key } }", "buckets: a histogram has 1 to 1000 buckets, not 0."),
    ("age { histogram(buckets: 1001) { key } }", "buckets: a histogram has 1 to 1000 buckets, not 1001."),
    ("primary_site { histogram(first: 1001) { key } }", "first: a histogram has 1 to 1000 buckets, not 1001."),
    ("_groups(by: []) { key }", "by: takes 1 to 3 properties, not 0."),
    ('_groups(by: ["age", "odd", "alive", "weight"]) { key }', "by: takes 1 to 3 properties, not 4."),
    ('_groups(by: ["zz"]) { key }', "by: 'zz' is no property of case."),
    ('_groups(by: ["scores"]) { key }', "by: records cannot be grouped by scores."),
    ('_groups(by: ["id"]) { key }', "by: records cannot be grouped by id."),
    ("age { histogram(width: 1) { nope } }", 'Cannot query field "nope" on type "NumberBucket".'),
]


@pytest.mark.parametrize(("asked", "told"), FAULTS, ids=[told for _, told in FAULTS])
def test_what_cannot_be_counted_is_refused(client: Client, asked: str, told: str) -> None:
    assert client.faults(f"{{ _case_aggregate {{ {asked} }} }}") == [told]


def test_a_narrow_width_gives_no_more_buckets_than_the_limit(client: Client) -> None:
    found = client.ask("{ _reading_aggregate { file_size { histogram(width: 0.001) { key count } } } }")
    buckets = found["_reading_aggregate"]["file_size"]["histogram"]
    assert (len(buckets), buckets[0]) == (1000, {"key": [7, 7.001], "count": 1})
