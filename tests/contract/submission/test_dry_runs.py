"""Dry runs, and what becomes of them."""

from typing import Any

import pytest
from tests.submission_service import case, fresh, only_error


def test_g29_a_dry_run_tells_and_writes_nothing(api: Any) -> None:
    name = fresh()
    response = api("PUT", "/P/one/_dry_run", case(name))
    answer = response.json()
    assert (response.status_code, answer["success"], answer["created_entity_count"]) == (200, True, 1)
    assert answer["message"].startswith("Transaction would have been successful.")
    assert name not in api.export("case")


def test_g31_a_dry_run_can_be_committed_once(api: Any) -> None:
    name = fresh()
    number = api.put(case(name), path="/P/one/_dry_run", method="POST")["transaction_id"]
    answer = api("PUT", f"/P/one/transactions/{number}/commit")
    assert (answer.status_code, answer.json()["created_entity_count"]) == (201, 1)
    assert name in api.export("case")
    again = api("PUT", f"/P/one/transactions/{number}/commit")
    assert (again.status_code, "committed" in again.json()["message"]) == (400, True)


def test_g30_a_dry_run_of_deleting_can_be_committed(api: Any) -> None:
    name = fresh()
    id_ = api.put(case(name))["entities"][0]["id"]
    number = api("DELETE", f"/P/one/entities/_dry_run/{id_}").json()["transaction_id"]
    assert api("POST", f"/P/one/transactions/{number}/commit").status_code == 200
    assert name not in api.export("case")


def test_a_dry_run_that_is_right_no_longer_changes_nothing(api: Any) -> None:
    name = fresh()
    number = api.put(case(name), path="/P/one/_dry_run", method="POST")["transaction_id"]
    api.put(case(name))
    answer = api("PUT", f"/P/one/transactions/{number}/commit")
    assert (answer.status_code, only_error(answer.json())["keys"]) == (400, ["project_id", "submitter_id"])


@pytest.mark.parametrize("action", ["commit", "close"])
def test_g31_only_a_waiting_dry_run_of_the_project_can_be_committed_or_closed(api: Any, action: str) -> None:
    real = api.put(case(fresh()))["transaction_id"]
    failed = api.put(case(fresh(), foo=1), path="/P/one/_dry_run")["transaction_id"]
    closed = api.put(case(fresh()), path="/P/one/_dry_run")["transaction_id"]
    assert api("PUT", f"/P/one/transactions/{closed}/close").json()["code"] == 200
    waiting = api.put(case(fresh()), path="/P/one/_dry_run")["transaction_id"]
    asked = [("one", real), ("one", failed), ("one", closed), ("two", waiting), ("one", 999999999)]
    statuses = [api("PUT", f"/P/{code}/transactions/{number}/{action}").status_code for code, number in asked]
    assert statuses == [400, 400, 400, 404, 404]
