"""HTTP: access tokens, and workspaces' API keys, for an API key or a hub token."""

import time
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest

from commonshub.core import audit
from commonshub.core.errors import AuthenticationRequired, BadRequest
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Request
from commonshub.core.web import CredentialHandler

from ..claims import KEY_SCOPES, SESSION_SCOPES, lifetime
from ..handlers import AuthHandler
from ..login.providers import HUB
from ..names import as_the_hub_has_it
from ..users.store import UserRow, admit
from . import sessions, store
from .hub import HubUser
from .issue import issue_key
from .origin import BROWSER, WORKSPACE, Origin

if TYPE_CHECKING:
    import sqlalchemy as sa

# Life of a key that no server's end would end, in seconds.
UNBOUND_KEY_TTL_S = 86400


class ExchangeHandler(CredentialHandler, AuthHandler):
    """``/user/credentials/api/access_token``: an access token for an API key, which is all that proves the caller."""

    lenient = True

    async def post(self) -> None:
        claims = self.auth.verifier.verify(self._api_key(), "api_key")
        owner = await self.auth.database.run(store.key_owner, self.auth.schema, claims["jti"])
        if owner is None:
            raise AuthenticationRequired("Authentication Error: this API key has been revoked.")
        if not owner.user.active:
            raise AuthenticationRequired("Authentication Error: this account has been deactivated.")
        task = self.get_query_argument("task_token", None)
        limit_s = self.auth.tokens.access_token_ttl_s if task is None else self._task_limit_s(task)
        ttl_s = lifetime(limit_s, self.integer("expires_in", low=1), claims["exp"] - time.time())
        if task is not None:
            asked = Request("fence", "create", f"/services/fence/task-token/{task}/{ttl_s}")
            self.auth.policy.require(Identity(owner.user.username), asked)
        scopes = KEY_SCOPES & frozenset(claims["scope"])
        session = owner.session or claims["jti"]
        token = self.auth.minter.access(self.account(owner.user), ttl_s, scopes, session, task=task)
        self.reply({"access_token": self.auth.keys.sign(token)})

    def _task_limit_s(self, task: str) -> int:
        limit_s = self.auth.task_token_types.get(task)
        if limit_s is None:
            raise BadRequest(f"This commons gives no task tokens of the type {task[:80]!r}.")
        return int(limit_s)

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
        owner = await self.auth.hub.owner(hub_token(self.request), self.auth.revoked)
        name = as_the_hub_has_it(owner.name)
        user = await self.auth.database.run(admit, self.auth.schema, name, self.auth.allow_new_users)
        self.identity = Identity(user.username)
        return owner, user

    async def hold(self, owner: HubUser, user: UserRow, ttl_s: int) -> str | None:
        """The session that the hub token belongs to, which lasts at least `ttl_s` seconds more; None without one."""
        if owner.origin is None:
            return None
        lease_s = max(ttl_s, self.auth.session_lease_s if owner.origin.kind == WORKSPACE else 0)
        return await self.auth.database.run(self._hold, user, owner.origin, lease_s)

    def _hold(self, connection: "sa.Connection", user: UserRow, origin: Origin, lease_s: float) -> str:
        session, begins = sessions.hold(connection, self.auth.schema, user.id, origin, lease_s)
        # Who signed in by a provider has a row already.
        if begins and origin.kind == BROWSER and not self.auth.logins.providers:
            # The hub has no database: the first that the trail hears of a sign-in there is what it leads to here.
            entry = audit.Entry("login", HUB, detail={"sid": session})
            audit.write_many(connection, self.auth.schema, self.identity, self.request_id, [entry])
        return session


class HubTokenHandler(HubHandler):
    """``/user/credentials/hub/access_token``: an access token for a hub token, that ends with what that belongs to."""

    async def post(self) -> None:
        owner, user = await self.admitted()
        ttl_s = lifetime(self.auth.tokens.access_token_ttl_s, self.integer("expires_in", low=1))
        scopes = SESSION_SCOPES if owner.interactive else KEY_SCOPES
        session = await self.hold(owner, user, ttl_s)
        token = self.auth.keys.sign(self.auth.minter.access(self.account(user), ttl_s, scopes, session))
        self.reply({"access_token": token, "expires_in": ttl_s, "username": user.username})


class HubKeyHandler(HubHandler):
    """``/user/credentials/hub/api_key``: an API key for a workspace, that ends with its server.

    A hub token that belongs to no server gets a key for a day at most, since nothing would end it.
    """

    async def post(self) -> None:
        owner, user = await self.admitted()
        bound = owner.origin is not None and owner.origin.kind == WORKSPACE
        limit_s = self.auth.workspace_key_ttl_s if bound else min(self.auth.workspace_key_ttl_s, UNBOUND_KEY_TTL_S)
        ttl_s = lifetime(limit_s, self.integer("expires_in", low=1))
        session = await self.hold(owner, user, 0) if bound else None
        key, jti = await self.auth.database.run(
            issue_key,
            self.auth,
            self.identity,
            self.request_id,
            user.username,
            ttl_s,
            workspace=True,
            session=session,
        )
        self.reply({"api_key": key, "key_id": jti})
