"""HTTP: giving back and taking back what applications were given."""

import time
from typing import TYPE_CHECKING

from commonshub.core import audit
from commonshub.core.errors import AuthenticationRequired, PermissionDenied
from commonshub.core.grants import revoke
from commonshub.core.identity import Identity
from commonshub.core.policy import Request
from commonshub.core.tokens import LEEWAY_S, Claims
from commonshub.core.web import bearer

from ..credentials.store import key_owner, revoke_key
from ..handlers import AuthHandler
from . import sessions
from .clients import Client
from .handlers import ClientHandler
from .issue import read_task_token, read_token, remaining_s
from .protocol import ProtocolError, single

if TYPE_CHECKING:
    import sqlalchemy as sa

ADMIN = Request("fence", "delete", "/services/fence/admin")


class RevokeHandler(ClientHandler):
    """``/user/oauth2/revoke`` (RFC 7009): a client gives back what it has, or a user takes back what he gave."""

    async def post(self) -> None:
        if not self.request.body:
            raise ProtocolError("invalid_request", "token is missing.")
        parameters = self.read_body()
        token = single(parameters, "token")
        if token is None:
            raise ProtocolError("invalid_request", "token is missing.")
        if self._by_user():
            self.identity = AuthHandler.identify(self)
            client = None
        else:
            client = await self.auth.database.run(self.authenticate, parameters)
            self.identity = Identity(client=client.id)
        verifier = self.auth.verifier
        claims = read_token(verifier, token, "refresh", "api_key") or read_task_token(verifier, token)
        if claims is not None:
            await self.auth.database.run(self._revoke, claims, client)
            await self.auth.grants.reload_revoked()
        elif read_token(verifier, token, "access", "id") is not None:
            raise ProtocolError(
                "unsupported_token_type", "Only refresh tokens, API keys and task tokens can be revoked."
            )
        # Whoever has a token that is none (any more) has what he wanted (RFC 7009, 2.2).
        self.reply({})

    def _by_user(self) -> bool:
        """Whether a user comes with his own access token.

        Raises
        ------
        AuthenticationRequired
            Nobody said who he is.
        """
        header = self.request.headers.get("Authorization", "")
        if not header and not self.get_body_argument("client_id", ""):
            raise AuthenticationRequired("Authentication Error: no authorization header provided")
        return header.lower().startswith("bearer ") and bearer(self.request) is not None

    def _revoke(self, connection: "sa.Connection", claims: Claims, client: Client | None) -> None:
        ends = {"refresh": self._end_session, "api_key": self._end_key, "access": self._end_task}
        entry = ends[claims["pur"]](connection, claims, client)
        if entry is not None:
            audit.write_many(connection, self.auth.schema, self.identity, self.request_id, [entry])

    def _end_session(self, connection: "sa.Connection", claims: Claims, client: Client | None) -> audit.Entry | None:
        found = sessions.find_refresh(connection, self.auth.schema, claims["jti"])
        if found is None:
            return None
        owner = found.session.user.username
        self._require_right(claims, client, owner)
        sessions.end_session(connection, self.auth.schema, found.session.id, remaining_s(self.auth))
        return audit.Entry("revoke_token", found.session.id, detail={"user": owner})

    def _end_key(self, connection: "sa.Connection", claims: Claims, client: Client | None) -> audit.Entry | None:
        found = key_owner(connection, self.auth.schema, claims["jti"])
        if found is None:
            return None
        self._require_right(claims, client, found.user.username)
        revoke_key(connection, self.auth.schema, claims["jti"])
        return audit.Entry("revoke_key", claims["jti"], detail={"user": found.user.username})

    def _end_task(self, connection: "sa.Connection", claims: Claims, client: Client | None) -> audit.Entry | None:
        owner = claims["context"]["user"]["name"]
        self._require_right(claims, client, owner)
        revoke(connection, self.auth.schema, [claims["jti"]], claims["exp"] - time.time() + LEEWAY_S)
        return audit.Entry("revoke_token", claims["jti"], detail={"user": owner})

    def _require_right(self, claims: Claims, client: Client | None, owner: str) -> None:
        """Let through the client that the token was given to, the user who gave it, and administrators.

        Raises
        ------
        PermissionDenied, ProtocolError
            It is somebody else.
        """
        if client is not None:
            if claims["azp"] != client.id:
                raise ProtocolError("unauthorized_client", "This token was given to another client.")
            return
        acting = self.identity.client
        own = owner == self.identity.username and acting in (None, claims["azp"])
        if not own and not self.auth.policy.allows(self.identity, ADMIN):
            raise PermissionDenied("You can only revoke your own tokens.")


class ApplicationsHandler(AuthHandler):
    """``/user/oauth2/applications``: what a user allowed other programs, for his own eyes."""

    def require_self(self) -> str:
        """The user, who is here himself.

        Raises
        ------
        AuthenticationRequired, PermissionDenied
            Nobody is, or an application acts for him.
        """
        name = self.require_user()
        if self.identity.client is not None:
            raise PermissionDenied("An application may not look into what its user allowed others.")
        return name

    async def get(self) -> None:
        found = await self.auth.database.run(sessions.allowed, self.auth.schema, self.require_self())
        self.reply(
            {
                "applications": [
                    {
                        "client_id": each.client_id,
                        "name": each.name,
                        "remembered": list(each.scopes),
                        "sessions": len(each.sessions),
                        "last_at": each.last_at,
                    }
                    for each in found
                ]
            }
        )

    async def delete(self, client_id: str) -> None:
        await self.auth.database.run(self._withdraw, self.require_self(), client_id)
        await self.auth.grants.reload_revoked()
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()

    def _withdraw(self, connection: "sa.Connection", name: str, client_id: str) -> None:
        sessions.withdraw(connection, self.auth.schema, name, client_id, remaining_s(self.auth))
        entry = audit.Entry("revoke_token", client_id, detail={"user": name})
        audit.write_many(connection, self.auth.schema, self.identity, self.request_id, [entry])
