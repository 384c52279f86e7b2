"""Tokens end with the workspace or the sign-in that they came from: with a real hub and two services."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.conftest import free_port, wait_for_port
from tests.servers import HUB_WITHOUT_PROXY
from tests.tokens import bearer, claims_of
from tests.two_services import EFFECTIVE_S, Commons, commons
from tests.waiting import eventually

from commonshub.auth.app import AuthApp
from commonshub.auth.credentials import sessions
from commonshub.core.errors import Unavailable
from commonshub.core.grants import tables

__all__ = ["commons"]

PORT = free_port()
OWN_TOKEN = "auth-token-0123456789"
OPERATOR = {"Authorization": "token operator-token-0123456789"}
CONFIG = (
    HUB_WITHOUT_PROXY
    + """
import sys
from commonshub.hub.ending import SETTING, Endings
endings = Endings("http://127.0.0.1:{auth}", "auth-token-0123456789")
from commonshub.hub.reauthentication import HANDLERS
c.JupyterHub.extra_handlers = HANDLERS
c.JupyterHub.tornado_settings = {{SETTING: endings}}
c.Spawner.post_stop_hook = endings.server_stopped
c.JupyterHub.bind_url = "http://127.0.0.1:{public}/jupyter/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = b"c" * 32
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = True
c.Authenticator.allow_all = True
c.Spawner.cmd = [sys.executable, {program!r}]
c.Spawner.args = []
c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", "access:services!service=auth"]
c.JupyterHub.services = [
    {{"name": "operator", "api_token": "operator-token-0123456789"}},
    {{
        "name": "auth",
        "api_token": "auth-token-0123456789",
        "oauth_redirect_uri": "/user/oauth_callback",
        "oauth_no_confirm": True,
        "oauth_client_allowed_scopes": ["access:services!service=auth"],
    }},
]
c.JupyterHub.load_roles = [
    {{"name": "operator", "scopes": ["admin:users", "admin:servers"], "services": ["operator"]}},
    {{"name": "auth", "scopes": ["list:users", "read:servers", "delete:servers"], "services": ["auth"]}},
]
c.JupyterHub.extra_user_scopes = ["access:services!service=auth"]
"""
)
# A workspace's server that only leaves its hub token where the test finds it.
PROGRAM = """
import http.server, os, pathlib, signal, urllib.parse
signal.signal(signal.SIGINT, signal.SIG_DFL)
name = os.environ["JUPYTERHUB_USER"] + "-" + os.environ.get("JUPYTERHUB_SERVER_NAME", "")
pathlib.Path({folder!r}, name).write_text(os.environ["JUPYTERHUB_API_TOKEN"])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

place = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.HTTPServer((place.hostname, place.port), Handler).serve_forever()
"""


class Hub:
    """A running hub with servers to start and stop."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, f"{self.url}/api{path}", headers=OPERATOR, timeout=60, **options)

    def start(self, user: str, server: str = "") -> str:
        """Start a server, and its hub token."""
        self.request("POST", f"/users/{user}")
        token = self.folder / f"{user}-{server}"
        token.unlink(missing_ok=True)
        assert self.request("POST", self._path(user, server)).status_code in (201, 202)
        eventually(lambda: self.request("GET", f"/users/{user}").json()["servers"].get(server, {}).get("ready"))
        return token.read_text()

    def stop(self, user: str, server: str = "") -> None:
        assert self.request("DELETE", self._path(user, server)).status_code in (202, 204)
        eventually(lambda: server not in self.request("GET", f"/users/{user}").json()["servers"])

    @staticmethod
    def _path(user: str, server: str) -> str:
        return f"/users/{user}/servers/{server}" if server else f"/users/{user}/server"

    def sign_in(self, user: str) -> requests.Session:
        browser = requests.Session()
        browser.get(f"{self.url}/login", timeout=30)
        form = {"username": user, "password": "x", "_xsrf": browser.cookies.get("_xsrf", path="/jupyter/hub/")}
        browser.post(f"{self.url}/login", data=form, allow_redirects=False, timeout=30)
        return browser

    def oauth_token(self, browser: requests.Session) -> str:
        """The hub token of a page of the auth service in this browser."""
        client = {"client_id": "service-auth", "redirect_uri": "/user/oauth_callback"}
        asked = {**client, "response_type": "code", "state": "x"}
        answer = browser.get(f"{self.url}/api/oauth2/authorize", params=asked, allow_redirects=False, timeout=30)
        [code] = parse_qs(urlsplit(answer.headers["Location"]).query)["code"]
        form = {**client, "client_secret": OWN_TOKEN, "grant_type": "authorization_code", "code": code}
        return str(requests.post(f"{self.url}/api/oauth2/token", data=form, timeout=30).json()["access_token"])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("hub")
    port = free_port()
    tokens, program, config = folder / "tokens", folder / "server.py", folder / "config.py"
    tokens.mkdir()
    program.write_text(PROGRAM.format(folder=str(tokens)))
    config.write_text(CONFIG.format(auth=PORT, port=port, public=free_port(), program=str(program)))
    command = [sys.executable, "-P", "-m", "commonshub.hub.app", "-f", str(config)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for_port(port, 60)
        yield Hub(f"http://127.0.0.1:{port}/jupyter/hub", tokens)
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def joined(commons: Commons, hub: Hub) -> Commons:
    commons.auth.app.hub.api.url = f"{hub.url}/api"
    commons.auth.app.hub.service_token = OWN_TOKEN
    return commons


def exchange(auth: Auth, hub_token: str, what: str = "access_token") -> requests.Response:
    return auth.post(f"/user/credentials/hub/{what}", headers={"Authorization": f"token {hub_token}"})


def token_of(auth: Auth, hub_token: str) -> str:
    return str(exchange(auth, hub_token).json()["access_token"])


def key_exchange(auth: Auth, made: dict[str, str]) -> requests.Response:
    return auth.post("/user/credentials/api/access_token", json={"api_key": made["api_key"]})


def check(commons: Commons) -> None:
    commons.auth.running.call(commons.auth.app.watch.check())


def age(commons: Commons, **columns: str) -> None:
    """Move moments of all sessions by intervals."""
    table = sessions.table("auth")
    moved = {name: sa.func.now() + sa.cast(interval, sa.Interval) for name, interval in columns.items()}
    commons.sql(table.update().values(**moved))


def test_s10_what_a_workspace_was_given_ends_with_its_server_everywhere(joined: Commons, hub: Hub) -> None:
    auth = joined.auth
    hub_token = hub.start("root")
    made = exchange(auth, hub_token, "api_key").json()
    token, from_key = token_of(auth, hub_token), key_exchange(auth, made).json()["access_token"]
    other = token_of(auth, hub.start("root", "other"))
    assert joined.statuses(token) == joined.statuses(from_key) == joined.statuses(other) == (200, 200)
    assert claims_of(token)["sid"] == claims_of(from_key)["sid"] != claims_of(other)["sid"]
    hub.stop("root")
    assert joined.refuse_soon(token)
    assert joined.refuse_soon(from_key)
    assert key_exchange(auth, made).status_code == 401
    # Although the hub's good word on the token was remembered.
    assert exchange(auth, hub_token).status_code == 401
    assert joined.statuses(other) == (200, 200)
    ended = [row for row in auth.audited() if row.action == "end_session"]
    assert (ended[-1].username, ended[-1].subject) == ("root", claims_of(token)["sid"])
    hub.stop("root", "other")
    assert joined.refuse_soon(other)


def test_s10_the_servers_of_somebody_who_was_switched_off_are_stopped(joined: Commons, hub: Hub) -> None:
    for user, server in (("both", ""), ("both", "second"), ("alice", "")):
        hub.start(user, server)
    user = tables("auth").user
    joined.sql(user.update().where(user.c.username == "both").values(active=False))
    joined.auth.running.call(joined.auth.app.grants.reload())
    check(joined)
    eventually(lambda: not hub.request("GET", "/users/both").json()["servers"])
    assert hub.request("GET", "/users/alice").json()["servers"]
    told = [row for row in joined.auth.audited() if row.action == "stop_server"]
    assert {(row.subject, row.detail["server"]) for row in told} == {("both", ""), ("both", "second")}
    # One that is started again is stopped again.
    hub.start("both")
    check(joined)
    eventually(lambda: not hub.request("GET", "/users/both").json()["servers"])
    joined.sql(user.update().where(user.c.username == "both").values(active=True))
    joined.auth.running.call(joined.auth.app.grants.reload())
    hub.stop("alice")


def test_a_key_is_the_same_after_its_renewal_and_good_for_as_long_as_the_server_runs(joined: Commons, hub: Hub) -> None:
    auth = joined.auth
    hub_token = hub.start("alice", "long")
    first, second = (exchange(auth, hub_token, "api_key").json() for _ in range(2))
    assert first["key_id"] == second["key_id"]
    claims = claims_of(first["api_key"])
    assert claims["exp"] - claims["iat"] == 30 * 86400
    assert key_exchange(auth, first).status_code == key_exchange(auth, second).status_code == 200
    listed = auth.get("/user/credentials/api", "alice").json()["jtis"]
    assert [key["jti"] for key in listed if key["workspace"]] == [first["key_id"]]
    hub.stop("alice", "long")
    assert key_exchange(auth, first).status_code == key_exchange(auth, second).status_code == 401


def test_a_user_ends_a_workspaces_key_and_the_workspace_signs_in_anew(joined: Commons, hub: Hub) -> None:
    auth = joined.auth
    hub_token = hub.start("root", "mine")
    made = exchange(auth, hub_token, "api_key").json()
    token = key_exchange(auth, made).json()["access_token"]
    assert auth.request("DELETE", f"/user/credentials/api/{made['key_id']}", "root").status_code == 204
    assert joined.refuse_soon(token)
    again = exchange(auth, hub_token, "api_key").json()
    assert joined.statuses(key_exchange(auth, again).json()["access_token"]) == (200, 200)
    hub.stop("root", "mine")


@pytest.mark.parametrize("page", ["logout", "sign-in-anew"])
def test_s10_signing_out_ends_what_the_browser_was_given(joined: Commons, hub: Hub, page: str) -> None:
    browser, other = hub.sign_in("root"), hub.sign_in("root")
    token, kept = (token_of(joined.auth, hub.oauth_token(each)) for each in (browser, other))
    assert "credentials" in claims_of(token)["scope"]
    assert joined.statuses(token) == joined.statuses(kept) == (200, 200)
    browser.get(f"{hub.url}/{page}", allow_redirects=False, timeout=30)
    assert joined.refuse_soon(token)
    assert joined.statuses(kept) == (200, 200)


def test_a_server_that_stopped_unheard_is_found_gone(joined: Commons, hub: Hub) -> None:
    auth = joined.auth
    gone, running = (token_of(auth, hub.start("root", name)) for name in ("gone", "running"))
    auth.app.hub.service_token = "another"
    try:
        hub.stop("root", "gone")
    finally:
        auth.app.hub.service_token = OWN_TOKEN
    assert joined.statuses(gone) == (200, 200)
    check(joined)
    assert joined.refuse_soon(gone)
    assert joined.statuses(running) == (200, 200)
    # A session from before the start of the server belongs to an earlier run of it.
    age(joined, created_at="-1 hour")
    check(joined)
    assert joined.refuse_soon(running)
    hub.stop("root", "running")


def test_a_running_server_prolongs_its_key_and_an_unconfirmed_one_ends_it(joined: Commons, hub: Hub) -> None:
    auth = joined.auth
    made = exchange(auth, hub.start("bob"), "api_key").json()
    age(joined, expires_at="10 minutes")
    check(joined)
    table = sessions.table("auth")
    left = sa.select(sa.extract("epoch", sa.func.max(table.c.expires_at) - sa.func.now()))
    assert auth.app.database.call(lambda connection: connection.execute(left).scalar_one()) > 86000
    assert key_exchange(auth, made).status_code == 200
    auth.app.hub.api.url = "http://127.0.0.1:1/hub/api"
    try:
        with pytest.raises(Unavailable):
            check(joined)
        assert key_exchange(auth, made).status_code == 200
        age(joined, expires_at="-1 second")
        assert key_exchange(auth, made).status_code == 401
    finally:
        auth.app.hub.api.url = f"{hub.url}/api"
    hub.stop("bob")


ENDED = "/user/credentials/hub/ended"
ROOTS = {"username": "root", "server": "kept"}


@pytest.mark.parametrize(
    "header", [None, "token wrong", "bearer wrong", "token ", f"Basic {OWN_TOKEN}", f"token {OWN_TOKEN}x", "the user's"]
)
def test_only_the_hub_may_say_what_has_ended(joined: Commons, hub: Hub, header: str | None) -> None:
    auth = joined.auth
    headers = {"Authorization": header} if header else {}
    if header == "the user's":
        headers = bearer(auth.access_token("root"))
    assert auth.post(ENDED, headers=headers, json=ROOTS).status_code in (401, 403)


def test_without_a_token_of_its_own_the_service_believes_nobody(joined: Commons) -> None:
    auth = joined.auth
    auth.app.hub.service_token = ""
    try:
        assert auth.post(ENDED, headers={"Authorization": "token x"}, json=ROOTS).status_code == 403
    finally:
        auth.app.hub.service_token = OWN_TOKEN


@pytest.mark.parametrize(
    "body",
    [{}, {"username": "a"}, {"server": ""}, {**ROOTS, "session_id": "x"}, {"username": 1, "server": ""}, []],
    ids=str,
)
def test_an_end_of_nothing_is_400(joined: Commons, body: Any) -> None:
    headers = {"Authorization": f"token {OWN_TOKEN}"}
    assert joined.auth.post(ENDED, headers=headers, json=body).status_code == 400


@pytest.fixture(scope="module")
def replica(joined: Commons, run_service: Callable[..., Any]) -> Auth:
    """A second process of the auth service, which the hub tells nothing."""
    first = joined.auth.app
    running = run_service(
        AuthApp,
        Commons={"data_dir": first.commons.data_dir, "origin": first.commons.origin},
        TokenSettings={"jwks_file": first.tokens.jwks_file},
    )
    running.app.hub.api.url, running.app.hub.service_token = first.hub.api.url, OWN_TOKEN
    return Auth(running)


def test_s10_no_replica_goes_by_what_the_hub_said_before_the_end(joined: Commons, replica: Auth, hub: Hub) -> None:
    hub_token = hub.start("root", "replicated")
    token = token_of(replica, hub_token)
    assert token_of(joined.auth, hub_token)
    replica.app.hub.known.ttl_s = 3600
    assert joined.statuses(token) == (200, 200)
    hub.stop("root", "replicated")
    assert joined.refuse_soon(token)
    assert eventually(lambda: exchange(replica, hub_token).status_code == 401, EFFECTIVE_S)
    headers = bearer(token)
    assert eventually(lambda: replica.get("/user/user", headers=headers).status_code == 401, EFFECTIVE_S)


def test_a_server_that_resumes_with_the_token_of_its_earlier_run_signs_in_anew(joined: Commons, hub: Hub) -> None:
    auth = joined.auth
    hub_token = hub.start("root", "resumed")
    made = exchange(auth, hub_token, "api_key").json()
    headers = {"Authorization": f"token {OWN_TOKEN}"}
    ended = auth.post(ENDED, headers=headers, json={"username": "root", "server": "resumed"})
    assert ended.json() == {"ended": 1}
    assert key_exchange(auth, made).status_code == 401
    again = exchange(auth, hub_token, "api_key").json()
    assert again["key_id"] != made["key_id"]
    assert joined.statuses(key_exchange(auth, again).json()["access_token"]) == (200, 200)
    hub.stop("root", "resumed")
