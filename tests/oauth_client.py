"""An application that is registered at a running auth service, and a user's browser on its way through the consent."""

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from tests import hub_browser
from tests.auth_service import Auth
from tests.hub_browser import TOKENS

from commonshub.auth.oauth import store
from commonshub.auth.oauth.clients import Client, with_secret

CALLBACK = "https://app.example.org/callback"
AUTHORIZE = "/user/oauth2/authorize"
TOKEN = "/user/oauth2/token"


@dataclass(frozen=True)
class Application:
    """A registered client, with its secret."""

    auth: Auth
    client: Client
    secret: str | None

    @property
    def id(self) -> str:
        return self.client.id

    @property
    def basic(self) -> tuple[str, str]:
        assert self.secret is not None
        return self.client.id, self.secret

    def token(self, **form: Any) -> requests.Response:
        """Ask the token endpoint, proving the client as it should."""
        if self.secret is None:
            return self.auth.post(TOKEN, data={"client_id": self.id, **form})
        return self.auth.post(TOKEN, data=form, auth=self.basic)

    def redeem(self, code: str, verifier: str | None = None, **form: Any) -> requests.Response:
        """Redeem a code."""
        given = {"redirect_uri": self.client.redirect_uris[0], **({"code_verifier": verifier} if verifier else {})}
        return self.token(grant_type="authorization_code", code=code, **{**given, **form})

    def refresh(self, token: str, **form: Any) -> requests.Response:
        """Renew by a refresh token."""
        return self.token(grant_type="refresh_token", refresh_token=token, **form)

    def query(self, **changed: Any) -> str:
        """An authorization request; None leaves a parameter out."""
        parameters = {
            "client_id": self.id,
            "response_type": "code",
            "redirect_uri": self.client.redirect_uris[0],
            "scope": "openid user data",
            "state": "s-1",
            **changed,
        }
        return f"{AUTHORIZE}?{urlencode({name: value for name, value in parameters.items() if value is not None})}"


def register(auth: Auth, name: str | None = None, **fields: Any) -> Application:
    """Register a client; `fields` are those of :class:`Client`."""
    draft = Client(id="", name=name or f"app-{secrets.token_hex(4)}", redirect_uris=(CALLBACK,))
    client, secret = with_secret(replace(draft, **fields))
    auth.app.database.call(store.add_client, "auth", client, "test", rotated=True)
    auth.running.call(auth.app.grants.reload())
    return Application(auth, client, secret)


def pkce() -> tuple[str, dict[str, str]]:
    """A verifier, and the parameters that announce it."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return verifier, {"code_challenge": challenge, "code_challenge_method": "S256"}


def parameters(location: str) -> dict[str, str]:
    """The query of an address, each parameter once."""
    found = parse_qs(urlsplit(location).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


class Browser(hub_browser.Browser):
    """A browser on the pages of the auth service."""

    def authorize(self, path: str, name: str = "alice") -> requests.Response:
        """Open an authorization request, sign in where it leads there, and return the answer: a page or a redirect."""
        answer = self.open(path)
        while answer.status_code == 302:
            answer = self.pass_hub(answer.headers["Location"], name)
            assert answer.headers["Location"].startswith(AUTHORIZE)
            answer = self.open(answer.headers["Location"])
        return answer

    def confirm(self, page: requests.Response, answer: str = "yes", **options: Any) -> requests.Response:
        """Press a button of the consent page."""
        action = re.search(r'<form method="post" action="([^"]+)"', page.text)
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert action is not None
        assert xsrf is not None
        form = {"_xsrf": xsrf.group(1), "confirm": answer, **options.pop("data", {})}
        return self.post(self.site + html.unescape(action.group(1)), data=form, allow_redirects=False, **options)

    def code(self, application: Application, name: str = "alice", **changed: Any) -> str:
        """Go the whole way, allow it, and return the code."""
        answer = self.authorize(application.query(**changed), name)
        if answer.status_code == 200:
            answer = self.confirm(answer)
        assert answer.status_code == 303, answer.text
        return parameters(answer.headers["Location"])["code"]


@pytest.fixture(scope="module")
def site(auth: Auth, hub_url: str) -> Auth:
    """The auth service, which signs browsers in through a real hub."""
    hub = auth.app.sign_in.hub
    hub.pages_url, hub.api.url = f"{hub_url}/jupyter/hub/", f"{hub_url}/jupyter/hub/api"
    hub.registration = replace(hub.registration, secret=TOKENS["auth"])
    return auth


@pytest.fixture
def browser(site: Auth, hub_url: str) -> Iterator[Browser]:
    """A browser in which nobody has signed in."""
    with Browser(site.url, hub_url) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def alice(site: Auth, hub_url: str) -> Iterator[Browser]:
    """A browser in which alice has signed in, though no application knows it yet."""
    with Browser(site.url, hub_url) as fresh:
        fresh.authorize(register(site).query())
        yield fresh


@pytest.fixture(scope="module")
def application(site: Auth) -> Application:
    """A confidential application with every grant that has its users' consent for granted."""
    grants = frozenset({"authorization_code", "refresh_token", "client_credentials"})
    return register(site, grant_types=grants, auto_approve=True)


@pytest.fixture
def tokens(application: Application, alice: Browser) -> dict[str, Any]:
    """What alice let the application have."""
    answer = application.redeem(alice.code(application))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def title(page: requests.Response) -> str:
    found = re.search("<title>(.*?)</title>", page.text)
    assert found is not None
    return found.group(1)


def refused(answer: requests.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.json()["error_description"]


@pytest.fixture(scope="module")
def approved(site: Auth) -> Application:
    """An application that needs not ask."""
    return register(site, auto_approve=True)
