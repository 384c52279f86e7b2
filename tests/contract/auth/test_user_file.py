"""Gen3's cases of usersync (C72 to C77), as an import of user.yaml answers them, and the worked example of its suite.

There is no dbGaP here: what its files give in Gen3 comes from a second source of grants.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.auth_service import USER_FILE, Auth

from commonshub.auth import difference, importing
from commonshub.auth.userfile import Faulty, parse
from commonshub.auth.users import store
from commonshub.core.errors import BadRequest, Unavailable
from commonshub.core.grants import load, tables
from commonshub.core.identity import Identity
from commonshub.core.policy import Request, Snapshot

SOURCE = "user.yaml"
ONE, TWO = "/programs/a/projects/one", "/programs/a/projects/two"


@pytest.fixture(autouse=True)
def restored(auth: Auth) -> Iterator[None]:
    yield
    apply(auth, USER_FILE)


def apply(auth: Auth, text: str, source: str = SOURCE) -> list[difference.Difference]:
    found: list[difference.Difference] = auth.app.database.call(importing.apply, "auth", parse(text), source)
    auth.running.call(auth.app.grants.reload())
    return [each for each in found if each]


def may(auth: Auth, user: str, path: str, method: str = "read-storage", service: str = "fence") -> bool:
    body = {"request": {"resource": path, "action": {"service": service, "method": method}}}
    answer = auth.post("/authz/auth/request", user, json=body)
    assert answer.status_code == 200
    allowed: bool = answer.json()["auth"]
    return allowed


def grant(auth: Auth, user: str, policy: str, source: str, ends: datetime | None = None) -> None:
    t = tables("auth")
    end = sa.literal(ends, sa.DateTime(True))
    query = sa.select(t.user.c.id, sa.literal(policy), sa.literal(source), end).where(t.user.c.username == user)
    names = ["user_id", "policy_id", "source", "expires_at"]
    auth.app.database.call(lambda c: c.execute(t.user_policy.insert().from_select(names, query)))
    auth.running.call(auth.app.grants.reload())


def take_back(auth: Auth, source: str) -> None:
    given = tables("auth").user_policy
    auth.app.database.call(lambda c: c.execute(given.delete().where(given.c.source == source)))


# -- C72 ---------------------------------------------------------------------------------------------------------------


def test_c72_a_valid_file_gives_what_it_says(auth: Auth, tmp_path: Path) -> None:
    file = tmp_path / "user.yaml"
    file.write_text(
        USER_FILE
        + "  new72@example.org: {display_name: New, phone_number: '1', tags: {a: b}, policies: [two_reader]}\n"
    )
    assert importing.import_file(auth.app, file, SOURCE).warnings == []
    auth.running.call(auth.app.grants.reload())
    assert may(auth, "new72@example.org", TWO)
    user = auth.app.database.call(store.get_user, "auth", "new72@example.org")
    assert (user.email, user.display_name, user.phone_number, user.tags) == (
        "new72@example.org",
        "New",
        "1",
        {"a": "b"},
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("role_ids: [uploader]", "role_ids: [nothing]", id="C72-unknown-role"),
        pytest.param("resource_paths: [/data_file]", "resource_paths: [/nothing]", id="C72-unknown-path"),
        pytest.param("resource_paths: [/data_file]", "resource_paths: [data_file]", id="C72-relative-path"),
        pytest.param("users: [both]", "users: [nobody_at_all]", id="C72-unknown-member"),
        pytest.param("users: [both]", "users: [twos]", id="C72-group-in-itself"),
        pytest.param("bob: {policies: [uploader]}", "bob: {policies: [nothing]}", id="C72-unknown-policy"),
        pytest.param("{id: uploader, role_ids", "{id: one_reader, role_ids", id="C72-policy-twice"),
        pytest.param("- {id: uploader, permissions", "- {id: writer, permissions", id="C72-role-twice"),
        pytest.param("- {name: twos,", "- {name: twos}\n    - {name: twos,", id="C72-group-twice"),
        pytest.param("  - name: programs\n", "  - name: programs/a-b\n", id="C72-dash-in-a-program"),
        pytest.param("anonymous_policies: [open_reader]", "anonymous_policies: [administrator]", id="C72-star"),
        pytest.param("users:\n  root", "users:\n root", id="C72-not-yaml"),
        pytest.param("authz:\n", "", id="C72-other-form"),
    ],
)
def test_an_invalid_file_changes_nothing(auth: Auth, tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "user.yaml"
    assert old in USER_FILE
    file.write_text(USER_FILE.replace(old, new) + "  new72: {policies: [one_reader]}\n")
    with pytest.raises(Faulty) as caught:
        importing.import_file(auth.app, file, SOURCE)
    assert all(fault.line > 0 and fault.message for fault in caught.value.faults)
    assert apply(auth, USER_FILE) == []
    assert auth.app.database.call(store.find_user, "auth", "new72") is None


def test_c72_a_file_that_is_not_there_changes_nothing(auth: Auth, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="There is no file"):
        importing.import_file(auth.app, tmp_path / "none.yaml", SOURCE, always=True)
    assert apply(auth, USER_FILE) == []


# -- C73, C74 ----------------------------------------------------------------------------------------------------------


def test_c73_what_two_sources_give_adds_up(auth: Auth) -> None:
    assert (may(auth, "alice", ONE), may(auth, "alice", TWO)) == (True, False)
    grant(auth, "alice", "two_reader", "dbgap")
    assert (may(auth, "alice", ONE), may(auth, "alice", TWO)) == (True, True)
    apply(auth, USER_FILE.replace("alice: {policies: [one_reader, uploader]", "alice: {policies: [uploader]"))
    assert (may(auth, "alice", ONE), may(auth, "alice", TWO)) == (False, True)
    take_back(auth, "dbgap")


def test_c73_the_end_of_one_source_is_not_that_of_the_other(auth: Auth) -> None:
    grant(auth, "alice", "one_reader", "dbgap", datetime(2020, 1, 1, tzinfo=UTC))
    assert may(auth, "alice", ONE)
    take_back(auth, "dbgap")


def test_c74_who_is_removed_from_the_file_loses_access(auth: Auth) -> None:
    assert may(auth, "both", ONE)
    assert may(auth, "both", TWO)
    apply(auth, USER_FILE.replace("  both: {policies: [one_reader]}\n", "").replace("users: [both]", "users: []"))
    assert not may(auth, "both", ONE)
    assert not may(auth, "both", TWO)


# -- C76 ---------------------------------------------------------------------------------------------------------------


def test_c76_only_what_differs_is_written(auth: Auth) -> None:
    changes = apply(
        auth,
        USER_FILE.replace("bob: {policies: [uploader]}", "bob: {policies: [one_reader]}").replace(
            "both: {policies: [one_reader]}", "both: {policies: [one_reader, uploader]}"
        ),
    )
    assert [line for each in changes for line in each.lines()] == [
        "+ policy of user bob: one_reader",
        "- policy of user bob: uploader",
        "+ policy of user both: uploader",
    ]


def test_c76_an_unchanged_file_writes_nothing(auth: Auth) -> None:
    rows = len(auth.audited())
    assert apply(auth, USER_FILE) == []
    assert len(auth.audited()) == rows


def test_c76_who_has_nothing_left_is_forgotten(auth: Auth) -> None:
    apply(auth, USER_FILE.replace("  nobody: {}\n", ""))
    assert auth.app.database.call(store.find_user, "auth", "nobody") is None


def test_c76_a_database_that_breaks_off_in_the_middle_leaves_what_was(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(connection: sa.Connection, *_: Any) -> None:
        connection.execute(sa.text("select pg_terminate_backend(pg_backend_pid())"))

    with monkeypatch.context() as patched:
        patched.setattr(difference, "_remove", cut)
        with pytest.raises(Unavailable):
            apply(auth, USER_FILE.replace("bob: {policies: [uploader]}", "bob: {policies: [one_reader]}"))
    assert apply(auth, USER_FILE) == []


# -- C77 ---------------------------------------------------------------------------------------------------------------


def test_c77_who_may_read_a_projects_data_may_not_write_its_records(auth: Auth) -> None:
    text = f"  reader77: {{projects: [{{auth_id: one, resource: {ONE}, privilege: [read, read-storage]}}]}}\n"
    apply(auth, USER_FILE + text)
    assert may(auth, "reader77", ONE)
    for method in ("create", "update", "delete", "file_upload", "*"):
        assert not may(auth, "reader77", ONE, method, "indexd")


# -- the worked example ------------------------------------------------------------------------------------------------

ABC1, ABC3 = "/abc/programs/test_program/projects/test_project1", "/abc/programs/test_program2/projects/test_project3"
GEN3 = "/gen3/programs/test_program/projects/test_project"
HMB, GRU = "/consents/HMB", "/consents/GRU"
EXAMPLE = f"""\
authz:
  anonymous_policies: [open_data_reader]
  all_users_policies: [requestor_creator]
  resources:
    - {{name: abc, subresources: [{{name: {ABC1.removeprefix("/abc/")}}}]}}
    - {{name: gen3, subresources: [{{name: programs, subresources: [{{name: QA}}, {{name: test}}]}}]}}
    - {{name: consents, subresources: [{{name: HMB}}, {{name: GRU}}]}}
    - name: open
    - name: requests
  roles:
    - {{id: fence_reader, permissions: [{{id: r, action: {{service: fence, method: read-storage}}}}]}}
    - {{id: guppy_reader, permissions: [{{id: r, action: {{service: guppy, method: read}}}}]}}
    - {{id: creator, permissions: [{{id: c, action: {{service: "*", method: create}}}}]}}
    - {{id: admin, permissions: [{{id: a, action: {{service: "*", method: "*"}}}}]}}
    - {{id: requestor_creator, permissions: [{{id: c, action: {{service: requestor, method: create}}}}]}}
  policies:
    - {{id: abc-admin, role_ids: [creator, guppy_reader, fence_reader], resource_paths: [/abc]}}
    - {{id: gen3-admin, role_ids: [creator, guppy_reader, fence_reader], resource_paths: [/gen3]}}
    - {{id: gen3-hmb-researcher, role_ids: [fence_reader, admin], resource_paths: [{HMB}, {GRU}, /gen3]}}
    - {{id: viewer, role_ids: [fence_reader], resource_paths: [{ABC1}]}}
    - {{id: open_data_reader, role_ids: [fence_reader, guppy_reader], resource_paths: [/open]}}
    - {{id: requestor_creator, role_ids: [requestor_creator], resource_paths: [/requests]}}
