"""The hub, as a service with pages asks it: OAuth (authorization code with PKCE), and who a token belongs to.

JupyterHub's own client for this, ``jupyterhub.services.auth``, loads the hub's database layer with it, about 40 MB in
every process, and keeps the state of running sign-ins in memory, so that a restart or a second replica breaks them.
Here that state travels in a signed cookie of the browser that began the sign-in.
"""

import base64
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from .errors import AuthenticationRequired, PermissionDenied, Unavailable

MAX_TOKEN_CHARS = 512
# Page of the hub (see `commonshub.hub.reauthentication`) that signs the browser out and asks it to sign in.
ANEW = "sign-in-anew"
_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user who signed in through the hub."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that has begun: what binds the hub's answer to this browser, and where to go afterwards.

    Parameters
    ----------
    anew
        The hub is to ask for the password even of a browser that it knows.
    """

    state: str
    verifier: str
    target: str
    anew: bool = False

    @classmethod
    def begin(cls, target: str, anew: bool = False) -> "Attempt":
        """A fresh one."""
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(48), target, anew)

    @property
    def challenge(self) -> str:
        """What the hub is told of the verifier (S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Registration:
    """How the hub knows a service.

    Parameters
    ----------
    service
        Name of the service at the hub; its users' tokens must have been given access to it.
    redirect_uri
        Where the hub sends browsers back to, exactly as it is registered there.
    """

    client_id: str
    secret: str
    service: str
    redirect_uri: str


class Hub:
    """Asks the hub, and remembers good answers for a short time.

    Parameters
    ----------
    pages_url, api_url
        Public address of the hub's pages, and address of its REST API as the service reaches it.
    ttl_s
        How long a good answer counts, in seconds. Bad answers are never remembered.
    timeout_s
        Time that the hub gets to answer, in seconds.
    """

    def __init__(
        self, pages_url: str, api_url: str, registration: Registration, ttl_s: float, timeout_s: float
    ) -> None:
        self.pages_url = pages_url
        self.api_url = api_url.rstrip("/")
        self.registration = registration
        self.ttl_s = ttl_s
        self.timeout_s = timeout_s
        self._http = AsyncHTTPClient(force_instance=True, max_clients=32)
        self._known: OrderedDict[bytes, tuple[float, Visitor]] = OrderedDict()

    def close(self) -> None:
        """Give all connections back."""
        self._http.close()

    def authorize_url(self, attempt: Attempt) -> str:
        """Where a browser goes to sign in."""
        query = {
            "client_id": self.registration.client_id,
            "redirect_uri": self.registration.redirect_uri,
            "response_type": "code",
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        path = f"api/oauth2/authorize?{urlencode(query)}"
        if attempt.anew:
            return f"{self.pages_url}{ANEW}?{urlencode({'next': urlsplit(self.pages_url).path + path})}"
        return self.pages_url + path

    async def redeem(self, code: str, attempt: Attempt) -> str:
        """The hub token for the code that a browser brought back.

        Raises
        ------
        PermissionDenied
            The hub does not accept the code.
        Unavailable
            The hub does not answer.
        """
        form = {
            "client_id": self.registration.client_id,
            "client_secret": self.registration.secret,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.registration.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        answer = await self._fetch("POST", "/oauth2/token", self.registration.secret, urlencode(form))
        token = orjson.loads(answer.body).get("access_token") if answer.code == 200 else None
        if not isinstance(token, str):
            raise PermissionDenied("The hub did not accept this sign-in. Please sign in again.")
        return token

    async def owner(self, token: str) -> Visitor:
        """The user that a hub token belongs to.

        Raises
        ------
        AuthenticationRequired
            The hub does not know the token (any more).
        PermissionDenied
            It belongs to no user, or was not given access to the service.
        Unavailable
            The hub does not answer.
        """
        if not 0 < len(token) <= MAX_TOKEN_CHARS:
            raise AuthenticationRequired("Authentication Error: this is not a hub token.")
        key = _key(token)
        until, known = self._known.get(key, (0.0, None))
        if known is not None and time.monotonic() < until:
            return known
        answer = await self._fetch("GET", "/user", token)
        if answer.code != 200:
            raise AuthenticationRequired("Authentication Error: the hub does not accept this token.")
        visitor = read_model(orjson.loads(answer.body), self.registration.service)
        self._known[key] = (time.monotonic() + self.ttl_s, visitor)
        if len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return visitor

    def forget(self, token: str) -> None:
        """Ask anew the next time."""
        self._known.pop(_key(token), None)

    async def _fetch(self, method: str, path: str, token: str, body: str | None = None) -> HTTPResponse:
        if not self.api_url:
            raise Unavailable("This service was not told where its hub is (Commons.hub_api_url).")
        request = HTTPRequest(
            self.api_url + path,
            method=method,
            headers={"Authorization": f"token {token}", "Accept": "application/json"},
            body=body,
            follow_redirects=False,
            connect_timeout=self.timeout_s,
            request_timeout=self.timeout_s,
        )
        try:
            answer = await self._http.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise Unavailable("The hub cannot be reached just now; try again in a few seconds.") from error
        if answer.code >= 500:
            raise Unavailable("The hub does not answer properly just now; try again in a few seconds.")
        return answer


def read_model(model: Any, service: str) -> Visitor:
    """Judge the hub's description of a token's owner.

    Raises
    ------
    PermissionDenied
        It belongs to no user, or was not given access to the service.
    """
    name, scopes = model.get("name"), set(model.get("scopes") or ())
    if model.get("kind") != "user" or not isinstance(name, str):
        raise PermissionDenied("Only users can sign in here.")
    if not scopes & {"access:services", f"access:services!service={service}"}:
        raise PermissionDenied("Your account may not use this service; ask an administrator.")
    groups: Iterable[Any] = model.get("groups") or ()
    return Visitor(name, tuple(sorted(str(group) for group in groups)))


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
