"""Tells the auth service what has ended at the hub, so that the tokens made from it end too.

A workspace's tokens end with its server, a browser's with its sign-out. The hub tells of both as they happen; where it
cannot be heard it does not insist: the auth service looks for itself, every so often, which servers run.
"""

import logging
from collections.abc import Sequence
from typing import Any

import orjson
from jupyterhub.handlers.login import LogoutHandler
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

PATH = "/user/credentials/hub/ended"
SETTING = "commonshub_endings"
TIMEOUT_S = 5

log = logging.getLogger(__name__)


class Endings:
    """Tells the auth service.

    Parameters
    ----------
    origin
        ``scheme://host:port`` of the auth service itself, behind the proxy.
    token
        The auth service's own hub token, which proves the hub to it.
    """

    def __init__(self, origin: str, token: str) -> None:
        self.origin = origin.rstrip("/")
        self._token = token

    async def server_stopped(self, spawner: Any) -> None:
        """A workspace's server has stopped, however: ``Spawner.post_stop_hook``."""
        await self._tell({"username": spawner.user.name, "server": spawner.name})

    async def signed_out(self, username: str, session_id: str) -> None:
        """A browser has signed out."""
        await self._tell({"username": username, "session_id": session_id})

    async def _tell(self, ended: dict[str, str]) -> None:
        request = HTTPRequest(
            self.origin + PATH,
            method="POST",
            headers={"Authorization": f"token {self._token}", "Content-Type": "application/json"},
            body=orjson.dumps(ended),
            connect_timeout=TIMEOUT_S,
            request_timeout=TIMEOUT_S,
            follow_redirects=False,
        )
        try:
            await AsyncHTTPClient().fetch(request)
        except (HTTPClientError, OSError) as error:
            # Nothing at the hub waits for the auth service: stopping and signing out must always be possible.
            log.warning("The auth service was not told what %s has ended: %s", ended["username"], error)


class EndsSession:
    """Mixed into a logout page of the hub: it also ends what the browser's session had been given."""

    settings: dict[str, Any]
    current_user: Any
    get_session_cookie: Any

    async def handle_logout(self) -> None:
        """Tell of the session that this request signs out of."""
        endings: Endings | None = self.settings.get(SETTING)
        session_id = self.get_session_cookie()
        if endings is not None and self.current_user is not None and session_id:
            await endings.signed_out(self.current_user.name, session_id)
        await super().handle_logout()  # type: ignore[misc]


def ending_sessions(handlers: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The hub's handlers with every logout page, whichever authenticator's it is, ending its session."""

    def ending(handler: Any) -> Any:
        if isinstance(handler, type) and issubclass(handler, LogoutHandler) and not issubclass(handler, EndsSession):
            return type(handler.__name__, (EndsSession, handler), {})
        return handler

    return [(path, ending(handler), *rest) for path, handler, *rest in handlers]
