"""Importing a user.yaml: one transaction that touches only its own rows."""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.auth_service import USER_FILE, Auth
from tests.tokens import bearer, claims_of

from commonshub.auth import difference, importing
from commonshub.auth.app import AuthApp
from commonshub.auth.authz import people
from commonshub.auth.authz.forms import Grant
from commonshub.auth.commands import main
from commonshub.auth.userfile import Faulty, parse
from commonshub.auth.users import store
from commonshub.core.errors import BadRequest
from commonshub.core.grants import load, tables
from commonshub.core.identity import Identity
from commonshub.core.policy import Request, Snapshot

SOURCE = "user.yaml"
ONE, TWO = "/programs/a/projects/one", "/programs/a/projects/two"


def snapshot(auth: Auth) -> Snapshot:
    return auth.app.database.call(load, "auth")


def apply(auth: Auth, text: str, source: str = SOURCE) -> None:
    auth.app.database.call(importing.apply, "auth", parse(text), source)


def dump(auth: Auth) -> dict[str, list[Any]]:
    """All policy rows but the moments of creation."""

    def read(connection: sa.Connection) -> dict[str, list[Any]]:
        found = {}
        for name, table in vars(tables("auth")).items():
            columns = [
                column for column in table.c if column.name not in ("created_at", "id" if name == "user" else "")
            ]
            found[name] = sorted(map(repr, connection.execute(sa.select(*columns))))
        return found

    return auth.app.database.call(read)


def may(auth: Auth, user: str, path: str) -> bool:
    return snapshot(auth).allows(Identity(user), Request("fence", "read-storage", path))


@pytest.fixture(autouse=True)
def restored(auth: Auth) -> Any:
    yield
    apply(auth, USER_FILE)


def test_importing_twice_changes_nothing(auth: Auth) -> None:
    before = dump(auth)
    apply(auth, USER_FILE)
    assert dump(auth) == before


def test_what_the_file_no_longer_says_is_gone(auth: Auth) -> None:
    apply(auth, USER_FILE.replace("alice: {policies: [one_reader, uploader]", "alice: {policies: [uploader]"))
    assert not may(auth, "alice", ONE)
    apply(auth, "{}")
    found = snapshot(auth)
    assert (found.policies, found.resources) == ({}, frozenset())
    assert all(not names for names in found.groups.values())


def test_a_changed_definition_replaces_the_old_one(auth: Auth) -> None:
    apply(
        auth,
        USER_FILE.replace(
            "{id: one_reader, role_ids: [reader], resource_paths: [/programs/a/projects/one]}",
            "{id: one_reader, role_ids: [reader], resource_paths: [/programs/a/projects/two]}",
        ),
    )
    assert (may(auth, "alice", ONE), may(auth, "alice", TWO)) == (False, True)


def test_grants_of_other_sources_outlive_the_file(auth: Auth) -> None:
    def grant(connection: sa.Connection) -> None:
        people.grant_to_user(connection, "auth", "alice", [Grant("administrator")], "cli")

    auth.app.database.call(grant)
    apply(auth, "{}")
    assert not may(auth, "alice", TWO)
    apply(auth, USER_FILE)
    assert may(auth, "alice", TWO)


def test_a_user_with_a_key_keeps_his_number_when_the_file_drops_him(auth: Auth) -> None:
    key_holder = auth.app.database.call(store.get_user, "auth", "bob")
    auth.api_key("bob")
    apply(auth, USER_FILE.replace("  bob: {policies: [uploader]}\n", ""))
    assert auth.app.database.call(store.get_user, "auth", "bob").id == key_holder.id
    assert not snapshot(auth).users.get("bob")


def test_a_user_whom_only_the_file_knew_goes_with_it(auth: Auth) -> None:
    apply(auth, USER_FILE.replace("  nobody: {}\n", ""))
    assert auth.app.database.call(store.find_user, "auth", "nobody") is None


