"""Programs and projects."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from tests.submission_service import program, project


def test_programs_and_projects_are_listed(api: Any) -> None:
    assert "/v0/submission/P" in api("GET", "/").json()["links"]
    assert api("GET").json() == api("GET", "/").json()
    assert api("GET", "/P").json()["links"] == ["/v0/submission/P/one", "/v0/submission/P/two"]


def test_the_ids_of_programs_and_projects_are_those_of_every_commons(api: Any) -> None:
    program_id = uuid.uuid5(uuid.UUID("85b08c6a-56a6-4474-9c30-b65abfd214a8"), "jnkns")
    project_id = uuid.uuid5(uuid.UUID("249b4405-2c69-45d9-96bc-7410333d5d80"), "jenkins")
    assert api("PUT", "/", program("jnkns")).json()["id"] == str(program_id)
    assert api("PUT", "/jnkns", project("jenkins")).json()["entities"][0]["id"] == str(project_id)


def test_g02_a_program_is_created_once_and_then_updated(api: Any, sql: Any) -> None:
    first = api("PUT", "/", program("Q")).json()
    second = api("POST", "/", {**program("Q"), "dbgap_accession_number": "phs1"}).json()
    assert (first["message"], second["message"]) == ("Program registered.", "Program is updated!")
    assert first["id"] == second["id"]
    stored = sql("select _props->>'dbgap_accession_number' from graph.node_program where node_id = :i", i=first["id"])
    assert stored == [("phs1",)]


@pytest.mark.parametrize(
    "document",
    [
        project("x"),
        {"type": "program", "name": "x"},
        program("a-b"),
        program("a/b"),
        program("_dictionary"),
        program("graphql"),
        program(".."),
        program(""),
        {**program("x"), "foo": 1},
        [program("x"), program("y")],
    ],
    ids=str,
)
def test_a_program_that_breaks_the_rules_is_refused(api: Any, document: Any) -> None:
    before = api("GET", "/").json()
    assert api("PUT", "/", document).status_code == 400
    assert api("GET", "/").json() == before


def test_a_project_answers_like_a_transaction(api: Any) -> None:
    answer = api("PUT", "/P", project("three")).json()
    assert (answer["code"], answer["success"], answer["created_entity_count"]) == (200, True, 1)
    assert answer["entities"][0]["unique_keys"] == [{"code": "three"}]
    again = api("PUT", "/P", project("three", availability_type="Open")).json()
    assert (again["updated_entity_count"], again["entities"][0]["id"]) == (1, answer["entities"][0]["id"])


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/nowhere", project("x"), 404),
        ("/P", project("x", zzz=1), 400),
        ("/P", project("x", availability_type="Maybe"), 400),
        ("/P", {"type": "project", "code": "x"}, 400),
        ("/P", project("a/b"), 400),
        ("/P", project("_dry_run"), 400),
        ("/P", project("ONE"), 400),
        ("/other", project("one"), 400),
        ("/P", {**project("x"), "type": "case"}, 400),
    ],
)
def test_a_project_that_breaks_the_rules_is_refused(api: Any, path: str, document: dict[str, Any], status: int) -> None:
    api("PUT", "/", program("other"))
    before = api("GET", "/P").json()
    assert api("PUT", path, document).status_code == status
    assert api("GET", "/P").json() == before


def test_g04_only_what_is_empty_can_be_deleted(api: Any) -> None:
    api("PUT", "/", program("D"))
    api("PUT", "/D", project("d"))
    api.put({"type": "experiment", "submitter_id": "e", "projects": {"code": "d"}}, path="/D/d")
    assert api("DELETE", "/D/d").status_code == 400
    assert api("DELETE", "/D").status_code == 400
    id_ = api("GET", "/D/d/export/?node_label=experiment&format=json").json()["data"][0]["id"]
    assert api("DELETE", f"/D/d/entities/{id_}").status_code == 200
    assert api("DELETE", "/D/d").status_code == 204
    assert api("DELETE", "/D").status_code == 204
    assert (api("DELETE", "/D/d").status_code, api("DELETE", "/D").status_code) == (404, 404)


def test_a_closed_project_takes_nothing_until_it_is_opened(api: Any, sql: Any) -> None:
    api("PUT", "/P", project("shut"))
    close = "update graph.node_project set _props = _props || '{\"state\": \"review\"}' where _props->>'code' = 'shut'"
    sql(close)
    experiment = {"type": "experiment", "submitter_id": "e", "projects": {"code": "shut"}}
    refused = api("PUT", "/P/shut", experiment)
    assert (refused.status_code, "'review'" in refused.json()["message"]) == (400, True)
    assert api("PUT", "/P/shut/open").json()["code"] == 200
    assert api.put(experiment, path="/P/shut")["success"]


def test_a_project_is_reviewed_and_opened_again(api: Any) -> None:
    api("PUT", "/P", project("reviewed"))
    assert api("PUT", "/P/reviewed/review/_dry_run").json()["message"] == "Dry run: review is possible"
    experiment = {"type": "experiment", "submitter_id": "e", "projects": {"code": "reviewed"}}
    assert api.put(experiment, path="/P/reviewed")["success"]
    assert api("POST", "/P/reviewed/review").json()["message"] == "Successfully locked project for review"
    assert api("PUT", "/P/reviewed", experiment).status_code == 400
    again = api("PUT", "/P/reviewed/review")
    assert (again.status_code, "'review'" in again.json()["message"]) == (400, True)
    # The dictionary of the tests has no such state.
    assert "no state 'submitted'" in api("PUT", "/P/reviewed/submit").json()["message"]
    assert api("PUT", "/P/reviewed/open").json()["success"]
    assert api.put(experiment, path="/P/reviewed")["success"]
    assert api("PUT", "/P/nowhere/review").status_code == 404


def test_g01_a_program_is_created_by_who_may_and_listed(api: Any, caller: Callable[[str | None], Any]) -> None:
    assert caller("alice")("POST", "/", program("G")).status_code == 403
    assert "/v0/submission/G" not in api("GET", "/").json()["links"]
    assert api("POST", "/", program("G")).status_code == 200
    assert "/v0/submission/G" in api("GET", "/").json()["links"]
    unknown = api("POST", "/abc/", project("x"))
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Program abc not found")


@pytest.mark.parametrize("kind", ["text/tsv", "text/csv"])
def test_a_program_is_a_table_of_one_row_as_well(api: Any, kind: str) -> None:
    sign = "," if kind == "text/csv" else "\t"
    text = f"type{sign}name{sign}dbgap_accession_number\nprogram{sign}T{sign}phs1\n"
    assert api("PUT", "/", data=text.encode(), headers={"Content-Type": kind}).json()["name"] == "T"


def test_g03_a_project_is_listed_under_its_program_alone(api: Any) -> None:
    for name in ("Left", "Right"):
        api("PUT", "/", program(name))
    assert api("PUT", "/Left", project("g3")).status_code == 200
    assert api("GET", "/Left").json()["links"] == ["/v0/submission/Left/g3"]
    other = api("PUT", "/Right", project("g3"))
    assert (other.status_code, "already exists in DB" in other.json()["message"]) == (400, True)
    assert api("GET", "/Right").json()["links"] == []
