"""What Peregrine is known to answer, on data like its own."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from gen3.submission import Gen3Submission

Sdk = Callable[[str], Gen3Submission]

S1, S3, NONE = (f'{{type: "sample", submitter_id: "{each}"}}' for each in ("S1", "S3", "S0"))
COUNTS: list[tuple[str, int]] = [
    (f"_case_count(with_path_to_any: [{S1}, {S3}])", 2),
    (f"_case_count(with_path_to_any: [{S1}])", 1),
    (f"_case_count(with_path_to_any: [{S3}])", 1),
    (f"_case_count(with_path_to: [{S1}])", 1),
    (f"_case_count(with_path_to: [{S3}])", 1),
    (f"_case_count(with_path_to: [{S1}, {S3}])", 0),
    (f"_case_count(with_path_to_any: [{S1}, {NONE}])", 1),
    (f"_case_count(with_path_to: [{S1}, {NONE}])", 0),
    (f"_case_count(with_path_to_any: {NONE})", 0),
    (f"_case_count(without_path_to: {NONE})", 3),
    (f"_case_count(without_path_to: {S1})", 2),
    (f"_case_count(without_path_to: [{S1}, {S3}])", 1),
    (f"_case_count(with_path_to: {S1}, without_path_to: {S3})", 1),
    ('_case_count(with_path_to: {type: "aliquot"})', 2),
    ('_case_count(without_path_to: {type: "aliquot"})', 1),
    ('_sample_count(with_path_to: {type: "aliquot"})', 3),
    ('_case_count(with_path_to: {type: "BAD_TYPE"})', 0),
    ('_case_count(with_path_to_any: [{type: "BAD_TYPE"}, {type: "image"}])', 2),
    ('_case_count(without_path_to: {type: "BAD_TYPE"})', 3),
]


def test_g60_records_are_counted_by_where_they_lead(sdk: Sdk) -> None:
    """All in one query, as the original has it."""
    query = " ".join(f"q{number}: {call}" for number, (call, _) in enumerate(COUNTS))
    found = sdk("carol").query(f"{{ {query} }}")["data"]
    assert [(call, found[f"q{number}"]) for number, (call, _) in enumerate(COUNTS)] == COUNTS


def test_g60_ids_of_the_far_end_may_be_variables(sdk: Sdk) -> None:
    query = """query Test($a: String, $b: String) {
        a: _case_count(with_path_to_any: [{type: "sample", submitter_id: $a} {type: "sample", submitter_id: $b}])
        f: _case_count(with_path_to: [{type: "sample", submitter_id: $a} {type: "sample", submitter_id: $b}]) }"""
    assert sdk("carol").query(query, {"a": "S1", "b": "S3"})["data"] == {"a": 2, "f": 0}


@pytest.mark.parametrize("argument", ["with_path_to", "with_path_to_any"])
@pytest.mark.parametrize("entry", ['{type: "BAD_TYPE"}', NONE])
def test_g60_a_path_to_what_is_not_there_finds_nothing(sdk: Sdk, argument: str, entry: str) -> None:
    query = f'{{ case(order_by_desc: "created_datetime", {argument}: {entry}) {{ submitter_id }} }}'
    assert sdk("carol").query(query)["data"] == {"case": []}


TEXTS: list[tuple[str, str]] = [
    (
        '{ case(project_id: [["list", "of"], ["lists"]]) { id } }',
        'Argument "project_id" has invalid value [["list", "of"], ["lists"]].\n'
        'In element #0: Expected type "String", found ["list", "of"].\n'
        'In element #1: Expected type "String", found ["lists"].',
    ),
    (
        '{ case(with_path_to: [{submitter_id: "a"}]) { id } }',
        'Argument "with_path_to" has invalid value [{submitter_id: "a"}].\n'
        'In element #0: In field "type": Expected "String!", found null.',
    ),
    ("{ case { foo } }", 'Cannot query field "foo" on type "case".'),
    ("{ cazes { id } }", 'Cannot query field "cazes" on type "Root". Did you mean "case"?'),
    ("{case{id}", "Syntax Error GraphQL (1:10) Expected Name, found EOF\n\n1: {case{id}\n            ^\n"),
]


@pytest.mark.parametrize(("query", "text"), TEXTS, ids=[query for query, _ in TEXTS])
def test_g61_faults_are_told_in_the_same_words(sdk: Sdk, query: str, text: str) -> None:
    client = sdk("carol")
    url = f"{client._endpoint}/api/v0/submission/graphql"
    answer = requests.post(url, json={"query": query}, auth=client._auth_provider, timeout=60)
    assert (answer.status_code, answer.json()["data"], answer.json()["errors"]) == (400, None, [text])


LISTS: list[tuple[str, Any]] = [
    ('consent_codes: ["cc1"]', [["cc1", "cc2"]]),
    ('consent_codes: "cc1"', [["cc1", "cc2"]]),
    ('consent_codes: ["cc2", "cc1"]', [["cc1", "cc2"]]),
    ('consent_codes: ["cc1", "no_such_code"]', []),
    ('consent_codes: ["xcc1"]', [["xcc1"]]),
]


@pytest.mark.parametrize(("argument", "expected"), LISTS, ids=[argument for argument, _ in LISTS])
def test_g61_an_array_must_have_all_values_and_one_value_is_a_list(sdk: Sdk, argument: str, expected: Any) -> None:
    found = sdk("carol").query(f"{{ case({argument}) {{ consent_codes }} }}")["data"]["case"]
    assert [each["consent_codes"] for each in found] == expected
