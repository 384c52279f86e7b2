"""Userinfo, and Fence's administration of users: cases C52, C53 and C106."""

from typing import Any

import pytest
from tests.administration import ONE, make_user
from tests.auth_service import Auth
from tests.tokens import bearer

# -- userinfo ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"method": "GET"}, id="C52-get"),
        pytest.param({"method": "POST"}, id="C52-post"),
        pytest.param(
            {"method": "POST", "json": {"claims": {"userinfo": {"linked_google_account": None}}}}, id="C52-claims"
        ),
    ],
)
def test_userinfo_has_the_standard_claims(auth: Auth, options: dict[str, Any]) -> None:
    found = auth.request(options.pop("method"), "/user/user", "alice", **options).json()
    expected = {
        "username": "alice",
        "name": "alice",
        "preferred_username": "alice",
        "display_name": "alice",
        "email": "alice@example.org",
        "phone_number": "",
        "is_admin": False,
        "role": "user",
        "active": True,
        "azp": "",
        "certificates_uploaded": [],
        "resources_granted": [],
        "message": "",
    }
    assert expected.items() <= found.items()
    assert found["sub"] == str(found["user_id"])
    assert "ga4gh_passport_v1" not in found


def test_c52_a_token_for_passports_gets_an_empty_list_of_visas(auth: Auth) -> None:
    token = auth.access_token("alice", frozenset({"openid", "user", "ga4gh_passport_v1"}))
    found = auth.get("/user/user", headers=bearer(token)).json()
    assert found["ga4gh_passport_v1"] == []


def test_c52_userinfo_needs_the_scope_user(auth: Auth) -> None:
    token = auth.access_token("alice", frozenset({"openid", "data"}))
    assert auth.get("/user/user", headers=bearer(token)).status_code == 403


@pytest.mark.parametrize("user", ["alice", "both", "root", "nobody"])
def test_c53_userinfo_and_mapping_agree(auth: Auth, user: str) -> None:
    found = auth.get("/user/user", user).json()
    assert found["authz"] == auth.get("/authz/auth/mapping", user).json()
    assert found["resources"] == auth.get("/authz/auth/resources", user).json()["resources"] != []


# -- administration of users, in Fence's form --------------------------------------------------------------------------


def test_c106_an_administrator_sees_users_and_others_do_not(auth: Auth) -> None:
    found = auth.get("/user/admin/user/alice", "root")
    assert (found.status_code, found.json()["username"], found.json()["email"]) == (200, "alice", "alice@example.org")
    assert ONE in found.json()["authz"]
    assert auth.get("/user/admin/user/alice", "bob").status_code == 403
    assert auth.get("/user/admin/user/alice").status_code == 401
    assert auth.get("/user/admin/user/none106", "root").status_code == 404


def test_c106_a_user_is_made_once(auth: Auth) -> None:
    body = {"username": "New106", "email": "n@example.org", "display_name": "N", "tags": {"a": "b"}, "idp_name": "x"}
    made = auth.post("/user/admin/user", "root", json=body)
    assert (made.status_code, made.json()["username"], made.json()["tags"]) == (200, "new106", {"a": "b"})
    again = auth.post("/user/admin/user", "root", json={"username": "new106"})
    assert again.status_code == 400
    assert "Error: user already exist" in again.text


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="C106-nameless"),
        pytest.param({"username": "bad/106"}, id="C106-slash"),
        pytest.param({"username": "bad106", "email": 5}, id="C106-email"),
        pytest.param({"username": "bad106", "tags": ["a"]}, id="C106-tags"),
        pytest.param({"username": "bad106", "tags": {"a": {}}}, id="C106-tag"),
        pytest.param({"username": "bad106", "role": "admin"}, id="C106-role"),
    ],
)
def test_a_faulty_user_is_not_made(auth: Auth, body: Any) -> None:
    assert auth.post("/user/admin/user", "root", json=body).status_code == 400
    assert auth.get("/user/admin/user/bad106", "root").status_code == 404


def test_c106_a_user_is_switched_off_and_on(auth: Auth) -> None:
    user = make_user(auth, "soft106", "one_reader")
    token, key = auth.access_token(user), auth.api_key(user)
    held = bearer(token)
    assert auth.get("/user/user", headers=held).status_code == 200
    for _ in range(2):
        answer = auth.request("DELETE", f"/user/admin/user/{user}/soft", "root")
        assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert auth.get("/user/user", headers=held).status_code == 401
    assert auth.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 401
    assert auth.get("/authz/auth/mapping", headers=held).status_code == 401
    assert auth.post(f"/user/admin/user/{user}/reactivate", "root").json()["active"] is True
    assert auth.post(f"/user/admin/user/{user}/reactivate", "root").status_code == 400
    assert auth.get("/user/user", headers=held).status_code == 200
    assert auth.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 401


@pytest.mark.parametrize(("method", "path"), [("DELETE", "none106/soft"), ("POST", "none106/reactivate")])
def test_c106_an_unknown_user_is_404(auth: Auth, method: str, path: str) -> None:
    assert auth.request(method, f"/user/admin/user/{path}", "root").status_code == 404


def test_c106_users_are_listed_in_parts(auth: Auth) -> None:
    first = auth.get("/user/admin/users?limit=2", "root").json()
    second = auth.get(f"/user/admin/user?limit=2&start={first['next']}", "root").json()
    names = [each["username"] for each in (*first["users"], *second["users"])]
    assert len(names) == 4
    assert names == sorted(names)
    whole = auth.get("/user/admin/user", "root").json()["users"]
    assert next(each for each in whole if each["username"] == "root")["role"] == "admin"
