"""A real hub without a proxy, and a browser that signs in there on its way to a service's pages."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.conftest import free_port, wait_for_port
from tests.servers import HUB_WITHOUT_PROXY

TOKENS = {"portal": "portal-token-for-tests", "auth": "auth-token-for-tests"}
CONFIG = (
    HUB_WITHOUT_PROXY
    + """
from commonshub.hub.reauthentication import HANDLERS

c.JupyterHub.base_url = "/jupyter/"
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/jupyter/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/secret"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.extra_handlers = HANDLERS
c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {{"name": name, "url": "http://127.0.0.1:1", "api_token": token, "oauth_no_confirm": True,
      "oauth_redirect_uri": path, "oauth_client_allowed_scopes": ["access:services!service=auth"]}}
    for name, token, path in (
        ("portal", "{portal}", "/portal/oauth_callback"),
        ("auth", "{auth}", "/user/oauth_callback"),
    )
]
c.JupyterHub.extra_user_scopes = ["access:services!service=auth", "access:services!service=portal"]
"""
)
NAVIGATION = {"Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="session")
def hub_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running hub, without its base path."""
    folder = tmp_path_factory.mktemp("hub")
    port = free_port()
    (folder / "config.py").write_text(CONFIG.format(port=port, folder=folder, **TOKENS))
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


class Browser(requests.Session):
    """What a browser does: it keeps cookies, and says how it navigates.

    Parameters
    ----------
    site
        Address of the service whose pages it opens.
    hub
        Address of the hub, without its base path.
    """

    def __init__(self, site: str, hub: str) -> None:
        super().__init__()
        self.site = site
        self.hub = hub
        self.headers["User-Agent"] = "test"
        self.received: list[str] = []
        self.hooks["response"].append(self._note)

    def _note(self, answer: requests.Response, **_: Any) -> None:
        if answer.url.startswith(self.site):
            self.received += answer.raw.headers.getlist("Set-Cookie")

    def open(self, path: str, **options: Any) -> requests.Response:
        """Open a page of the service."""
        return self.get(self.site + path, allow_redirects=False, **options)

    def pass_hub(self, location: str, name: str) -> requests.Response:
        """Go where the service sent the browser, sign in if the hub asks, and return the answer of the callback."""
        return self.open(self.to_callback(location, name))

    def to_callback(self, location: str, name: str) -> str:
        """Go the same way as far as the callback, which is not opened; its address."""
        answer = self.get(location, headers=NAVIGATION, allow_redirects=False)
        while True:
            if answer.status_code == 200:
                token = re.search(r'name="_xsrf" value="([^"]+)"', answer.text)
                assert token is not None
                form = {"username": name, "password": "x", "_xsrf": token.group(1)}
                answer = self.post(answer.url, data=form, headers=NAVIGATION, allow_redirects=False)
            following = answer.headers["Location"]
            if "/oauth_callback" in following.partition("?")[0]:
                return following
            address = requests.compat.urljoin(self.hub, following)
            answer = self.get(address, headers=NAVIGATION, allow_redirects=False)
