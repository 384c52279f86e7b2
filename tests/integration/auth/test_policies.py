"""The operator's commands on policies: what an import would do, an export, and questions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from hypothesis import HealthCheck, given, settings
from tests.auth_service import USER_FILE, Auth
from tests.reference_evaluator import World
from tests.worlds import user_file, worlds

from commonshub.auth import difference, exporting, importing
from commonshub.auth.app import AuthApp
from commonshub.auth.commands import main
from commonshub.auth.userfile import parse
from commonshub.core.grants import load, tables

SOURCE = "user.yaml"
Command = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def command(auth: Auth, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run an operator's command on the service's database: exit status, lines of output, lines of errors."""
    app: AuthApp = auth.app
    options = [
        f"--Commons.data_dir={app.commons.data_dir}",
        f"--DatabaseSettings.url={app.database.settings.url}",
        f"--AuthApp.user_file={app.user_file}",
    ]

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        status = main([*arguments, *options])
        shown = capsys.readouterr()
        return status, shown.out.splitlines(), shown.err.splitlines()

    return run


@pytest.fixture(autouse=True)
def restored(auth: Auth) -> Any:
    yield
    apply(auth, USER_FILE)


def apply(auth: Auth, text: str, source: str = SOURCE) -> None:
    auth.app.database.call(importing.apply, "auth", parse(text), source)


def bind(auth: Auth, user: str, policy: str, source: str, ends: datetime | None = None) -> None:
    t = tables("auth")
    values = sa.select(t.user.c.id, sa.literal(policy), sa.literal(source), sa.literal(ends, sa.DateTime(True)))
    query = values.where(t.user.c.username == user)
    names = ["user_id", "policy_id", "source", "expires_at"]
    auth.app.database.call(lambda c: c.execute(t.user_policy.insert().from_select(names, query)))


def unbind(auth: Auth, source: str) -> None:
    given = tables("auth").user_policy
    auth.app.database.call(lambda c: c.execute(given.delete().where(given.c.source == source)))


# -- what an import would do ---------------------------------------------------


