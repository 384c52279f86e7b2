"""HTTP of the workspace token service: tokens of this commons and of others, for who has an access token."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from commonshub.core import audit
from commonshub.core.errors import AuthenticationRequired, PermissionDenied

from ..claims import lifetime
from ..credentials.store import left_s
from ..handlers import AuthHandler
from ..users.store import find_user
from . import store
from .external import OWN, External


class WtsHandler(AuthHandler):
    """Base of the routes about one commons: ``idp`` in the query, this commons where there is none."""

    @property
    def external(self) -> External | None:
        """The commons that is meant; None for this one.

        Raises
        ------
        BadRequest
            It is unknown.
        """
        idp = self.get_query_argument("idp", "") or "default"
        return None if idp in OWN else self.auth.connections.external(idp)

    def require_person(self) -> str:
        """The user, who acts himself.

        Raises
        ------
        PermissionDenied
            An application acts for him: it has a refresh token of its own, and he allowed it this commons only.
        """
        name = self.require_user()
        if self.identity.client is not None:
            raise PermissionDenied("An application cannot have other tokens than those that it was given.")
        return name


class TokenHandler(WtsHandler):
    """``/wts/token/``: an access token of this commons, or of another that the user is connected to."""

    async def get(self) -> None:
        name = self.require_person()
        asked_s = self.integer("expires", low=1)
        external = self.external
        if external is None:
            self.reply({"token": await self._own(name, asked_s)})
            return
        lacking = sorted(set(external.scopes) - self.identity.scopes)
        if lacking:
            raise PermissionDenied(f"This token lacks the scope {lacking[0]}, which that of {external.label} has.")
        token = await self.auth.connections.token(name, external)
        await self.auth.database.run(
            audit.write,
            self.auth.schema,
            self.identity,
            self.request_id,
            action="access_token",
            subject=external.idp,
            decision="allowed",
            detail={"commons": external.base_url},
        )
        self.reply({"token": token})

    async def _own(self, name: str, asked_s: int | None) -> str:
        """A token like the caller's, that ends with what his came from.

        A token that came from nothing that can end gets another for the rest of its life only: otherwise whoever once
        had one would have one for ever.
        """
        assert self.identity.token is not None
        claims = self.auth.verifier.verify(self.identity.token)
        session = self.identity.session
        left = await self.auth.database.run(left_s, self.auth.schema, session) if session else None
        remaining_s = claims["exp"] - time.time() if left is None else left
        user = await self.auth.database.run(find_user, self.auth.schema, name)
        if user is None or remaining_s < 1:
            raise AuthenticationRequired("Authentication Error: what this token came from has ended.")
        ttl_s = lifetime(self.auth.tokens.access_token_ttl_s, asked_s, remaining_s)
        scopes = self.identity.scopes
        return self.auth.keys.sign(self.auth.minter.access(self.account(user), ttl_s, scopes, session))


class ProvidersHandler(WtsHandler):
    """``/wts/external_oidc/``: the other commons that tokens can be had of; everybody may know. Gen3's tools ask first.

    ``unexpired=true`` asks for those that the caller is connected to.
    """

    lenient = True

    async def get(self) -> None:
        connected: dict[str, datetime | None] = {}
        only = self.get_query_argument("unexpired", "").lower() == "true"
        if only or self.identity.username is not None:
            connected = await self.auth.database.run(store.connections, self.auth.schema, self.require_user())
        commons = [each for each in self.auth.connections.commons.values() if not only or each.idp in connected]
        self.reply({"providers": [self._document(each, connected) for each in commons]})

    def _document(self, external: External, connected: Mapping[str, datetime | None]) -> dict[str, Any]:
        end = connected.get(external.idp)
        url = f"{self.auth.commons.origin}/wts/oauth2/authorization_url?idp={external.idp}"
        return {
            "name": external.label,
            "idp": external.idp,
            "base_url": external.base_url,
            "urls": [{"name": external.label, "url": url}],
            "refresh_token_expiration": end.isoformat() if end else None,
            "connected": external.idp in connected,
        }


class ConnectedHandler(WtsHandler):
    """``/wts/oauth2/connected``: 200 when the caller can have tokens, 403 when he has to connect first."""

    async def get(self) -> None:
        name = self.require_person()
        external = self.external
        if external is not None:
            connected = await self.auth.database.run(store.connections, self.auth.schema, name)
            if external.idp not in connected:
                raise PermissionDenied(f"You are not connected to {external.label}.")
        self.reply({"connected": True})


class LogoutHandler(WtsHandler):
    """``/wts/oauth2/logout``: ends the caller's connection to another commons."""

    async def get(self) -> None:
        name = self.require_person()
        external = self.external
        if external is not None and await self.auth.connections.disconnect(name, external):
            await self.auth.database.run(
                audit.write,
                self.auth.schema,
                self.identity,
                self.request_id,
                action="revoke_token",
                subject=external.idp,
                decision="allowed",
                detail={"commons": external.base_url},
            )
        self.reply({"connected": False})
