"""The operator's commands on a real database."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.commands import run_here
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.auth import commands
from commonshub.core import audit
from commonshub.core.audit import Entry
from commonshub.core.identity import Identity

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def settings(auth: Auth, database_url: str) -> list[str]:
    return [
        f"--data-dir={auth.app.commons.path}",
        f"--DatabaseSettings.url={database_url}",
        f"--TokenSettings.jwks_file={auth.app.tokens.jwks_file}",
    ]


@pytest.fixture(scope="module")
def command(settings: list[str]) -> Command:
    return lambda *words: run_here(commands.main, [*words, *settings])


@pytest.fixture(scope="module")
def process(settings: list[str]) -> Command:
    """Run a command as operators do."""

    def run(*words: str) -> CompletedProcess[str]:
        arguments = [sys.executable, "-P", "-m", "commonshub.auth", *words, *settings]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="module", autouse=True)
def rows(auth: Auth) -> None:
    def write(connection: sa.Connection) -> None:
        entries = [Entry("download", f"g-{number}", "denied" if number % 2 else "allowed") for number in range(6)]
        audit.write_many(connection, "auth", Identity("carol"), "request-1", entries)
        audit.write_many(
            connection, "auth", Identity("mallory"), "request-2", [Entry("upload", "=1+1\x1b[2J\nfake line")]
        )

    auth.app.database.call(write)


def test_the_trail_is_shown_newest_last(process: Command) -> None:
    done = process("audit", "--user", "carol", "--decision", "denied", "--since", "1h", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["g-3", "g-5"]


def test_s24_nothing_that_somebody_sent_steers_the_terminal(command: Command) -> None:
    done = command("audit", "--user", "mallory")
    assert len(done.stdout.splitlines()) == 1
    assert "\x1b" not in done.stdout


def test_the_trail_is_written_as_csv_and_as_json(command: Command) -> None:
    found = list(csv.DictReader(io.StringIO(command("audit", "--user", "mallory", "--csv").stdout, newline="")))
    assert [row["subject"][:5] for row in found] == ["'=1+1"]
    lines = command("audit", "--user", "carol", "--json", "--since", "2020-01-01").stdout.splitlines()
    assert [json.loads(line)["subject"] for line in lines] == [f"g-{number}" for number in range(6)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["audit", "--since", "yesterday"], "--since must be"),
        (["audit", "--since", "999999d"], "--since must be"),
        (["audit", "--limit", "0"], "--limit"),
        (["audit", "--decision", "perhaps"], "--decision"),
    ],
)
def test_a_faulty_command_says_why(command: Command, words: list[str], told: str) -> None:
    done = command(*words)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_away_is_told_in_one_line(auth: Auth) -> None:
    away = [f"--data-dir={auth.app.commons.path}", "--DatabaseSettings.url=postgresql://127.0.0.1:1/none"]
    done = run_here(commands.main, ["audit", *away])
    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be reached")
    assert "Traceback" not in done.stderr


def trail_of(auth: Auth, subject: str) -> list[str]:
    return [row.action for row in auth.audited() if row.subject == subject and row.request_id == "cli"]


def done(command: Command, *words: str) -> str:
    found = command(*words)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_user_is_made_given_rights_and_taken_them(auth: Auth, command: Command) -> None:
    done(command, "user", "add", "dave", "--email", "dave@example.org")
    done(command, "user", "grant", "dave", "one_reader", "--until", "30d")
    done(command, "user", "group", "add", "dave", "twos")
    found = json.loads(done(command, "user", "show", "dave", "--json"))
    assert found["groups"] == ["twos"]
    [policy] = found["policies"]
    assert (policy["policy"], policy["source"]) == ("one_reader", "cli")
    assert "policy: one_reader (by cli, until " in done(command, "user", "show", "dave")
    done(command, "user", "revoke", "dave", "one_reader")
    done(command, "user", "group", "remove", "dave", "twos")
    assert done(command, "user", "show", "dave").splitlines()[-1] == "source: cli"
    assert trail_of(auth, "dave") == ["create_user", "grant", "grant", "revoke", "revoke"]


def test_s10_who_is_switched_off_by_a_command_is_refused_at_once(auth: Auth, command: Command) -> None:
    done(command, "user", "add", "erin")
    key = auth.api_key("erin")
    token = auth.access_token("erin")

    def status() -> int:
        return auth.get("/user/user", headers=bearer(token)).status_code

    assert status() == 200
    done(command, "user", "deactivate", "erin")
    eventually(lambda: status() == 401, 5)
    done(command, "user", "reactivate", "erin")
    eventually(lambda: status() == 200, 5)
    assert auth.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 401
    done(command, "user", "delete", "erin")
    eventually(lambda: status() == 401, 5)
    assert trail_of(auth, "erin") == ["create_user", "deactivate_user", "reactivate_user", "delete_user"]


def test_all_users_are_listed_for_people_and_for_scripts(command: Command) -> None:
    assert any(
        line.startswith("both  ") and "groups: twos" in line for line in done(command, "user", "list").split("\n")
    )
    found = [json.loads(line) for line in done(command, "user", "list", "--json").splitlines()]
    assert {"alice", "bob", "root"} <= {user["name"] for user in found}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["user", "show", "no-such-user"], "no user no-such-user"),
        (["user", "delete", "no-such-user"], "no user no-such-user"),
        (["user", "delete", "alice"], "user.yaml"),
        (["user", "grant", "bob", "no-such-policy"], "no policy no-such-policy"),
        (["user", "grant", "bob", "one_reader", "--until", "2020-01-01"], "--until must be in the future"),
        (["user", "revoke", "alice", "one_reader"], "user.yaml"),
        (["user", "group", "add", "bob", "anonymous"], "anonymous"),
        (["user", "reactivate", "bob"], "active already"),
        (["user", "add", "a/b"], "cannot be the name"),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(auth: Auth, command: Command, words: list[str], told: str) -> None:
    before = len(auth.audited())
    found = command(*words)
    assert found.returncode == 1
    assert told in found.stderr
    assert "Traceback" not in found.stderr
    assert len(auth.audited()) == before
