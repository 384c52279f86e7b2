"""Who is visiting: the session, its XSRF token, sign-in and sign-out, and what every answer of the portal has.

A visitor is known by the signed cookie that the sign-in through the hub left (path ``/portal/``, so that no workspace
is ever sent it). The hub's token in it is exchanged at the auth service for a short-lived access token; only that one
reaches the other services or the page's own scripts.

What changes something must carry a token that is computed from the session (no second cookie, which a server on a
neighbouring host name could plant), in the field ``_xsrf`` or the header ``X-XSRFToken``.
"""

import hmac
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, cast

import orjson
from tornado import web

from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, PermissionDenied, Unavailable
from commonshub.core.identity import Identity
from commonshub.core.web import BaseHandler

from .gateway import Gateway
from .hub import Attempt, Hub, Visitor
from .redirects import HOME, safe_next

if TYPE_CHECKING:
    from .app import PortalApp

SESSION_COOKIE = "commonshub-portal"
ATTEMPT_COOKIE = "commonshub-portal-attempt-"
SESSION_DAYS = 14
ATTEMPT_S = 600
MAX_ATTEMPTS = 8

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


def secure_headers(handler: web.RequestHandler) -> None:
    """Headers of everything that the portal sends to a browser."""
    handler.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    handler.set_header("X-Frame-Options", "DENY")
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "no-referrer")
    handler.set_header("Cross-Origin-Opener-Policy", "same-origin")
    handler.clear_header("Server")


class PortalHandler(BaseHandler):
    """Base of everything that looks at who is visiting."""

    visitor: Visitor | None = None
    open_to_all: ClassVar[bool] = False

    def initialize(self) -> None:
        """Nothing to tell yet."""
        self.notices: list[str] = []

    @property
    def portal(self) -> "PortalApp":
        """The application."""
        return cast("PortalApp", self.service)

    @property
    def gateway(self) -> Gateway:
        """The other services."""
        return self.portal.gateway

    @property
    def hub(self) -> Hub:
        """The hub."""
        return self.portal.hub

    def set_default_headers(self) -> None:
        """Headers of every answer, errors too; what a visitor sees is nobody else's, so nothing is kept."""
        super().set_default_headers()
        secure_headers(self)
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        """Find out who is visiting."""
        token = self.hub_token()
        if token is None:
            return
        try:
            self.visitor = await self.hub.owner(token)
        except AuthenticationRequired:
            self.drop(SESSION_COOKIE)
        except PermissionDenied:
            self.drop(SESSION_COOKIE)
            raise
        except Unavailable:
            if not self.open_to_all:
                raise
            self.notices.append("Your sign-in cannot be checked just now; this is what everybody sees.")
        else:
            self.identity = Identity(self.visitor.name)

    def hub_token(self) -> str | None:
        """The hub's token in the session cookie; whether the hub still knows it is another question."""
        value = self.get_signed_cookie(SESSION_COOKIE, max_age_days=SESSION_DAYS)
        return value.decode("ascii", "replace") if value else None

    @property
    def xsrf(self) -> str:
        """What a request of this session must carry to change something; empty without a session."""
        token = self.hub_token()
        secret = self.application.settings["cookie_secret"].encode()
        return hmac.new(secret, b"xsrf:" + token.encode(), "sha256").hexdigest() if token else ""

    def check_xsrf_cookie(self) -> None:
        """Refuse what a page of somebody else made this browser send.

        An ``Authorization`` header makes no difference: the portal takes none.
        """
        if self.request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise PermissionDenied("This request came from a page of another site.")
        given = self.request.headers.get("X-XSRFToken") or self.get_body_argument("_xsrf", "")
        if not hmac.compare_digest(given.encode(), self.xsrf.encode()):
            raise PermissionDenied("The page is too old, or not ours. Reload it and try again.")

    def keep(self, name: str, value: str | bytes, max_age_s: int | None = None) -> None:
        """Set a cookie of the portal's own."""
        self.set_signed_cookie(
            name,
            value,
            expires_days=None,
            path=HOME,
            httponly=True,
            samesite="Lax",
            secure=self.portal.secure,
            max_age=max_age_s,
        )

    def drop(self, name: str) -> None:
        """Delete a cookie of the portal's own."""
        self.clear_cookie(name, path=HOME, httponly=True, samesite="Lax", secure=self.portal.secure)

    async def authorization(self) -> str | None:
        """``Authorization`` header for the other services, or None for a visitor who is not signed in."""
        token = self.hub_token() if self.visitor else None
        return f"bearer {(await self.gateway.exchange(token))['access_token']}" if token else None


