"""Who a hub token belongs to and which servers run, as the hub says."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from commonshub.core.errors import (
    AuthenticationRequired,
    CommonsError,
    NotFound,
    PermissionDenied,
    Unavailable,
    UpstreamError,
)

from .origin import Origin, origin

MAX_TOKEN_CHARS = 512
PAGE = 200
PAGINATED = "application/jupyterhub-pagination+json"
_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class HubUser:
    """The owner of a hub token.

    Parameters
    ----------
    interactive
        The token belongs to a browser's session, or may make tokens at the hub itself: its holder may manage API
        keys. A workspace's token is neither.
    origin
        What the token belongs to, and ends with.
    """

    name: str
    interactive: bool
    origin: Origin | None = None


Servers = Mapping[tuple[str, str], datetime | None]


def read_model(model: Any, service: str, token: str) -> HubUser:
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
    session_id = model.get("session_id")
    interactive = bool(session_id) or bool(scopes & {"tokens", f"tokens!user={name}"})
    return HubUser(name, interactive, origin(token, name, scopes, session_id))


def read_servers(users: Any) -> Servers:
    """The running servers in the hub's models of users, with the moment of each one's start.

    Raises
    ------
    UpstreamError
        They are not what the hub answers.
    """
    try:
        return {
            (user["name"], name): _moment(server.get("started"))
            for user in users
            for name, server in (user.get("servers") or {}).items()
        }
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise UpstreamError("The hub gave a list of users that cannot be read.") from error


def read_page(page: Any) -> tuple[list[Any], int | None]:
    """What one page of a list of the hub's holds, and where the next begins.

    Raises
    ------
    UpstreamError
        It is no such page.
    """
    try:
        following = page["_pagination"]["next"]
        return list(page["items"]), None if following is None else int(following["offset"])
    except (TypeError, KeyError, ValueError) as error:
        raise UpstreamError("The hub gave a list that cannot be read.") from error


def _moment(text: str | None) -> datetime | None:
    found = datetime.fromisoformat(text) if text else None
    return found.replace(tzinfo=found.tzinfo or UTC) if found else None


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
    service_token
        This service's own hub token; the hub knows it too, and nobody else.
    """

    def __init__(self, api_url: str, service: str, cache_s: float, timeout_s: float, service_token: str = "") -> None:
        self.api_url = api_url.rstrip("/")
        self.service = service
        self.cache_s = cache_s
        self.timeout_s = timeout_s
        self.service_token = service_token
        self._known: OrderedDict[bytes, tuple[float, HubUser]] = OrderedDict()

    async def owner(self, token: str, ended: Collection[str] = ()) -> HubUser:
        """The user that `token` belongs to.

        Parameters
        ----------
        ended
            Keys of origins that have ended: what is remembered of their tokens no longer counts.

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
        if user is not None and time.monotonic() < until and not (user.origin and user.origin.key in ended):
            return user
        user = read_model(await self._ask("user", token), self.service, token)
        self._known[digest] = (time.monotonic() + self.cache_s, user)
        if len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return user

    async def servers(self) -> Servers:
        """The servers of all users that run now, or are about to.

        Raises
        ------
        CommonsError
            The hub does not answer, or this service may not ask (it needs ``list:users`` and ``read:servers``).
        """
        users: list[Any] = []
        offset: int | None = 0
        while offset is not None:
            query = urlencode({"state": "active", "offset": offset, "limit": PAGE})
            found, offset = read_page(await self._ask(f"users?{query}", self.service_token, PAGINATED))
            users += found
        return read_servers(users)

    async def servers_of(self, name: str) -> Servers:
        """The same of one user.

        Raises
        ------
        CommonsError
            As :meth:`servers`.
        """
        try:
            return read_servers([await self._ask(f"users/{quote(name, safe='')}", self.service_token)])
        except NotFound:
            return {}

    async def _ask(self, path: str, token: str, accept: str = "application/json") -> Any:
        if not self.api_url:
            raise Unavailable("This auth service was not told where its hub is (Commons.hub_api_url).")
        request = HTTPRequest(
            f"{self.api_url}/{path}",
            headers={"Authorization": f"token {token}", "Accept": accept},
            request_timeout=self.timeout_s,
            follow_redirects=False,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
            return orjson.loads(answer.body)
        except HTTPClientError as error:
            raise _refusal(error) from error
        except OSError as error:
            raise Unavailable("The hub cannot be reached just now; try again in a few seconds.") from error
        except orjson.JSONDecodeError as error:
            raise UpstreamError("The hub gave an answer that is not JSON.") from error


def _refusal(error: HTTPClientError) -> CommonsError:
    if error.code in (401, 403):
        return AuthenticationRequired("Authentication Error: the hub does not accept this token.")
    if error.code == 404:
        return NotFound("The hub knows nothing of the kind.")
    return Unavailable("The hub does not answer properly just now; try again in a few seconds.")
