"""Who am I, and what may I do."""

from typing import Any

import pytest
from tests.auth_service import Auth

ONE, TWO = "/programs/a/projects/one", "/programs/a/projects/two"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/user/user", "/user/user/"])
def test_a_user_learns_who_he_is(auth: Auth, method: str, path: str) -> None:
    found = auth.request(method, path, "alice").json()
    assert (found["username"], found["email"], found["tags"]) == ("alice", "alice@example.org", {"team": "a"})
    assert found["authz"][ONE] == [{"service": "fence", "method": "read-storage"}]
    assert found["project_access"] == {"a-one": ["read-storage"]}
    assert found["resources"] == sorted(found["authz"])
    assert (found["is_admin"], found["sub"]) == (False, str(found["user_id"]))


def test_no_list_of_rights_is_ever_empty(auth: Auth) -> None:
    for user in ("nobody", "root", "both"):
        assert all(auth.get("/user/user", user).json()["authz"].values())


def test_rights_of_groups_count(auth: Auth) -> None:
    found = auth.get("/user/user", "both").json()
    assert {ONE, TWO} <= found["authz"].keys()
    assert found["groups"] == ["twos"]


def test_an_administrator_is_known_as_one(auth: Auth) -> None:
    found = auth.get("/user/user", "root").json()
    assert found["is_admin"]
    assert "read-storage" in found["project_access"]["a-two"]


def test_without_a_token_there_is_no_user(auth: Auth) -> None:
    assert auth.get("/user/user").status_code == 401


def test_a_token_of_a_user_who_is_gone_is_refused(auth: Auth) -> None:
    assert auth.get("/user/user", "ghost").status_code == 401


@pytest.mark.parametrize("user", [None, "alice", "root"])
def test_mapping_and_resources_agree(auth: Auth, user: str | None) -> None:
    mapping = auth.get("/authz/mapping", user).json()
    assert auth.get("/authz/resources", user).json() == {"resources": sorted(mapping)}
    assert auth.post("/authz/mapping", user).json() == mapping
    assert "/open" in mapping


@pytest.mark.parametrize(("asker", "status"), [("alice", 200), ("root", 200), ("bob", 403), (None, 401)])
def test_the_rights_of_others_are_for_administrators(auth: Auth, asker: str | None, status: int) -> None:
    assert auth.post("/authz/mapping", asker, json={"username": "alice"}).status_code == status


@pytest.mark.parametrize(
    ("user", "query", "status"),
    [
        ("alice", f"service=fence&method=read-storage&resource={ONE}", 200),
        ("alice", f"service=fence&method=read-storage&resource={ONE}/deeper", 200),
        ("alice", f"service=fence&method=read-storage&resource={TWO}", 403),
        ("alice", f"service=fence&method=read-storage&resource={ONE}x", 403),
        ("alice", "service=fence&method=read-storage&resource=/programs/a/projects/../projects/one", 400),
        ("alice", f"service=fence&resource={ONE}", 400),
        (None, f"service=fence&method=read-storage&resource={ONE}", 401),
    ],
)
def test_a_proxy_gets_one_decision(auth: Auth, user: str | None, query: str, status: int) -> None:
    answer = auth.get(f"/authz?{query}", user)
    assert (answer.status_code, answer.headers.get("REMOTE_USER")) == (status, "alice" if status == 200 else None)


def ask(resource: str) -> dict[str, Any]:
    return {"resource": resource, "action": {"service": "fence", "method": "read-storage"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"request": ask(ONE)}, {"auth": True}),
        ({"requests": [ask(ONE), ask("/open")]}, {"auth": True}),
        ({"requests": [ask(ONE), ask(TWO)]}, {"auth": False}),
    ],
)
def test_several_requests_are_granted_together_or_not(auth: Auth, body: Any, expected: Any) -> None:
    assert auth.post("/authz/request", "alice", json=body).json() == expected


@pytest.mark.parametrize(
    "body", [{}, {"requests": []}, {"request": {}}, {"requests": "x"}, {"request": {"resource": 1}}]
)
def test_a_malformed_request_is_400(auth: Auth, body: Any) -> None:
    assert auth.post("/authz/request", "alice", json=body).status_code == 400


def test_no_other_commons_is_connected(auth: Auth) -> None:
    assert auth.get("/wts/external_oidc/").json() == {"providers": []}
