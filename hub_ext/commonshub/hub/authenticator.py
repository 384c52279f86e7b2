"""Who signs in to the hub: by a password of the commons' own, or as the user whom a trusted reverse proxy names."""

import asyncio
import time
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.handlers.login import LogoutHandler
from tornado import web
from traitlets import Bool, CaselessStrEnum, Integer, Unicode, default
from traitlets.config import Config

from commonshub.core.settings import Commons
from commonshub.core.tokens import KeySet

from .assertion import Assertions, Refused, Subject, check_groups, check_name, check_secret, single
from .passwords import NAME, Passwords
from .throttle import Throttle


class CommonsAuthenticator(Authenticator):  # type: ignore[misc]
    """What both ways have in common."""

    @default("any_allow_config")
    def _default_any_allow_config(self) -> bool:
        return True

    def refused(self, handler: Any) -> bool:
        """Answer of ``refresh_user`` that makes a browser sign in again."""
        # JupyterHub 6.1.1 reads this attribute of every handler, and sets it only where a token was used.
        if not hasattr(handler, "_token_authenticated"):
            handler._token_authenticated = False
        return False

    @staticmethod
    def concerns(user: Any, handler: Any) -> bool:
        """Whether a refresh of `user` is about the browser that sent this request."""
        if handler is None or getattr(handler, "_token_authenticated", False):
            return False
        return getattr(handler, "_jupyterhub_user", None) in (None, user)