def test_his_token_is_not_that_of_another_who_comes_to_have_his_name(auth: Auth) -> None:
    held = bearer(auth.access_token("nobody"))
    assert auth.get("/user/user", headers=held).status_code == 200
    apply(auth, USER_FILE.replace("  nobody: {}\n", ""))
    apply(auth, USER_FILE)
    auth.running.call(auth.app.grants.reload())
    assert auth.get("/user/user", headers=held).status_code == 401
    assert auth.get("/user/user", "nobody").status_code == 200


def test_a_switched_off_user_stays_so_when_the_file_drops_him(auth: Auth) -> None:
    user = tables("auth").user
    auth.app.database.call(lambda c: c.execute(user.update().where(user.c.username == "both").values(active=False)))
    apply(auth, "{}")
    apply(auth, USER_FILE)
    assert not snapshot(auth).active("both")
    auth.app.database.call(lambda c: c.execute(user.update().values(active=True)))


def test_two_sources_do_not_remove_each_others_rows(auth: Auth) -> None:
    apply(auth, USER_FILE, "other")
    apply(auth, "{}", "other")
    assert may(auth, "alice", ONE)


def test_a_faulty_file_changes_nothing(auth: Auth, tmp_path: Path) -> None:
    before = dump(auth)
    file = tmp_path / "user.yaml"
    file.write_text(USER_FILE.replace("[reader], resource_paths: [/open]", "[nothing], resource_paths: [/open]"))
    with pytest.raises(Faulty, match="fault"):
        importing.import_file(auth.app, file, SOURCE)
    assert dump(auth) == before


def test_a_file_that_did_not_change_is_not_imported_again(auth: Auth, tmp_path: Path) -> None:
    file = tmp_path / "user.yaml"
    file.write_text("users: {once: {}}\n")
    importing.import_file(auth.app, file, "once")
    auth.app.database.call(
        lambda c: c.execute(tables("auth").user.delete().where(tables("auth").user.c.username == "once"))
    )
    importing.import_file(auth.app, file, "once")
    assert auth.app.database.call(store.find_user, "auth", "once") is None
    importing.import_file(auth.app, file, "once", always=True)
    assert auth.app.database.call(store.find_user, "auth", "once")


def test_an_unchanged_file_writes_nothing_even_when_it_is_imported_again(auth: Auth, tmp_path: Path) -> None:
    file = tmp_path / "user.yaml"
    file.write_text(USER_FILE)
    engine = auth.app.database.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as listener:
        listener.execute(sa.text("listen commonshub_policy"))
        assert not importing.import_file(auth.app, file, SOURCE, always=True).changes
        listener.execute(sa.text("select 1"))
        assert not listener.connection.driver_connection.notifies
        file.write_text(USER_FILE.replace("team: a", "team: heard"))
        [changed] = importing.import_file(auth.app, file, SOURCE, always=True).changes
        listener.execute(sa.text("select 1"))
        assert listener.connection.driver_connection.notifies
        listener.execute(sa.text("unlisten *"))
    assert (changed.kind.name, changed.counts()) == ("user", {"added": 0, "changed": 1, "removed": 0})


def test_what_others_changed_becomes_again_what_the_file_says(auth: Auth, tmp_path: Path) -> None:
    before = dump(auth)
    t = tables("auth")

    def meddle(connection: sa.Connection) -> None:
        mine = t.user_policy.c.source == SOURCE
        connection.execute(t.user_policy.update().where(mine).values(expires_at=datetime.now(UTC)))
        connection.execute(t.role.update().values(description="else"))
        connection.execute(t.permission.delete().where(t.permission.c.role_id == "writer", t.permission.c.id == "w"))
        connection.execute(t.permission.update().where(t.permission.c.id == "c").values(method="*"))
        connection.execute(t.policy_resource.insert().values(policy_id="one_reader", path="/services"))
        connection.execute(t.policy_role.insert().values(policy_id="gone", role_id="administrator"))

    auth.app.database.call(meddle)
    apply(auth, USER_FILE)
    assert dump(auth) == before


