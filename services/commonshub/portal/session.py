"""Who is visiting: sign-in and sign-out, tokens for the pages' own scripts, and what every answer of the portal has.

A visitor is known by the cookie that the sign-in through the hub left (see :mod:`commonshub.core.browser`). The hub's
token in it is exchanged at the auth service for a short-lived access token; only that one reaches the other services or
the page's own scripts.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tornado import web

from commonshub.core.browser import BrowserHandler, content_policy, secure_headers
from commonshub.core.errors import AuthenticationRequired, CommonsError, Unavailable

from .gateway import Gateway
from .redirects import HOME, safe_next

if TYPE_CHECKING:
    from .app import PortalApp

CONTENT_POLICY = content_policy("script-src 'self'", "connect-src 'self'", "form-action 'self'")


def protect(handler: web.RequestHandler) -> None:
    """Headers of everything that the portal sends to a browser."""
    secure_headers(handler, CONTENT_POLICY)
    handler.set_header("Cross-Origin-Opener-Policy", "same-origin")


class PortalHandler(BrowserHandler):
    """Base of everything that looks at who is visiting."""

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

    def set_default_headers(self) -> None:
        """Headers of every answer, errors too; what a visitor sees is nobody else's, so nothing is kept."""
        super().set_default_headers()
        protect(self)
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        """Find out who is visiting; what everybody may see is shown without, too."""
        try:
            await super().prepare()
        except Unavailable:
            if not self.open_to_all:
                raise
            self.notices.append("Your sign-in cannot be checked just now; this is what everybody sees.")

    async def authorization(self) -> str | None:
        """``Authorization`` header for the other services, or None for a visitor who is not signed in."""
        session = self.session if self.visitor else None
        return f"bearer {(await self.gateway.exchange(session.token))['access_token']}" if session else None


class TokenHandler(PortalHandler):
    """``POST /portal/token``: a short-lived access token for the page's own scripts.

    ``instead=refused`` asks for another one than the last, which a service did not accept.
    """

    async def post(self) -> None:
        session = self.session
        if session is None or self.visitor is None:
            raise AuthenticationRequired("Authentication Error: nobody is signed in.")
        if self.get_query_argument("instead", "") == "refused":
            self.gateway.forget(session.token)
        answer = await self.gateway.exchange(session.token)
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
            "workspace_url": f"{self.portal.commons.hub_url}spawn",
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
        else:
            self.begin_sign_in(target)


class CallbackHandler(PageHandler):
    """``/portal/oauth_callback``: where the hub sends browsers after the sign-in."""

    async def get(self) -> None:
        await self.complete_sign_in()


class LogoutHandler(PageHandler):
    """``/portal/logout``: end the portal's session, then the hub's."""

    def get(self) -> None:
        if self.visitor is None:
            self.redirect(HOME)
            return
        self.show("logout.html")

    def post(self) -> None:
        token = self.end_session()
        if token:
            self.gateway.forget(token)
        self.redirect(f"{self.sign_in.hub.pages_url}logout")


class AssetHandler(web.StaticFileHandler):
    """Style sheets and scripts of the package."""

    def set_extra_headers(self, path: str) -> None:
        """The same protection as for pages; a file that is not named with its version is asked for again."""
        protect(self)
        if "v" not in self.request.arguments:
            self.set_header("Cache-Control", "no-cache")
