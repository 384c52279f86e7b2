"""The remote-user authenticator in a real hub: the attacks that others fell for."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.conftest import free_port, wait_for_port
from tests.servers import HUB_WITHOUT_PROXY

CONFIG = (
    HUB_WITHOUT_PROXY
    + """c.JupyterHub.bind_url = "http://127.0.0.1:8000/jupyter/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = b"c" * 32
c.JupyterHub.authenticator_class = "commonshub-remote-user"
c.RemoteUserAuthenticator.jwks_file = {jwks!r}
c.RemoteUserAuthenticator.auth_refresh_age = 1
c.RemoteUserAuthenticator.blocked_users = {{"mallory"}}
c.RemoteUserAuthenticator.logout_redirect_url = "/user/logout"
c.JupyterHub.services = [{{"name": "operator", "api_token": "operator-token-0123456789"}}]
c.JupyterHub.load_roles = [{{"name": "operator", "scopes": ["admin:users", "read:users"], "services": ["operator"]}}]
"""
)


@pytest.fixture(scope="module")
def hub(jwks_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("remote")
    port = free_port()
    config = folder / "config.py"
    config.write_text(CONFIG.format(port=port, jwks=str(jwks_file)))
    command = [sys.executable, "-P", "-m", "commonshub.hub.app", "-f", str(config)]
    environment = {**os.environ, "COMMONSHUB_DATA_DIR": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    wait_for_port(port)
    yield f"http://127.0.0.1:{port}/jupyter/hub"
    process.terminate()
    process.wait(20)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture
def sign(signing_key: rsa.RSAPrivateKey) -> Callable[..., dict[str, str]]:
    def make(name: str, **claims: Any) -> dict[str, str]:
        now = int(time.time())
        body = {"iss": "http://127.0.0.1:8000/user", "aud": "hub", "sub": name, "iat": now, "exp": now + 50}
        token = jwt.encode(
            {**body, "jti": uuid.uuid4().hex, **claims}, signing_key, algorithm="RS256", headers={"kid": "test"}
        )
        return {"X-Commons-Assertion": token}

    return make


def login(hub: str, headers: Any) -> requests.Session:
    browser = requests.Session()
    browser.get(f"{hub}/login", headers=headers, allow_redirects=False, timeout=10)
    return browser


def signed_in(browser: requests.Session) -> bool:
    return "jupyterhub-hub-login" in {cookie.name for cookie in browser.cookies}


def test_an_assertion_signs_its_user_in_with_groups(hub: str, sign: Callable[..., dict[str, str]]) -> None:
    assert signed_in(login(hub, sign("alice", groups=["lab"])))
    headers = {"Authorization": "token operator-token-0123456789"}
    model = requests.get(f"{hub}/api/users/alice", headers=headers, timeout=10).json()
    assert (model["groups"], model["admin"]) == (["lab"], False)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Remote-User": "alice"},
        {"REMOTE_USER": "alice"},
        {"Remote-User": "alice"},
        {"X-Commons-Assertion": "alice"},
        {"X-Commons-Assertion": ""},
        {"X_Commons_Assertion": "alice"},
    ],
    ids=str,
)
def test_plain_headers_sign_nobody_in(hub: str, headers: dict[str, str]) -> None:
    assert not signed_in(login(hub, headers))


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("mallory", {}),
        ("Alice", {}),
        ("../x/y", {}),
        ("alice, bob", {}),
        ("alice", {"exp": 1}),
        ("alice", {"aud": "gen3"}),
        ("alice", {"iss": "http://elsewhere/user"}),
        ("alice", {"exp": int(time.time()) + 86400}),
    ],
)
def test_an_assertion_that_is_not_for_this_hub_and_user_is_refused(
    hub: str, sign: Callable[..., dict[str, str]], name: str, claims: dict[str, Any]
) -> None:
    assert not signed_in(login(hub, sign(name, **claims)))


def test_two_assertions_are_refused_also_when_a_proxy_joins_them(hub: str, sign: Callable[..., dict[str, str]]) -> None:
    one, two = (sign(name)["X-Commons-Assertion"] for name in ("alice", "bob"))
    assert not signed_in(login(hub, {"X-Commons-Assertion": f"{one}, {two}"}))
    assert not signed_in(login(hub, {"X-Commons-Assertion": one, "X_Commons_Assertion": two}))


def test_a_session_ends_when_the_proxy_names_another_user_or_none(
    hub: str, sign: Callable[..., dict[str, str]]
) -> None:
    browser = login(hub, sign("alice"))
    time.sleep(1.1)
    for headers in (sign("bob"), {}):
        answer = browser.get(f"{hub}/home", headers=headers, allow_redirects=False, timeout=10)
        assert answer.status_code == 302
        assert "/hub/login" in answer.headers["Location"]
    assert browser.get(f"{hub}/home", headers=sign("alice"), allow_redirects=False, timeout=10).status_code == 200


def test_logout_goes_on_to_the_identity_provider(hub: str, sign: Callable[..., dict[str, str]]) -> None:
    browser = login(hub, sign("alice"))
    answer = browser.get(f"{hub}/logout", headers=sign("alice"), allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/user/logout")


@pytest.mark.parametrize("trait", ["trust='secret'", "jwks_file=''"])
def test_without_a_way_to_know_the_proxy_it_does_not_start(trait: str) -> None:
    code = f"from commonshub.hub.authenticator import RemoteUserAuthenticator as R; R({trait})"
    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=30)
    assert answer.returncode == 1
    assert "is not set" in answer.stderr
