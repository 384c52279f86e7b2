"""A commons of real parts, with one small service."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import free_port

COMMAND = [sys.executable, "-P", "-m", "commonshub.hub.cli"]
PASSWORD = "correct horse battery"
# Within this a part that was killed is back, and a workspace has started, in seconds.
BACK_WITHIN_S = 40


class Commons:
    """A data folder and the commands on it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *arguments, "--data-dir", str(self.folder)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    def up(self) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--detach", "--empty", "--port", str(self.port))

    def parts(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in json.loads(self.run("status", "--json").stdout)["parts"]}

    def pids(self) -> dict[str, int]:
        return {name: part["pid"] for name, part in self.parts().items()}

    def whole(self) -> bool:
        parts = self.parts()
        return len(parts) > 5 and all(part["state"] == "running" for part in parts.values())

    def sign_in(self, name: str, password: str) -> requests.Session:
        """A browser that tried to sign in to the hub."""
        browser = requests.Session()
        page = f"{self.origin}/jupyter/hub/login"
        browser.get(page, timeout=30)
        form = {"username": name, "password": password, "_xsrf": self.xsrf(browser)}
        browser.post(page, params={"next": "/jupyter/hub/home"}, data=form, timeout=30)
        return browser

    @staticmethod
    def xsrf(browser: requests.Session) -> str:
        return next(cookie.value or "" for cookie in browser.cookies if cookie.name == "_xsrf")


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commons]:
    # The path has blanks and is too long for a Unix socket; the folder is what a start that was cut off leaves.
    folder = tmp_path_factory.mktemp("hub") / ("a data folder with blanks " * 4).strip()
    running = Commons(folder, free_port())
    made = running.run("init")
    assert made.returncode == 0, made.stderr
    with (folder / "commonshub_config.py").open("a") as config:
        config.write('\nc.HubSettings.managed_services = ["workflow"]\n')
    (folder / "run" / "state.json").write_text('{"parts": [{"name"')
    (folder / "run" / "lock").touch()
    (folder / "postgres" / "fresh" / "base").mkdir(parents=True)
    first = running.up()
    try:
        assert first.returncode == 0, first.stdout + first.stderr
        running.first_output = first.stdout  # type: ignore[attr-defined]
        yield running
    finally:
        running.run("down")


@pytest.fixture(scope="module")
def commons(started: Commons) -> Commons:
    """The commons, up again where another module has taken it down."""
    if not started.whole():
        again = started.up()
        assert again.returncode == 0, again.stdout + again.stderr
    return started
