"""What all handlers of this service have in common."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from commonshub.core import administrators, audit
from commonshub.core.errors import BadRequest, CommonsError, PermissionDenied
from commonshub.core.web import BaseHandler

from .claims import Account
from .users.store import UserRow
from .users.userinfo import is_admin

if TYPE_CHECKING:
    import sqlalchemy as sa

    from .app import AuthApp

TEMPLATES = Path(__file__).parent / "templates"

T = TypeVar("T")


class AuthHandler(BaseHandler):
    """Base of this service's handlers: nothing that they answer may be kept by a cache."""

    @property
    def auth(self) -> "AuthApp":
        """The application."""
        app: AuthApp = self.application.settings["service"]
        return app

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def get_template_path(self) -> str:
        """Folder of this service's pages."""
        return str(TEMPLATES)

    def error_body(self, error: CommonsError) -> Any:
        """Gen3's form, with our details where there are some."""
        body: dict[str, Any] = {"error": error.message, "message": error.message}
        return {**body, "details": error.details} if error.details else body

    def require_administrator(self) -> None:
        """Raise unless the caller may read what concerns others.

        Raises
        ------
        AuthenticationRequired
            Nobody is signed in.
        PermissionDenied
            The policies do not make him an administrator.
        """
        administrators.require_administrator(self.auth.policy, self.identity)

    def require_governor(self) -> None:
        """Raise unless the caller may change what concerns others; see :mod:`commonshub.core.administrators`.

        Raises
        ------
        AuthenticationRequired
            Nobody is signed in.
        PermissionDenied
            He is no administrator, or his token is not for this.
        """
        administrators.require_governor(self.auth.policy, self.identity)

    async def govern(self, action: audit.Action) -> None:
        """:meth:`require_governor`, with a row in the trail where somebody who is signed in is refused.

        Raises
        ------
        AuthenticationRequired, PermissionDenied
            As there.
        """
        try:
            self.require_governor()
        except PermissionDenied:
            schema, entry = self.auth.schema, audit.Entry(action, self.request.path, "denied")
            await self.auth.database.run(audit.write_many, schema, self.identity, self.request_id, [entry])
            raise

    async def change(self, entries: Sequence[audit.Entry], function: "Callable[[sa.Connection, str], T]") -> T:
        """Run ``function(connection, schema)`` in one transaction with its rows in the trail, and answer by the result.

        This service decides by the new state from then on; the others hear of it.
        """

        def run(connection: "sa.Connection") -> T:
            result = function(connection, self.auth.schema)
            audit.write_many(connection, self.auth.schema, self.identity, self.request_id, entries)
            return result

        result = await self.auth.database.run(run)
        await self.auth.grants.reload()
        return result

    def account(self, user: UserRow) -> Account:
        """What tokens say of a user."""
        return Account(user.id, user.username, is_admin(self.auth.policy, user.username))

    def text(self, body: dict[str, Any], name: str) -> str | None:
        """A string field of a JSON object, or None.

        Raises
        ------
        BadRequest
            It is something else.
        """
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{name} must be a string.")
        return value
