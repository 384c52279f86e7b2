"""The operator's commands, as processes of their own on a real database."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from tests.auth_service import Auth

from commonshub.core import audit
from commonshub.core.audit import Entry
from commonshub.core.identity import Identity

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def command(auth: Auth, database_url: str) -> Command:
    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        arguments = [sys.executable, "-P", "-m", "commonshub.auth", *words]
        settings = (
            []
            if any("DatabaseSettings" in word for word in words)
            else [f"--DatabaseSettings.url={database_url}", f"--TokenSettings.jwks_file={auth.app.tokens.jwks_file}"]
        )
        environment = {**os.environ, "COMMONSHUB_DATA_DIR": str(auth.app.commons.path), "COLUMNS": "100"}
        return subprocess.run([*arguments, *settings], capture_output=True, text=True, env=environment, check=False)

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


def test_the_trail_is_shown_newest_last(command: Command) -> None:
    done = command("audit", "--user", "carol", "--decision", "denied", "--since", "1h", "--limit", "2")
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
        (["audit", "--limit", "0"], "--limit"),
        (["audit", "--decision", "perhaps"], "--decision"),
    ],
)
def test_a_faulty_command_says_why(command: Command, words: list[str], told: str) -> None:
    done = command(*words)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_away_is_told_in_one_line(command: Command) -> None:
    done = command("audit", "--DatabaseSettings.url=postgresql://127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be reached")
    assert "Traceback" not in done.stderr
