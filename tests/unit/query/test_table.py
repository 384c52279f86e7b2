"""Which columns a query's fields make, of which kinds, and which rows."""

from typing import Any

import pytest
from tests.unit.query.test_planner import SMALL, TABLES

from commonshub.core.errors import BadRequest
from commonshub.query.answers import Answers
from commonshub.query.document import Limits
from commonshub.query.table import Table

ANSWERS = Answers(SMALL, TABLES, Limits(), 10)


def table(text: str, **variables: Any) -> Table:
    return ANSWERS.table(text, variables, None)


def columns(text: str) -> list[tuple[str, str]]:
    return [(each.name, each.kind + ("[]" if each.many else "")) for each in table(text).columns]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "{ case { age tags alive id _samples_count t: __typename } }",
            [
                ("age", "integer"),
                ("tags", "string[]"),
                ("alive", "boolean"),
                ("id", "string"),
                ("_samples_count", "integer"),
                ("t", "string"),
            ],
        ),
        (
            "{ c: case { s: samples { id files { submitter_id } } age } }",
            [("s.id", "string"), ("s.files.submitter_id", "string"), ("age", "integer")],
        ),
        ("{ _case_count case { id } }", [("_case_count", "integer"), ("case.id", "string")]),
        (
            "{ _case_aggregate { age { stats { min } histogram { key count } } } }",
            [("age.stats.min", "number"), ("age.histogram.key", "number[]"), ("age.histogram.count", "integer")],
        ),
        ("query ($all: Boolean = false) { case { id age @include(if: $all) } }", [("id", "string")]),
        (
            "{ case { ...ids } } fragment ids on case { id samples { id } }",
            [("id", "string"), ("samples.id", "string")],
        ),
        (
            "{ node { id ... on case { x: age } ... on sample { x: submitter_id } } }",
            [("id", "string"), ("x", "string")],
        ),
        ("{ node { ... on case { x: age } ... on sample { x: _files_count } } }", [("x", "integer")]),
        ("{ node { ... on case { l: samples { id } } ... on sample { l: files { id } } } }", [("l.id", "string")]),
        ("{ case { _links { id } } }", [("_links.id", "string")]),
    ],
)
def test_columns_are_named_by_path_and_have_the_kinds_of_the_dictionary(
    query: str, expected: list[tuple[str, str]]
) -> None:
    assert columns(query) == expected


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("{ case { samples { id } files { id } } }", "case.samples and case.files are"),
        ("{ case { samples { files { id } children { id } } } }", "case.samples.files and case.samples.children are"),
        ("{ a: case { id } b: case { id } }", "a and b are"),
        ("{ _case_aggregate { age { histogram { count } } tags { histogram { count } } } }", "age.histogram and"),
        ("{ node { ... on case { samples { id } } ... on sample { files { id } } } }", "node.samples and node.files"),
    ],
)
def test_lists_beside_one_another_are_refused_by_name(query: str, names: str) -> None:
    with pytest.raises(BadRequest, match=names.replace(".", r"\.")):
        table(query)


@pytest.mark.parametrize("query", ["{ __schema { types { name } } }", '{ __type(name: "case") { name } }'])
def test_the_schema_is_no_table(query: str) -> None:
    with pytest.raises(BadRequest, match="as JSON"):
        table(query)


def test_rows_repeat_what_is_above_and_leave_open_what_is_not_below() -> None:
    found = table("{ case { id samples { id files { id } } age } }")
    data = {
        "case": [
            {"id": "a", "age": 1, "samples": [{"id": "s", "files": [{"id": "f"}, {"id": "g"}]}, {"id": "t"}]},
            {"id": "b", "age": None, "samples": []},
            {"id": None, "age": None, "samples": None},
        ]
    }
    assert list(found.rows(data)) == [
        ["a", "s", "f", 1],
        ["a", "s", "g", 1],
        ["a", "t", None, 1],
        ["b", None, None, None],
        [None, None, None, None],
    ]


def test_rows_are_made_one_by_one_of_what_comes_one_by_one() -> None:
    taken = []

    def items() -> Any:
        for number in range(3):
            taken.append(number)
            yield {"id": str(number)}

    rows = table("{ case { id } }").rows({"case": items()})
    assert (next(rows), taken) == (["0"], [0])
    assert list(rows) == [["1"], ["2"]]
