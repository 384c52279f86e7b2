"""The hub's pages for signing in and out, where somebody else knows the users."""

from html import escape
from typing import Any
from urllib.parse import urlencode

from jupyterhub.handlers.login import LoginHandler, LogoutHandler
from tornado import web
from tornado.httputil import url_concat

from commonshub.core.errors import BadRequest, Unavailable
from commonshub.core.redirects import own_path

from .assertion import Refused
from .ending import SETTING, Endings
from .reauthentication import leading_back

# Tells a browser that came back from the sign-in apart from one that is sent there for the first time.
RETURNED = "returned"

LEAVING = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={address}">
<title>Signing out</title>
<p>You are signed out of this commons. <a href="{address}">Sign out where you signed in, too</a>.</p>
</html>
"""


class ForwardingLogoutHandler(LogoutHandler):  # type: ignore[misc]  # JupyterHub ships no types.
    """``/hub/logout?next=``: signs out of the hub, and then leads to a path of this commons."""

    def following(self) -> str:
        """Where the logout leads to; empty for the hub's own page.

        Raises
        ------
        tornado.web.HTTPError
            400: not to a path of this commons.
        """
        text = self.get_argument("next", "")
        try:
            return own_path(text) if text else ""
        except BadRequest as error:
            raise web.HTTPError(400, error.message) from error

    async def get(self) -> None:
        """Judge where it leads to before anything ends."""
        self.following()
        await super().get()

    async def render_logout_page(self) -> None:
        """Go on."""
        following = self.following()
        if following:
            self.redirect(following, permanent=False)
        else:
            await super().render_logout_page()


class RemoteUserLogoutHandler(ForwardingLogoutHandler):
    """Signs out of the hub, of the commons, and then wherever the user signed in."""

    onward = ""

    def following(self) -> str:
        """Where the logout leads to: without a choice, out of the hub, which would sign in again."""
        return super().following() or self.authenticator.logout_redirect_url

    async def handle_logout(self) -> None:
        """End the sign-in that this browser has, and the hub's session also where the sign-in ended before."""
        if self.current_user is None:
            await forget(self)
        self.onward = await end_sign_in(self, self.following())

    async def render_logout_page(self) -> None:
        """Go on to the identity provider's own logout.

        By a page, not by a redirect: where a form of ours began the logout, its page allows forms to lead to this
        commons only, and browsers count redirects in.
        """
        if self.onward:
            self.set_header("Referrer-Policy", "no-referrer")
            self.finish(LEAVING.format(address=escape(self.onward)))
        else:
            await super().render_logout_page()


class RemoteUserLoginHandler(LoginHandler):  # type: ignore[misc]  # JupyterHub ships no types.
    """``/hub/login``: lets in whom the sign-in service knows, and sends everybody else there."""

    async def get(self) -> None:
        """The user of this request, whoever's cookie the hub had given to this browser before."""
        name = await self.authenticator.signed_in(self)
        known = self.get_current_user_cookie()
        if known is not None and known.name != name:
            await forget(self)
        if name is None and self.authenticator.sign_in_url:
            self._send_away()
            return
        await super().get()

    def _send_away(self) -> None:
        if self.get_argument(RETURNED, ""):
            raise web.HTTPError(
                401, "Your browser did not keep your sign-in. Allow cookies for this site, then open the page again."
            )
        # This page judges `next` when the browser is back.
        query = {"next": self.get_argument("next", ""), RETURNED: "1"}
        self.redirect(sign_in_address(self, query))


class RemoteUserAnewHandler(RemoteUserLogoutHandler):
    """``/hub/sign-in-anew?next=``: ends the browser's sign-in, and has the provider ask for the password again.

    ``next`` is judged as where the hub itself signs users in.
    """

    def following(self) -> str:
        """No page of this commons: the browser goes on to the sign-in, and not by way of the provider's logout."""
        return ""

    async def get(self) -> None:
        """The way that ``/hub/login`` goes, from the beginning."""
        await self.default_handle_logout()
        await self.handle_logout()
        self.redirect(url_concat(sign_in_address(self, leading_back(self)), {"anew": "1"}))


async def forget(handler: Any) -> None:
    """End the hub's session of the browser that sent this request, and what the commons gave to that session."""
    known, session_id = handler.get_current_user_cookie(), handler.get_session_cookie()
    endings: Endings | None = handler.settings.get(SETTING)
    if endings is not None and known is not None and session_id:
        await endings.signed_out(known.name, session_id)
    handler.clear_login_cookie()
    handler._jupyterhub_user = None


def sign_in_address(handler: Any, query: dict[str, str]) -> str:
    """Where browsers sign in, so that they come back to the hub's login page with `query`."""
    back = f"{handler.hub.base_url}login?{urlencode(query)}"
    return f"{handler.authenticator.sign_in_url}?{urlencode({'redirect': back})}"


async def end_sign_in(handler: Any, following: str) -> str:
    """End the sign-in of the browser that sent this request; the address of the provider's logout page, or nothing.

    Raises
    ------
    tornado.web.HTTPError
        503: it could not be ended, and whoever has the browser must know.
    """
    try:
        return str(await handler.authenticator.end(handler, following))
    except Refused:
        return ""
    except Unavailable as error:
        raise web.HTTPError(503, f"You are not signed out yet: {error.message} Try again in a minute.") from error
