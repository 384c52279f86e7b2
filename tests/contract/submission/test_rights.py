"""Who may do what, and what nobody may by any path."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.submission_service import program, project

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
def test_g06_everybody_may_do_what_was_granted_and_nothing_else(
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


def test_g06_an_expired_token_is_no_token(api: Any, token: Callable[..., str]) -> None:
    expired = token("admin", exp=int(time.time()) - 60)
    answer = requests.get(f"{api.url}/", headers={"Authorization": f"bearer {expired}"})
    assert (answer.status_code, answer.json()["message"][:20]) == (401, "Authentication Error")
