"""HTTP: access tokens, and workspaces' API keys, for an API key or a hub token."""

import time
from typing import Any

from tornado.httputil import HTTPServerRequest

from commonshub.core.errors import AuthenticationRequired, BadRequest
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.web import CredentialHandler

from ..claims import KEY_SCOPES, SESSION_SCOPES, lifetime
from ..handlers import AuthHandler
from ..names import as_the_hub_has_it
from ..users.store import UserRow, admit
from . import store
from .hub import HubUser
from .issue import issue_key


class ExchangeHandler(CredentialHandler, AuthHandler):
    """``/user/credentials/api/access_token``: an access token for an API key, which is all that proves the caller."""

    lenient = True

    async def post(self) -> None:
        if self.get_query_argument("task_token", None) is not None:
            raise BadRequest("This commons gives no task tokens.")
        claims = self.auth.verifier.verify(self._api_key(), "api_key")
        user = await self.auth.database.run(store.key_owner, self.auth.schema, claims["jti"])
        if user is None:
            raise AuthenticationRequired("Authentication Error: this API key has been revoked.")
        if not user.active:
            raise AuthenticationRequired("Authentication Error: this account has been deactivated.")
        ttl_s = lifetime(
            self.auth.tokens.access_token_ttl_s, self.integer("expires_in", low=1), claims["exp"] - time.time()
        )
        scopes = KEY_SCOPES & frozenset(claims["scope"])
        token = self.auth.keys.sign(self.auth.minter.access(self.account(user), ttl_s, scopes, claims["jti"]))
        self.reply({"access_token": token})

    def _api_key(self) -> str:
        if self.request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            key: Any = self.get_body_argument("api_key", None)
        else:
            key = self.json_object().get("api_key")
        if not isinstance(key, str) or not key:
            raise BadRequest("The body lacks api_key.")
        return key


def hub_token(request: HTTPServerRequest) -> str:
    """The hub token of a request: ``Authorization: token …``, or ``bearer``.

    Raises
    ------
    AuthenticationRequired
        There is none.
    """
    headers = request.headers.get_list("Authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() not in ("token", "bearer") or not token.strip():
        raise AuthenticationRequired("Authentication Error: send your hub token as `Authorization: token …`.")
    return token.strip()


class HubHandler(CredentialHandler, AuthHandler):
    """Base of the routes that take a hub token."""

    def identify(self) -> Identity:
        """Nobody yet: only the hub can tell."""
        return ANONYMOUS

    async def admitted(self) -> tuple[HubUser, UserRow]:
        """The owner of the hub token, at the hub and here.

        Raises
        ------
        PermissionDenied
            He is not admitted, or not under the name that he has at the hub.
        """
        owner = await self.auth.hub.owner(hub_token(self.request))
        name = as_the_hub_has_it(owner.name)
        user = await self.auth.database.run(admit, self.auth.schema, name, self.auth.allow_new_users)
        self.identity = Identity(user.username)
        return owner, user


class HubTokenHandler(HubHandler):
    """``/user/credentials/hub/access_token``: an access token for a hub token."""

    async def post(self) -> None:
        owner, user = await self.admitted()
        ttl_s = lifetime(self.auth.tokens.access_token_ttl_s, self.integer("expires_in", low=1))
        scopes = SESSION_SCOPES if owner.interactive else KEY_SCOPES
        token = self.auth.keys.sign(self.auth.minter.access(self.account(user), ttl_s, scopes))
        self.reply({"access_token": token, "expires_in": ttl_s, "username": user.username})


class HubKeyHandler(HubHandler):
    """``/user/credentials/hub/api_key``: a short-lived API key for a workspace, for Gen3's own client in it."""

    async def post(self) -> None:
        _, user = await self.admitted()
        ttl_s = lifetime(self.auth.workspace_key_ttl_s, self.integer("expires_in", low=1))
        key, jti = await self.auth.database.run(
            issue_key, self.auth, self.identity, self.request_id, user.username, ttl_s, workspace=True
        )
        self.reply({"api_key": key, "key_id": jti})
