"""Programs and projects, and who may do what."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests


def program(name: str) -> dict[str, Any]:
    return {"type": "program", "name": name, "dbgap_accession_number": name}


def project(code: str, **more: Any) -> dict[str, Any]:
    return {"type": "project", "code": code, "name": code, "dbgap_accession_number": code, **more}


def test_programs_and_projects_are_listed(api: Any) -> None:
    assert "/v0/submission/P" in api("GET", "/").json()["links"]
    assert api("GET").json() == api("GET", "/").json()
    assert api("GET", "/P").json()["links"] == ["/v0/submission/P/one", "/v0/submission/P/two"]


def test_the_ids_of_programs_and_projects_are_those_of_every_commons(api: Any) -> None:
    program_id = uuid.uuid5(uuid.UUID("85b08c6a-56a6-4474-9c30-b65abfd214a8"), "jnkns")
    project_id = uuid.uuid5(uuid.UUID("249b4405-2c69-45d9-96bc-7410333d5d80"), "jenkins")
    assert api("PUT", "/", program("jnkns")).json()["id"] == str(program_id)
    assert api("PUT", "/jnkns", project("jenkins")).json()["entities"][0]["id"] == str(project_id)


def test_a_program_is_created_once_and_then_updated(api: Any, sql: Any) -> None:
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


def test_only_what_is_empty_can_be_deleted(api: Any) -> None:
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


def test_a_project_is_a_resource_that_grants_can_be_given_on(api: Any, sql: Any) -> None:
    api("PUT", "/", program("R"))
    api("PUT", "/R", project("r"))
    paths = "select path from auth.resource where source = 'submission' and path ~ '^/programs/R' order by path"
    assert sql(paths) == [("/programs/R",), ("/programs/R/projects/r",)]
    api("DELETE", "/R/r")
    assert sql(paths) == [("/programs/R",)]


def test_before_the_auth_service_has_made_its_tables_projects_come_and_go_all_the_same(api: Any, sql: Any) -> None:
    sql("alter schema auth rename to later")
    try:
        assert api("PUT", "/", program("W")).status_code == 200
        assert api("PUT", "/W", project("w")).status_code == 200
        assert (api("DELETE", "/W/w").status_code, api("DELETE", "/W").status_code) == (204, 204)
    finally:
        sql("alter schema later rename to auth")


# -- who may ------------------------------------------------------------------------

EXPERIMENT = {"type": "experiment", "submitter_id": "by-test", "projects": {"code": "one"}}


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("GET", "/", None, (401, 200, 200, 200)),
        ("GET", "/P", None, (401, 200, 200, 200)),
        ("PUT", "/", program("S"), (401, 403, 403, 403)),
        ("PUT", "/P", project("s"), (401, 403, 403, 403)),
        ("DELETE", "/P", None, (401, 403, 403, 403)),
        ("DELETE", "/P/one", None, (401, 403, 403, 403)),
        ("PUT", "/P/one", EXPERIMENT, (401, 403, 403, 200)),
        ("POST", "/P/one/_dry_run", {**EXPERIMENT, "submitter_id": "dry"}, (401, 403, 200, 200)),
        ("PUT", "/P/one/_dry_run", EXPERIMENT, (401, 403, 403, 200)),
        ("PUT", "/P/two", EXPERIMENT, (401, 403, 403, 403)),
        ("PUT", "/P/nowhere", EXPERIMENT, (401, 403, 403, 403)),
        ("PUT", "/P/one%2Fprojects%2Ftwo", EXPERIMENT, (404, 404, 404, 404)),
        ("PUT", "/P/one/open", None, (401, 403, 403, 403)),
        ("PUT", "/P/one/review", None, (401, 403, 403, 403)),
        ("POST", "/P/one/release/_dry_run", None, (401, 403, 403, 403)),
        ("PUT", "/P/one/transactions/999999999/commit", None, (401, 403, 403, 404)),
        ("PUT", "/P/two/transactions/999999999/close", None, (401, 403, 403, 403)),
        ("GET", "/P/one/export?node_label=case", None, (401, 403, 403, 200)),
        ("GET", "/P/two/export?node_label=case", None, (401, 403, 403, 403)),
        ("GET", "/P/one/entities/x", None, (401, 403, 403, 404)),
        ("DELETE", "/P/one/entities/x", None, (401, 403, 403, 400)),
        ("GET", "/_dictionary", None, (200, 200, 200, 200)),
        ("GET", "/_dictionary/_all", None, (200, 200, 200, 200)),
        ("GET", "/template/case", None, (200, 200, 200, 200)),
        ("GET", "/_status", None, (200, 200, 200, 200)),
    ],
)
def test_everybody_may_do_what_was_granted_and_nothing_else(
    api: Any, caller: Callable[[str | None], Any], method: str, path: str, body: Any, statuses: tuple[int, ...]
) -> None:
    """Anonymous; eve has no grant; bob may create; alice may read and write records of one project."""
    asked = [caller(name)(method, path, body) for name in (None, "eve", "bob", "alice")]
    assert tuple(answer.status_code for answer in asked) == statuses, [answer.text for answer in asked]


def test_a_forged_token_is_refused(api: Any) -> None:
    answer = requests.get(f"{api.url}/", headers={"Authorization": "bearer nonsense"})
    assert (answer.status_code, answer.json()["message"][:20]) == (401, "Authentication Error")


def test_a_record_is_not_readable_through_another_project(api: Any, caller: Callable[[str | None], Any]) -> None:
    document = {"type": "experiment", "submitter_id": "secret", "projects": {"code": "two"}}
    id_ = api.put(document, path="/P/two")["entities"][0]["id"]
    alice = caller("alice")
    assert alice("GET", f"/P/one/entities/{id_}").status_code == 404
    assert alice("GET", f"/P/one/export?ids={id_}&format=json").status_code == 404
    assert alice("DELETE", f"/P/one/entities/{id_}").status_code == 400
    assert api("GET", f"/P/two/entities/{id_}").status_code == 200
