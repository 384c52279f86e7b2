"""A real hub, the real auth service, and the portal between them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests import hub_browser
from tests.auth_service import Auth
from tests.hub_browser import TOKENS, hub_url

from commonshub.auth.app import AuthApp
from commonshub.portal.app import PortalApp

__all__ = ["hub_url"]


@pytest.fixture(scope="module")
def auth(run_service: Callable[..., Any], hub_url: str, tmp_path_factory: pytest.TempPathFactory) -> Auth:
    """The auth service."""
    folder: Path = tmp_path_factory.mktemp("auth")
    running = run_service(
        AuthApp,
        AuthApp={
            "user_file": str(folder / "user.yaml"),
            "external_commons": {
                "other": {"base_url": "https://other.example", "client_id": "c", "name": "The <other>"}
            },
        },
        Commons={"data_dir": str(folder), "hub_api_url": f"{hub_url}/jupyter/hub/api"},
        TokenSettings={"jwks_file": str(folder / "jwks.json")},
    )
    return Auth(running)


@pytest.fixture(scope="module")
def auth_url(auth: Auth) -> str:
    return auth.url


@pytest.fixture(scope="module")
def portal_url(run_service: Callable[..., Any], hub_url: str, auth_url: str) -> str:
    """The portal; of the other services, only auth answers."""
    running = run_service(
        PortalApp,
        PortalApp={
            "services_url": auth_url,
            "hub_api_token": TOKENS["portal"],
            "dictionary_ttl_s": 0,
        },
        Commons={"hub_url": f"{hub_url}/jupyter/hub/", "hub_api_url": f"{hub_url}/jupyter/hub/api"},
    )
    return str(running.url)


class Browser(hub_browser.Browser):
    """A browser on the portal's pages."""

    def script(self, path: str, xsrf: str | None = None, **options: Any) -> requests.Response:
        """Call a route of the portal from a script of one of its pages."""
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", **options.pop("headers", {})}
        if xsrf is not None:
            headers["X-XSRFToken"] = xsrf
        return self.post(self.site + path, headers=headers, allow_redirects=False, **options)

    def sign_in(self, name: str, target: str = "/portal/profile") -> requests.Response:
        """Go through the whole sign-in; returns the answer of the portal's callback."""
        start = self.open(f"/portal/login?next={target}")
        assert start.status_code == 302
        return self.pass_hub(start.headers["Location"], name)

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
