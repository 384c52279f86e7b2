"""Who a hub token belongs to and which servers run, as the hub says."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from commonshub.core.errors import (
    AuthenticationRequired,
    NotFound,
    UpstreamError,
)
from commonshub.core.hubapi import HubApi, Remembered, read_owner

from .origin import Origin, origin

PAGE = 200
# The hub answers when the server has stopped, or has not for ten seconds.
STOP_S = 30
PAGINATED = "application/jupyterhub-pagination+json"


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
    name, scopes = read_owner(model, service)
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
    """What the hub says of tokens and servers.

    Parameters
    ----------
    service
        Name of this service at the hub.
    cache_s
        How long a good answer counts, in seconds: a token revoked at the hub may work that much longer.
    service_token
        This service's own hub token; the hub knows it too, and nobody else.
    """

    def __init__(self, api: HubApi, service: str, cache_s: float, service_token: str = "") -> None:
        self.api = api
        self.service = service
        self.service_token = service_token
        self.known: Remembered[HubUser] = Remembered(cache_s)

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
        user = self.known.get(token)
        if user is None or (user.origin and user.origin.key in ended):
            user = read_model(await self._ask("user", token), self.service, token)
            self.known.put(token, user)
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

    async def stop(self, name: str, server: str) -> None:
        """Have a server of a user stopped; one that has stopped by itself is no fault.

        Raises
        ------
        CommonsError
            The hub does not answer, or this service may not stop servers (it needs ``delete:servers``).
        """
        place = f"users/{quote(name, safe='')}/" + (f"servers/{quote(server, safe='')}" if server else "server")
        answer = await self.api.ask(place, self.service_token, method="DELETE", timeout_s=STOP_S)
        if answer.code in (401, 403):
            raise AuthenticationRequired("The hub does not let this service stop servers (it needs delete:servers).")
        if answer.code not in (202, 204, 404):
            raise UpstreamError(f"The hub would not stop the server {server!r} of {name} ({answer.code}).")

    async def _ask(self, path: str, token: str, accept: str = "application/json") -> Any:
        answer = await self.api.ask(path, token, accept=accept)
        if answer.code == 404:
            raise NotFound("The hub knows nothing of the kind.")
        if answer.code in (401, 403):
            raise AuthenticationRequired("Authentication Error: the hub does not accept this token.")
        try:
            if answer.code == 200:
                return orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise UpstreamError("The hub gave an answer that is not JSON.") from error
        raise UpstreamError(f"The hub gave a strange answer ({answer.code}).")
