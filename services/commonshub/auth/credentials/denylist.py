"""HTTP: whether a token has been revoked, for a gateway in front of other programs."""

from typing import TYPE_CHECKING

from commonshub.core.errors import AuthenticationRequired, PermissionDenied
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.tokens import Claims, marks_of
from commonshub.core.web import bearer

from ..handlers import AuthHandler
from . import store

if TYPE_CHECKING:
    import sqlalchemy as sa


class DenylistHandler(AuthHandler):
    """``/user/credentials/token/denylisted``: 403 when the token in the body or the header is revoked, else 200.

    Gen3's rule: a token that cannot be read is not on the list, and neither is none; an expired one may be.
    """

    def identify(self) -> Identity:
        """Nobody: the token is what is asked about, not who asks."""
        return ANONYMOUS

    async def post(self) -> None:
        body = self.json_object() if self.request.body else {}
        token = self.text(body, "token") or bearer(self.request)
        try:
            claims = self.auth.verifier.read(token or "")
        except AuthenticationRequired:
            self.reply({"denylisted": False})
            return
        if await self.auth.database.run(self._listed, claims):
            raise PermissionDenied("This token has been revoked.")
        self.reply({"denylisted": False})

    def _listed(self, connection: "sa.Connection", claims: Claims) -> bool:
        schema = self.auth.schema
        if claims["pur"] == "api_key":
            return store.key_owner(connection, schema, claims["jti"]) is None
        return store.is_revoked(connection, schema, marks_of(claims))
