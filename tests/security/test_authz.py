"""Threats to the administration of policies and users: S3, S15, S21, S25 and S27."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from tests.administration import ONE, TWO, ask, make_client, make_policy, make_user, run
from tests.auth_service import Auth
from tests.tokens import bearer
from tornado.web import RequestHandler

from commonshub.auth.authz import routes as authz
from commonshub.auth.authz.administration import AdministrationHandler
from commonshub.auth.users import routes as users
from commonshub.auth.users.handlers import AdminHandler
from commonshub.core.grants import load, tables
from commonshub.core.identity import Identity
from commonshub.core.policy import Request, Snapshot

ROLE = {"id": "self", "permissions": [{"id": "all", "action": {"service": "*", "method": "*"}}]}
POLICY = {"id": "self", "role_ids": ["administrator"], "resource_paths": ["/services"]}
# A try at every route that changes something; most would make the caller an administrator.
CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/authz/resource", {"path": "/self"}),
    ("PUT", "/authz/resource", {"path": "/open"}),
    ("DELETE", "/authz/resource", None),
    ("POST", "/authz/resource/open", {"name": "self"}),
    ("PUT", "/authz/resource/open", {"name": "self"}),
    ("DELETE", "/authz/resource/open", None),
    ("POST", "/authz/role", ROLE),
    ("PUT", "/authz/role", ROLE),
    ("DELETE", "/authz/role", None),
    ("POST", "/authz/role/self", ROLE),
    ("PUT", "/authz/role/self", ROLE),
    ("DELETE", "/authz/role/reader", None),
    ("POST", "/authz/policy", POLICY),
    ("PUT", "/authz/policy", POLICY),
    ("DELETE", "/authz/policy", None),
    ("POST", "/authz/policy/self", POLICY),
    ("PUT", "/authz/policy/uploader", {"role_ids": ["administrator"], "resource_paths": ["/services"]}),
    ("DELETE", "/authz/policy/one_reader", None),
    ("PUT", "/authz/bulk/policy", [{**POLICY, "id": "uploader"}]),
    ("POST", "/authz/user", {"name": "accomplice", "policies": ["administrator"]}),
    ("PATCH", "/authz/user/alice", {"email": "root@example.org"}),
    ("DELETE", "/authz/user/bob", None),
    ("POST", "/authz/user/alice/policy", {"policy": "administrator"}),
    ("DELETE", "/authz/user/root/policy", None),
    ("POST", "/authz/user/alice/bulk/policy", [{"policy": "administrator"}]),
    ("DELETE", "/authz/user/alice/bulk/policy", None),
    ("DELETE", "/authz/user/root/policy/administrator", None),
    ("POST", "/authz/group", {"name": "self", "users": ["alice"], "policies": ["administrator"]}),
    ("PUT", "/authz/group", {"name": "twos", "users": ["alice"], "policies": ["administrator"]}),
    ("DELETE", "/authz/group/twos", None),
    ("POST", "/authz/group/twos/user", {"username": "alice"}),
    ("DELETE", "/authz/group/twos/user/both", None),
    ("POST", "/authz/group/anonymous/policy", {"policy": "two_reader"}),
    ("DELETE", "/authz/group/anonymous/policy/open_reader", None),
    ("POST", "/authz/client", {"clientID": "self", "policies": ["administrator"]}),
    ("DELETE", "/authz/client/service", None),
    ("POST", "/authz/client/service/policy", {"policy": "two_reader"}),
    ("DELETE", "/authz/client/service/policy", None),
    ("POST", "/authz/client/service/policy/administrator", None),
    ("DELETE", "/authz/client/service/policy/administrator", None),
    ("POST", "/user/admin/user", {"username": "accomplice"}),
    ("DELETE", "/user/admin/user/root/soft", None),
    ("POST", "/user/admin/user/root/reactivate", None),
]
CALLERS = {
    "anonymous": 401,
    "expired": 401,
    "api-key": 401,
    "user": 403,
    "from-the-administrators-key": 403,
    "client-for-the-administrator": 403,
    "service": 403,
    "service-that-administrates": 403,
}


@pytest.fixture(scope="module")
def tokens(auth: Auth) -> dict[str, str]:
    """A token of every kind of caller who may not change anything."""
    make_client(auth, "powerless", "one_reader")
    make_client(auth, "service", "administrator")
    key = auth.api_key("root")
    exchanged = auth.post("/user/credentials/api/access_token", json={"api_key": key}).json()["access_token"]
    return {
        "expired": auth.access_token("root", ttl_s=-60),
        "api-key": key,
        "user": auth.access_token("alice"),
        "from-the-administrators-key": exchanged,
        "client-for-the-administrator": auth.client_token("powerless", "root"),
        "service": auth.client_token("powerless"),
        "service-that-administrates": auth.client_token("service"),
    }


def stored(auth: Auth) -> dict[str, list[Any]]:
    """All that decides who may what, as the database has it."""

    def read(connection: sa.Connection) -> dict[str, list[Any]]:
        every = vars(tables("auth"))
        return {name: sorted(map(str, connection.execute(sa.select(table)).all())) for name, table in every.items()}

    return auth.app.database.call(read)


def test_s15_every_route_that_changes_something_is_tried() -> None:
    served = {
        (method, pattern)
        for pattern, handler in [*authz.ROUTES, *users.ROUTES]
        if issubclass(handler, AdministrationHandler | AdminHandler)
        for method in ("POST", "PUT", "PATCH", "DELETE")
        if getattr(handler, method.lower()) is not getattr(RequestHandler, method.lower())
    }
    tried = {(method, pattern) for method, path, _ in CHANGES for pattern in patterns() if re.fullmatch(pattern, path)}
    assert served <= tried


def patterns() -> list[str]:
    return [pattern for pattern, _ in [*authz.ROUTES, *users.ROUTES]]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=[f"{method} {path}" for method, path, _ in CHANGES])
def test_s15_only_an_administrators_own_session_changes_anything(
    auth: Auth, tokens: dict[str, str], caller: str, method: str, path: str, body: Any
) -> None:
    before, denied = stored(auth), denials(auth)
    headers = bearer(tokens[caller]) if caller in tokens else {}
    answer = auth.request(method, path, json=body, headers={**headers, "X-AuthZ-Provider": "self"})
    assert answer.status_code == CALLERS[caller]
    assert stored(auth) == before
    assert denials(auth) - denied == (1 if CALLERS[caller] == 403 else 0)


def denials(auth: Auth) -> int:
    return sum(row.decision == "denied" for row in auth.audited())


def test_s15_the_trail_says_who_granted_what_to_whom(auth: Auth) -> None:
    user, policy = make_user(auth, "granted15"), make_policy(auth, "policy15")
    answer = auth.post(
        f"/authz/user/{user}/policy",
        "root",
        json={"policy": policy, "expires_at": "2999-01-01T00:00:00Z"},
        headers={"X-AuthZ-Provider": "requestor", "X-Request-Id": "request15"},
    )
    assert answer.status_code == 204
    row = auth.audited()[-1]
    assert (row.username, row.action, row.subject, row.decision) == ("root", "grant", user, "allowed")
    assert row.request_id == "request15"
    assert row.detail == {"source": "requestor", "policies": {policy: "2999-01-01T00:00:00+00:00"}}


def test_s15_a_change_that_fails_leaves_no_trace_of_success(auth: Auth) -> None:
    before, rows = stored(auth), len(auth.audited())
    body = [{"policy": "one_reader"}, {"policy": "none"}]
    assert auth.post("/authz/user/bob/bulk/policy", "root", json=body).status_code == 400
    assert stored(auth) == before
    assert len(auth.audited()) == rows


def test_s15_every_service_follows_a_change(auth: Auth) -> None:
    # What a service of another process reads is what the database says.
    user, policy = make_user(auth, "follow15"), make_policy(auth, "follow15p")

    def allowed() -> bool:
        snapshot: Snapshot = auth.app.database.call(load, "auth")
        return snapshot.allows(Identity(user), Request("fence", "read-storage", ONE))

    assert not allowed()
    run(auth, ("POST", f"/user/{user}/policy", {"policy": policy}, 204))
    assert allowed()
    run(auth, ("DELETE", f"/user/{user}/policy/{policy}", None, 204))
    assert not allowed()


# -- names -------------------------------------------------------------------------------------------------------------

NAMES = [
    "o'brien",
    'a"b',
    "a%b",
    "a_b",
    "a;drop table auth.usr;--",
    "a\\b",
    "a`b",
    "$1",
    "a b",
    "ü",
    "../x",
    "a/b",
    "%s",
]


@pytest.mark.parametrize("name", NAMES)
def test_s25_a_name_round_trips_and_stands_for_itself_only(auth: Auth, name: str) -> None:
    # What the name would also stand for, were it a pattern.
    decoy = f"{name}-" if not set("%_") & set(name) else name.replace("%", "XY").replace("_", "X")
    for each, path in ((name, ONE), (decoy, TWO)):
        make_role_policy_group(auth, each, path)
    quoted = quote(name, safe="")
    for kind, key in (("role", "id"), ("policy", "id"), ("group", "name"), ("client", "clientID")):
        assert run(auth, ("GET", f"/{kind}/{quoted}", None, 200))[key] == name
    assert run(auth, ("GET", f"/policy/{quoted}", None, 200))["resource_paths"] == [ONE]
    mapping = auth.post("/authz/auth/mapping", "root", json={"clientID": name}).json()
    assert mapping.keys() == {ONE}
    for kind in ("client", "group", "policy", "role"):
        run(auth, ("DELETE", f"/{kind}/{quoted}", None, 204), ("GET", f"/{kind}/{quoted}", None, 404))
    for kind in ("client", "group", "policy", "role"):
        run(auth, ("GET", f"/{kind}/{quote(decoy, safe='')}", None, 200))


def make_role_policy_group(auth: Auth, name: str, path: str) -> None:
    action = {"service": "fence", "method": "read-storage"}
    run(
        auth,
        ("POST", "/role", {"id": name, "permissions": [{"id": name, "action": action}]}, 201),
        ("POST", "/policy", {"id": name, "role_ids": [name], "resource_paths": [path]}, 201),
        ("POST", "/group", {"name": name, "policies": [name]}, 201),
        ("POST", "/client", {"clientID": name, "policies": [name]}, 201),
    )


@pytest.mark.parametrize("name", ["o'brien", 'q"q', "under_score", "semi;colon", "$1", "tick`"])
def test_s25_so_does_the_name_of_a_user(auth: Auth, name: str) -> None:
    make_user(auth, name, "one_reader")
    make_user(auth, name.replace("_", "x") + "2", "two_reader")
    assert run(auth, ("GET", f"/user/{quote(name)}", None, 200))["name"] == name
    assert auth.get("/authz/auth/mapping", name).json().keys() >= {ONE}
    assert TWO not in auth.get("/authz/auth/mapping", name).json()
    run(auth, ("DELETE", f"/user/{quote(name)}", None, 204))
    run(auth, ("GET", f"/user/{quote(name.replace('_', 'x') + '2')}", None, 200))


def test_s25_a_path_is_no_pattern(auth: Auth) -> None:
    run(
        auth, ("POST", "/resource?p", {"path": "/like_25/a"}, 201), ("POST", "/resource?p", {"path": "/likeX25/a"}, 201)
    )
    run(auth, ("DELETE", "/resource/like_25", None, 204))
    run(auth, ("GET", "/resource/like_25/a", None, 404), ("GET", "/resource/likeX25/a", None, 200))


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00b", "x" * 256])
def test_s25_what_can_be_no_name_is_refused(auth: Auth, name: str) -> None:
    run(auth, ("POST", "/role", {**ROLE, "id": name}, 400), ("POST", "/group", {"name": name}, 400))


@pytest.mark.parametrize("path", [each for each, _ in authz.ROUTES if "([^/]+)" in each or "(/.+)" in each])
def test_s25_a_nul_in_a_path_is_a_fault_of_the_caller(auth: Auth, path: str) -> None:
    sample = path.replace("([^/]+)", "a%00b").replace("(/.+)", "/a%00b").replace("/?", "")
    for method in ("GET", "DELETE"):
        assert auth.request(method, sample, "root").status_code in (400, 405)


BODIES = [
    *("", "{", "null", "[]", "[null]", "1", '"x"', "{}", '"\\u0000"', '"\\ud800"', "NaN"),
    *('{"id": null}', '{"id": "a\\u0000b", "name": "a\\u0000b", "username": "a\\u0000b", "policy": "a\\u0000b"}'),
    *('{"name": {"a": 1}, "path": ["x"], "username": 1, "clientID": []}', "[" * 2000, '{"a":' * 2000),
    '{"user": [], "request": {"resource": "/a", "action": []}}',
    '{"user": {"token": "\\u0000", "scope": [[]]}, "requests": [{"resource": "/\\u0000", "action": {}}]}',
]
ASKED = [("POST", f"/authz/auth/{name}", None) for name in ("request", "mapping", "resources")]


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for method, path, _ in (*CHANGES, *ASKED) if method != "DELETE"],
    ids=lambda each: each,
)
def test_s25_no_body_breaks_a_route(auth: Auth, method: str, path: str) -> None:
    headers = bearer(auth.access_token("root"))
    found = {body[:80]: auth.request(method, path, data=body, headers=headers).status_code for body in BODIES}
    allowed = dict.fromkeys(("", "{}"), 200) if path in EMPTY else {}
    assert found == {body: allowed.get(body, 400) for body in found}


# These take a body that says nothing: who asks is in the token.
EMPTY = {"/authz/auth/mapping", "/authz/auth/resources"}


# -- users who go and come ---------------------------------------------------------------------------------------------


def test_s03_a_user_who_is_made_again_inherits_nothing(auth: Auth) -> None:
    user = make_user(auth, "again03", "one_reader")
    run(auth, ("POST", "/group", {"name": "group03", "users": [user], "policies": ["two_reader"]}, 201))
    token, key = auth.access_token(user), auth.api_key(user)
    held = bearer(token)
    assert auth.get("/authz/auth/mapping", headers=held).json().keys() >= {ONE, TWO}
    run(auth, ("DELETE", f"/user/{user}", None, 204))
    assert auth.get("/authz/auth/mapping", headers=held).status_code == 401
    make_user(auth, user)
    assert not {ONE, TWO} & auth.get("/authz/auth/mapping", user).json().keys()
    # What the earlier one of this name holds is not the new one's.
    assert auth.get("/user/user", headers=held).status_code == 401
    assert auth.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 401


@pytest.mark.parametrize("kind", ["policy", "group"])
def test_s03_nor_does_a_policy_or_group(auth: Auth, kind: str) -> None:
    user, name = make_user(auth, f"kind03{kind}"), f"kind03{kind}x"
    make_policy(auth, name)
    if kind == "policy":
        run(auth, ("POST", f"/user/{user}/policy", {"policy": name}, 204), ("DELETE", f"/policy/{name}", None, 204))
        run(auth, ("POST", "/policy", {"id": name, "role_ids": [name], "resource_paths": [ONE]}, 201))
    else:
        run(auth, ("POST", "/group", {"name": name, "users": [user]}, 201), ("DELETE", f"/group/{name}", None, 204))
        run(auth, ("POST", "/group", {"name": name, "policies": [name]}, 201))
    assert ONE not in auth.get("/authz/auth/mapping", user).json()


def test_s03_a_definition_that_others_use_cannot_be_pulled_from_under_them(auth: Auth) -> None:
    user, policy = make_user(auth, "used03"), make_policy(auth, "used03p")
    granted = {"X-AuthZ-Provider": "requestor"}
    run(auth, ("POST", f"/user/{user}/policy", {"policy": policy}, 204), **granted)
    for path in (f"/policy/{policy}", f"/user/{user}"):
        assert "requestor" in run(auth, ("DELETE", path, None, 409))["error"]["message"]
    run(auth, ("DELETE", f"/user/{user}/policy/{policy}", None, 204), **granted)
    run(auth, ("DELETE", f"/policy/{policy}", None, 204), ("DELETE", f"/user/{user}", None, 204))


def test_s03_what_others_policies_are_made_of_stays(auth: Auth) -> None:
    role = {**ROLE, "id": "made03", "permissions": [{"id": "r", "action": {"service": "fence", "method": "read"}}]}
    run(auth, ("POST", "/role", role, 201), ("POST", "/resource", {"path": "/made03"}, 201))
    theirs = {"X-AuthZ-Provider": "requestor"}
    run(
        auth,
        ("POST", "/policy", {"id": "made03", "role_ids": ["made03"], "resource_paths": ["/made03"]}, 201),
        **theirs,
    )
    for method, path, body in (
        ("DELETE", "/role/made03", None),
        ("DELETE", "/resource/made03", None),
        ("PUT", "/policy/made03", {"role_ids": ["reader"], "resource_paths": [ONE]}),
        ("DELETE", "/policy/made03", None),
    ):
        assert "requestor" in run(auth, (method, path, body, 409))["error"]["message"]
    run(auth, ("DELETE", "/policy/made03", None, 204), **theirs)
    run(auth, ("DELETE", "/role/made03", None, 204), ("DELETE", "/resource/made03", None, 204))


def test_s03_a_name_to_which_something_is_still_granted_is_not_given_again(auth: Auth) -> None:
    user = make_user(auth, "left03")
    t = tables("auth")

    def drop_definitions(connection: sa.Connection) -> None:
        # As an import does whose file no longer has them.
        connection.execute(t.policy.delete().where(t.policy.c.id == "left03"))
        connection.execute(t.group.delete().where(t.group.c.name == "left03"))

    make_policy(auth, "left03")
    run(auth, ("POST", "/group", {"name": "left03", "users": [user], "policies": ["left03"]}, 201))
    auth.app.database.call(drop_definitions)
    run(auth, ("POST", "/policy", {"id": "left03", "role_ids": ["reader"], "resource_paths": [ONE]}, 409))
    run(auth, ("POST", "/group", {"name": "left03"}, 409))


@pytest.mark.parametrize(
    ("name", "status"),
    [("ALICE", 409), ("Alice", 409), ("ａlice", 400), ("alice ", 400), ("alice/x", 400), ("al\u0131ce", 201)],
)
def test_s03_no_two_users_are_one(auth: Auth, name: str, status: int) -> None:
    assert auth.post("/authz/user", "root", json={"name": name}).status_code == status
    assert auth.get("/authz/auth/mapping", "alice").json()[ONE]
    if status == 201:
        assert ONE not in auth.get("/authz/auth/mapping", name).json()


# -- what others may do ------------------------------------------------------------------------------------------------

QUESTIONS: list[tuple[str, str, Any]] = [
    ("POST", "/authz/auth/mapping", {"username": "{}"}),
    ("POST", "/authz/mapping", {"username": "{}"}),
    ("POST", "/authz/auth/mapping", {"clientID": "{}"}),
    ("POST", "/authz/auth/request", {"user": {"user_id": "{}"}, "request": ask()}),
    ("POST", "/authz/auth/resources", {"user": {"user_id": "{}"}}),
    ("GET", "/authz/user/{}", None),
    ("GET", "/authz/user/{}/resources", None),
    ("GET", "/authz/group/{}", None),
    ("GET", "/authz/client/{}", None),
    ("GET", "/authz/policy/{}", None),
    ("GET", "/authz/role/{}", None),
    ("GET", "/authz/resource/{}", None),
    ("GET", "/user/admin/user/{}", None),
    ("GET", "/user/admin/user", None),
    ("GET", "/authz/user", None),
    ("GET", "/authz/group", None),
    ("GET", "/authz/client", None),
    ("GET", "/authz/policy?expand", None),
    ("GET", "/authz/role", None),
    ("GET", "/authz/resource", None),
]


@pytest.mark.parametrize(("asker", "status"), [("bob", 403), (None, 401)])
@pytest.mark.parametrize(("method", "path", "body"), QUESTIONS, ids=[f"{q[1]} {list(q[2] or ())}" for q in QUESTIONS])
def test_s21_what_others_may_do_is_not_told_nor_whether_they_exist(
    auth: Auth, method: str, path: str, body: Any, asker: str | None, status: int
) -> None:
    def answer(name: str) -> tuple[int, str]:
        found = auth.request(method, path.replace("{}", name), asker, json=named(body, name))
        return found.status_code, found.text

    assert answer("alice")[0] == status
    assert answer("alice") == answer("does-not-exist")


def named(body: Any, name: str) -> Any:
    if isinstance(body, dict):
        return {key: named(value, name) for key, value in body.items()}
    return body.replace("{}", name) if isinstance(body, str) else body


def test_s21_everybody_may_ask_about_himself(auth: Auth) -> None:
    assert auth.get("/authz/user/bob", "bob").json()["policies"] == [
        {"policy": "uploader", "expires_at": None, "source": "user.yaml"}
    ]
    assert auth.get("/authz/user/bob/resources", "bob").json()["resources"] == ["/data_file", "/open"]
    body = {"user": {"user_id": "bob"}, "request": ask("/data_file", "file_upload")}
    assert auth.post("/authz/auth/request", "bob", json=body).json() == {"auth": True}


@pytest.mark.parametrize("path", ["/authz/user/bob", "/authz/user/bob/resources"])
def test_s21_an_application_is_told_of_its_user_by_userinfo_alone(auth: Auth, path: str) -> None:
    client = make_client(auth, f"curious21-{path.count('/')}")
    headers = bearer(auth.client_token(client, "bob"))
    assert auth.get(path, "bob").status_code == 200
    assert auth.get(path, headers=headers).status_code == 403


def test_s27_a_grant_and_the_end_of_its_policy_never_cross(auth: Auth) -> None:
    users_ = [make_user(auth, f"race27-{number}") for number in range(4)]
    make_policy(auth, "race27")
    policy = {"id": "race27", "role_ids": ["race27"], "resource_paths": [ONE]}

    def grant(user: str) -> set[int]:
        path = f"/authz/user/{user}/policy"
        return {auth.post(path, "root", json={"policy": "race27"}).status_code for _ in range(10)}

    def end() -> set[int]:
        found = set()
        for _ in range(10):
            found.add(auth.request("DELETE", "/authz/policy/race27", "root").status_code)
            found.add(auth.post("/authz/policy", "root", json=policy).status_code)
        return found

    with ThreadPoolExecutor(len(users_) + 1) as pool:
        ended = pool.submit(end)
        granted = set().union(*pool.map(grant, users_))
        assert granted <= {204, 400}
        assert ended.result() <= {204, 201}
    run(auth, ("DELETE", "/policy/race27", None, 204))
    assert not any("'race27'" in row for row in stored(auth)["user_policy"])
