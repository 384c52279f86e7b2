"""HTTP: where browsers sign in and out, and what the hub and its reverse proxy ask."""

from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from commonshub.core.browser import content_policy, secure_headers, unfinished
from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError
from commonshub.core.identity import Identity
from commonshub.core.redirects import own_path
from commonshub.core.signin import ASSERTION_HEADER, COOKIE
from commonshub.core.web import CredentialHandler

from ..handlers import AuthHandler
from .attempt import COOKIE as ATTEMPT_COOKIE
from .attempt import PATH, Attempt, cookie, is_state
from .logins import Logins, listing
from .providers import HUB


class LoginHandler(AuthHandler):
    """Base of what browsers open; none of it takes a token."""

    lenient: ClassVar[bool] = True

    @property
    def logins(self) -> Logins:
        """Sign-ins."""
        return self.auth.logins

    @property
    def wants_page(self) -> bool:
        """Whether a browser asks, and not a program."""
        return "text/html" in self.request.headers.get("Accept", "")

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        secure_headers(self, content_policy("form-action 'none'"))
        self.render(template, commons=self.auth.commons, request_id=self.request_id, **values)

    def finish_error(self, error: CommonsError) -> None:
        """Errors as pages for browsers."""
        if not self.wants_page:
            super().finish_error(error)
            return
        self.clear_header("WWW-Authenticate")
        self.show("login/refused.html", error=error)

    def target(self, name: str, default: str) -> str:
        """The path to go on to.

        Raises
        ------
        BadRequest
            It is not one of this commons.
        """
        text = self.get_query_argument(name, "")
        return own_path(text, self.auth.commons.origin) if text else default

    def keep(self, name: str, value: str, path: str, max_age_s: int) -> None:
        """Set a cookie that scripts and other sites cannot use."""
        self.set_cookie(
            name, value, path=path, max_age=max_age_s, expires_days=None,
            httponly=True, samesite="Lax", secure=self.logins.secure,
        )  # fmt: skip

    def drop(self, name: str, path: str) -> None:
        """Delete a cookie."""
        self.clear_cookie(name, path=path, httponly=True, samesite="Lax", secure=self.logins.secure)


class ChoiceHandler(LoginHandler):
    """``/user/login``: the ways to sign in, as JSON for programs and as a page for people."""

    def get(self) -> None:
        target = self.target("redirect", "")
        offered = self.logins.offered
        if not self.wants_page:
            self.reply(listing(offered, self.auth.commons.issuer))
            return
        kept = {"redirect": target, "anew": self.get_query_argument("anew", "")}
        query = f"?{urlencode({name: value for name, value in kept.items() if value})}" if any(kept.values()) else ""
        if len(offered) == 1:
            self.redirect(f"/user/login/{offered[0].idp}{query}")
        elif not offered:
            self.redirect(f"/user/login/{HUB}{query}")
        else:
            self.show("login/choice.html", offered=offered, query=query)


class BeginHandler(LoginHandler):
    """``/user/login/<idp>``: to the provider; with ``anew`` it asks for the password of a user that it knows, too."""

    async def get(self, idp: str) -> None:
        target = self.target("redirect", self.auth.commons.hub_url)
        if idp == HUB and not self.logins.providers:
            self.redirect(f"{self.auth.commons.hub_url}login?{urlencode({'next': target})}")
            return
        upstream = self.logins.upstream(idp)
        attempt = Attempt.begin(idp, target)
        url = await upstream.authorize_url(attempt, anew=bool(self.get_query_argument("anew", "")))
        for name in unfinished(self.request.cookies, ATTEMPT_COOKIE):
            self.drop(name, PATH)
        self.keep(cookie(attempt.state), self.logins.seal(attempt), PATH, self.logins.settings.attempt_s)
        self.redirect(url)


class CallbackHandler(CredentialHandler, LoginHandler):
    """``/user/login/<idp>/login``: where the provider sends browsers back to."""

    failures = frozenset({400, 401, 403})

    def claimed(self) -> str:
        """The sign-in that this claims to complete."""
        return self.get_query_argument("state", "")

    async def get(self, idp: str) -> None:
        upstream = self.logins.upstream(idp)
        state = self.get_query_argument("state", "")
        sealed = self.get_cookie(cookie(state)) if is_state(state) else None
        attempt = self.logins.unseal(sealed, idp, state)
        self.drop(cookie(state), PATH)
        if self.get_query_argument("iss", upstream.provider.issuer) != upstream.provider.issuer:
            raise BadRequest("This answer came from another provider than the one that was asked. Please start again.")
        code = self.get_query_argument("code", "")
        if not code:
            raise AuthenticationRequired(f"{upstream.provider.label} did not sign you in. Please try again.")
        name, secret = await self.logins.complete(attempt, code, self.request_id)
        self.identity = Identity(name)
        self.keep(COOKIE, secret, urlsplit(self.auth.commons.hub_url).path, self.logins.settings.life_s)
        self.redirect(attempt.target)


class AssertionHandler(LoginHandler):
    """``/user/login/assertion``: for the hub or its reverse proxy, who the browser with this cookie is."""

    async def get(self) -> None:
        secret = self.only_cookie()
        self.set_header(ASSERTION_HEADER, await self.logins.assertion(secret))
        self.finish()

    def only_cookie(self) -> str:
        """The browser's secret.

        Raises
        ------
        AuthenticationRequired
            There is none, or several: then one was planted by somebody else.
        """
        pairs = [pair.strip() for line in self.request.headers.get_list("Cookie") for pair in line.split(";")]
        found = [pair.partition("=")[2] for pair in pairs if pair.partition("=")[0].strip() == COOKIE]
        if len(found) != 1 or not found[0]:
            raise AuthenticationRequired("Nobody is signed in.")
        return found[0].strip('"')


class EndHandler(LoginHandler):
    """``/user/login/end``: the hub ends the sign-in of an assertion."""

    async def post(self) -> None:
        assertion = self.request.headers.get_list(ASSERTION_HEADER)
        if len(assertion) != 1:
            raise AuthenticationRequired("An assertion is needed to end a sign-in.")
        url = await self.logins.end(assertion[0], self.target("next", ""), self.request_id)
        self.reply({"logout_url": url})


class LogoutHandler(LoginHandler):
    """``/user/logout``: by way of the hub, which ends everything."""

    def get(self) -> None:
        target = self.target("next", self.logins.settings.page_after_logout)
        self.redirect(f"{self.auth.commons.hub_url}logout?{urlencode({'next': target})}")


class LoggedOutHandler(LoginHandler):
    """``/user/logout/done``: where a provider sends browsers back to."""

    def get(self) -> None:
        self.redirect(self.target("state", self.logins.settings.page_after_logout))
