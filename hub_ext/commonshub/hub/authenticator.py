"""Who signs in to the hub: by a password of the commons' own, or as the user whom somebody else knows.

That is the commons' auth service, where users sign in by OpenID providers, or a trusted reverse proxy.
"""

import asyncio
import time
from pathlib import Path
from typing import Any, ClassVar

from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Bool, CaselessStrEnum, Integer, Unicode, default
from traitlets.config import Config

from commonshub.core.errors import Unavailable
from commonshub.core.hub import ANEW
from commonshub.core.settings import Commons, LimitSettings
from commonshub.core.signin import ASSERTION_AUDIENCE, ASSERTION_HEADER, NAME
from commonshub.core.tokens import KeySet
from commonshub.core.web import address_of

from . import entrance
from .assertion import Assertions, Refused, Subject, check_groups, check_name, check_secret, single
from .passwords import Passwords
from .signin import SignIns
from .throttle import Throttle


class CommonsAuthenticator(Authenticator):  # type: ignore[misc]
    """What both ways have in common."""

    logout_handler: ClassVar[type[entrance.ForwardingLogoutHandler]] = entrance.ForwardingLogoutHandler

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

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """The hub's pages that differ."""
        return [("/logout", self.logout_handler), *super().get_handlers(app)]


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
        self._limits = LimitSettings(parent=self)
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
        keys = (f"name {name}", f"address {address_of(handler.request, self._limits)}")
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


