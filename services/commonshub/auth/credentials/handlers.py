"""HTTP: API keys."""

from typing import TYPE_CHECKING

from commonshub.core import audit
from commonshub.core.errors import PermissionDenied

from ..claims import key_scopes, lifetime
from ..handlers import AuthHandler
from . import store
from .issue import issue_key

if TYPE_CHECKING:
    import sqlalchemy as sa


class SourcesHandler(AuthHandler):
    """``/user/credentials/``: the kinds of credentials there are."""

    def get(self) -> None:
        self.require_user()
        self.reply({"/api": "API keys, to be exchanged for access tokens"})


class KeysHandler(AuthHandler):
    """``/user/credentials/api/``: the caller's API keys."""

    def require_manager(self) -> str:
        """The caller, who may manage API keys.

        Raises
        ------
        PermissionDenied
            His token came from an API key or a workspace.
        """
        name = self.require_user()
        if "credentials" not in self.identity.scopes:
            raise PermissionDenied(
                "This token cannot manage API keys, since it came from one or from a workspace. Use the profile page."
            )
        return name

    async def get(self, jti: str = "") -> None:
        name = self.require_manager()
        keys = await self.auth.database.run(store.list_keys, self.auth.schema, name)
        self.reply({"jtis": [{"jti": key.jti, "exp": key.exp, "workspace": key.workspace} for key in keys]})

    async def post(self) -> None:
        name = self.require_manager()
        ttl_s = lifetime(self.auth.tokens.api_key_ttl_s, self.integer("expires_in", low=1))
        scopes = key_scopes(self.identity.scopes, self.json_object() if self.request.body else {})
        key, jti = await self.auth.database.run(
            issue_key, self.auth, self.identity, self.request_id, name, ttl_s, scopes
        )
        self.reply({"key_id": jti, "api_key": key})

    async def delete(self, jti: str) -> None:
        name = self.require_manager()
        await self.auth.database.run(self._revoke, name, jti)
        # The others hear of it within moments; this process need not wait for that.
        await self.auth.grants.reload_revoked()
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()

    def _revoke(self, connection: "sa.Connection", name: str, jti: str) -> None:
        schema = self.auth.schema
        store.revoke_key(connection, schema, jti, name)
        audit.write(
            connection, schema, self.identity, self.request_id, action="revoke_key", subject=jti, decision="allowed"
        )
