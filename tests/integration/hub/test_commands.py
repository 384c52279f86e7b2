"""The commands that the auth service carries out, as the operator of a running commons gives them."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.integration.hub.conftest import COMMAND, Commons


def said(commons: Commons, *words: str) -> str:
    done = commons.run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def signed_in(commons: Commons, name: str, password: str) -> bool:
    browser = commons.sign_in(name, password)
    return browser.get(f"{commons.origin}/jupyter/hub/home", timeout=30, allow_redirects=False).status_code == 200


def test_who_is_switched_off_cannot_sign_in_until_he_gets_a_new_login(commons: Commons) -> None:
    password = said(commons, "user", "add", "greta", "--email", "greta@example.org").split("password:")[1].split()[0]
    assert signed_in(commons, "greta", password)
    assert "switched off" in said(commons, "user", "deactivate", "greta")
    assert not signed_in(commons, "greta", password)
    assert json.loads(said(commons, "user", "show", "greta", "--json"))["active"] is False
    said(commons, "user", "reactivate", "greta")
    again = said(commons, "user", "add", "greta").split("password:")[1].split()[0]
    assert signed_in(commons, "greta", again)


def test_the_trail_names_what_the_operator_did(commons: Commons) -> None:
    said(commons, "user", "add", "hugo")
    said(commons, "user", "delete", "hugo")
    rows = [json.loads(line) for line in said(commons, "audit", "--subject", "hugo", "--json").splitlines()]
    assert [(row["action"], row["request_id"]) for row in rows] == [("create_user", "cli"), ("delete_user", "cli")]


@pytest.mark.parametrize("words", [[], ["user"], ["user", "add"], ["user", "grant"], ["key"], ["client"], ["audit"]])
def test_each_group_explains_itself_where_there_is_no_commons_yet(words: list[str], tmp_path: Path) -> None:
    command = [*COMMAND, *words, "--help", "--data-dir", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: commonshub {' '.join(words)}".rstrip())


@pytest.mark.parametrize("words", [("user", "add", "ivo"), ("user", "show", "ivo")])
def test_the_folder_may_be_named_before_the_command(words: tuple[str, ...], tmp_path: Path) -> None:
    group, *rest = words
    done = subprocess.run(
        [*COMMAND, group, "--data-dir", str(tmp_path / "none"), *rest], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "There is no commons in" in done.stderr) == (1, True)
