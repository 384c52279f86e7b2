"""What all handlers of this service have in common."""

from typing import TYPE_CHECKING, Any

from commonshub.core.errors import BadRequest, CommonsError
from commonshub.core.web import BaseHandler

from .claims import Account
from .users.store import UserRow
from .users.userinfo import is_admin

if TYPE_CHECKING:
    from .app import AuthApp


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

    def error_body(self, error: CommonsError) -> Any:
        """Gen3's form, with our details where there are some."""
        body: dict[str, Any] = {"error": error.message, "message": error.message}
        return {**body, "details": error.details} if error.details else body

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
