"""A real hub without a proxy, the real auth service, and the portal between them."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import free_port, wait_for_port

from commonshub.auth.app import AuthApp
from commonshub.portal.app import PortalApp

PORTAL_TOKEN = "portal-token-for-tests"
AUTH_TOKEN = "auth-token-for-tests"
CONFIG = """
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    async def get_all_routes(self):
        return {{}}
    async def add_route(self, routespec, target, data):
        pass
    async def delete_route(self, routespec):
        pass

c = get_config()
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.base_url = "/jupyter/"
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/jupyter/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {{"name": "portal", "url": "http://127.0.0.1:1", "api_token": "{portal}", "oauth_no_confirm": True,
      "oauth_redirect_uri": "/portal/oauth_callback",
      "oauth_client_allowed_scopes": ["access:services!service=auth"]}},
    {{"name": "auth", "url": "http://127.0.0.1:1", "api_token": "{auth}"}},
]
c.JupyterHub.extra_user_scopes = ["access:services!service=auth", "access:services!service=portal"]
"""


@pytest.fixture(scope="session")
def hub_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running hub, without its base path."""
    folder = tmp_path_factory.mktemp("hub")
    port = free_port()
    (folder / "config.py").write_text(CONFIG.format(port=port, folder=folder, portal=PORTAL_TOKEN, auth=AUTH_TOKEN))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jupyterhub", "-f", "config.py"], cwd=folder, stdout=log, stderr=log
        )
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def auth_url(run_service: Callable[..., Any], hub_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("auth")
    running = run_service(
        AuthApp,
        AuthApp={"user_file": str(folder / "user.yaml")},
        Commons={"data_dir": str(folder), "hub_api_url": f"{hub_url}/jupyter/hub/api"},
        TokenSettings={"jwks_file": str(folder / "jwks.json")},
    )
    return str(running.url)


@pytest.fixture(scope="module")
def portal_url(run_service: Callable[..., Any], hub_url: str, auth_url: str) -> str:
    """The portal; of the other services, only auth answers."""
    running = run_service(
        PortalApp,
        PortalApp={
            "services_url": auth_url,
            "hub_url": f"{hub_url}/jupyter/hub/",
            "hub_api_token": PORTAL_TOKEN,
            "dictionary_ttl_s": 0,
        },
        Commons={"hub_api_url": f"{hub_url}/jupyter/hub/api"},
    )
    return str(running.url)


class Browser(requests.Session):
    """What a browser does: it keeps cookies, and says how it navigates."""

    def __init__(self, portal: str, hub: str) -> None:
        super().__init__()
        self.portal = portal
        self.hub = hub
        self.headers["User-Agent"] = "test"
        self.received: list[str] = []
        self.hooks["response"].append(self._note)

    def _note(self, answer: requests.Response, **_: Any) -> None:
        if answer.url.startswith(self.portal):
            self.received += answer.raw.headers.getlist("Set-Cookie")

    def open(self, path: str, **options: Any) -> requests.Response:
        """Open a page of the portal."""
        return self.get(self.portal + path, allow_redirects=False, **options)

    def script(self, path: str, xsrf: str | None = None, **options: Any) -> requests.Response:
        """Call a route of the portal from a script of one of its pages."""
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", **options.pop("headers", {})}
        if xsrf is not None:
            headers["X-XSRFToken"] = xsrf
        return self.post(self.portal + path, headers=headers, allow_redirects=False, **options)

    def sign_in(self, name: str, target: str = "/portal/profile") -> requests.Response:
        """Go through the whole sign-in; returns the answer of the portal's callback."""
        start = self.open(f"/portal/login?next={target}")
        assert start.status_code == 302
        form = self.get(start.headers["Location"], headers={"Sec-Fetch-Mode": "navigate"})
        token = re.search(r'name="_xsrf" value="([^"]+)"', form.text)
        assert token is not None
        answer = self.post(
            form.url,
            data={"username": name, "password": "x", "_xsrf": token.group(1)},
            headers={"Sec-Fetch-Mode": "navigate"},
            allow_redirects=False,
        )
        while not answer.headers["Location"].startswith("/portal/"):
            following = requests.compat.urljoin(self.hub, answer.headers["Location"])
            answer = self.get(following, headers={"Sec-Fetch-Mode": "navigate"}, allow_redirects=False)
        return self.open(answer.headers["Location"])

    def xsrf(self) -> str:
        """The XSRF token that the pages carry."""
        found = re.search(r'<meta name="xsrf" content="([^"]+)"', self.open("/portal/profile").text)
        assert found is not None
        return found.group(1)


@pytest.fixture
def browser(portal_url: str, hub_url: str) -> Iterator[Browser]:
    """A browser in which nobody has signed in."""
    with Browser(portal_url, hub_url) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def alice(portal_url: str, hub_url: str) -> Iterator[Browser]:
    """A browser in which alice has signed in."""
    with Browser(portal_url, hub_url) as fresh:
        assert fresh.sign_in("alice").status_code == 302
        yield fresh