class PasswordAuthenticator(CommonsAuthenticator):
    """Accounts and scrypt hashes in one private file; made by ``commonshub user add``."""

    passwords_file = Unicode(help="File of the accounts.").tag(config=True)

    waiting_limit = Integer(32, help="Attempts to sign in that may wait at a time; more are refused with 429.").tag(
        config=True
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._passwords = Passwords(Path(self.passwords_file))
        self._throttle = Throttle()
        self._waiting: dict[str, int] = {}
        self._hashing = asyncio.Semaphore(2)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """The account whose name and password were given, after the delay that earlier failures earned."""
        name = data.get("username", "").strip().lower()
        if not NAME.fullmatch(name):
            return None
        if sum(self._waiting.values()) >= self.waiting_limit or self._waiting.get(name, 0) >= self.waiting_limit // 4:
            raise web.HTTPError(429, "Too many attempts to sign in. Wait a minute and try again.")
        self._waiting[name] = self._waiting.get(name, 0) + 1
        try:
            return await self._check(handler, name, data.get("password", ""))
        finally:
            self._waiting[name] -= 1
            if not self._waiting[name]:
                del self._waiting[name]

    async def _check(self, handler: Any, name: str, password: str) -> dict[str, Any] | None:
        keys = (f"name {name}", f"address {handler.request.remote_ip}")
        await asyncio.sleep(max(self._throttle.delay_s(key, time.monotonic()) for key in keys))
        async with self._hashing:
            account = await asyncio.to_thread(self._passwords.check, name, password)
        for key in keys:
            if account is None:
                self._throttle.failed(key, time.monotonic())
            else:
                self._throttle.succeeded(key)
        return None if account is None else {"name": name, "admin": account["admin"]}

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Accounts in the file are allowed, nobody else; a list of allowed users restricts further."""
        if self.allowed_users and username not in self.allowed_users:
            return False
        return username in self._passwords.accounts()

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> bool | dict[str, Any]:
        """A removed account has to sign in again, which it cannot."""
        account = self._passwords.accounts().get(user.name)
        if account is not None:
            return {"name": user.name, "admin": account["admin"]}
        return self.refused(handler) if self.concerns(user, handler) else True


class RemoteUserLogoutHandler(LogoutHandler):  # type: ignore[misc]
    """Signs out of the hub, and then wherever the user signed in."""

    async def render_logout_page(self) -> None:
        """Go on to the identity provider's own logout."""
        if self.authenticator.logout_redirect_url:
            self.redirect(self.authenticator.logout_redirect_url, permanent=False)
        else:
            await super().render_logout_page()


class RemoteUserAuthenticator(CommonsAuthenticator):
    """The user whom a reverse proxy names, provided that it proves itself.

    Only requests to the hub's own pages carry the headers; a reverse proxy must remove them from every other path and
    from every request that came in with them.
    """

    trust = CaselessStrEnum(
        ["assertion", "secret"],
        "assertion",
        help="How the proxy proves itself: by a signed, short-lived `assertion` about the user, or by a shared "
        "`secret` beside plain headers.",
    ).tag(config=True)

    insecure_trust_all = Bool(
        False, help="Believe the plain headers of anybody who reaches the hub. For a developer's own machine only."
    ).tag(config=True)

    assertion_header = Unicode("X-Commons-Assertion", help="Header with the assertion.").tag(config=True)
    user_header = Unicode("X-Remote-User", help="Header with the user's name, with `secret`.").tag(config=True)
    groups_header = Unicode(
        "X-Remote-Groups", help="Header with the user's groups, separated by commas, with `secret`; may be absent."
    ).tag(config=True)
    secret_header = Unicode("X-Commons-Proxy-Secret", help="Header with the shared secret.").tag(config=True)
    secret_file = Unicode(
        help="File of the shared secrets, one per line, 32 characters or more; two while one replaces the other."
    ).tag(config=True)
    jwks_file = Unicode(help="JWKS file with the public keys of the assertions' issuer.").tag(config=True)
    issuer = Unicode(help="`iss` of the assertions; default: the commons' own auth service.").tag(config=True)
    audience = Unicode("hub", help="`aud` of the assertions.").tag(config=True)
    name_claim = Unicode("sub", help="Claim with the user's name.").tag(config=True)
    groups_claim = Unicode("groups", help="Claim with the user's groups.").tag(config=True)
    longest_life_s = Integer(60, help="Longest life of an assertion, in seconds.").tag(config=True)
    require_groups = Bool(False, help="Refuse users without any group.").tag(config=True)
    logout_redirect_url = Unicode(
        help="Where a logout goes on to. Without it the proxy signs the user in again at once."
    ).tag(config=True)

    @default("auto_login")
    def _default_auto_login(self) -> bool:
        return True

    @default("auto_login_oauth2_authorize")
    def _default_auto_login_oauth2_authorize(self) -> bool:
        return True

    @default("manage_groups")
    def _default_manage_groups(self) -> bool:
        return True

    @default("issuer")
    def _default_issuer(self) -> str:
        return Commons(config=self.config or Config()).issuer

    @default("auth_refresh_age")
    def _default_auth_refresh_age(self) -> int:
        return 60

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.insecure_trust_all:
            self.log.warning("Anybody who reaches this hub can be any user (insecure_trust_all).")
        elif self.trust == "secret" and not self.secret_file:
            raise ValueError("RemoteUserAuthenticator.secret_file is not set: the hub could not know its proxy.")
        elif self.trust == "assertion" and not self.jwks_file:
            raise ValueError("RemoteUserAuthenticator.jwks_file is not set: the hub could not check any assertion.")
        self._assertions = Assertions(
            KeySet(Path(self.jwks_file)), self.issuer, self.audience, longest_life_s=self.longest_life_s
        )

    def subject(self, handler: Any) -> Subject:
        """The proven user of a request.

        Raises
        ------
        Refused
            There is none.
        """
        headers = list(handler.request.headers.get_all())
        if self.trust == "assertion" and not self.insecure_trust_all:
            token = single(headers, self.assertion_header)
            if token is None:
                raise Refused("there is no assertion")
            return self._assertions.subject(token, self.name_claim, self.groups_claim)
        if not self.insecure_trust_all:
            check_secret(single(headers, self.secret_header), Path(self.secret_file).read_text().split())
        groups = [name.strip() for name in (single(headers, self.groups_header) or "").split(",") if name.strip()]
        return Subject(check_name(single(headers, self.user_header)), check_groups(groups))

    async def authenticate(self, handler: Any, data: Any = None) -> dict[str, Any]:
        """The user of this request; 401 when nobody is proven."""
        try:
            subject = self.subject(handler)
        except Refused as error:
            self.log.warning("Sign-in refused: %s.", error)
            raise web.HTTPError(401, "The sign-in service did not say who you are.") from error
        except OSError as error:
            self.log.error("Sign-in refused: the proxy's secret cannot be read: %s.", error)
            raise web.HTTPError(503, "Signing in is not possible just now.") from error
        return {"name": subject.name, "groups": list(subject.groups)}

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Everybody whom the proxy names, or those in the list of allowed users where there is one."""
        return not self.allowed_users or username in self.allowed_users

    def check_blocked_users(self, username: str, authentication: Any = None) -> bool:
        """Blocked users, and users without groups where those are required, do not get in."""
        if self.require_groups and not (authentication or {}).get("groups"):
            return False
        return bool(super().check_blocked_users(username, authentication))

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> bool | dict[str, Any]:
        """The request's header decides again: another name, or none, ends the session."""
        if not self.concerns(user, handler):
            return True
        try:
            subject = self.subject(handler)
        except (Refused, OSError):
            return self.refused(handler)
        model = {"name": subject.name, "groups": list(subject.groups)}
        if subject.name != user.name or not self.check_blocked_users(subject.name, model):
            return self.refused(handler)
        return model

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """The hub's pages that differ."""
        return [("/logout", RemoteUserLogoutHandler)]
