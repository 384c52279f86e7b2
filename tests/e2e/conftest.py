"""One whole commons with the demo, brought up once for all end-to-end tests."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import free_port
from tests.tokens import bearer

COMMAND = Path(sys.executable).with_name("commonshub")


@dataclass
class CommonsUnderTest:
    """A running commons."""

    data_dir: Path
    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str) -> str:
        """Run a `commonshub` command on this commons; its output."""
        command = [str(COMMAND), *arguments, "--data-dir", str(self.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def parts(self) -> dict[str, dict[str, Any]]:
        """What `status` says of each part, by name."""
        return {part["name"]: part for part in json.loads(self.run("status", "--json"))["parts"]}

    def credentials(self, username: str, folder: Path) -> Path:
        """A credentials file of `username`, as the profile page would give."""
        file = folder / f"{username}.json"
        file.write_text(self.run("key", "create", username))
        return file

    def bearer(self, username: str) -> dict[str, str]:
        """Headers of a request by `username`."""
        key = json.loads(self.run("key", "create", username))
        answer = requests.post(f"{self.origin}/user/credentials/api/access_token", json=key, timeout=30)
        assert answer.status_code == 200, answer.text
        return bearer(answer.json()["access_token"])

    @cached_property
    def admin(self) -> dict[str, str]:
        return self.bearer("admin")


@pytest.fixture(scope="session")
def commons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommonsUnderTest]:
    folder = tmp_path_factory.mktemp("commons")
    running = CommonsUnderTest(folder / "data", free_port())
    try:
        running.run("up", "--detach", "--port", str(running.port))
        yield running
    finally:
        running.run("down")


@pytest.fixture
def clean_environment(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home, so that no token or key of an earlier run is found."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GEN3", "XDG_"))}
    return {**kept, "HOME": str(tmp_path), "GEN3SDK_MAX_RETRIES": "1"}


@pytest.fixture(scope="session")
def sign_up(commons: CommonsUnderTest) -> Any:
    """Make a login and sign in: ``sign_up("alice")`` returns a `browserless.Person`."""
    from browserless import Person

    def make(username: str) -> Person:
        return Person(commons.origin, username, passwords(username))

    def passwords(username: str) -> str:
        text = commons.run("user", "add", username)
        return text.split("password:")[1].split()[0]

    make.password = passwords  # type: ignore[attr-defined]
    return make


@pytest.fixture
def visitor(commons: Any, tmp_path: Path) -> Iterator[Any]:
    """A person at a browser; the console's messages are kept."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService
    from visitor import QUIET, Visitor

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium and its driver must be there in CI")
        pytest.skip("no Chromium with its driver on this machine")
    options = ChromeOptions()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = browser
    for argument in [*QUIET.split(), f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(argument)
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield Visitor(chrome, commons.origin)
    chrome.quit()
