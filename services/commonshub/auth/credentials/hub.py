"""Who a hub token belongs to, as the hub says."""

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from commonshub.core.errors import AuthenticationRequired, PermissionDenied, Unavailable, UpstreamError

MAX_TOKEN_CHARS = 512
_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class HubUser:
    """The owner of a hub token.

    Parameters
    ----------
    interactive
        The token belongs to a browser's session, or may make tokens at the hub itself: its holder may manage API
        keys. A workspace's token is neither.
    """

    name: str
    interactive: bool


def read_model(model: Any, service: str) -> HubUser:
    """Judge the answer of the hub's ``GET /user``.

    Parameters
    ----------
    model
        The token's owner, with the expanded scopes of the token.
    service
        Name of this service at the hub; the token must have been given access to it.

    Raises
    ------
    PermissionDenied
        The token belongs to no user, or was not given access to this service.
    """
    name, scopes = model.get("name"), set(model.get("scopes") or ())
    if model.get("kind") != "user" or not isinstance(name, str):
        raise PermissionDenied("This hub token belongs to a service, not to a user.")
    if not scopes & {"access:services", f"access:services!service={service}"}:
        raise PermissionDenied(f"This hub token lacks the scope access:services!service={service}.")
    return HubUser(name, bool(model.get("session_id")) or bool(scopes & {"tokens", f"tokens!user={name}"}))


class HubTokens:
    """Asks the hub, and remembers good answers for a short time.

    Parameters
    ----------
    api_url
        The hub's REST API.
    service
        Name of this service at the hub.
    cache_s
        How long a good answer counts, in seconds: a token revoked at the hub may work that much longer. Bad answers
        are never remembered, since a token may be valid the next moment.
    """

    def __init__(self, api_url: str, service: str, cache_s: float, timeout_s: float) -> None:
        self.api_url = api_url.rstrip("/")
        self.service = service
        self.cache_s = cache_s
        self.timeout_s = timeout_s
        self._known: OrderedDict[bytes, tuple[float, HubUser]] = OrderedDict()

    async def owner(self, token: str) -> HubUser:
        """The user that `token` belongs to.

        Raises
        ------
        AuthenticationRequired
            The hub does not know the token (any more).
        PermissionDenied
            The token is good, but not for this service.
        Unavailable
            The hub does not answer.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise AuthenticationRequired("Authentication Error: this is not a hub token.")
        digest = hashlib.sha256(token.encode()).digest()
        until, user = self._known.get(digest, (0.0, None))
        if user is not None and time.monotonic() < until:
            return user
        user = read_model(await self._ask(token), self.service)
        self._known[digest] = (time.monotonic() + self.cache_s, user)
        if len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return user

    async def _ask(self, token: str) -> Any:
        if not self.api_url:
            raise Unavailable("This auth service was not told where its hub is (Commons.hub_api_url).")
        request = HTTPRequest(
            f"{self.api_url}/user",
            headers={"Authorization": f"token {token}", "Accept": "application/json"},
            request_timeout=self.timeout_s,
            follow_redirects=False,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
            return orjson.loads(answer.body)
        except HTTPClientError as error:
            if error.code in (401, 403):
                raise AuthenticationRequired("Authentication Error: the hub does not accept this token.") from error
            raise Unavailable("The hub does not answer properly just now; try again in a few seconds.") from error
        except OSError as error:
            raise Unavailable("The hub cannot be reached just now; try again in a few seconds.") from error
        except orjson.JSONDecodeError as error:
            raise UpstreamError("The hub gave an answer that is not JSON.") from error