clients:
  abc-client: {{policies: [abc-admin, open_data_reader]}}
  gen3-client: {{policies: [gen3-admin]}}
users:
  main@example.org: {{policies: [abc-admin]}}
  user0@example.org: {{policies: [gen3-admin, gen3-hmb-researcher]}}
  user1@example.org: {{policies: [gen3-hmb-researcher]}}
  one@example.org: {{policies: [viewer]}}
  jenkins@example.org: {{projects: [{{auth_id: jenkins, resource: /abc/jenkins, privilege: [read-storage]}}]}}
"""


@pytest.fixture(scope="module")
def example(auth: Auth) -> Iterator[Snapshot]:
    clients = tables("auth").client

    def put(connection: sa.Connection) -> None:
        for name in ("abc-client", "gen3-client"):
            connection.execute(clients.insert().values(client_id=name, name=name, source="test"))

    auth.app.database.call(put)
    apply(auth, EXAMPLE)
    yield auth.app.database.call(load, "auth")
    auth.app.database.call(lambda c: c.execute(clients.delete().where(clients.c.source == "test")))
    apply(auth, USER_FILE)


@pytest.mark.parametrize(
    ("user", "client", "paths", "allowed"),
    [
        ("main", "abc-client", [ABC1, ABC3], True),
        ("one", None, [ABC1, ABC3], False),
        ("one", None, [ABC1], True),
        ("main", "gen3-client", [GEN3], False),
        ("user0", "abc-client", [GEN3], False),
        ("user0", "gen3-client", [GEN3], True),
        ("user0", None, [GEN3], True),
        ("main", None, [ABC1, HMB], False),
        ("user0", None, [GEN3, HMB], True),
        ("user1", None, [GEN3, HMB], True),
        ("user0", None, [GRU], True),
        ("user0", None, ["/consents"], False),
        ("main", None, ["/abcd"], False),
        ("stranger", None, ["/open"], True),
        (None, None, ["/open/x"], True),
        (None, None, [GEN3], False),
        (None, "abc-client", ["/open", ABC1], True),
        (None, "gen3-client", ["/open"], False),
        ("user0", "gen3-client", ["/open"], False),
        ("jenkins", None, ["/abc/jenkins"], True),
    ],
)
def test_the_worked_example_comes_out_as_in_gen3(
    example: Snapshot, user: str | None, client: str | None, paths: list[str], allowed: bool
) -> None:
    identity = Identity(f"{user}@example.org" if user else None, client)
    requests = [Request("fence", "read-storage", path) for path in paths]
    assert example.allows(identity, *requests) == allowed
    assert all(reason.grants for each in requests for reason in example.explain(identity, each)) == allowed


def test_the_worked_example_lets_everybody_who_is_signed_in_ask(example: Snapshot) -> None:
    ask = Request("requestor", "create", "/requests/1")
    assert example.allows(Identity("stranger"), ask)
    assert not example.allows(Identity(), ask)
    assert example.projects["jenkins"] == ("abc", "jenkins")
