"""Arborist's administration of resources, roles, policies, users, clients and groups: cases C63 to C67."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from tests.administration import ONE, ROLE, TWO, make_client, make_policy, make_user, run, wait_until_denied
from tests.auth_service import Auth

# -- resources ---------------------------------------------------------------------------------------------------------


def test_c63_a_resource_is_made_once(auth: Auth) -> None:
    made = run(auth, ("POST", "/resource", {"path": "/c63", "description": "first"}, 201))["created"]
    assert made == {
        "name": "c63",
        "path": "/c63",
        "description": "first",
        "subresources": [],
        "sources": ["api"],
    }
    again = run(auth, ("POST", "/resource", {"path": "/c63"}, 409))
    assert again["error"]["code"] == 409
    assert again["exists"] == made


def test_c63_a_missing_parent_is_named_and_made_when_asked(auth: Auth) -> None:
    fault = run(auth, ("POST", "/resource", {"path": "/parent63/doesnt/exist"}, 400))
    assert "/parent63 " in fault["error"]["message"]
    body = {"path": "/parent63/doesnt/exist", "description": "we did it"}
    run(auth, ("POST", "/resource?p", body, 201), ("POST", "/resource?p", body, 409))
    assert run(auth, ("GET", "/resource/parent63", None, 200))["subresources"] == ["/parent63/doesnt"]
    assert run(auth, ("GET", "/resource/parent63/doesnt/exist", None, 200))["description"] == "we did it"


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        pytest.param("/slashes//many////of/", "/slashes/many/of", id="C63-slashes"),
        pytest.param(
            "/!@#punctuation$^-_is_-&(allowed)-==[].<>{},?;'\"",
            "/!@#punctuation$^-_is_-&(allowed)-==[].<>{},?;'\"",
            id="C63-punctuation",
        ),
    ],
)
def test_a_path_is_stored_as_it_is_meant(auth: Auth, path: str, stored: str) -> None:
    assert run(auth, ("POST", "/resource?p", {"path": path}, 201))["created"]["path"] == stored


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"path": "/a%2fb"}, id="C63-percent"),
        pytest.param({"path": "/a*"}, id="C63-star"),
        pytest.param({"path": "/a\\b"}, id="C63-backslash"),
        pytest.param({"path": "/a/../b"}, id="C63-dots"),
        pytest.param({"path": "/"}, id="C63-root"),
        pytest.param({"path": "relative"}, id="C63-relative"),
        pytest.param({}, id="C63-nameless"),
        pytest.param({"path": "/x63", "unexpected": 1}, id="C63-unexpected"),
        pytest.param({"path": "/x63", "subresources": [{"name": "y"}, {"name": "y"}]}, id="C63-twice"),
        pytest.param({"path": "/x63", "subresources": [{"path": "/elsewhere"}]}, id="C63-elsewhere"),
        pytest.param("text", id="C63-no-object"),
    ],
)
def test_a_malformed_resource_is_refused(auth: Auth, body: Any) -> None:
    before = run(auth, ("GET", "/resource", None, 200))
    run(auth, ("POST", "/resource?p", body, 400))
    assert run(auth, ("GET", "/resource", None, 200)) == before


def test_c63_put_without_merge_drops_what_is_not_listed_and_with_it_keeps(auth: Auth) -> None:
    tree = {"name": "tree63", "subresources": [{"name": "a", "subresources": [{"name": "deep"}]}, {"name": "b"}]}
    run(auth, ("POST", "/resource", tree, 201))
    merged = {"name": "tree63", "description": "new", "subresources": [{"name": "c"}]}
    run(auth, ("PUT", "/resource?merge", merged, 201))
    found = run(auth, ("GET", "/resource/tree63", None, 200))
    assert (found["description"], found["subresources"]) == ("new", ["/tree63/a", "/tree63/b", "/tree63/c"])
    run(auth, ("PUT", "/resource", {"name": "tree63", "subresources": [{"name": "b"}]}, 201))
    found = run(auth, ("GET", "/resource/tree63", None, 200))
    assert (found["description"], found["subresources"]) == ("new", ["/tree63/b"])
    run(auth, ("GET", "/resource/tree63/a/deep", None, 404))


def test_c63_a_resource_is_made_below_the_path_of_the_url(auth: Auth) -> None:
    run(auth, ("POST", "/resource", {"name": "url63"}, 201), ("POST", "/resource/url63/", {"name": "below"}, 201))
    run(auth, ("GET", "/resource/url63/below", None, 200))


def test_c63_deleting_takes_all_below_and_the_paths_of_policies(auth: Auth) -> None:
    run(auth, ("POST", "/resource?p", {"path": "/gone63/a/b"}, 201), ("POST", "/resource", {"path": "/gone63x"}, 201))
    policy = make_policy(auth, "gone63", ["/gone63/a/b", ONE])
    run(auth, ("DELETE", "/resource/gone63", None, 204), ("GET", "/resource/gone63/a/b", None, 404))
    run(auth, ("GET", "/resource/gone63x", None, 200), ("DELETE", "/resource/gone63", None, 204))
    assert run(auth, ("GET", f"/policy/{policy}", None, 200))["resource_paths"] == [ONE]


def test_c63_tags_are_not_served(auth: Auth) -> None:
    run(auth, ("GET", "/resource/tag/abcdefgh", None, 404), ("GET", "/auth/resources?tags", None, 400))


# -- roles and policies ------------------------------------------------------------------------------------------------


def test_c64_a_role_is_made_read_replaced_and_removed(auth: Auth) -> None:
    role = {"id": "role64", **ROLE}
    run(auth, ("POST", "/role", role, 201), ("POST", "/role", role, 409))
    found = run(auth, ("GET", "/role/role64", None, 200))
    assert found["permissions"] == [
        {"id": "r", "description": "", "action": {"service": "fence", "method": "read-storage"}, "constraints": {}}
    ]
    other = {"id": "role64", "permissions": [{"id": "w", "action": {"service": "fence", "method": "write-storage"}}]}
    assert [each["id"] for each in run(auth, ("PUT", "/role/role64", other, 200))["updated"]["permissions"]] == ["w"]
    run(auth, ("PUT", "/role/elsewhere", other, 400), ("GET", "/role/elsewhere", None, 404))
    assert "role64" in [each["id"] for each in run(auth, ("GET", "/role", None, 200))["roles"]]
    run(auth, ("DELETE", "/role/role64", None, 204), ("GET", "/role/role64", None, 404))
    run(auth, ("DELETE", "/role/role64", None, 204))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/role", {"id": "bad64", "permissions": []}, id="C64-no-permission"),
        pytest.param("/role", {"id": "bad64"}, id="C64-permissions-missing"),
        pytest.param("/role", {**ROLE, "id": ""}, id="C64-no-name"),
        pytest.param("/role", {"id": "bad64", "permissions": ROLE["permissions"] * 2}, id="C64-permission-twice"),
        pytest.param("/policy", {"id": "bad64", "role_ids": [], "resource_paths": [ONE]}, id="C64-no-role"),
        pytest.param("/policy", {"id": "bad64", "role_ids": ["reader"], "resource_paths": []}, id="C64-no-path"),
        pytest.param("/policy", {"id": "bad64", "role_ids": ["x64"], "resource_paths": [ONE]}, id="C64-unknown-role"),
        pytest.param(
            "/policy", {"id": "bad64", "role_ids": ["reader"], "resource_paths": [ONE, "/x64"]}, id="C64-unknown-path"
        ),
        pytest.param("/policy", {"role_ids": ["reader"], "resource_paths": [ONE]}, id="C64-nameless"),
    ],
)
def test_a_faulty_definition_is_refused_and_makes_nothing(auth: Auth, path: str, body: Any) -> None:
    run(auth, ("POST", path, body, 400), ("GET", f"{path}/bad64", None, 404))


def test_c64_an_unknown_role_or_path_is_named(auth: Auth) -> None:
    body = {"id": "named64", "role_ids": ["no-such-role"], "resource_paths": [ONE]}
    assert "no-such-role" in run(auth, ("POST", "/policy", body, 400))["error"]["message"]
    body = {"id": "named64", "role_ids": ["reader"], "resource_paths": ["/no/such/path"]}
    assert "/no/such/path" in run(auth, ("POST", "/policy", body, 400))["error"]["message"]


def test_c64_a_policy_is_made_read_replaced_and_removed(auth: Auth) -> None:
    policy = {"id": "policy64", "description": "d", "role_ids": ["reader"], "resource_paths": [ONE, TWO]}
    run(auth, ("POST", "/policy", policy, 201), ("POST", "/policy", policy, 409))
    assert run(auth, ("GET", "/policy/policy64", None, 200)) == {**policy, "source": "api"}
    expanded = run(auth, ("GET", "/policy?expand", None, 200))["policies"]
    [found] = [each for each in expanded if each["id"] == "policy64"]
    assert [role["id"] for role in found["roles"]] == ["reader"]
    assert found["roles"][0]["permissions"][0]["action"] == {"service": "fence", "method": "read-storage"}
    run(auth, ("PUT", "/policy/policy64", {"role_ids": ["writer"], "resource_paths": [TWO]}, 201))
    changed = run(auth, ("GET", "/policy/policy64", None, 200))
    assert (changed["role_ids"], changed["resource_paths"]) == (["writer"], [TWO])
    run(auth, ("PUT", "/policy/unknown64", {"role_ids": ["writer"], "resource_paths": [TWO]}, 404))
    run(auth, ("DELETE", "/policy/policy64", None, 204), ("GET", "/policy/policy64", None, 404))
    run(auth, ("DELETE", "/policy/policy64", None, 204))


def test_c64_policies_are_replaced_in_bulk_or_not_at_all(auth: Auth) -> None:
    names = [make_policy(auth, "bulk64a"), make_policy(auth, "bulk64b")]
    bodies = [{"id": name, "role_ids": ["reader"], "resource_paths": [TWO]} for name in names]
    run(auth, ("PUT", "/bulk/policy", [*bodies, {**bodies[0], "id": "unknown64"}], 404))
    assert run(auth, ("GET", "/policy/bulk64a", None, 200))["resource_paths"] == [ONE]
    run(auth, ("PUT", "/bulk/policy", [bodies[0], bodies[0]], 400), ("PUT", "/bulk/policy", bodies, 201))
    for name in names:
        assert run(auth, ("GET", f"/policy/{name}", None, 200))["resource_paths"] == [TWO]


# -- users -------------------------------------------------------------------------------------------------------------


def test_c65_a_user_is_made_read_changed_and_removed(auth: Auth) -> None:
    made = run(auth, ("POST", "/user", {"name": "user65", "email": "u@example.org", "groups": ["twos"]}, 201))
    assert (made["created"]["name"], made["created"]["groups"]) == ("user65", ["twos"])
    run(auth, ("POST", "/user", {"name": "User65"}, 409), ("PATCH", "/user/user65", {"email": "new@example.org"}, 204))
    assert run(auth, ("GET", "/user/user65", None, 200)) == {
        "name": "user65",
        "email": "new@example.org",
        "active": True,
        "groups": ["twos"],
        "policies": [],
        "source": "api",
    }
    assert "user65" in [each["name"] for each in run(auth, ("GET", "/user", None, 200))["users"]]
    run(auth, ("DELETE", "/user/user65", None, 204), ("GET", "/user/user65", None, 404))
    run(auth, ("DELETE", "/user/user65", None, 204))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/user", {"name": "with/slash"}, 400, id="C65-slash"),
        pytest.param("POST", "/user", {"email": "x"}, 400, id="C65-nameless"),
        pytest.param("POST", "/user", {"name": "bad65", "policies": ["none65"]}, 400, id="C65-unknown-policy"),
        pytest.param("POST", "/user", {"name": "bad65", "groups": ["none65"]}, 400, id="C65-unknown-group"),
        pytest.param("POST", "/user", {"name": "bad65", "groups": ["anonymous"]}, 400, id="C65-built-in-group"),
        pytest.param("PATCH", "/user/nobody65", {"email": "x"}, 404, id="C65-patch-unknown"),
        pytest.param("PATCH", "/user/bob", {}, 400, id="C65-patch-nothing"),
        pytest.param("PATCH", "/user/bob", {"name": 42}, 400, id="C65-patch-number"),
        pytest.param("PATCH", "/user/bob", {"name": "alice"}, 409, id="C65-patch-conflict"),
        pytest.param("PATCH", "/user/bob", {"name": "robert65"}, 400, id="C65-rename"),
        pytest.param("GET", "/user/with%2Fslash", None, 400, id="C65-read-slash"),
        pytest.param("POST", "/user/nobody65/policy", {"policy": "one_reader"}, 404, id="C65-grant-unknown-user"),
        pytest.param("POST", "/user/bob/policy", {"policy": "none65"}, 400, id="C65-grant-unknown-policy"),
        pytest.param("POST", "/user/bob/policy", {}, 400, id="C65-grant-nothing"),
        pytest.param("POST", "/user/bob/policy", [{"policy": "one_reader"}], 400, id="C65-grant-list"),
        pytest.param("POST", "/user/bob/bulk/policy", {"policy": "one_reader"}, 400, id="C65-bulk-no-list"),
        pytest.param(
            "POST", "/user/bob/bulk/policy", [{"policy": "one_reader"}, {"policy": "none65"}], 400, id="C65-bulk-partly"
        ),
        pytest.param("GET", "/user/nobody65/resources", None, 404, id="C65-resources-unknown"),
        pytest.param("DELETE", "/user/bob/policy/one_reader", None, 400, id="C65-revoke-what-is-not-there"),
        pytest.param("DELETE", "/user/both/policy/two_reader", None, 400, id="C65-revoke-what-a-group-gives"),
    ],
)
def test_a_faulty_change_of_a_user_changes_nothing(auth: Auth, method: str, path: str, body: Any, status: int) -> None:
    before = run(auth, ("GET", "/user", None, 200))
    run(auth, (method, path, body, status))
    assert run(auth, ("GET", "/user", None, 200)) == before


def test_c65_a_policy_is_given_with_an_end_and_taken(auth: Auth) -> None:
    user, policy = make_user(auth, "grant65"), make_policy(auth, "grant65p")
    end = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    run(auth, ("POST", f"/user/{user}/policy", {"policy": policy, "expires_at": end}, 204))
    expected = [{"policy": policy, "expires_at": end, "source": "api"}]
    assert run(auth, ("GET", f"/user/{user}", None, 200))["policies"] == expected
    assert ONE in auth.get("/authz/auth/mapping", user).json()
    run(auth, ("DELETE", f"/user/{user}/policy/{policy}", None, 204))
    assert ONE not in auth.get("/authz/auth/mapping", user).json()


def test_c65_an_end_is_kept_to_without_any_change(auth: Auth) -> None:
    user, policy = make_user(auth, "end65"), make_policy(auth, "end65p")
    end = datetime.now(UTC) + timedelta(seconds=3)
    run(auth, ("POST", f"/user/{user}/policy", {"policy": policy, "expires_at": end.isoformat()}, 204))
    wait_until_denied(auth, user, end)
    assert run(auth, ("GET", f"/user/{user}", None, 200))["policies"] == []


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("tomorrow", id="C65-end-text"),
        pytest.param("2030-01-01", id="C65-end-day"),
        pytest.param("2030-01-01T00:00:00", id="C65-end-no-zone"),
        pytest.param("2030-13-01T00:00:00Z", id="C65-end-month-13"),
        pytest.param("9999-12-31T23:59:59-01:00", id="C65-end-too-late"),
        pytest.param("2020-01-01T00:00:00Z", id="C65-end-past"),
        pytest.param(1893456000, id="C65-end-number"),
    ],
)
def test_a_faulty_end_is_refused(auth: Auth, end: Any) -> None:
    run(auth, ("POST", "/user/bob/policy", {"policy": "one_reader", "expires_at": end}, 400))
    assert [each["policy"] for each in run(auth, ("GET", "/user/bob", None, 200))["policies"]] == ["uploader"]


def test_c65_policies_are_given_in_bulk_and_all_taken(auth: Auth) -> None:
    user = make_user(auth, "bulk65")
    run(auth, ("POST", f"/user/{user}/bulk/policy", [{"policy": "one_reader"}, {"policy": "two_reader"}], 204))
    assert set(run(auth, ("GET", f"/user/{user}/resources", None, 200))["resources"]) >= {ONE, TWO}
    assert run(auth, ("GET", f"/user/{user}/resources?service=indexd", None, 200))["resources"] == []
    run(auth, ("DELETE", f"/user/{user}/policy", None, 204))
    assert run(auth, ("GET", f"/user/{user}", None, 200))["policies"] == []


def test_c65_each_source_has_its_own_grants(auth: Auth) -> None:
    user, policy = make_user(auth, "source65"), make_policy(auth, "source65p")
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    run(auth, ("POST", f"/user/{user}/policy", {"policy": policy}, 204), **{"X-AuthZ-Provider": "GA4GH"})
    run(auth, ("POST", f"/user/{user}/policy", {"policy": policy, "expires_at": end}, 204))
    run(auth, ("DELETE", f"/user/{user}/policy/{policy}", None, 409), **{"X-AuthZ-Provider": "requestor"})
    run(auth, ("DELETE", f"/user/{user}/policy/{policy}", None, 204))
    [left] = run(auth, ("GET", f"/user/{user}", None, 200))["policies"]
    assert left == {"policy": policy, "expires_at": None, "source": "GA4GH"}
    run(auth, ("DELETE", f"/user/{user}/policy", None, 204))
    assert ONE in auth.get("/authz/auth/mapping", user).json()
    run(auth, ("DELETE", f"/user/{user}/policy", None, 204), **{"X-AuthZ-Provider": "GA4GH"})
    assert ONE not in auth.get("/authz/auth/mapping", user).json()


@pytest.mark.parametrize("source", ["user.yaml", "cli", "hub", "built-in", "a b", "x" * 65, "-", "é"])
def test_no_source_can_be_posed_as(auth: Auth, source: str) -> None:
    answer = auth.post(
        "/authz/user/bob/policy",
        "root",
        json={"policy": "one_reader"},
        headers={"X-AuthZ-Provider": source.encode()},
    )
    assert answer.status_code == 400
    assert ONE not in auth.get("/authz/auth/mapping", "bob").json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/role/reader", {"id": "reader", **ROLE}),
        ("DELETE", "/role/reader", None),
        ("PUT", "/policy/one_reader", {"role_ids": ["reader"], "resource_paths": [TWO]}),
        ("DELETE", "/policy/one_reader", None),
        ("DELETE", "/resource/programs/a", None),
        ("DELETE", "/group/twos", None),
        ("DELETE", "/user/alice", None),
        ("PATCH", "/user/alice", {"email": "x@example.org"}),
        ("DELETE", "/user/alice/policy/one_reader", None),
        ("DELETE", "/group/twos/user/both", None),
        ("DELETE", "/group/twos/policy/two_reader", None),
    ],
)
def test_what_user_yaml_says_is_changed_there(auth: Auth, method: str, path: str, body: Any) -> None:
    parts = ("/role", "/policy", "/resource", "/group", "/user")
    before = [run(auth, ("GET", part, None, 200)) for part in parts]
    assert "user.yaml" in run(auth, (method, path, body, 409))["error"]["message"]
    assert [run(auth, ("GET", part, None, 200)) for part in parts] == before


@pytest.mark.parametrize("name", ["role", "policy", "resource", "group", "user", "client"])
def test_a_list_comes_in_parts(auth: Auth, name: str) -> None:
    plural = "policies" if name == "policy" else f"{name}s"
    make_client(auth, f"page-{name}-1")
    make_client(auth, f"page-{name}-2")
    whole = run(auth, ("GET", f"/{name}", None, 200))
    found, path = [], f"/{name}?limit=2"
    while True:
        part = run(auth, ("GET", path, None, 200))
        assert len(part[plural]) <= 2
        found += part[plural]
        if "next" not in part:
            break
        path = f"/{name}?limit=2&start={part['next']}"
    assert found == whole[plural]
    run(auth, ("GET", f"/{name}?limit=0", None, 400))


def test_a_name_that_ends_with_a_blank_ends_no_list(auth: Auth) -> None:
    permission = {"id": "x", "action": {"service": "fence", "method": "read"}}
    names = ["page6", "page6 ", "page6 b"]
    run(auth, *(("POST", "/role", {"id": name, "permissions": [permission]}, 201) for name in names))
    found, start = [], "page6"
    for _ in names:
        part = run(auth, ("GET", f"/role?limit=1&start={quote(start)}", None, 200))
        found += [each["id"] for each in part["roles"]]
        start = part["next"]
    assert found[:2] == names[1:]


# -- clients -----------------------------------------------------------------------------------------------------------


def test_c66_a_client_is_made_given_policies_and_removed(auth: Auth) -> None:
    body = {"clientID": "client66", "policies": ["one_reader"]}
    run(auth, ("POST", "/client", body, 201), ("POST", "/client", body, 409))
    assert run(auth, ("GET", "/client/client66", None, 200))["policies"] == ["one_reader"]
    run(auth, ("POST", "/client/client66/policy", {"policy": "two_reader"}, 204))
    run(auth, ("DELETE", "/client/client66/policy/one_reader", None, 204))
    assert run(auth, ("GET", "/client/client66", None, 200))["policies"] == ["two_reader"]
    run(auth, ("DELETE", "/client/client66/policy", None, 204))
    assert run(auth, ("GET", "/client/client66", None, 200))["policies"] == []
    run(auth, ("POST", "/client/client66/policy", {"policy": "none66"}, 404))
    run(auth, ("POST", "/client/none66/policy", {"policy": "one_reader"}, 404), ("GET", "/client/none66", None, 404))
    run(auth, ("DELETE", "/client/client66", None, 204), ("DELETE", "/client/client66", None, 204))
    run(
        auth,
        ("POST", "/client", {"clientID": "bad66", "policies": ["none66"]}, 400),
        ("GET", "/client/bad66", None, 404),
    )


# -- groups ------------------------------------------------------------------------------------------------------------


def test_c67_a_group_is_made_filled_and_removed(auth: Auth) -> None:
    user, policy = make_user(auth, "user67"), make_policy(auth, "policy67")
    body = {"name": "group67", "users": [user], "policies": [policy]}
    run(auth, ("POST", "/group", body, 201), ("POST", "/group", body, 409))
    assert run(auth, ("GET", "/group/group67", None, 200)) == {**body, "source": "api"}
    assert ONE in auth.get("/authz/auth/mapping", user).json()
    run(auth, ("DELETE", f"/group/group67/user/{user}", None, 204))
    assert ONE not in auth.get("/authz/auth/mapping", user).json()
    run(auth, ("POST", "/group/group67/user", {"username": user}, 204))
    run(auth, ("DELETE", f"/user/{user}/policy/{policy}", None, 400))
    run(auth, ("DELETE", f"/group/group67/policy/{policy}", None, 204))
    assert ONE not in auth.get("/authz/auth/mapping", user).json()
    run(auth, ("POST", "/group/group67/policy", {"policy": policy}, 204))
    assert ONE in auth.get("/authz/auth/mapping", user).json()
    run(auth, ("PUT", "/group", {"name": "group67", "policies": []}, 201))
    emptied = run(auth, ("GET", "/group/group67", None, 200))
    assert (emptied["users"], emptied["policies"]) == ([], [])
    run(auth, ("DELETE", "/group/group67", None, 204), ("GET", "/group/group67", None, 404))
    run(auth, ("DELETE", "/group/group67", None, 204))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/group", {"users": []}, 400, id="C67-nameless"),
        pytest.param("POST", "/group", {"name": "bad67", "users": ["none67"]}, 400, id="C67-unknown-user"),
        pytest.param("POST", "/group", {"name": "bad67", "policies": ["none67"]}, 400, id="C67-unknown-policy"),
        pytest.param("POST", "/group/none67/user", {"username": "bob"}, 404, id="C67-join-unknown-group"),
        pytest.param("POST", "/group/twos/user", {"username": "none67"}, 400, id="C67-join-unknown-user"),
        pytest.param("POST", "/group/none67/policy", {"policy": "one_reader"}, 404, id="C67-give-unknown-group"),
        pytest.param("POST", "/group/twos/policy", {"policy": "none67"}, 400, id="C67-give-unknown-policy"),
        pytest.param("DELETE", "/group/anonymous", None, 400, id="C67-delete-anonymous"),
        pytest.param("DELETE", "/group/logged-in", None, 400, id="C67-delete-logged-in"),
        pytest.param("POST", "/group/anonymous/user", {"username": "bob"}, 400, id="C67-join-anonymous"),
        pytest.param("POST", "/group/logged-in/user", {"username": "bob"}, 400, id="C67-join-logged-in"),
        pytest.param("PUT", "/group", {"name": "logged-in", "users": ["bob"]}, 400, id="C67-fill-logged-in"),
        pytest.param("POST", "/group", {"name": "anonymous"}, 409, id="C67-make-anonymous"),
        pytest.param(
            "POST", "/group/logged-in/policy", {"policy": "administrator"}, 400, id="C67-everybody-administrator"
        ),
    ],
)
def test_a_faulty_change_of_a_group_changes_nothing(auth: Auth, method: str, path: str, body: Any, status: int) -> None:
    before = run(auth, ("GET", "/group", None, 200))
    run(auth, (method, path, body, status))
    assert run(auth, ("GET", "/group", None, 200)) == before


def test_c67_membership_may_end(auth: Auth) -> None:
    user, policy = make_user(auth, "end67"), make_policy(auth, "end67p")
    run(auth, ("POST", "/group", {"name": "end67g", "policies": [policy]}, 201))
    end = datetime.now(UTC) + timedelta(seconds=3)
    run(auth, ("POST", "/group/end67g/user", {"username": user, "expires_at": end.isoformat()}, 204))
    wait_until_denied(auth, user, end)
    assert run(auth, ("GET", "/group/end67g", None, 200))["users"] == []


def test_c67_what_everybody_has_may_be_changed(auth: Auth) -> None:
    policy = make_policy(auth, "everybody67", [TWO])
    run(auth, ("POST", "/group/anonymous/policy", {"policy": policy}, 204))
    assert TWO in auth.get("/authz/auth/mapping").json()
    wide = {"id": policy, "permissions": [{"id": "r", "action": {"service": "*", "method": "read"}}]}
    run(auth, ("PUT", f"/role/{policy}", wide, 400), ("DELETE", f"/group/anonymous/policy/{policy}", None, 204))
    assert TWO not in auth.get("/authz/auth/mapping").json()
