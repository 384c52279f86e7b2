"""Hub tokens become access tokens and workspace keys: with a real hub."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.auth_service import Auth
from tests.conftest import free_port, wait_for_port
from tests.servers import HUB_WITHOUT_PROXY
from tests.tokens import bearer, claims_of

CONFIG = (
    HUB_WITHOUT_PROXY
    + """c.JupyterHub.bind_url = "http://127.0.0.1:{public}/jupyter/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = b"c" * 32
c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {{"name": "operator", "api_token": "operator-token-0123456789"}},
    {{"name": "auth", "api_token": "auth-token-0123456789"}},
]
c.JupyterHub.load_roles = [
    {{"name": "operator", "scopes": ["admin:users", "tokens", "access:services"], "services": ["operator"]}},
]
c.JupyterHub.extra_user_scopes = ["access:services!service=auth"]
"""
)
WORKSPACE = ["users:activity!user", "access:services!service=auth"]


class Hub:
    """A running hub, asked as its operator."""

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url

    def request(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": "token operator-token-0123456789"}
        answer = requests.request(method, self.api_url + path, headers=headers, timeout=30, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def token(self, name: str, scopes: list[str] | None = None) -> dict[str, Any]:
        """A new hub token of a user, made where he is new."""
        requests.post(f"{self.api_url}/users/{name}", headers={"Authorization": "token operator-token-0123456789"})
        body = {} if scopes is None else {"scopes": scopes}
        made: dict[str, Any] = self.request("POST", f"/users/{name}/tokens", json=body)
        return made


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("hub")
    port = free_port()
    (folder / "config.py").write_text(CONFIG.format(port=port, public=free_port()))
    command = [sys.executable, "-m", "jupyterhub", "-f", str(folder / "config.py")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield Hub(f"http://127.0.0.1:{port}/jupyter/hub/api")
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module", autouse=True)
def joined(auth: Auth, hub: Hub) -> None:
    auth.app.hub.api.url = hub.api_url
    auth.app.hub.known.ttl_s = 0


def exchange(auth: Auth, token: str, what: str = "access_token", scheme: str = "token") -> requests.Response:
    return auth.post(f"/user/credentials/hub/{what}", headers={"Authorization": f"{scheme} {token}"})


def scopes_of(token: str) -> list[str]:
    scopes: list[str] = claims_of(token)["scope"]
    return scopes


@pytest.mark.parametrize("scheme", ["token", "bearer", "Bearer"])
def test_a_hub_token_becomes_an_access_token(auth: Auth, hub: Hub, scheme: str) -> None:
    answer = exchange(auth, hub.token("alice")["token"], scheme=scheme).json()
    assert (answer["username"], answer["expires_in"]) == ("alice", 1200)
    me = auth.get("/user/user", headers=bearer(answer["access_token"])).json()
    assert me["email"] == "alice@example.org"


def test_whoever_the_hub_knows_becomes_a_user(auth: Auth, hub: Hub) -> None:
    answer = exchange(auth, hub.token("newcomer")["token"]).json()
    me = auth.get("/user/user", headers=bearer(answer["access_token"])).json()
    assert (me["username"], me["authz"].keys()) == ("newcomer", {"/open"})


def test_unknown_users_stay_out_where_the_commons_says_so(auth: Auth, hub: Hub) -> None:
    auth.app.allow_new_users = False
    try:
        assert exchange(auth, hub.token("uninvited")["token"]).status_code == 403
        assert exchange(auth, hub.token("alice")["token"]).status_code == 200
    finally:
        auth.app.allow_new_users = True


def test_a_users_own_token_may_manage_keys_and_a_workspaces_not(auth: Auth, hub: Hub) -> None:
    own = exchange(auth, hub.token("alice")["token"]).json()["access_token"]
    workspace = exchange(auth, hub.token("alice", WORKSPACE)["token"]).json()["access_token"]
    assert "credentials" in scopes_of(own)
    assert scopes_of(workspace) == ["data", "fence", "openid", "user"]


@pytest.mark.parametrize("what", ["access_token", "api_key"])
def test_a_token_without_access_to_this_service_is_refused(auth: Auth, hub: Hub, what: str) -> None:
    token = hub.token("alice", ["users:activity!user"])["token"]
    assert exchange(auth, token, what).status_code == 403


def test_a_services_token_is_nobodys(auth: Auth, hub: Hub) -> None:
    assert exchange(auth, "operator-token-0123456789").status_code == 403


@pytest.mark.parametrize("header", [None, "token", "token ", "Basic eDp5", "token unknown", "token " + "x" * 600])
def test_anything_that_is_no_hub_token_is_401(auth: Auth, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    assert auth.post("/user/credentials/hub/access_token", headers=headers).status_code == 401


def test_our_own_tokens_are_no_hub_tokens(auth: Auth) -> None:
    assert exchange(auth, auth.access_token("alice"), scheme="bearer").status_code == 401


def test_a_revoked_token_is_refused_once_forgotten(auth: Auth, hub: Hub) -> None:
    made = hub.token("alice", WORKSPACE)
    assert exchange(auth, made["token"]).status_code == 200
    hub.request("DELETE", f"/users/alice/tokens/{made['id']}")
    assert exchange(auth, made["token"]).status_code == 401


def test_good_answers_are_remembered_and_bad_ones_not(auth: Auth, hub: Hub) -> None:
    token = hub.token("alice", WORKSPACE)["token"]
    auth.app.hub.known.ttl_s = 30
    try:
        assert exchange(auth, token).status_code == 200
        assert exchange(auth, "unknown").status_code == 401
        auth.app.hub.api.url = "http://127.0.0.1:1/hub/api"
        assert exchange(auth, token).status_code == 200
        assert exchange(auth, "unknown").status_code == 503
    finally:
        auth.app.hub.api.url = hub.api_url
        auth.app.hub.known.ttl_s = 0


def test_a_workspace_gets_a_short_key_that_is_marked(auth: Auth, hub: Hub) -> None:
    made = exchange(auth, hub.token("alice", WORKSPACE)["token"], "api_key").json()
    claims = claims_of(made["api_key"])
    assert claims["exp"] - claims["iat"] == 86400
    [listed] = [key for key in auth.get("/user/credentials/api", "alice").json()["jtis"] if key["workspace"]]
    assert listed["jti"] == made["key_id"]
    answer = auth.post("/user/credentials/api/access_token", json=made)
    assert scopes_of(answer.json()["access_token"]) == ["data", "fence", "openid", "user"]


def test_a_switched_off_user_is_refused_everywhere(auth: Auth, hub: Hub) -> None:
    import sqlalchemy as sa

    from commonshub.core.grants import tables

    hub_token = hub.token("leaver", WORKSPACE)["token"]
    key = exchange(auth, hub_token, "api_key").json()["api_key"]
    held = bearer(auth.access_token("leaver"))
    assert auth.get("/authz/mapping", headers=held).status_code == 200
    user = tables("auth").user
    auth.app.database.call(
        lambda connection: connection.execute(sa.update(user).where(user.c.username == "leaver").values(active=False))
    )
    auth.running.call(auth.app.grants.reload())
    assert exchange(auth, hub_token).status_code == 403
    assert auth.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 401
    assert auth.get("/authz/mapping", headers=held).status_code == 401


def test_a_name_that_only_differs_by_case_is_nobody_here(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    from commonshub.auth.credentials.hub import HubUser

    async def owner(token: str, ended: Any) -> HubUser:
        return HubUser("Alice", interactive=False)

    monkeypatch.setattr(auth.app.hub, "owner", owner)
    assert exchange(auth, "anything").status_code == 403