class RemoteUserAuthenticator(CommonsAuthenticator):
    """The user whom the commons' auth service knows, or whom a reverse proxy names that proves itself.

    Only requests to the hub's own pages carry the headers of a reverse proxy; it must remove them from every other path
    and from every request that came in with them.
    """

    logout_handler = entrance.RemoteUserLogoutHandler

    trust = CaselessStrEnum(
        ["session", "assertion", "secret"],
        "assertion",
        help="Who says who sends a request: the commons' auth service, which the hub asks about the `session` of the "
        "browser; a reverse proxy that asked it, by a signed, short-lived `assertion`; or a reverse proxy of another "
        "kind, by a shared `secret` beside plain headers.",
    ).tag(config=True)

    auth_url = Unicode(
        help="Scheme, host and port of the commons' auth service itself; needed for `session`, and to end sign-ins."
    ).tag(config=True)

    auth_timeout_s = Integer(5, help="Time that the auth service gets for an answer, in seconds.").tag(config=True)

    sign_in_url = Unicode(
        help="Path where browsers sign in that are not signed in; default: the auth service's, where there is one."
    ).tag(config=True)

    insecure_trust_all = Bool(
        False, help="Believe the plain headers of anybody who reaches the hub. For a developer's own machine only."
    ).tag(config=True)

    assertion_header = Unicode(ASSERTION_HEADER, help="Header with the assertion.").tag(config=True)
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
    audience = Unicode(ASSERTION_AUDIENCE, help="`aud` of the assertions.").tag(config=True)
    name_claim = Unicode("sub", help="Claim with the user's name.").tag(config=True)
    groups_claim = Unicode("groups", help="Claim with the user's groups.").tag(config=True)
    longest_life_s = Integer(60, help="Longest life of an assertion, in seconds.").tag(config=True)
    require_groups = Bool(False, help="Refuse users without any group.").tag(config=True)
    logout_redirect_url = Unicode(
        help="Where a logout goes on to that names no other page; default: the portal, where the auth service is used. "
        "Without any the proxy signs the user in again at once."
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
        return 5

    @default("sign_in_url")
    def _default_sign_in_url(self) -> str:
        return "/user/login" if self.auth_url else ""

    @default("logout_redirect_url")
    def _default_logout_redirect_url(self) -> str:
        return "/portal/" if self.auth_url else ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.insecure_trust_all:
            self.log.warning("Anybody who reaches this hub can be any user (insecure_trust_all).")
        elif self.trust == "secret" and not self.secret_file:
            raise ValueError("RemoteUserAuthenticator.secret_file is not set: the hub could not know its proxy.")
        elif self.trust != "secret" and not self.jwks_file:
            raise ValueError("RemoteUserAuthenticator.jwks_file is not set: the hub could not check any assertion.")
        elif self.trust == "session" and not self.auth_url:
            raise ValueError("RemoteUserAuthenticator.auth_url is not set: the hub could not ask about any browser.")
        self._assertions = Assertions(
            KeySet(Path(self.jwks_file)), self.issuer, self.audience, longest_life_s=self.longest_life_s
        )
        self._sign_ins = SignIns(self.auth_url, self.auth_timeout_s) if self.auth_url else None

    async def subject(self, handler: Any) -> Subject:
        """The proven user of a request; an assertion serves once, so the answer is kept with the request.

        Raises
        ------
        Refused
            There is none.
        OSError, Unavailable
            What is needed to tell cannot be had just now.
        """
        known: Subject | None = getattr(handler, "_commons_subject", None)
        if known is None:
            known = handler._commons_subject = await self._prove(handler)
        return known

    async def _prove(self, handler: Any) -> Subject:
        headers = list(handler.request.headers.get_all())
        if self.trust != "secret" and not self.insecure_trust_all:
            handler._commons_assertion = token = await self._assertion(headers)
            return self._assertions.subject(token, self.name_claim, self.groups_claim)
        if not self.insecure_trust_all:
            check_secret(single(headers, self.secret_header), self._secrets())
        groups = [name.strip() for name in (single(headers, self.groups_header) or "").split(",") if name.strip()]
        return Subject(check_name(single(headers, self.user_header)), check_groups(groups))

    def _secrets(self) -> list[str]:
        return Path(self.secret_file).read_text().split()

    async def _assertion(self, headers: list[tuple[str, str]]) -> str:
        if self.trust == "session" and self._sign_ins is not None:
            # Whatever header says who this is comes from the browser, or from somebody on the way.
            return await self._sign_ins.assertion(value for name, value in headers if name.lower() == "cookie")
        token = single(headers, self.assertion_header)
        if token is None:
            raise Refused("there is no assertion")
        return token

    async def signed_in(self, handler: Any) -> str | None:
        """Name of the proven user of a request, or None where nobody is; 503 where it cannot be told just now."""
        try:
            return (await self.subject(handler)).name
        except Refused as error:
            self.log.info("Nobody is signed in: %s.", error)
            return None
        except (OSError, Unavailable) as error:
            self.log.error("It cannot be told who is signed in: %s", error)
            raise web.HTTPError(503, "Signing in is not possible just now. Try again in a minute.") from error

    async def end(self, handler: Any, following: str) -> str:
        """End the sign-in of the browser that sent a request; the address of its provider's logout page, or nothing.

        Raises
        ------
        Refused
            It has none.
        Unavailable
            The auth service does not answer.
        """
        if self._sign_ins is None:
            return ""
        await self.subject(handler)
        return await self._sign_ins.end(handler._commons_assertion, following)

    async def authenticate(self, handler: Any, data: Any = None) -> dict[str, Any]:
        """The user of this request; 401 when nobody is proven."""
        try:
            subject = await self.subject(handler)
        except Refused as error:
            self.log.warning("Sign-in refused: %s.", error)
            raise web.HTTPError(401, "The sign-in service did not say who you are.") from error
        except (OSError, Unavailable) as error:
            self.log.error("Sign-in refused, since it cannot be told who this is: %s", error)
            raise web.HTTPError(503, "Signing in is not possible just now. Try again in a minute.") from error
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
        """The request decides again: another name, or none, ends the session."""
        if not self.concerns(user, handler):
            return True
        try:
            subject = await self.subject(handler)
        except (Refused, OSError, Unavailable):
            return self.refused(handler)
        model = {"name": subject.name, "groups": list(subject.groups)}
        if subject.name != user.name or not self.check_blocked_users(subject.name, model):
            return self.refused(handler)
        return model

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """The hub's pages that differ."""
        anew = [(f"/{ANEW}", entrance.RemoteUserAnewHandler)] if self.sign_in_url else []
        return [("/login", entrance.RemoteUserLoginHandler), *anew, *super().get_handlers(app)]
