"""Sign-in and workspaces of the embedded default."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.waiting import eventually

from commonshub.hub.accounts import Accounts, give, launcher
from commonshub.hub.isolation import code_paths
from commonshub.hub.passwords import Passwords
from commonshub.hub.processes import Handle, marked

from .conftest import BACK_WITHIN_S, PASSWORD, Commons

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workspaces under accounts of their own")


@pytest.fixture(scope="module")
def alice(commons: Commons) -> requests.Session:
    Passwords(commons.folder / "secrets" / "passwords.json").set("alice", PASSWORD)
    return commons.sign_in("alice", PASSWORD)


@pytest.fixture(scope="module")
def workspace(commons: Commons, alice: requests.Session) -> int:
    """Process id of alice's running workspace."""
    headers = {"X-XSRFToken": commons.xsrf(alice), "Referer": f"{commons.origin}/jupyter/hub/home"}
    api = f"{commons.origin}/jupyter/hub/api/users/alice"
    assert alice.post(f"{api}/server", headers=headers, timeout=30).status_code in (201, 202)

    def ready() -> Any:
        return alice.get(api, headers=headers, timeout=30).json()["servers"].get("", {}).get("ready")

    eventually(ready, BACK_WITHIN_S)
    instance = json.loads((commons.folder / "secrets" / "hub.json").read_text())["instance"]
    return next(each.handle.pid for each in marked(instance) if each.environment.get("JUPYTERHUB_USER") == "alice")


def test_the_right_password_signs_in_and_cookies_stay_at_the_hub(commons: Commons, alice: requests.Session) -> None:
    assert alice.get(f"{commons.origin}/jupyter/hub/home", timeout=30).url.endswith("/home")
    paths = {cookie.name: cookie.path for cookie in alice.cookies}
    assert paths.pop("jupyterhub-session-id") == "/jupyter/"
    assert set(paths.values()) == {"/jupyter/hub/"}


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("mallory", PASSWORD), ("alice", ""), ("../x", "x")]
)
def test_a_wrong_password_or_unknown_name_does_not(
    commons: Commons, alice: requests.Session, name: str, password: str
) -> None:
    browser = commons.sign_in(name, password)
    assert "jupyterhub-hub-login" not in {cookie.name for cookie in browser.cookies}


@pytest.mark.parametrize(
    "target", ["//e.example", "///e.example", "/\\e.example", "https://e.example", "javascript:alert(1)"]
)
def test_sign_in_leads_nowhere_else(commons: Commons, alice: requests.Session, target: str) -> None:
    answer = alice.get(
        f"{commons.origin}/jupyter/hub/login", params={"next": target}, allow_redirects=False, timeout=30
    )
    location = answer.headers["Location"]
    assert location.startswith("/")
    assert location[1:2] not in ("/", "\\")


def test_a_workspace_has_its_own_folder_and_the_commons_address(commons: Commons, workspace: int) -> None:
    variables = Path(f"/proc/{workspace}/environ").read_text().split("\0")
    home = commons.folder / "workspaces" / "alice"
    assert f"HOME={home}" in variables
    assert f"COMMONSHUB_ORIGIN={commons.origin}" in variables
    assert f"GEN3_ENDPOINT=127.0.0.1:{commons.port}" in variables
    assert (home / "pd" / "Start here.ipynb").exists()


def test_a_workspace_token_may_be_exchanged_and_little_else(commons: Commons, workspace: int) -> None:
    variables = dict(
        variable.split("=", 1) for variable in Path(f"/proc/{workspace}/environ").read_text().split("\0") if variable
    )
    headers = {"Authorization": f"token {variables['JUPYTERHUB_API_TOKEN']}"}
    hub = f"{commons.origin}/jupyter/hub/api"
    scopes = requests.get(f"{hub}/user", headers=headers, timeout=10).json()["scopes"]
    assert {scope.split("!")[0] for scope in scopes} <= {
        "access:servers",
        "access:services",
        "users:activity",
        "read:users:activity",
        "read:users:name",
        "read:users:groups",
    }
    assert requests.get(f"{hub}/users", headers=headers, timeout=10).status_code == 403
    assert requests.post(f"{hub}/proxy", headers=headers, timeout=10).status_code == 403


@as_root
def test_a_workspace_runs_under_its_own_account_and_sees_its_own_folder_only(commons: Commons, workspace: int) -> None:
    status = Path(f"/proc/{workspace}/status").read_text()
    uid = next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))
    assert len(set(uid)) == 1
    assert int(uid[0]) >= 70_010
    assert "NoNewPrivs:\t1" in status
    inside = Path(f"/proc/{workspace}/root{commons.folder}")
    assert [path.name for path in inside.iterdir()] == ["workspaces"]
    assert [path.name for path in (inside / "workspaces").iterdir()] == ["alice"]


@pytest.mark.parametrize("name", ["hub", "proxy"])
def test_a_workspace_goes_on_when_the_hub_or_the_proxy_is_killed(commons: Commons, workspace: int, name: str) -> None:
    os.kill(commons.pids()[name], signal.SIGKILL)
    eventually(commons.whole, BACK_WITHIN_S)
    assert Handle.of(workspace)
    eventually(lambda: requests.get(f"{commons.origin}/jupyter/user/alice/api", timeout=10).ok, BACK_WITHIN_S)


PROBE = """
import json, os, pathlib, pwd, sys
def attempt(action):
    try:
        return action() or "done"
    except Exception as error:
        return type(error).__name__
data, other = map(pathlib.Path, sys.argv[1:3])
print(json.dumps({
    "uid": os.getuid(),
    "groups": os.getgroups(),
    "name": pwd.getpwuid(os.getuid()).pw_name,
    "secret": attempt(lambda: (data / "secrets" / "hub.json").read_text()),
    "listing": sorted(path.name for path in data.iterdir()),
    "other": attempt(lambda: (other / "private").read_text()),
    "code": attempt(lambda: (pathlib.Path(sys.prefix) / "planted").write_text("x")),
    "temporary": sorted(os.listdir("/tmp")),
    "root again": attempt(lambda: os.setuid(0)),
    "own": attempt(lambda: pathlib.Path("own").write_text("x")),
}))
"""


@as_root
def test_an_enclosed_process_reaches_neither_secrets_nor_other_users(tmp_path: Path) -> None:
    data = tmp_path / "data"
    accounts = Accounts(data / "accounts.json")
    (data / "secrets").mkdir(parents=True)
    (data / "secrets" / "hub.json").write_text("secret")
    homes = {name: data / "workspaces" / name for name in ("alice", "bob")}
    people = {name: accounts.user(name, str(home)) for name, home in homes.items()}
    for name, home in homes.items():
        give(home, people[name])
    (homes["bob"] / "private").write_text("bob's")
    wrap = launcher(people["alice"], writable=[homes["alice"]], hidden=[data])
    command = wrap([sys.executable, "-P", "-c", PROBE, str(data), str(homes["bob"])])
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert answer.returncode == 0, answer.stderr
    seen = json.loads(answer.stdout)
    assert (seen["uid"], seen["groups"], seen["name"]) == (people["alice"].uid, [], "alice")
    assert seen["secret"] == seen["other"] == "FileNotFoundError"
    assert seen["listing"] == ["workspaces"]
    assert seen["root again"] == "PermissionError"
    assert seen["code"] in ("PermissionError", "OSError")
    # Where the checkout itself lies below /tmp, that much of it is put back.
    code = {part for path in code_paths() if path.startswith("/tmp/") for part in Path(path).parts}
    assert not set(seen["temporary"]) - set(tmp_path.parts) - code
    assert seen["own"] == 1
