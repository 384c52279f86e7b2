"""HTTP: who somebody is, and the administration of users in Fence's form."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from commonshub.core.audit import Action, Entry
from commonshub.core.errors import AuthenticationRequired, BadRequest, PermissionDenied
from commonshub.core.identity import Identity

from .. import sources
from ..handlers import AuthHandler
from ..names import username
from . import accounts, userinfo
from .store import UserRow

MAX_TEXT = 1000
MAX_TAGS = 100
_TEXTS = ("email", "display_name", "phone_number")


class UserHandler(AuthHandler):
    """``/user/user``: who the caller is and what he may do; a body, which may ask for claims, is not looked at."""

    async def get(self) -> None:
        name = self.require_user()
        if "user" not in self.identity.scopes:
            raise PermissionDenied("This token lacks the scope user.")
        found = await self.auth.database.run(accounts.find_account, self.auth.schema, name)
        if found is None:
            raise AuthenticationRequired("Authentication Error: this user does not exist any more.")
        self.reply(userinfo.document(*found, self.auth.policy, self.identity))

    post = get


class AdminHandler(AuthHandler):
    """Base of Fence's routes for administrators, who come with a token of their own session.

    Attributes
    ----------
    action
        What the trail calls the change that a route makes.
    """

    action: ClassVar[Action] = "change_user"

    async def prepare(self) -> None:
        super().prepare()
        if self.request.method in ("GET", "HEAD"):
            self.require_governor()
        else:
            await self.govern(self.action)

    def reply_user(self, user: UserRow, idp: str) -> None:
        """Answer with who somebody is and what he may do."""
        self.reply(userinfo.document(user, idp, self.auth.policy, Identity(user.username)))


class AccountsHandler(AdminHandler):
    """``/user/admin/user``: all users, and new ones."""

    action: ClassVar[Action] = "create_user"

    async def get(self) -> None:
        most = self.auth.max_listed
        limit = self.integer("limit", most, low=1, high=most) or most
        start = self.get_query_argument("start", "")
        users = await self.auth.database.run(accounts.list_accounts, self.auth.schema, start, limit + 1)
        listed = await asyncio.to_thread(self._listed, users[:limit])
        self.reply({"users": listed, **({"next": users[limit - 1].username} if len(users) > limit else {})})

    def _listed(self, users: Sequence[UserRow]) -> list[dict[str, Any]]:
        policy = self.auth.policy
        return [
            {
                "username": user.username,
                "role": "admin" if userinfo.is_admin(policy, user.username) else "user",
                "email": user.email,
                "active": user.active,
            }
            for user in users
        ]

    async def post(self) -> None:
        body = self.json_object()
        unknown = sorted(body.keys() - {"username", "idp_name", "tags", *_TEXTS})
        if unknown:
            raise BadRequest(f"The body has {unknown[0]}, which is nothing that a user has.")
        given = self.text(body, "username")
        if not given:
            raise BadRequest("Error: Please provide a username")
        name, known = username(given), {**self._texts(body), "tags": _tags(body.get("tags"))}
        # Who signs a user in is known when he signs in.
        self.text(body, "idp_name")
        found = await self.change(
            [Entry(self.action, name)], lambda c, schema: accounts.create_account(c, schema, name, sources.API, known)
        )
        self.reply_user(*found)

    def _texts(self, body: dict[str, Any]) -> dict[str, str]:
        texts = {key: self.text(body, key) or "" for key in _TEXTS}
        for key, value in texts.items():
            if len(value) > MAX_TEXT or "\x00" in value:
                raise BadRequest(f"{key} must be a text of at most {MAX_TEXT} characters.")
        return texts


class AccountHandler(AdminHandler):
    """``/user/admin/user/<name>``: one user."""

    async def get(self, name: str) -> None:
        self.reply_user(*await self.auth.database.run(accounts.get_account, self.auth.schema, username(name)))


class DeactivationHandler(AdminHandler):
    """``/user/admin/user/<name>/soft``: switches a user off."""

    action: ClassVar[Action] = "deactivate_user"

    async def delete(self, name: str) -> None:
        name, ttl_s = username(name), self.auth.longest_life_s
        found = await self.change(
            [Entry(self.action, name)], lambda c, schema: accounts.deactivate(c, schema, name, ttl_s)
        )
        self.reply_user(*found)


class ReactivationHandler(AdminHandler):
    """``/user/admin/user/<name>/reactivate``: switches a user on."""

    action: ClassVar[Action] = "reactivate_user"

    async def post(self, name: str) -> None:
        name = username(name)
        found = await self.change([Entry(self.action, name)], lambda c, schema: accounts.reactivate(c, schema, name))
        self.reply_user(*found)


def _tags(given: Any) -> dict[str, str]:
    """Tags of a user: words to words.

    Raises
    ------
    BadRequest
        They are something else, or too many.
    """
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > MAX_TAGS:
        raise BadRequest(f"tags must be an object of at most {MAX_TAGS} entries.")
    for key, value in given.items():
        if not isinstance(value, str) or len(key) + len(value) > MAX_TEXT or "\x00" in key + value:
            raise BadRequest(f"tags: {key[:80]!r} must be a text.")
    return given