def test_an_import_is_in_the_audit_trail(auth: Auth) -> None:
    apply(auth, USER_FILE.replace("  nobody: {}\n", ""))
    row = auth.audited()[-1]
    assert (row.action, row.subject, row.detail) == (
        "import_policies",
        SOURCE,
        {"user": {"added": 0, "changed": 0, "removed": 1}},
    )
    count = len(auth.audited())
    apply(auth, USER_FILE.replace("  nobody: {}\n", ""))
    assert len(auth.audited()) == count


def test_of_a_user_the_file_may_say_a_part(auth: Auth) -> None:
    user = tables("auth").user
    auth.app.database.call(
        lambda c: c.execute(user.update().where(user.c.username == "bob").values(email="b@x", tags={"k": "v"}))
    )
    apply(auth, USER_FILE.replace("bob: {policies: [uploader]}", "bob: {display_name: Bob}"))
    found = auth.app.database.call(store.get_user, "auth", "bob")
    assert (found.email, found.display_name, found.tags) == ("b@x", "Bob", {"k": "v"})
    auth.app.database.call(lambda c: c.execute(user.update().values(email="", display_name="", tags={})))


def test_an_import_that_breaks_off_leaves_the_old_state(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump(auth)

    def broken(*_: Any) -> None:
        raise RuntimeError("power cut")

    # When all has been added and nothing taken away yet.
    monkeypatch.setattr(difference, "_remove", broken)
    with pytest.raises(RuntimeError):
        apply(auth, "{}")
    assert dump(auth) == before


def test_nobody_loses_access_while_an_import_runs(auth: Auth) -> None:
    stop = threading.Event()
    refused: list[float] = []

    def poll() -> None:
        while not stop.is_set():
            if not auth.app.policy.allows(Identity("alice"), Request("fence", "read-storage", ONE)):
                refused.append(time.monotonic())

    watcher = threading.Thread(target=poll)
    watcher.start()
    for round_ in range(5):
        apply(auth, USER_FILE.replace("team: a", f"team: b{round_}"))
        auth.running.call(auth.app.grants.reload())
    stop.set()
    watcher.join()
    assert not refused


def test_names_with_odd_characters_round_trip(auth: Auth) -> None:
    name = 'o\'brien; drop table "usr" _ '
    apply(auth, USER_FILE + f"  {json.dumps(name.replace(' ', '.'))}: {{policies: [one_reader]}}\n")
    assert may(auth, name.replace(" ", "."), ONE)
    assert not may(auth, "o'brien", ONE)


@pytest.fixture
def command(auth: Auth, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run an operator's command on the service's database: exit status, output, errors."""
    app: AuthApp = auth.app
    options = [
        f"--Commons.data_dir={app.commons.data_dir}",
        f"--DatabaseSettings.url={app.database.settings.url}",
        f"--AuthApp.user_file={app.user_file}",
    ]

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, *options])
        shown = capsys.readouterr()
        return status, shown.out.strip(), shown.err.strip()

    return run


def test_the_operator_makes_an_administrator(auth: Auth, command: Any) -> None:
    status, out, _ = command("user", "add", "Chief", "--admin", "--email", "chief@example.org")
    assert (status, out) == (0, "chief is a user and an administrator of this commons.")
    assert may(auth, "chief", TWO)
    apply(auth, USER_FILE)
    assert may(auth, "chief", TWO)


def test_the_operator_makes_a_key_that_works(auth: Auth, command: Any) -> None:
    status, out, _ = command("key", "create", "alice")
    credentials = json.loads(out)
    assert status == 0
    assert auth.post("/user/credentials/api/access_token", json=credentials).status_code == 200


def test_the_operator_makes_a_key_that_ends_soon(command: Any) -> None:
    _, out, _ = command("key", "create", "alice", "--ttl", "60")
    claims = claims_of(json.loads(out)["api_key"])
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("key", "create", "alice", "--ttl", "0"), "--ttl must be between 1 and 2592000 seconds."),
        (("key", "create", "stranger"), "This commons has no user stranger."),
        (("user", "add", "a/b"), "'a/b' cannot be the name of a user."),
        (("policy", "import", "/no/such/file"), "There is no file /no/such/file."),
    ],
)
def test_a_command_that_fails_says_why(command: Any, arguments: tuple[str, ...], message: str) -> None:
    assert command(*arguments) == (1, "", message)


def test_the_operator_imports_a_file(auth: Auth, command: Any, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(USER_FILE + "  imported: {policies: [one_reader]}\n")
    status, out, errors = command("policy", "import", str(file))
    assert (status, out.splitlines(), errors) == (
        0,
        ["user: 1 added", "policy of user: 1 added", f"Imported {file}."],
        "",
    )
    assert may(auth, "imported", ONE)
    file.write_text("users: {x: {policies: [nothing]}}\n")
    status, _, errors = command("policy", "import", str(file))
    assert (status, "line 1, users.x.policies[0]: no policy 'nothing' is defined" in errors) == (1, True)


def test_a_fault_in_the_file_does_not_keep_the_operator_out(auth: Auth, command: Any) -> None:
    file = Path(auth.app.user_file)
    content = file.read_text()
    file.write_text(content + "  broken: {policies: [nothing]}\n")
    try:
        status, out, errors = command("user", "add", "mender", "--admin")
    finally:
        file.write_text(content)
    assert (status, out) == (0, "mender is a user and an administrator of this commons.")
    assert "no policy 'nothing' is defined" in errors


@pytest.mark.parametrize("content", [b"users: {\xff: {}}", b"x" * (17 * 2**20)], ids=["bytes", "size"])
def test_a_file_that_cannot_be_read_does_not_keep_the_operator_out(auth: Auth, command: Any, content: bytes) -> None:
    file = Path(auth.app.user_file)
    good = file.read_text()
    file.write_bytes(content)
    try:
        status, out, errors = command("user", "add", "mender", "--admin")
    finally:
        file.write_text(good)
    assert (status, out) == (0, "mender is a user and an administrator of this commons.")
    assert "was not imported" in errors


def test_a_file_that_the_system_does_not_let_be_read_is_told_in_one_line(command: Any) -> None:
    status, _, errors = command("policy", "import", "/proc/self/mem")
    assert (status, errors) == (1, "/proc/self/mem cannot be read: Input/output error.")


def test_a_file_cannot_widen_what_somebody_else_gave_to_everybody(auth: Auth) -> None:
    t = tables("auth")
    given = {"group_name": "anonymous", "policy_id": "uploader", "source": "api"}
    auth.app.database.call(lambda connection: connection.execute(t.group_policy.insert().values(given)))
    before = dump(auth)
    wider = USER_FILE.replace("service: fence, method: file_upload", 'service: "*", method: file_upload')
    assert wider != USER_FILE
    try:
        with pytest.raises(BadRequest, match="uploader would grant service"):
            apply(auth, wider)
        assert dump(auth) == before
    finally:
        auth.app.database.call(
            lambda connection: connection.execute(t.group_policy.delete().where(t.group_policy.c.source == "api"))
        )


def test_importing_another_file_is_not_undone_at_the_next_start(auth: Auth, command: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(USER_FILE + "  other: {policies: [one_reader]}\n")
    command("policy", "import", str(other))
    importing.import_file(auth.app, Path(auth.app.user_file), SOURCE)
    assert may(auth, "other", ONE)


@pytest.mark.parametrize(
    "content",
    [b"users: {\xff: {}}", b"users: {x: {policies: [nothing]}}", b"x" * (17 * 2**20)],
    ids=["bytes", "fault", "size"],
)
def test_a_service_starts_with_the_earlier_policies_when_the_file_is_bad(auth: Auth, content: bytes) -> None:
    file = Path(auth.app.user_file)
    good = file.read_text()
    file.write_bytes(content)
    try:
        auth.running.call(auth.app._import_user_file())
    finally:
        file.write_text(good)
    assert may(auth, "alice", ONE)
