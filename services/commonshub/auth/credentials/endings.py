"""HTTP, for the hub alone: what has ended there ends here."""

import hmac
from typing import Any

from commonshub.core.errors import BadRequest, PermissionDenied
from commonshub.core.identity import ANONYMOUS, Identity

from ..handlers import AuthHandler
from . import sessions
from .exchange import hub_token
from .origin import BROWSER, WORKSPACE, digest
from .watch import finish


class EndedHandler(AuthHandler):
    """``/user/credentials/hub/ended``: a workspace's server has stopped, or a browser has signed out.

    Only the hub and this service know the token that proves the caller.
    """

    def identify(self) -> Identity:
        """Nobody: the hub is no user."""
        return ANONYMOUS

    async def post(self) -> None:
        known = self.auth.hub.service_token
        given = hub_token(self.request)
        if not known or not hmac.compare_digest(given.encode(), known.encode()):
            raise PermissionDenied("Only the hub may say what has ended there.")
        name, kind, what = self._read(self.json_object())
        found = await self.auth.database.run(sessions.find, self.auth.schema, name, kind, what)
        await finish(self.auth, found, self.request_id)
        self.reply({"ended": len(found)})

    def _read(self, body: dict[str, Any]) -> tuple[str, str, str]:
        """User, kind and name of what has ended."""
        name, server, session = (self.text(body, field) for field in ("username", "server", "session_id"))
        if name is None or (server is None) == (session is None):
            raise BadRequest("The body must have username, and either server or session_id.")
        if session is not None:
            return name, BROWSER, digest(BROWSER, session)
        return name, WORKSPACE, server or ""
