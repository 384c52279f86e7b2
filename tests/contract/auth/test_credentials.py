"""Gen3's cases of API keys and access tokens (C27, C30, C34-C42, C51)."""

from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.tokens import bearer, claims_of

from commonshub.auth.claims import SESSION_SCOPES, Account
from commonshub.core.grants import revoke, tables
from commonshub.core.identity import account_mark

API = "/user/credentials/api"
EXCHANGE = f"{API}/access_token"
REVOKE = "/user/oauth2/revoke"
DENYLISTED = "/user/credentials/token/denylisted"
TYPE, CAP_S = "WORKFLOW", 7200


@pytest.fixture(scope="module", autouse=True)
def task_tokens(auth: Auth) -> None:
    """Task tokens of one type; ``alice`` may have any of them, ``bob`` those of exactly 600 s, nobody else any."""
    auth.app.task_token_types = {TYPE: CAP_S}
    t = tables("auth")

    def grant(connection: sa.Connection) -> None:
        connection.execute(t.permission.insert().values(role_id="tasks", id="c", service="fence", method="create"))
        for user, path in {"alice": "", "bob": "/600"}.items():
            policy = f"tasks_{user}"
            connection.execute(t.policy.insert().values(id=policy))
            connection.execute(t.policy_role.insert().values(policy_id=policy, role_id="tasks"))
            place = f"/services/fence/task-token/{TYPE}{path}"
            connection.execute(t.policy_resource.insert().values(policy_id=policy, path=place))
            user_id = sa.select(t.user.c.id).where(t.user.c.username == user).scalar_subquery()
            binding = {"user_id": user_id, "policy_id": policy, "source": "test"}
            connection.execute(t.user_policy.insert().values(**binding))

    auth.app.database.call(grant)
    auth.running.call(auth.app.grants.reload())


def exchange(auth: Auth, key: str, **query: Any) -> requests.Response:
    return auth.post(EXCHANGE, json={"api_key": key}, params=query)


def made(auth: Auth, user: str = "alice", **options: Any) -> dict[str, str]:
    answer = auth.post(API, user, **options)
    assert answer.status_code == 200
    body: dict[str, str] = answer.json()
    return body


@pytest.mark.parametrize("path", [API, f"{API}/", "/user/credentials/cdis", "/user/credentials/cdis/"])
def test_c34_a_new_key_comes_with_its_identifier(auth: Auth, path: str) -> None:
    body = auth.post(path, "alice").json()
    assert body.keys() == {"api_key", "key_id"}
    claims = claims_of(body["api_key"])
    assert (claims["pur"], claims["jti"], claims["azp"]) == ("api_key", body["key_id"], "")


def test_c35_an_expired_access_token_makes_no_key_in_gen3s_words(auth: Auth) -> None:
    headers = bearer(auth.access_token("alice", ttl_s=-60))
    answer = auth.post(API, headers=headers)
    assert answer.status_code == 401
    assert "Authentication Error: Signature has expired" in answer.text


@pytest.mark.parametrize("form", ["json", "data"])
def test_c36_a_key_is_exchanged_as_json_and_as_a_form(auth: Auth, form: str) -> None:
    options: dict[str, Any] = {form: {"api_key": made(auth)["api_key"]}}
    answer = auth.post(EXCHANGE, **options)
    assert answer.status_code == 200
    claims = claims_of(answer.json()["access_token"])
    assert (claims["pur"], claims["aud"], claims["context"]["user"]["name"]) == ("access", ["gen3"], "alice")
    headers = bearer(answer.json()["access_token"])
    assert auth.get("/user/user", headers=headers).json()["username"] == "alice"


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"api_key": None}, 400), ({"api_key": ""}, 400), ({"api_key": "invalid"}, 401)],
    ids=str,
)
def test_c37_a_missing_key_is_400_and_an_invalid_one_401(auth: Auth, body: Any, status: int) -> None:
    answer = auth.post(EXCHANGE, json=body)
    assert answer.status_code == status
    assert "access_token" not in answer.json()