class TokenHandler(PortalHandler):
    """``POST /portal/token``: a short-lived access token for the page's own scripts."""

    async def post(self) -> None:
        token = self.hub_token()
        if token is None or self.visitor is None:
            raise AuthenticationRequired("Authentication Error: nobody is signed in.")
        answer = await self.gateway.exchange(token)
        self.reply({key: answer[key] for key in ("access_token", "expires_in", "username")})


class PageHandler(PortalHandler):
    """Base of the pages."""

    section = ""

    def get_template_namespace(self) -> dict[str, Any]:
        """What every template may use."""
        return {
            **super().get_template_namespace(),
            "commons": self.portal.commons,
            "section": self.section,
            "user": self.visitor.name if self.visitor else None,
            "xsrf": self.xsrf if self.visitor else "",
            "workspace_url": f"{self.portal.hub_url}spawn",
            "version": version("commonshub"),
            "notices": list(dict.fromkeys(self.notices)),
        }

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.render(template, **values)

    def finish_error(self, error: CommonsError) -> None:
        """Errors as pages."""
        self.clear_header("WWW-Authenticate")
        self.show("error.html", error=error, request_id=self.request_id)


class LoginHandler(PageHandler):
    """``/portal/login``: to the hub's sign-in, and back to a page of the portal."""

    def get(self) -> None:
        target = safe_next(self.get_query_argument("next", None))
        if self.visitor is not None:
            self.redirect(target)
            return
        begun = [name for name in self.request.cookies if name.startswith(ATTEMPT_COOKIE)]
        for name in begun if len(begun) >= MAX_ATTEMPTS else ():
            self.drop(name)
        attempt = Attempt.begin(target)
        self.keep(attempt_cookie(attempt.state), orjson.dumps(attempt), ATTEMPT_S)
        self.redirect(self.hub.authorize_url(attempt))


def attempt_cookie(state: str) -> str:
    """Name of the cookie of one sign-in; several may be under way, one in each tab."""
    return ATTEMPT_COOKIE + state[:8]


class CallbackHandler(PageHandler):
    """``/portal/oauth_callback``: where the hub sends browsers after the sign-in."""

    async def get(self) -> None:
        attempt = self._attempt(self.get_query_argument("state", ""))
        self.drop(attempt_cookie(attempt.state))
        code = self.get_query_argument("code", "")
        if not code:
            raise BadRequest("The hub did not complete the sign-in. Please sign in again.")
        token = await self.hub.redeem(code, attempt)
        visitor = await self.hub.owner(token)
        self.identity = Identity(visitor.name)
        self.keep(SESSION_COOKIE, token)
        self.redirect(attempt.target)

    def _attempt(self, state: str) -> Attempt:
        """The sign-in that this browser began.

        Raises
        ------
        PermissionDenied
            It began none, began another one, or did so too long ago.
        """
        name = attempt_cookie(state)
        known = state and state.replace("-", "").replace("_", "").isalnum() and state.isascii()
        value = self.get_signed_cookie(name, max_age_days=ATTEMPT_S / 86400) if known else None
        attempt = Attempt(**orjson.loads(value)) if value else None
        if attempt is None or not hmac.compare_digest(attempt.state, state):
            raise PermissionDenied("This sign-in was not begun in this browser, or too long ago. Please sign in again.")
        return attempt


class LogoutHandler(PageHandler):
    """``/portal/logout``: end the portal's session, then the hub's."""

    def get(self) -> None:
        if self.visitor is None:
            self.redirect(HOME)
            return
        self.show("logout.html")

    def post(self) -> None:
        token = self.hub_token()
        if token:
            self.gateway.forget(token)
            self.hub.forget(token)
        self.drop(SESSION_COOKIE)
        self.redirect(f"{self.hub.pages_url}logout")


class AssetHandler(web.StaticFileHandler):
    """Style sheets and scripts of the package."""

    def set_extra_headers(self, path: str) -> None:
        """The same protection as for pages."""
        secure_headers(self)
