"""The hub, as a service with pages asks it: OAuth (authorization code with PKCE), and who a token belongs to.

JupyterHub's own client for this, ``jupyterhub.services.auth``, loads the hub's database layer with it, about 40 MB in
every process, and keeps the state of running sign-ins in memory, so that a restart or a second replica breaks them.
Here that state travels in a signed cookie of the browser that began the sign-in.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from .errors import AuthenticationRequired, PermissionDenied
from .hubapi import HubApi, Remembered, read_owner
from .pkce import challenge_of

# Page of the hub (see `commonshub.hub.reauthentication`) that signs the browser out and asks it to sign in.
ANEW = "sign-in-anew"


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
        return challenge_of(self.verifier)


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
    """The hub as it signs browsers in.

    Parameters
    ----------
    pages_url
        Public address of the hub's pages.
    ttl_s
        How long a good answer counts, in seconds.
    """

    def __init__(self, pages_url: str, api: HubApi, registration: Registration, ttl_s: float) -> None:
        self.pages_url = pages_url
        self.api = api
        self.registration = registration
        self.known: Remembered[Visitor] = Remembered(ttl_s)

    def close(self) -> None:
        """Give all connections back."""
        self.api.close()

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
        answer = await self.api.ask("oauth2/token", self.registration.secret, urlencode(form))
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
        visitor = self.known.get(token)
        if visitor is None:
            answer = await self.api.ask("user", token)
            if answer.code != 200:
                raise AuthenticationRequired("Authentication Error: the hub does not accept this token.")
            visitor = read_visitor(orjson.loads(answer.body), self.registration.service)
            self.known.put(token, visitor)
        return visitor

    def forget(self, token: str) -> None:
        """Ask anew the next time."""
        self.known.forget(token)


def read_visitor(model: Any, service: str) -> Visitor:
    """The owner of a token, as the hub describes him; refused like :func:`.hubapi.read_owner`."""
    name, _ = read_owner(model, service)
    groups: Iterable[Any] = model.get("groups") or ()
    return Visitor(name, tuple(sorted(str(group) for group in groups)))
