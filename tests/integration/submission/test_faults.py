"""Faults of what was submitted: where they stand, and what to do about them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from tests.statements import noted


def faults(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [error for entity in answer["entities"] for error in entity["errors"]]


def case(name: Any, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **more}


def demographic(**more: Any) -> dict[str, Any]:
    return {"type": "demographic", "submitter_id": "d", "cases": {"submitter_id": "x"}, **more}


@pytest.mark.parametrize(
    ("document", "rule", "column", "value", "suggestion"),
    [
        (case("x", disease_type="Gliom"), "enum", "disease_type", "Gliom", "Did you mean 'glioma'?"),
        (case("x", primary_sit="lung"), "additionalProperties", "primary_sit", "lung", "Did you mean 'primary_site'?"),
        (case("x", zzz="lung"), "additionalProperties", "zzz", "lung", "Take 'zzz' out"),
        (case("x", primary_site=12), "type", "primary_site", 12, "Give a text."),
        (case("x", type="caes"), "nodeType", "type", "caes", "Did you mean 'case'"),
        (case("x", experiments={"submitter_id": "é"}), "target", "experiments", "é", "Submit the target first"),
        (case("x", experiments={"submitter_id": "E_"}), "target", "experiments", "E_", "Did you mean 'e'?"),
        (case("x", experiments=3), "link", "experiments", 3, "experiments.submitter_id"),
        (
            case("x", experiments={"submitter_id": "E", "id": str(UUID(int=0))}),
            "target", "experiments", "E", "The id is not that of 'E'; give one of the two only.",
        ),
        (case(" x"), "blanks", "submitter_id", " x", "Take the blanks at its ends away."),
        (case("x", project_id="P-two"), "project", "project_id", "P-two", "project that it belongs to"),
        (case("x", id="1234"), "pattern", "id", "1234", "matches ^[a-fA-F0-9]"),
        ({"type": "case", "submitter_id": "x"}, "required", "experiments", None, "Fill in 'experiments'."),
        (
            {"type": "case", "submiter_id": "x", "experiments": {"submitter_id": "e"}},
            "required", "submitter_id", None, "Rename 'submiter_id' to 'submitter_id'.",
        ),
        (demographic(year_of_birth="1900"), "type", "year_of_birth", "1900", "Give a whole number"),
        (demographic(year_of_birth=1800), "minimum", "year_of_birth", 1800, "Give 1900 or more."),
        (demographic(seen_at="yesterday"), "format", "seen_at", "yesterday", "2024-01-31T12:00:00Z"),
        (
            {"type": "experiment", "submitter_id": "x", "projects": {"code": "two"}},
            "project", "projects", "two", "Name the project 'one'",
        ),
        ({"type": "aliquot", "submitter_id": "x"}, "required", "samples", None, "Fill in samples or cases."),
    ],
)  # fmt: skip
def test_a_fault_says_where_it_is_and_what_to_do(
    api: Any, document: dict[str, Any], rule: str, column: str, value: Any, suggestion: str
) -> None:
    answer = api.put(case("good"), document, path="/P/one/_dry_run")
    found = next(each for each in faults(answer) if each["column"] == column)
    assert (found["row"], found["rule"], found["value"]) == (1, rule, value)
    assert found["pointer"] == f"/1/{column}"
    assert suggestion in found["suggestion"]


def test_a_fault_deep_in_a_document_is_pointed_at(api: Any) -> None:
    answer = api("PUT", "/P/one/_dry_run", case("x", consent_codes=["a", 3])).json()
    [found] = faults(answer)
    assert (found["pointer"], found["column"], found["value"]) == ("/consent_codes/1", "consent_codes", '["a",3]')


def test_what_would_have_been_allowed_is_told_nearest_first(api: Any) -> None:
    [found] = faults(api.put(case("x", disease_type="Gliom"), path="/P/one/_dry_run"))
    assert (found["allowed"], found["allowed_count"], found["nearest"]) == (["glioma", "melanoma"], 2, ["glioma"])


def test_a_fault_in_a_table_names_row_and_column_as_they_were_sent(api: Any) -> None:
    text = (
        "*type\t*submitter_id\t*experiments.submitter_id\tprimary_sit\n"
        "case\ta\te\t\n"
        "\n"
        "case\tb\tE1\tlung\n"
        "case\tB\te\t\n"
        "case\tc\te\t\tmore\n"
    )
    told = [
        (each["row"], each["column"], each["rule"], each["value"])
        for each in faults(api.table(text, path="/P/one/_dry_run"))
    ]
    assert told == [
        (4, "primary_sit", "additionalProperties", "lung"),
        (5, "*submitter_id", "uniqueKeys", "B"),
        (6, None, "cells", "more"),
    ]


def test_a_key_that_is_there_twice_names_the_other_row(api: Any) -> None:
    text = "type\tsubmitter_id\texperiments.submitter_id\ncase\ta\te\ncase\tA\te\n"
    [found] = faults(api.table(text, path="/P/one/_dry_run"))
    assert found["suggestion"].startswith("Row 2 has the same")


def test_a_target_is_looked_for_in_the_request_and_in_the_project_alone(api: Any) -> None:
    api.put(case("near-1"))
    api.put(case("near-7"), path="/P/two")
    sample = {"type": "sample", "submitter_id": "s", "cases": {"submitter_id": "near-9"}}
    [found] = faults(api.put(sample, case("near-2"), path="/P/one/_dry_run"))
    assert sorted(found["nearest"]) == ["near-1", "near-2"]
    assert found["target"] == {"type": "case", "submitter_id": "near-9"}


def test_neighbours_are_found_by_the_index(api: Any, sql: Any, running: Any, name: str) -> None:
    sql(
        "insert into graph.node_case (node_id, _props, created, acl, _sysan) select gen_random_uuid(),"
        " jsonb_build_object('submitter_id', :name || '-' || n, 'project_id', 'P-one'), now(), '{}', '{}'"
        " from generate_series(1, 30000) n",
        name=name,
    )
    sql("analyze graph.node_case")
    engine = running.app.database.engine
    sample = {"type": "sample", "submitter_id": "s", "cases": {"submitter_id": f"{name}-29999x"}}
    with noted(engine) as asked:
        [found] = faults(api.put(sample, path="/P/one/_dry_run"))
    assert found["nearest"][0] == f"{name}-29999"
    # What is to be held is looked for in another way.
    [(statement, parameters)] = [each for each in asked if "LATERAL" in each.text and " FOR " not in each.text]
    with engine.begin() as connection:
        plan = "\n".join(connection.exec_driver_sql(f"explain {statement}", parameters).scalars())
    sql("delete from graph.node_case where _props->>'submitter_id' like :name || '-%'", name=name)
    assert plan.count("Index Scan") == 2, plan


def test_who_may_not_read_the_project_is_not_told_what_is_in_it(
    api: Any, caller: Callable[[str | None], Any], name: str
) -> None:
    """Bob may create records and read none."""
    api.put(case(f"{name}-1"))
    sample = {"type": "sample", "submitter_id": "s", "cases": {"submitter_id": f"{name}-9"}}
    told = {}
    for user in ("alice", "bob"):
        [found] = faults(caller(user)("POST", "/P/one/_dry_run", sample).json())
        told[user] = found.get("nearest", [])
    assert (told["alice"][:1], told["bob"]) == ([f"{name}-1"], [])
    [found] = faults(caller("bob")("POST", "/P/one/_dry_run", [sample, case(f"{name}-8")]).json())
    assert found["nearest"] == [f"{name}-8"]


def test_a_commit_that_fails_tells_of_the_rows_that_were_sent(api: Any, name: str) -> None:
    table = f"type\tsubmitter_id\texperiments.submitter_id\n\ncase\t{name}\te\n".encode()
    headers = {"Content-Type": "text/tab-separated-values"}
    number = api("POST", "/P/one/_dry_run", data=table, headers=headers).json()["transaction_id"]
    api.put(case(name))
    path = f"/P/one/transactions/{number}/commit"
    [found] = faults(api("PUT", path).json())
    assert (found["row"], found["column"]) == (3, "submitter_id")
    assert "already exists" in api("PUT", f"{path}?format=tsv").text.splitlines()[2]


def test_a_value_of_any_length_makes_no_long_fault(api: Any) -> None:
    [found] = faults(api.put(case("x", disease_type="flu" * 40_000), path="/P/one/_dry_run"))
    assert len(found["value"]) == 100
    assert len(found["message"]) < 1100


def test_what_is_no_record_is_told_with_its_place(api: Any) -> None:
    answer = api.put(case("x"), "text", path="/P/one/_dry_run")
    [found] = answer["transactional_errors"]
    assert (found["row"], found["pointer"]) == (1, "/1")
