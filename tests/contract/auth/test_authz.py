"""Arborist's decisions: cases C68 to C71."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.administration import ONE, TWO, ask, end_grant, make_client, make_policy, make_user
from tests.auth_service import Auth
from tests.tokens import bearer

# -- mapping -----------------------------------------------------------------------------------------------------------

READ = [{"service": "fence", "method": "read-storage"}]


@pytest.mark.parametrize(
    ("asker", "options", "status", "paths"),
    [
        pytest.param("alice", {"method": "GET"}, 200, {ONE, "/open", "/data_file"}, id="C68-get"),
        pytest.param(None, {"method": "GET"}, 200, {"/open"}, id="C68-get-anonymous"),
        pytest.param("ghost", {"method": "GET"}, 200, {"/open"}, id="C68-get-unknown"),
        pytest.param("alice", {"method": "POST"}, 200, {ONE, "/open", "/data_file"}, id="C68-post-token"),
        pytest.param("alice", {"json": {}}, 200, {ONE, "/open", "/data_file"}, id="C68-post-token-empty-body"),
        pytest.param(None, {"method": "POST"}, 200, {"/open"}, id="C68-post-anonymous"),
        pytest.param(None, {"json": {}}, 400, None, id="C68-post-neither"),
        pytest.param("root", {"json": {"username": "both"}}, 200, {ONE, TWO, "/open"}, id="C68-post-username"),
        pytest.param("root", {"json": {"username": "ghost"}}, 200, {"/open"}, id="C68-post-unknown"),
        pytest.param("both", {"json": {"username": "Both"}}, 200, {ONE, TWO, "/open"}, id="C68-post-self"),
        pytest.param("root", {"json": {"username": "a", "clientID": "b"}}, 400, None, id="C68-post-both"),
        pytest.param("root", {"json": {"clientID": "none68"}}, 200, set(), id="C68-post-unknown-client"),
        pytest.param("root", {"json": {"user": "a"}}, 400, None, id="C68-post-other-field"),
        pytest.param("root", {"data": "{"}, 400, None, id="C68-post-not-json"),
    ],
)
def test_a_mapping_tells_what_somebody_may_do_where(
    auth: Auth, asker: str | None, options: dict[str, Any], status: int, paths: set[str] | None
) -> None:
    answer = auth.request(options.pop("method", "POST"), "/authz/auth/mapping", asker, **options)
    assert answer.status_code == status
    assert status != 200 or answer.json().keys() == paths


def test_c68_a_bad_token_is_told_so(auth: Auth) -> None:
    for method in ("GET", "POST"):
        answer = auth.request(method, "/authz/auth/mapping", headers={"Authorization": "bearer x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, 401)


def test_c68_what_has_ended_is_not_shown_and_nothing_is_shown_twice(auth: Auth) -> None:
    first, second = make_policy(auth, "twice68a"), make_policy(auth, "twice68b")
    user = make_user(auth, "twice68", first, second)
    assert auth.get("/authz/auth/mapping", user).json()[ONE] == READ
    end_grant(auth, user)
    assert ONE not in auth.get("/authz/auth/mapping", user).json()


def test_c68_a_client_has_its_own_and_not_what_everybody_has(auth: Auth) -> None:
    client = make_client(auth, "client68", "one_reader")
    expected = {ONE: READ}
    assert auth.post("/authz/auth/mapping", "root", json={"clientID": client}).json() == expected
    headers = bearer(auth.client_token(client))
    assert auth.get("/authz/auth/mapping", headers=headers).json() == expected
    assert auth.post("/authz/auth/mapping", json={"clientID": client}, headers=headers).json() == expected


def test_c68_a_client_that_acts_for_a_user_has_what_both_have(auth: Auth) -> None:
    client = make_client(auth, "client68b", "one_reader")
    headers = bearer(auth.client_token(client, "both"))
    assert auth.post("/authz/auth/mapping", headers=headers).json() == {ONE: READ}


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/authz/auth/request", "/authz/request"])
@pytest.mark.parametrize(
    ("user", "requests", "expected"),
    [
        pytest.param("alice", [ask()], True, id="C69-allowed"),
        pytest.param("alice", [ask(ONE + "/below/it")], True, id="C69-below"),
        pytest.param("alice", [ask(ONE + "x")], False, id="C69-beside"),
        pytest.param("alice", [ask(TWO)], False, id="C69-unauthorized"),
        pytest.param("alice", [ask(method="write-storage")], False, id="C69-method"),
        pytest.param("alice", [ask(service="indexd")], False, id="C69-service"),
        pytest.param("alice", [ask(), ask("/open")], True, id="C69-several"),
        pytest.param("alice", [ask(), ask(TWO)], False, id="C69-several-unauthorized"),
        pytest.param("alice", [ask(method="*")], False, id="C69-star-asked"),
        pytest.param("root", [ask(method="*")], True, id="C69-star-granted"),
        pytest.param("root", [ask(method="anything", service="any")], True, id="C69-star-covers"),
        pytest.param("ghost", [ask("/open")], True, id="C69-logged-in"),
        pytest.param(None, [ask("/open")], True, id="C69-anonymous"),
        pytest.param(None, [ask("/open"), ask()], False, id="C69-anonymous-unauthorized"),
        pytest.param(None, [ask("/open", method="*")], False, id="C69-anonymous-star"),
    ],
)
def test_requests_are_decided_together(
    auth: Auth, path: str, user: str | None, requests: list[Any], expected: bool
) -> None:
    assert auth.post(path, user, json={"requests": requests}).json() == {"auth": expected}
    if len(requests) == 1:
        assert auth.post(path, user, json={"request": requests[0], "user": {}}).json() == {"auth": expected}
    token = {"token": auth.access_token(user)} if user else {"token": ""}
    assert auth.post(path, json={"user": token, "requests": requests}).json() == {"auth": expected}


@pytest.mark.parametrize(
    ("asker", "user", "status", "expected"),
    [
        pytest.param("root", {"user_id": "alice"}, 200, True, id="C69-user-id"),
        pytest.param("root", {"user_id": "Alice"}, 200, True, id="C69-user-id-case"),
        pytest.param("root", {"user_id": "bob"}, 200, False, id="C69-user-id-unauthorized"),
        pytest.param("alice", {"user_id": "alice"}, 200, True, id="C69-user-id-self"),
        pytest.param("bob", {"user_id": "alice"}, 403, None, id="C69-user-id-foreign"),
        pytest.param(None, {"user_id": "alice"}, 401, None, id="C69-user-id-anonymous"),
        pytest.param("root", {"user_id": "alice", "token": "x"}, 400, None, id="C69-user-both"),
        pytest.param("root", {"user_id": 5}, 400, None, id="C69-user-number"),
        pytest.param("root", {"name": "alice"}, 400, None, id="C69-user-field"),
        pytest.param("root", "alice", 400, None, id="C69-user-text"),
        pytest.param("alice", {"policies": ["one_reader"]}, 400, None, id="C69-policies"),
        pytest.param("alice", {"policies": []}, 200, True, id="C69-no-policies"),
        pytest.param(None, {"token": "x"}, 401, None, id="C69-token-malformed"),
        pytest.param(None, {"scope": "openid"}, 400, None, id="C69-scope-text"),
    ],
)
def test_a_subject_is_named_by_those_who_may(
    auth: Auth, asker: str | None, user: Any, status: int, expected: bool | None
) -> None:
    answer = auth.post("/authz/auth/request", asker, json={"user": user, "request": ask()})
    assert answer.status_code == status
    assert (answer.json()["auth"] is expected) if status == 200 else (answer.json()["error"]["code"] == status)


def test_c69_an_expired_token_or_policy_grants_nothing(auth: Auth) -> None:
    token = auth.access_token("alice", ttl_s=-60)
    answer = auth.post("/authz/auth/request", json={"user": {"token": token}, "request": ask()})
    assert answer.status_code == 401
    assert "Signature has expired" in answer.json()["error"]["message"]
    user = make_user(auth, "ended69", make_policy(auth, "ended69p"))
    assert auth.post("/authz/auth/request", user, json={"request": ask()}).json() == {"auth": True}
    end_grant(auth, user)
    assert auth.post("/authz/auth/request", user, json={"request": ask()}).json() == {"auth": False}


@pytest.mark.parametrize(("scope", "status"), [(["openid"], 200), (["openid", "ga4gh_passport_v1"], 401)])
def test_c69_a_token_may_be_asked_for_scopes(auth: Auth, scope: list[str], status: int) -> None:
    user = {"token": auth.access_token("alice"), "scope": scope}
    assert auth.post("/authz/auth/request", json={"user": user, "request": ask()}).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="C69-empty"),
        pytest.param({"requests": []}, id="C69-no-requests"),
        pytest.param({"requests": [ask()] * 1001}, id="C69-too-many"),
        pytest.param({"request": {"resource": ONE}}, id="C69-no-action"),
        pytest.param({"request": {"action": ask()["action"]}}, id="C69-no-resource"),
        pytest.param({"request": {**ask(), "action": {"service": "fence"}}}, id="C69-no-method"),
        pytest.param({"request": {**ask(), "extra": 1}}, id="C69-extra"),
        pytest.param({"request": {**ask(), "constraints": {"a": "b"}}}, id="C69-constraints"),
        pytest.param({"request": ask("some-tag")}, id="C69-tag"),
        pytest.param({"request": ask("/a/../b")}, id="C69-path"),
        pytest.param({"request": ask(), "extra": 1}, id="C69-unknown-field"),
        pytest.param({"requests": "x"}, id="C69-no-list"),
    ],
)
def test_a_malformed_request_is_refused(auth: Auth, body: Any) -> None:
    answer = auth.post("/authz/auth/request", "alice", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


def test_c69_what_is_not_json_is_refused(auth: Auth) -> None:
    assert auth.post("/authz/auth/request", "alice", data="{").status_code == 400


@pytest.mark.parametrize(
    ("policies", "user", "expected"),
    [
        pytest.param(["two_reader"], "alice", False, id="C69-client-forbidden"),
        pytest.param(["one_reader"], None, True, id="C69-client-only"),
        pytest.param(["two_reader"], None, False, id="C69-client-only-forbidden"),
        pytest.param(["one_reader"], "alice", True, id="C69-client-both"),
        pytest.param(["one_reader"], "bob", False, id="C69-client-allowed-user-not"),
    ],
)
def test_a_client_and_its_user_must_both_be_allowed(
    auth: Auth, policies: list[str], user: str | None, expected: bool, request: pytest.FixtureRequest
) -> None:
    client = make_client(auth, f"c69{request.node.callspec.id}", *policies)
    token = auth.client_token(client, user)
    body = {"user": {"token": token}, "request": ask()}
    assert auth.post("/authz/auth/request", json=body).json() == {"auth": expected}


# -- resources of somebody, and one decision for a proxy ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask_for", "expected"),
    [
        pytest.param(
            lambda auth: auth.get("/authz/auth/resources", "alice"), {ONE, "/open", "/data_file"}, id="C70-get"
        ),
        pytest.param(lambda auth: auth.get("/authz/auth/resources"), {"/open"}, id="C70-get-anonymous"),
        pytest.param(lambda auth: auth.get("/authz/auth/resources", "ghost"), {"/open"}, id="C70-get-unknown"),
        pytest.param(
            lambda auth: auth.post("/authz/auth/resources", json={"user": {"token": auth.access_token("both")}}),
            {ONE, TWO, "/open"},
            id="C70-post",
        ),
        pytest.param(
            lambda auth: auth.post("/authz/auth/resources", json={"user": {"token": auth.access_token("ghost")}}),
            {"/open"},
            id="C70-post-unknown",
        ),
        pytest.param(
            lambda auth: auth.post(
                "/authz/auth/resources",
                json={"user": {"token": auth.client_token(make_client(auth, "c70", "one_reader"))}},
            ),
            {ONE},
            id="C70-post-client",
        ),
    ],
)
def test_resources_are_those_where_something_is_granted(
    auth: Auth, ask_for: Callable[[Auth], Any], expected: set[str]
) -> None:
    assert set(ask_for(auth).json()["resources"]) == expected


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"json": {"other": 1}}, 400, id="C70-field"),
        pytest.param({"data": "{"}, 400, id="C70-not-json"),
        pytest.param({"json": {"user": {"token": "x"}}}, 401, id="C70-token"),
        pytest.param({"json": {"user": {"token": 5}}}, 400, id="C70-token-number"),
    ],
)
def test_a_malformed_question_for_resources_is_refused(auth: Auth, body: dict[str, Any], status: int) -> None:
    assert auth.post("/authz/auth/resources", **body).status_code == status


def test_c70_rights_of_groups_count_and_ended_ones_do_not(auth: Auth) -> None:
    assert TWO in auth.get("/authz/auth/resources", "both").json()["resources"]
    user = make_user(auth, "ended70", make_policy(auth, "ended70p"))
    end_grant(auth, user)
    assert ONE not in auth.get("/authz/auth/resources", user).json()["resources"]


@pytest.mark.parametrize("path", ["/authz/auth/proxy", "/authz"])
@pytest.mark.parametrize(
    ("user", "query", "status"),
    [
        pytest.param("alice", f"service=fence&method=read-storage&resource={ONE}", 200, id="C71-ok"),
        pytest.param("alice", f"service=fence&method=read-storage&resource={ONE}/not/registered", 200, id="C71-below"),
        pytest.param("alice", "service=fence&method=read-storage&resource=/nowhere", 403, id="C71-nonexistent"),
        pytest.param("alice", f"service=fence&method=write&resource={ONE}", 403, id="C71-method"),
        pytest.param("alice", f"service=indexd&method=read-storage&resource={ONE}", 403, id="C71-service"),
        pytest.param("alice", f"service=fence&method=read-storage&resource={ONE}/", 400, id="C71-slash"),
        pytest.param("alice", "service=fence&method=read-storage", 400, id="C71-no-resource"),
        pytest.param("alice", f"service=fence&resource={ONE}", 400, id="C71-no-method"),
        pytest.param("alice", f"method=read-storage&resource={ONE}", 400, id="C71-no-service"),
        pytest.param(None, f"service=fence&method=read-storage&resource={ONE}", 401, id="C71-no-token"),
    ],
)
def test_a_proxy_gets_one_decision(auth: Auth, path: str, user: str | None, query: str, status: int) -> None:
    answer = auth.get(f"{path}?{query}", user)
    assert (answer.status_code, answer.headers.get("REMOTE_USER")) == (status, user if status == 200 else None)


def test_c71_a_proxy_is_told_a_name_of_any_letters(auth: Auth) -> None:
    answer = auth.get("/authz/auth/proxy?service=fence&method=read-storage&resource=/open", "жанна")
    assert answer.status_code == 200
    # What a header holds is bytes, which the library shows as Latin letters.
    assert answer.headers["REMOTE_USER"].encode("latin-1").decode() == "жанна"


@pytest.mark.parametrize("header", ["bearer x", "Basic abc", "nothing"])
def test_c71_a_bad_header_is_401(auth: Auth, header: str) -> None:
    query = f"service=fence&method=read-storage&resource={ONE}"
    assert auth.get(f"/authz/auth/proxy?{query}", headers={"Authorization": header}).status_code == 401


def test_c71_an_expired_token_is_401(auth: Auth) -> None:
    query = f"service=fence&method=read-storage&resource={ONE}"
    headers = bearer(auth.access_token("alice", ttl_s=-60))
    assert auth.get(f"/authz/auth/proxy?{query}", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("policy", "user", "status"),
    [
        pytest.param("two_reader", "alice", 403, id="C71-client-forbidden"),
        pytest.param("two_reader", None, 403, id="C71-client-only-forbidden"),
        pytest.param("one_reader", "alice", 200, id="C71-client-granted"),
        pytest.param("one_reader", None, 200, id="C71-client-only-granted"),
    ],
)
def test_a_proxy_asks_for_clients_too(
    auth: Auth, policy: str, user: str | None, status: int, request: pytest.FixtureRequest
) -> None:
    client = make_client(auth, f"c71{request.node.callspec.id}", policy)
    query = f"service=fence&method=read-storage&resource={ONE}"
    headers = bearer(auth.client_token(client, user))
    assert auth.get(f"/authz/auth/proxy?{query}", headers=headers).status_code == status


def test_errors_have_the_form_of_arborist(auth: Auth) -> None:
    for path in ("/nothing/here", "/user/nobody-at-all"):
        answer = auth.get(f"/authz{path}", "root")
        assert answer.json() == {"error": {"message": answer.json()["error"]["message"], "code": 404}}
    assert auth.get("/authz/health").json() == "Healthy"
