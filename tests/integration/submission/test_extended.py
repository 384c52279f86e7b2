"""A graph database that sheepdog has made and filled is extended, and what nobody touches stays as it is."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests import psqlgraph
from tests.sheepdog import (
    CHANGED,
    LINKED,
    LOGS,
    NODES,
    TWO,
    Existing,
    Row,
    api,
    case,
    engine,
    existing,
    row,
    without_nulls,
)
from tests.submission_service import Api

__all__ = ["api", "engine", "existing", "row"]


def cases(api: Api) -> dict[str | None, dict[str, Any]]:
    answer = api("GET", "/P/one/export?node_label=case&format=json").json()
    return {each.get("submitter_id"): each for each in answer["data"]}


def test_an_update_changes_what_it_names_and_keeps_all_else(api: Api, row: Row) -> None:
    before = row("node_case", CHANGED)
    answer = api.put({"type": "case", "submitter_id": "CHANGED", "primary_site": "skin",
                      "experiments": [{"submitter_id": "other"}]})  # fmt: skip
    assert (answer["success"], answer["updated_entity_count"]) == (True, 1), answer
    after = row("node_case", CHANGED)
    given = {"primary_site": "skin", "submitter_id": "CHANGED"}
    assert after["props"].pop("updated_datetime")
    assert after == {**before, "props": {**before["props"], **given}}
    assert before["acl"] == ["open"]
    assert before["_sysan"] == {"legacy": [1, None]}
    assert [each["submitter_id"] for each in cases(api)["CHANGED"]["experiments"]] == ["other"]


def test_earlier_states_are_kept_behind_those_that_were_there(api: Api, engine: sa.Engine) -> None:
    for site in ("lung", "skin"):
        assert api.put({**case("linked"), "primary_site": site})["code"] == 200
    query = "select key, properties from _voided_nodes where node_id = :i order by key"
    with engine.connect() as connection:
        [(first, old), (second, then)] = connection.execute(sa.text(query), {"i": LINKED}).all()
    assert old == NODES["case"][LINKED]
    assert then["primary_site"] == "lung"
    assert 1 < first < second


def test_new_records_hang_on_old_ones(api: Api) -> None:
    documents = [
        {"type": "sample", "submitter_id": "new", "cases": {"submitter_id": "LINKED"}},
        {"type": "demographic", "submitter_id": "new", "cases": {"submitter_id": "linked"}},
    ]
    assert api.put(*documents)["created_entity_count"] == 2
    assert api.export("sample")["new"]["cases"] == [{"node_id": LINKED, "submitter_id": "linked"}]


def test_rules_of_links_hold_for_new_ones(api: Api) -> None:
    """The case has two demographics already, which stay."""
    answer = api.put({"type": "demographic", "submitter_id": "third", "cases": {"submitter_id": "case-a"}})
    [error] = answer["entities"][0]["errors"]
    assert error["rule"] == "multiplicity"
    assert {"d0", "d1"} <= api.export("demographic").keys()


@pytest.mark.parametrize("size", [1, 1000])
def test_a_link_that_breaks_a_rule_may_be_sent_again(
    api: Api, existing: Existing, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Or nothing else of the record could be changed: the dictionary requires the link."""
    model = existing.submission.app.model
    tools = replace(model.tools, sizes=replace(model.tools.sizes, chunk=size))
    monkeypatch.setattr(existing.submission.app, "model", replace(model, tools=tools))
    reads = [
        {
            "type": "submitted_aligned_reads",
            "submitter_id": f"r{number}",
            "file_size": 4,
            "aliquots": {"submitter_id": "a"},
        }
        for number in range(2)
    ]
    answer = api.put(*reads, path="/P/one/_dry_run")
    assert (answer["success"], answer["entity_error_count"]) == (True, 0), answer
    third = api.put(*reads, {**reads[0], "submitter_id": "r3"}, path="/P/one/_dry_run")
    assert [not each["valid"] for each in third["entities"]] == [False, False, True]


def test_a_key_that_is_taken_in_other_letters_is_taken(api: Api) -> None:
    case = {"type": "case", "submitter_id": "CASE-a", "experiments": {"submitter_id": "e"}}
    [error] = api.put(case, method="POST")["entities"][0]["errors"]
    assert error["rule"] == "uniqueKeys"


def test_a_record_whose_id_is_no_uuid_is_deleted(api: Api) -> None:
    assert api("DELETE", "/P/one/entities/no uuid%2F2").json()["deleted_entity_count"] == 1


def test_an_old_project_is_changed(api: Api, row: Row) -> None:
    before = row("node_project", TWO)
    project = {"type": "project", "code": "two", "name": "Two", "dbgap_accession_number": "phs2"}
    assert api("PUT", "/P", project).status_code == 200
    after = row("node_project", TWO)
    assert without_nulls(after.pop("props")) == {**without_nulls(before.pop("props")), "name": "Two"}
    assert after == before
    assert api("PUT", "/P/two/review").status_code == 200
    assert api("PUT", "/P/two/open").status_code == 200


@pytest.mark.parametrize(
    ("number", "created"), [(2, "tried-tsv"), (3, "tried-xml"), (4, "tried-json")], ids=["TSV", "XML", "JSON"]
)
def test_an_old_dry_run_is_committed(api: Api, number: int, created: str, row: Row) -> None:
    answer = api("PUT", f"/P/one/transactions/{number}/commit").json()
    assert (answer["success"], answer["created_entity_count"]) == (True, 1)
    assert answer["transaction_id"] > len(LOGS)
    assert created in cases(api)


def test_an_old_dry_run_of_deleting_is_committed(api: Api) -> None:
    answer = api("PUT", "/P/one/transactions/5/commit").json()
    assert (answer["success"], answer["deleted_entity_count"]) == (True, 1)
    assert "by-name" not in cases(api)


@pytest.mark.parametrize(
    ("number", "message"), [(1, "not a dry run"), (6, "has no records"), (7, "not a dry run"), (8, "not a dry run")]
)
def test_what_cannot_be_committed_is_refused(api: Api, number: int, message: str) -> None:
    answer = api("PUT", f"/P/one/transactions/{number}/commit")
    assert (answer.status_code, message in answer.json()["message"]) == (400, True)


def test_all_that_was_there_and_not_touched_is_as_it_was(existing: Existing, engine: sa.Engine) -> None:
    """Whatever the tests above have done."""
    with engine.connect() as connection:
        now = psqlgraph.contents(connection)
    touched = (CHANGED, LINKED, TWO, "no uuid", "(2,", "(3,", "(4,", "(5,")
    for table, rows in existing.contents.items():
        kept = [row for row in rows if not any(each in row for each in touched)]
        assert [row for row in kept if row not in now[table]] == []
