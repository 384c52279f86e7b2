"""Who may write records over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.index_service import PROJECT
from tests.records_api import ask, body, made

__all__ = ["ask", "made"]

MD5 = "0cc175b9c0f1b6a831c399e269772661"
UUID = "6f1c2f0e-0d0a-4c6b-9d0f-3f2b8a5f7c11"
ELSEWHERE = "/programs/p/projects/other"


@pytest.mark.parametrize(
    ("user", "authz", "status"),
    [
        (None, [PROJECT], 401),
        ("nobody", [PROJECT], 403),
        ("member", [PROJECT], 200),
        ("member", [PROJECT, ELSEWHERE], 403),
        ("member", [PROJECT + "uux"], 403),
        ("member", ["/programs/p"], 403),
        ("member", [], 403),
        ("uploader", [], 403),
        ("admin", [], 200),
        ("admin", ["/anything/else"], 200),
    ],
)
def test_who_may_create(ask: Callable[..., requests.Response], user: str | None, authz: list[str], status: int) -> None:
    answer = ask("POST", "/index/index", user, json=body(authz=authz))
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]


@pytest.mark.parametrize(
    ("user", "old", "new", "status"),
    [
        ("member", [PROJECT], [PROJECT], 200),
        ("member", [ELSEWHERE], [PROJECT], 403),
        ("member", [PROJECT], [ELSEWHERE], 403),
        (None, [PROJECT], [PROJECT], 401),
        ("admin", [ELSEWHERE], [PROJECT], 200),
    ],
)
def test_an_update_needs_the_old_and_the_new_paths(
    ask: Callable[..., requests.Response],
    made: Callable[..., dict[str, Any]],
    user: str | None,
    old: list[str],
    new: list[str],
    status: int,
) -> None:
    record = made(authz=old)
    answer = ask("PUT", f"/index/index/{record['did']}?rev={record['rev']}", user, json={"authz": new})
    assert answer.status_code == status
    assert ask("GET", f"/index/index/{record['did']}").json()["authz"] == (new if status == 200 else old)


@pytest.mark.parametrize(
    ("method", "tail", "json"),
    [
        ("DELETE", "?rev={rev}", None),
        ("POST", "", body()),
        ("PUT", "/versions", {"acl": ["x"]}),
        ("POST", "/aliases", {"aliases": [{"value": "x"}]}),
        ("PUT", "/aliases", {"aliases": [{"value": "x"}]}),
        ("DELETE", "/aliases", None),
        ("DELETE", "/aliases/x", None),
    ],
)
@pytest.mark.parametrize(("user", "status"), [(None, 401), ("member", 403), ("uploader", 403)])
def test_who_may_not_change_a_record_leaves_it_alone(
    ask: Callable[..., requests.Response],
    made: Callable[..., dict[str, Any]],
    method: str,
    tail: str,
    json: Any,
    user: str | None,
    status: int,
) -> None:
    record = made(authz=[ELSEWHERE])
    answer = ask(method, f"/index/index/{record['did']}{tail.format(**record)}", user, json=json)
    assert answer.status_code == status
    assert ask("GET", f"/index/index/{record['did']}").json() == record


@pytest.mark.parametrize(
    ("user", "given", "status"),
    [
        ("uploader", {"uploader": "uploader"}, 201),
        ("uploader", {}, 201),
        ("uploader", {"uploader": "somebody else"}, 403),
        ("uploader", {"authz": [PROJECT]}, 403),
        ("member", {"authz": [PROJECT], "uploader": "somebody else"}, 201),
        ("member", {}, 403),
        (None, {}, 401),
        ("admin", {"uploader": "somebody else"}, 201),
    ],
)
def test_who_may_create_a_blank_record(
    ask: Callable[..., requests.Response], user: str | None, given: dict[str, Any], status: int
) -> None:
    assert ask("POST", "/index/index/blank", user, json={**given, "file_name": "f"}).status_code == status


@pytest.mark.parametrize(("uploader", "status"), [("uploader", 200), ("somebody else", 403)])
def test_an_uploader_fills_only_his_own_blank_record(
    ask: Callable[..., requests.Response], uploader: str, status: int
) -> None:
    blank = ask("POST", "/index/index/blank", "admin", json={"uploader": uploader}).json()
    filled = {"size": 1, "hashes": {"md5": MD5}}
    path = f"/index/index/blank/{blank['did']}?rev={blank['rev']}"
    assert ask("PUT", path, "uploader", json=filled).status_code == status


def test_a_bad_token_reads_as_anybody_but_does_not_write(url: str) -> None:
    bad = {"Authorization": "bearer nonsense"}
    assert requests.get(f"{url}/index/index", headers=bad).status_code == 200
    assert requests.post(f"{url}/index/bulk/documents", headers=bad, json=[]).status_code == 200
    assert requests.post(f"{url}/index/index", headers=bad, json=body()).status_code == 401