def test_a_dry_run_says_what_would_change_and_changes_nothing(auth: Auth, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "user.yaml"
    file.write_text(
        USER_FILE.replace("    - {name: open}\n", "    - {name: open, description: Free}\n    - {name: more}\n")
        .replace("  nobody: {}\n", "  new: {policies: [uploader]}\n")
        .replace("method: file_upload", "method: raed")
    )
    before = auth.app.database.call(load, "auth")
    status, out, _ = command("policy", "import", str(file), "--dry-run")
    assert status == 0
    assert out == [
        f"Warning: line {line_of(file, 'raed')}, authz.roles[3].permissions[0].action.method: "
        "no service asks for the method 'raed'; is it misspelled?",
        "resource: 1 added, 1 changed",
        "permission: 1 changed",
        "user: 1 added, 1 removed",
        "policy of user: 1 added",
        "+ resource /more",
        "~ resource /open",
        "~ permission uploader: u",
        "+ user new",
        "- user nobody",
        "+ policy of user new: uploader",
        f"Nothing was changed. {file} can be imported.",
    ]
    after = auth.app.database.call(load, "auth")
    assert (after.policies, after.resources, set(after.users)) == (before.policies, before.resources, set(before.users))


def line_of(file: Path, word: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if word in line)


def test_a_dry_run_of_what_there_is_says_so(auth: Auth, command: Command) -> None:
    assert command("policy", "import", "--dry-run")[1][0] == "The file says what the commons has already."


def test_a_dry_run_of_a_faulty_file_tells_its_faults(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "user.yaml"
    file.write_text("users:\n  x: {policies: [nothing]}\n")
    status, out, errors = command("policy", "import", str(file), "--dry-run")
    assert (status, out) == (1, [])
    assert errors[1] == "line 2, users.x.policies[0]: no policy 'nothing' is defined"


# -- export --------------------------------------------------------------------


def exported(auth: Auth, source: str | None = SOURCE) -> tuple[str, list[str]]:
    found: tuple[str, list[str]] = auth.app.database.call(exporting.export, "auth", source)
    return found


def differences(auth: Auth, text: str, source: str = SOURCE) -> list[str]:
    found = auth.app.database.call(difference.compare, "auth", parse(text), source)
    return [line for each in found for line in each.lines()]


def test_an_export_imports_to_the_same_rows(auth: Auth, command: Command) -> None:
    status, out, errors = command("policy", "export")
    assert (status, errors) == (0, [])
    text = "\n".join(out)
    assert differences(auth, text) == []
    assert parse(text).users["alice"].tags == {"team": "a"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds)
def test_whatever_a_file_says_is_exported_and_says_the_same(auth: Auth, world: World) -> None:
    written = yaml.safe_dump(user_file(world), allow_unicode=True)
    apply(auth, "{}")
    apply(auth, written)
    text, left_out = exported(auth)
    assert left_out == []
    assert differences(auth, text) == []
    assert vars(parse(text)) == vars(parse(written))


def test_what_others_gave_is_exported_on_demand(auth: Auth) -> None:
    bind(auth, "bob", "two_reader", "cli")
    try:
        assert "two_reader" not in yaml.safe_load(exported(auth)[0])["users"]["bob"]["policies"]
        assert "two_reader" in yaml.safe_load(exported(auth, None)[0])["users"]["bob"]["policies"]
    finally:
        unbind(auth, "cli")


def test_what_no_file_can_say_is_left_out_and_told(auth: Auth, command: Command) -> None:
    t = tables("auth")
    ends = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC)
    bind(auth, "bob", "two_reader", "api", ends)
    bind(auth, "bob", "gone", "api")

    def add(connection: sa.Connection) -> None:
        connection.execute(t.policy.insert().values(id="empty", source="api"))
        connection.execute(t.role.insert().values(id="empty", source="api"))
        connection.execute(
            t.group_policy.insert().values(group_name="anonymous", policy_id="administrator", source="api")
        )
        connection.execute(t.user.update().where(t.user.c.username == "both").values(active=False))

    def remove(connection: sa.Connection) -> None:
        for table in (t.policy, t.role, t.group_policy):
            connection.execute(table.delete().where(table.c.source == "api"))
        connection.execute(t.user.update().values(active=True))

    auth.app.database.call(add)
    try:
        status, out, errors = command("policy", "export", "--all")
    finally:
        auth.app.database.call(remove)
        unbind(auth, "api")
    assert status == 0
    assert sorted(errors) == [
        "Left out: policy administrator of anonymous: it grants service *",
        "Left out: policy empty, which has no role or no path",
        "Left out: policy gone of bob, which is not defined",
        "Left out: role empty, which has no permission",
        "Left out: that user both is switched off",
        "Left out: two_reader of bob, which ends at 2040-01-02 03:04:05 UTC",
    ]
    assert parse("\n".join(out)).user_policies >= {("bob", "uploader")}


def test_a_definition_that_somebody_else_made_first_is_exported_where_it_is_needed(auth: Auth) -> None:
    t = tables("auth")
    auth.app.database.call(lambda c: c.execute(t.policy.update().where(t.policy.c.id == "uploader").values(source="x")))
    try:
        assert differences(auth, exported(auth)[0]) == []
        assert "uploader" in parse(exported(auth)[0]).policies
    finally:
        auth.app.database.call(lambda c: c.execute(t.policy.update().values(source=SOURCE)))


# -- questions -----------------------------------------------------------------


def test_an_allowed_request_is_explained(auth: Auth, command: Command) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    bind(auth, "both", "one_writer", "api", end)
    try:
        status, out, _ = command("policy", "explain", "Both", "fence", "read-storage", "/programs/a/projects/one/x")
    finally:
        unbind(auth, "api")
    assert status == 0
    assert out == [
        "allowed",
        "user both: policy one_reader, from user.yaml",
        f"user both: policy one_writer, from api, until {end:%Y-%m-%d %H:%M:%S} UTC",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("both", "fence", "read-storage", "/programs/a/projects/two"),
            ["allowed", "user both: policy two_reader, by group twos, from user.yaml"],
        ),
        (
            ("-", "fence", "read-storage", "/open/data"),
            ["allowed", "everybody: policy open_reader, by group anonymous, from user.yaml"],
        ),
        (("-", "fence", "read-storage", "/programs/a"), ["denied", "everybody: nothing grants it"]),
        (("stranger", "fence", "create", "/open"), ["denied", "user stranger: nothing grants it"]),
        (
            ("root", "*", "*", "/programs", "--client", "app"),
            [
                "denied",
                "client app: nothing grants it",
                "user root: policy administrator, from user.yaml",
            ],
        ),
    ],
)
def test_an_answer_names_what_it_rests_on(command: Command, arguments: tuple[str, ...], told: list[str]) -> None:
    assert command("policy", "explain", *arguments) == (0, told, [])


def test_who_can_lists_everybody_who_may(command: Command) -> None:
    assert command("policy", "who-can", "fence", "read-storage", "/programs/a/projects/two") == (
        0,
        [
            "user both: policy two_reader, by group twos, from user.yaml",
            "user root: policy administrator, from user.yaml",
        ],
        [],
    )
    assert command("policy", "who-can", "fence", "read-storage", "/elsewhere")[1] == ["nobody"]


def test_policies_are_listed_with_what_they_allow_and_where(command: Command) -> None:
    status, out, _ = command("policy", "list")
    assert status == 0
    assert "one_reader\tfence:read-storage\t/programs/a/projects/one" in out


@pytest.mark.parametrize("path", ["programs/a", "/", "/a/../b", "/a%2fb"])
def test_a_question_about_no_path_is_refused(command: Command, path: str) -> None:
    status, out, errors = command("policy", "explain", "alice", "fence", "read", path)
    assert (status, out) == (1, [])
    assert "is not a resource path" in errors[0]