def test_c38_no_access_token_lives_longer_than_an_hour(auth: Auth) -> None:
    key = made(auth)["api_key"]
    assert exchange(auth, key, expires_in=3601).status_code == 400
    claims = claims_of(exchange(auth, key).json()["access_token"])
    assert claims["exp"] - claims["iat"] <= 3600


def test_c39_a_token_that_would_outlive_its_key_is_400(auth: Auth) -> None:
    key = made(auth, params={"expires_in": 400})["api_key"]
    assert exchange(auth, key, expires_in=600).status_code == 400
    assert exchange(auth, key, expires_in=300).status_code == 200


def test_c40_a_key_is_listed_until_it_is_deleted(auth: Auth) -> None:
    key = made(auth)
    listed = {each["jti"]: each["exp"] for each in auth.get(f"{API}/", "alice").json()["jtis"]}
    assert listed[key["key_id"]] == claims_of(key["api_key"])["exp"]
    assert auth.request("DELETE", f"{API}/{key['key_id']}", "alice").status_code == 204
    assert key["key_id"] not in auth.get(API, "alice").text
    assert auth.request("DELETE", f"{API}/{key['key_id']}", "alice").status_code == 404
    assert auth.request("DELETE", f"{API}/unknown", "alice").status_code == 404


def test_c41_a_scope_that_does_not_exist_is_400(auth: Auth) -> None:
    before = auth.get(API, "alice").json()
    assert auth.post(API, "alice", json={"scope": ["data", "invalid_scope"]}).status_code == 400
    assert auth.get(API, "alice").json() == before


TASKS: list[tuple[str, str, str, dict[str, Any], int]] = [
    ("type that is not configured", "alice", "OTHER", {}, 400),
    ("empty type", "alice", "", {}, 400),
    ("path as type", "alice", f"{TYPE}/600", {"expires_in": 600}, 400),
    ("no permission", "writer", TYPE, {"expires_in": 600}, 403),
    ("whole type", "alice", TYPE, {"expires_in": 600}, 200),
    ("whole type, other life", "alice", TYPE, {"expires_in": 60}, 200),
    ("whole type, default", "alice", TYPE, {}, 200),
    ("exact seconds", "bob", TYPE, {"expires_in": 600}, 200),
    ("other seconds", "bob", TYPE, {"expires_in": 601}, 403),
    ("fewer seconds", "bob", TYPE, {"expires_in": 599}, 403),
    ("default is not the seconds allowed", "bob", TYPE, {}, 403),
    ("at the cap", "alice", TYPE, {"expires_in": CAP_S}, 200),
    ("over the cap", "alice", TYPE, {"expires_in": CAP_S + 1}, 400),
    ("no integer", "alice", TYPE, {"expires_in": "1.5"}, 400),
    ("text", "alice", TYPE, {"expires_in": "long"}, 400),
    ("bool", "alice", TYPE, {"expires_in": "true"}, 400),
    ("zero", "alice", TYPE, {"expires_in": 0}, 400),
    ("negative", "alice", TYPE, {"expires_in": -600}, 400),
]


@pytest.mark.parametrize(
    ("user", "task", "query", "status"), [row[1:] for row in TASKS], ids=[f"C42-{row[0]}" for row in TASKS]
)
def test_c42_a_task_token_needs_its_type_and_the_right_to_its_life(
    auth: Auth, user: str, task: str, query: dict[str, Any], status: int
) -> None:
    answer = exchange(auth, auth.api_key(user, 86400), task_token=task, **query)
    assert answer.status_code == status
    if status == 200:
        claims = claims_of(answer.json()["access_token"])
        assert (claims["aud"], claims["context"]["task_token_type"], claims["pur"]) == ([TYPE], TYPE, "access")
        assert claims["exp"] - claims["iat"] == query.get("expires_in", CAP_S)


