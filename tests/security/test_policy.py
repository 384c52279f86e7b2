"""Threats to decisions and to user.yaml: S12 to S14, the file's part of S24 and S25."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from hypothesis import HealthCheck, given, settings
from tests import reference_evaluator as reference
from tests.auth_service import USER_FILE, Auth
from tests.reference_evaluator import World
from tests.worlds import METHOD_NAMES, SERVICE_NAMES, USER_NAMES, stated, user_file, worlds

from commonshub.auth import exporting, importing
from commonshub.auth.userfile import Faulty, parse
from commonshub.core.grants import load, tables
from commonshub.core.identity import Identity
from commonshub.core.policy import Binding, Client, Permission, Policy, Request, Snapshot, User, covers, parse_path

A = "/programs/a"


@pytest.fixture(autouse=True)
def restored(auth: Auth) -> Iterator[None]:
    yield
    put(auth, USER_FILE)


def put(auth: Auth, text: str) -> None:
    auth.app.database.call(importing.apply, "auth", parse(text), "user.yaml")
    auth.running.call(auth.app.grants.reload())


def action(service: str, method: str, path: str) -> dict[str, Any]:
    return {"resource": path, "action": {"service": service, "method": method}}


def granted(paths: list[str]) -> str:
    """A file that gives alice everything on some paths."""
    return json.dumps(
        {
            "authz": {
                "resources": [{"name": path[1:]} for path in paths],
                "roles": [{"id": "r", "permissions": [{"id": "r", "action": {"service": "s", "method": "m"}}]}],
                "policies": [{"id": "p", "role_ids": ["r"], "resource_paths": paths}],
            },
            "users": {"alice": {"policies": ["p"]}, "bob": {}},
        }
    )


# -- S12 ---------------------------------------------------------------------------------------------------------------

TRICKS = [
    (A, 200, True),
    (f"{A}/x", 200, True),
    (f"{A}b", 200, False),
    ("/programs", 200, False),
    ("/Programs/a", 200, False),
    ("/programs/A", 200, False),
    ("/programs/\N{FULLWIDTH LATIN SMALL LETTER A}", 200, False),
    ("/programs/a\N{COMBINING ACUTE ACCENT}", 200, False),
    ("/programs/\N{LATIN SMALL LETTER A WITH ACUTE}", 200, False),
    (" /programs/a", 400, None),
    ("/programs /a", 200, False),
    ("/programs\N{DIVISION SLASH}a", 200, False),
    ("/", 400, None),
    ("", 400, None),
    ("programs/a", 400, None),
    ("//programs/a", 400, None),
    ("/programs//a", 400, None),
    (f"{A}/", 400, None),
    (f"{A}/.", 400, None),
    (f"{A}/..", 400, None),
    (f"{A}/../b", 400, None),
    ("/programs/b/../a", 400, None),
    ("/programs/%61", 400, None),
    ("/programs%2fa", 400, None),
    ("/programs/b/%2e%2e/a", 400, None),
    ("/programs\\a", 400, None),
    (f"{A}\0b", 400, None),
    (f"{A}\n", 400, None),
    (f"{A}\x7f", 400, None),
    ("/*", 400, None),
    ("/programs/*", 400, None),
    (f"{A}/{'x' * 10_000}", 400, None),
    (A + "/x" * 62, 200, True),
    (A + "/x" * 63, 400, None),
]


@pytest.mark.parametrize(("path", "status", "auth_"), TRICKS, ids=lambda value: repr(value)[:28])
def test_s12_no_spelling_of_a_path_reaches_further_than_its_grant(
    auth: Auth, path: str, status: int, auth_: bool | None
) -> None:
    put(auth, granted([A]))
    for body in ({"request": action("s", "m", path)}, {"requests": [action("s", "m", A), action("s", "m", path)]}):
        answer = auth.post("/authz/auth/request", "alice", json=body)
        assert (answer.status_code, answer.json().get("auth")) == (status, auth_)
    if path == path.strip() and "\0" not in path:
        # Of an argument of a query tornado takes away what surrounds it, and NUL.
        asked = auth.get("/authz/auth/proxy", "alice", params={"service": "s", "method": "m", "resource": path})
        assert asked.status_code == {True: 200, False: 403, None: 400}[auth_]


@pytest.mark.parametrize(
    "path", [path for path, status, _ in TRICKS if status == 400 and path.startswith("/")], ids=ascii
)
def test_s12_a_file_cannot_name_such_a_path(path: str) -> None:
    with pytest.raises(Faulty):
        parse(yaml.safe_dump({"authz": {"resources": [{"name": path}]}}))


@pytest.mark.parametrize(("service", "method"), [("*", "m"), ("s", "*"), ("S", "m"), ("s", "M"), ("", "m"), ("s", "")])
def test_s12_a_star_or_another_case_is_no_more_than_what_was_granted(service: str, method: str) -> None:
    world = snapshot_of({A})
    assert not world.allows(Identity("alice"), Request(service, method, A))


def snapshot_of(paths: set[str], **more: Any) -> Snapshot:
    policy = Policy("p", frozenset({Permission("s", "m")}), frozenset(map(parse_path, paths)))
    return Snapshot(policies={"p": policy}, **{"users": {"alice": User((Binding("p"),))}, **more})


# -- S13 ---------------------------------------------------------------------------------------------------------------


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(worlds)
def test_s13_every_door_gives_the_answer_of_the_rule(auth: Auth, world: World) -> None:
    world = stated(world)
    put(auth, yaml.safe_dump(user_file(world), allow_unicode=True))
    snapshot = auth.app.policy
    asked = [
        (service, method, path)
        for path in [*sorted(world.resources)[:4], "/a/unregistered"]
        for service in SERVICE_NAMES
        for method in METHOD_NAMES
    ]
    for user in (None, USER_NAMES[0], "stranger"):
        expected = {each: reference.allow(world, user, None, *each) for each in asked}
        identity = Identity(user)
        mapping = auth.get("/authz/auth/mapping", user).json()
        for (service, method, path), allowed in expected.items():
            assert snapshot.allows(identity, Request(service, method, path)) == allowed
            assert covers(snapshot.prefixes(identity, service, method), path) == allowed
            assert all(
                bool(each.grants) == allowed for each in snapshot.explain(identity, Request(service, method, path))
            )
            if path in world.resources:
                shown = mapping.get(path, ())
                assert allowed == any(
                    each["service"] in ("*", service) and each["method"] in ("*", method) for each in shown
                )
        for some in (asked[:1], asked[9:10], asked, [each for each, allowed in expected.items() if allowed]):
            body = {"requests": [action(*each) for each in some]}
            if some:
                answer = auth.post("/authz/auth/request", user, json=body)
                assert answer.json() == {"auth": all(expected[each] for each in some)}
        service, method, path = asked[0]
        status = auth.get(
            "/authz/auth/proxy", user, params={"service": service, "method": method, "resource": path}
        ).status_code
        assert status == (401 if user is None else 200 if expected[asked[0]] else 403)


# -- S14 ---------------------------------------------------------------------------------------------------------------

NOW = 1000.0
EVERYBODY = {"anonymous": ["open"], "logged-in": ["inside"]}
POLICIES = {
    name: Policy(name, frozenset({Permission("s", "m")}), frozenset({(name,)}))
    for name in ("open", "inside", "own", "team", "app")
}
WORLD = Snapshot(
    policies=POLICIES,
    groups={**EVERYBODY, "team": ["team"]},
    users={
        "alice": User((Binding("own"), Binding("app")), (Binding("team"),)),
        "late": User((Binding("own", NOW - 1),), (Binding("team", NOW),)),
        "soon": User((Binding("own", NOW + 1),), (Binding("team", NOW + 0.001),)),
        "now": User((Binding("own", NOW),), (Binding("team", NOW),)),
        "off": User((Binding("own"),), (Binding("team"),), active=False),
    },
    clients={
        "app": Client((Binding("app"), Binding("own"))),
        "bare": Client(),
        "ended": Client((Binding("app"),), NOW),
        "running": Client((Binding("app"),), NOW + 1),
        "lapsed": Client((Binding("app", NOW),)),
    },
    clock=lambda: NOW,
)


@pytest.mark.parametrize(
    ("user", "client", "allowed"),
    [
        (None, None, {"open"}),
        ("stranger", None, {"open", "inside"}),
        ("alice", None, {"open", "inside", "own", "team", "app"}),
        ("late", None, {"open", "inside"}),
        ("now", None, {"open", "inside"}),
        ("soon", None, {"open", "inside", "own", "team"}),
        ("off", None, set()),
        (None, "app", {"app", "own"}),
        (None, "bare", set()),
        (None, "unknown", set()),
        (None, "ended", set()),
        (None, "running", {"app"}),
        (None, "lapsed", set()),
        ("alice", "app", {"own", "app"}),
        ("alice", "bare", set()),
        ("alice", "unknown", set()),
        ("alice", "ended", set()),
        ("stranger", "app", set()),
        ("late", "app", set()),
        ("soon", "app", {"own"}),
        ("off", "app", set()),
    ],
)
def test_s14_a_caller_has_what_each_of_his_subjects_has(
    user: str | None, client: str | None, allowed: set[str]
) -> None:
    identity = Identity(user, client)
    found = {name for name in POLICIES if WORLD.allows(identity, Request("s", "m", f"/{name}"))}
    assert found == allowed
    assert {path[1:] for path in WORLD.prefixes(identity, "s", "m")} == allowed
    assert {path[1:] for path in WORLD.mapping(identity)} == allowed


def test_s14_a_grant_ends_by_itself_in_a_running_service(auth: Auth) -> None:
    t = tables("auth")
    end = datetime.now(UTC) + timedelta(seconds=1.5)
    values = sa.select(t.user.c.id, sa.literal("two_reader"), sa.literal("api"), sa.literal(end, sa.DateTime(True)))
    given_ = values.where(t.user.c.username == "nobody")
    names = ["user_id", "policy_id", "source", "expires_at"]
    auth.app.database.call(lambda c: c.execute(t.user_policy.insert().from_select(names, given_)))
    auth.running.call(auth.app.grants.reload())
    body = {"request": action("fence", "read-storage", "/programs/a/projects/two")}
    first = auth.post("/authz/auth/request", "nobody", json=body).json()["auth"]
    assert first or datetime.now(UTC) >= end
    # Whatever notices: no notification is sent when time passes.
    while datetime.now(UTC) < end:
        time.sleep(0.05)
    assert auth.post("/authz/auth/request", "nobody", json=body).json() == {"auth": False}
    assert "/programs/a/projects/two" not in auth.get("/authz/auth/mapping", "nobody").json()
    auth.app.database.call(lambda c: c.execute(t.user_policy.delete().where(t.user_policy.c.source == "api")))


# -- S24 ---------------------------------------------------------------------------------------------------------------

LEVELS = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12))
HOSTILE = {
    "bomb": f"a0: &a0 [x, x, x, x, x, x, x, x, x]\n{LEVELS}",
    "bomb of users": "users:\n  a0: &a0 {policies: [x, y]}\n" + "".join(f"  b{i}: *a0\n" for i in range(500_000)),
    "long text many times": f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 100_000)}]\n",
    "deep": "[" * 5_000_000,
    "deep blocks": "- " * 5_000_000,
    "many documents": "---\n" * 2_000_000,
    "many numbers": "users: [" + "1," * 5_000_000 + "]",
    "long number": "users: " + "9" * 10_000_000,
    "long sexagesimal": "users: " + "1:" * 5_000_000 + "1",
    "many faults": "users:\n" + "".join(f" {i}: 1\n" for i in range(200_000)),
    "many unknown keys": "users:\n u:\n" + "".join(f"  {i}: 1\n" for i in range(200_000)),
    "many twice": "users:\n" + " a:\n" * 200_000,
    "many unknown members": "authz:\n  groups:\n"
    + "".join(f"  - {{name: g{number}}}\n" for number in range(60_000))
    + f"  - name: x\n    users: [{', '.join(f'u{number}' for number in range(60_000))}]\n",
    "many policies for everybody": "authz:\n  roles:\n"
    "  - {id: r, permissions: [{id: a, action: {service: '*', method: m}}]}\n"
    "  resources: [{name: a}]\n  policies:\n"
    + "".join(f"  - {{id: p{number}, role_ids: [r], resource_paths: [/a]}}\n" for number in range(30_000))
    + f"  anonymous_policies: [{', '.join(f'p{number}' for number in range(30_000))}]\n",
    "many unknown policies": "users:\n u: {policies: [" + "x," * 300_000 + "]}",
}
MEMORY = 1 << 30


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_s24_a_hostile_user_file_is_a_fault_within_bounds(text: str, tmp_path: Path) -> None:
    file = tmp_path / "user.yaml"
    file.write_text(text)
    assert file.stat().st_size < 16 * 2**20
    program = (
        "import pathlib, sys\n"
        "from commonshub.auth.userfile import Faulty, parse\n"
        "try:\n"
        "    parse(pathlib.Path(sys.argv[1]).read_text())\n"
        "except Faulty as error:\n"
        "    print(len(error.faults), max(len(fault.message) for fault in error.faults))\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(file)], capture_output=True, text=True, preexec_fn=limit, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count, longest = map(int, done.stdout.split())
    assert 1 <= count <= 1001
    assert longest < 1000


# -- S25 ---------------------------------------------------------------------------------------------------------------

NAMES = [
    "o'brien",
    '"; drop table usr; --',
    "a_b",
    "100%",
    "back\\slash",
    "{0}",
    "$1",
    "null",
    "yes",
    "007",
    "1e3",
    "2020-01-01",
    "~",
    "*",
    "&a",
    "<<",
    "a: b",
    "a #b",
    "- a",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "\N{LINE SEPARATOR}x",
    "\x85x",
    "naïve",
    "\N{GRINNING FACE}",
    " lead",
    "trail ",
    "anonymous ",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_s25_an_odd_name_in_a_file_stands_for_itself_and_comes_back(auth: Auth, name: str) -> None:
    with odd(auth, name) as snapshot:
        assert name in snapshot.policies
        assert snapshot.clients.keys() <= {"other"}
        allowed = Request("s", "m", "/open")
        assert snapshot.allows(Identity("alice"), allowed)
        assert not snapshot.allows(Identity("bob"), allowed)
        text, left_out = auth.app.database.call(exporting.export, "auth", "user.yaml")
        assert left_out == []
        plan = parse(text)
        assert plan.roles.keys() == {name, "other"}
        assert plan.policies.keys() == {name, "other"}
        assert plan.groups == {name}
        assert plan.client_policies == {(name, name)}
        assert plan.users["alice"].tags == {name: name}
        assert plan.users["alice"].display_name == name


@contextmanager
def odd(auth: Auth, name: str) -> Iterator[Snapshot]:
    """A commons in which much has a certain name, and bob something that a pattern of it would match."""
    permission = {"id": name, "action": {"service": "s", "method": "m"}}
    other = {"id": name, "action": {"service": "s", "method": "else"}}
    put(
        auth,
        yaml.safe_dump(
            {
                "authz": {
                    "resources": [{"name": "open", "description": name}],
                    "roles": [{"id": name, "permissions": [permission]}, {"id": "other", "permissions": [other]}],
                    "policies": [
                        {"id": name, "description": name, "role_ids": [name], "resource_paths": ["/open"]},
                        {"id": "other", "role_ids": ["other"], "resource_paths": ["/open"]},
                    ],
                    "groups": [{"name": name, "policies": [name], "users": ["alice"]}],
                },
                "clients": {name: {"policies": [name]}},
                "users": {
                    "alice": {"display_name": name, "tags": {name: name}},
                    "bob": {"policies": ["other"]},
                },
            }
        ),
    )
    yield auth.app.database.call(load, "auth")


@pytest.mark.parametrize(("granted_", "asked"), [("/a_b", "/axb"), ("/a'b", "/a''b"), ("/a b", "/a+b"), ("/a;b", "/a")])
def test_s25_a_path_of_a_file_is_no_pattern(auth: Auth, granted_: str, asked: str) -> None:
    put(auth, granted([granted_]))
    for path, allowed in ((granted_, True), (asked, False), (f"{granted_}/{asked[1:]}", True)):
        answer = auth.post("/authz/auth/request", "alice", json={"request": action("s", "m", path)})
        assert answer.json() == {"auth": allowed}
