"""A commons comes up, stays up, and goes."""

import os
import signal
import socket
from pathlib import Path

import pytest
import requests
from tests.conftest import free_port
from tests.waiting import eventually

from commonshub.hub.files import read_json
from commonshub.hub.processes import Handle, marked, wait_gone

from .conftest import BACK_WITHIN_S, Commons


def test_the_first_start_says_where_it_is_and_how_to_sign_in(commons: Commons) -> None:
    output: str = commons.first_output  # type: ignore[attr-defined]
    password = (commons.folder / "secrets" / "admin-password.txt").read_text().strip()
    assert f"ready at {commons.origin}/portal/" in output
    assert f"Sign in as admin with the password {password}" in output
    assert password not in (commons.folder / "logs" / "up.log").read_text()


def test_every_part_runs_and_the_service_answers_through_the_proxy(commons: Commons) -> None:
    assert commons.whole()
    assert requests.get(f"{commons.origin}/ga4gh/wes/v1/service-info", timeout=10).status_code == 200
    assert requests.get(f"{commons.origin}/jupyter/hub/health", timeout=10).status_code == 200


def test_secrets_are_private_and_on_no_command_line(commons: Commons) -> None:
    folder = commons.folder / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    secrets = read_json(folder / "hub.json")
    keys = read_json(folder / "s3.json")
    words = [secrets["proxy_token"], secrets["cookie_secret"], *secrets["tokens"].values(), *keys.values()]
    words += secrets["postgres"].values()
    for pid in commons.pids().values():
        shown = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        assert not any(word in shown for word in words)


def test_a_second_up_on_the_same_folder_names_the_url(commons: Commons) -> None:
    again = commons.run("up", "--empty", "--port", "8000")
    assert again.returncode == 1
    assert f"already running at {commons.origin}/portal/" in again.stderr


def test_a_port_in_use_is_told_and_nothing_stays_behind(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = Commons(tmp_path / "data", taken.getsockname()[1])
        answer = other.run("up", "--empty", "--port", str(other.port))
    assert answer.returncode == 1
    assert f"Port {other.port} is in use" in answer.stderr
    assert not list(marked(read_json(other.folder / "secrets" / "hub.json")["instance"]))


def test_a_fault_in_the_dictionary_is_told_before_anything_starts(tmp_path: Path) -> None:
    other = Commons(tmp_path / "data", free_port())
    assert other.run("init").returncode == 0
    (other.folder / "dictionary" / "case.yaml").write_text("id: case\nlinks: [\n")
    answer = other.run("up", "--empty", "--port", str(other.port))
    assert (answer.returncode, "Traceback" in answer.stderr) == (1, False)
    assert "case.yaml" in answer.stderr
    assert not list(marked(read_json(other.folder / "secrets" / "hub.json")["instance"]))


@pytest.mark.parametrize("name", ["postgres", "objects", "proxy", "hub"])
def test_a_killed_part_comes_back_and_the_others_go_on(commons: Commons, name: str) -> None:
    before = commons.pids()
    os.kill(before[name], signal.SIGKILL)
    eventually(lambda: commons.pids()[name] not in (None, before[name]), BACK_WITHIN_S)
    eventually(commons.whole, BACK_WITHIN_S)
    after = commons.pids()
    # A new hub starts its services anew, and each takes over from the old one.
    expected = {name} if name != "hub" else {"hub", "workflow", "culler"}
    assert {part for part in after if after[part] != before[part]} <= expected
    assert eventually(lambda: requests.get(f"{commons.origin}/ga4gh/wes/v1/service-info", timeout=10).ok, BACK_WITHIN_S)
    assert eventually(lambda: requests.get(f"{commons.origin}/jupyter/hub/health", timeout=10).ok, BACK_WITHIN_S)


def test_a_killed_supervisor_leaves_the_parts_running_and_the_next_up_replaces_them(commons: Commons) -> None:
    before = commons.pids()
    os.kill(before["supervisor"], signal.SIGKILL)
    eventually(lambda: commons.pids()["supervisor"] is None, BACK_WITHIN_S)
    left = commons.pids()
    assert all(left[name] == pid for name, pid in before.items() if name != "supervisor")
    assert requests.get(f"{commons.origin}/ga4gh/wes/v1/service-info", timeout=10).ok
    again = commons.up()
    assert again.returncode == 0, again.stdout + again.stderr
    assert "earlier run" in again.stdout
    assert commons.whole()
    assert not set(before.values()) & set(commons.pids().values())


def test_logs_are_shown_by_part(commons: Commons) -> None:
    assert "database system is ready" in commons.run("logs", "postgres").stdout
    assert "There is no log of 'nothing'" in commons.run("logs", "nothing").stderr


def test_down_stops_all_that_was_started_and_nothing_else(commons: Commons) -> None:
    instance = read_json(commons.folder / "secrets" / "hub.json")["instance"]
    handles = [handle for pid in commons.pids().values() if (handle := Handle.of(pid))]
    assert commons.run("down").stdout.strip() == "Stopped."
    assert not list(marked(instance))
    # One that has ended all it can may still be on its way out.
    assert wait_gone(handles, 10)
    assert commons.run("down").stdout.strip() == "Nothing was running."
    assert {part["state"] for part in commons.parts().values()} == {"stopped"}