def test_c42_a_task_token_is_for_its_task_alone(auth: Auth) -> None:
    token = exchange(auth, auth.api_key("alice"), task_token=TYPE, expires_in=600).json()["access_token"]
    headers = bearer(token)
    for path in ("/user/user", "/user/credentials/api", "/user/data/buckets"):
        assert auth.get(path, headers=headers).status_code == 401


@pytest.mark.parametrize("task", [False, True], ids=["C27-api-key", "C27-task-token"])
def test_c27_what_was_revoked_is_401_in_use_and_403_on_the_denylist(auth: Auth, task: bool) -> None:
    key = made(auth)
    token = exchange(auth, key["api_key"], task_token=TYPE, expires_in=60).json()["access_token"] if task else None
    what = token or key["api_key"]
    assert auth.post(DENYLISTED, json={"token": what}).status_code == 200
    assert auth.post(REVOKE, "bob", data={"token": what}).status_code == 403
    assert auth.post(DENYLISTED, json={"token": what}).status_code == 200
    assert auth.post(REVOKE, "alice", data={"token": what}).status_code == 200
    assert exchange(auth, key["api_key"]).status_code == (200 if task else 401)
    assert auth.post(DENYLISTED, json={"token": what}).status_code == 403
    assert auth.post(DENYLISTED, headers=bearer(what)).status_code == 403


def test_c27_a_revoked_key_takes_its_task_tokens_along(auth: Auth) -> None:
    key = made(auth)
    token = exchange(auth, key["api_key"], task_token=TYPE, expires_in=60).json()["access_token"]
    auth.request("DELETE", f"{API}/{key['key_id']}", "alice")
    assert auth.post(DENYLISTED, json={"token": token}).status_code == 403


def test_a_deleted_user_s_tokens_are_on_the_list_for_as_long_as_they_live(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth.app.tokens, "api_key_ttl_s", 300)
    assert auth.post("/authz/user", "root", json={"name": "leaver"}).status_code == 201
    token, user = auth.access_token("leaver"), auth.account("leaver").id
    assert auth.post(DENYLISTED, json={"token": token}).status_code == 200
    assert auth.request("DELETE", "/authz/user/leaver", "root").status_code == 204
    assert auth.post(DENYLISTED, json={"token": token}).status_code == 403
    t = tables("auth").revoked.c
    left = sa.select(sa.extract("epoch", t.expires_at - sa.func.now())).where(t.id == account_mark(user))
    assert auth.app.database.call(lambda c: c.execute(left).scalar_one()) > CAP_S


def test_c30_a_revoked_token_is_on_the_list_also_after_its_end(auth: Auth) -> None:
    fresh = auth.access_token("alice", ttl_s=-60)
    assert auth.post(DENYLISTED, json={"token": fresh}).status_code == 200
    auth.app.database.call(revoke, "auth", [claims_of(fresh)["jti"]], 60)
    assert auth.post(DENYLISTED, json={"token": fresh}).status_code == 403


@pytest.mark.parametrize("body", [None, {}, {"token": ""}, {"token": "no token"}, {"token": "a.b.c"}], ids=str)
def test_c30_nobody_and_nothing_readable_are_not_on_the_list(auth: Auth, body: Any) -> None:
    assert auth.post(DENYLISTED, json=body).status_code == 200


@pytest.mark.parametrize("name", ["alice", "x" * 255, "\U00020000" * 255], ids=["C51-short", "C51-long", "C51-unicode"])
def test_c51_an_access_token_fits_into_4_kb_whatever_the_user_is_called(auth: Auth, name: str) -> None:
    account = Account(2**62, name, admin=True)
    claims = auth.app.minter.access(account, 3600, SESSION_SCOPES, session="s" * 36, task=TYPE)
    assert len(auth.app.keys.sign(claims)) < 4096
