"""Pages for browsers: a session that began at the hub, and protection against what other pages make a browser send.

A service with pages keeps a signed cookie of its own, at its own path only (a workspace shares the origin and must
never be sent one). In it is the hub's token, so that a sign-out at the hub ends the session here too. The cookie is
good for nothing but this service's pages: the APIs take none.

What changes something must carry a token that is computed from the session (no second cookie, which a server on a
neighbouring host name could plant), in the field ``_xsrf`` or the header ``X-XSRFToken``.
"""

import hmac
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import orjson
from tornado import web
from traitlets import Unicode, default

from .app import ServiceApplication
from .errors import AuthenticationRequired, BadRequest, PermissionDenied
from .files import kept_secret
from .hub import Attempt, Hub, Registration, Visitor
from .hubapi import HubApi
from .identity import Identity
from .running import CountingApplication
from .web import BaseHandler

SESSION_DAYS = 14
ATTEMPT_S = 600
MAX_ATTEMPTS = 8
# Characters of a state that tell the attempts of one browser apart: several may be under way, one in each tab.
_STATE_MARK = 8
_STATE = re.compile(r"[A-Za-z0-9_-]+")
HARMLESS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie of a signed-in browser holds.

    Parameters
    ----------
    token
        The hub's token.
    authenticated_at
        When the user proved who he is, in seconds since the epoch; None where the hub already knew his browser, since
        it does not tell since when.
    """

    token: str
    authenticated_at: int | None = None


def read_session(value: bytes) -> Session | None:
    """The session in a cookie that we signed; None where an earlier version wrote it in another form."""
    try:
        return Session(**orjson.loads(value))
    except (orjson.JSONDecodeError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class SignIn:
    """How one service signs browsers in.

    Parameters
    ----------
    name
        Name of the session cookie.
    path
        Path that its cookies are sent to, with a slash at the end.
    secure
        Whether browsers reach the service by https only.
    """

    hub: Hub
    name: str
    path: str
    secure: bool

    @property
    def attempts(self) -> str:
        """What the names of the cookies of sign-ins under way begin with."""
        return f"{self.name}-attempt-"


def unfinished(cookies: Iterable[str], prefix: str) -> list[str]:
    """The cookies of what was begun and not finished, where they are so many that all are to be forgotten."""
    begun = [name for name in cookies if name.startswith(prefix)]
    return begun if len(begun) >= MAX_ATTEMPTS else []


def content_policy(*directives: str) -> str:
    """A Content-Security-Policy that allows a page its own style sheet and pictures, and `directives`."""
    base = ("default-src 'none'", "style-src 'self'", "img-src 'self'", "base-uri 'none'", "frame-ancestors 'none'")
    return "; ".join((*base, *directives))


def secure_headers(handler: web.RequestHandler, policy: str) -> None:
    """Headers of everything that is sent to a browser to be looked at."""
    handler.set_header("Content-Security-Policy", policy)
    handler.set_header("X-Frame-Options", "DENY")
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "no-referrer")
    handler.clear_header("Server")


class BrowserApplication(ServiceApplication):
    """Base of the services that have pages; each sets `cookie_path`, below which its pages and cookies are."""

    cookie_path: ClassVar[str] = ""

    hub_client_id = Unicode(help="OAuth client id of this service at the hub.").tag(config=True)

    hub_service_name = Unicode(
        help="Name of this service at the hub: a hub token must have access to it to count here."
    ).tag(config=True)

    hub_api_token = Unicode(help="Token of this service at the hub, which is its OAuth secret too.").tag(config=True)

    cookie_secret_file = Unicode(
        help="File (mode 0600) with the secret that signs this service's cookies; made when missing."
    ).tag(config=True)

    @default("hub_client_id")
    def _default_hub_client_id(self) -> str:
        return os.environ.get("JUPYTERHUB_CLIENT_ID") or f"service-{self.hub_service_name}"

    @default("hub_service_name")
    def _default_hub_service_name(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_NAME") or str(self.name)

    @default("hub_api_token")
    def _default_hub_api_token(self) -> str:
        return os.environ.get("JUPYTERHUB_API_TOKEN", "")

    @default("cookie_secret_file")
    def _default_cookie_secret_file(self) -> str:
        return str(self.commons.secrets / f"{self.name}-cookie")

    def open_sign_in(self, ttl_s: float, timeout_s: float) -> None:
        """Get ready to sign browsers in; see :class:`~commonshub.core.hub.Hub` for the parameters."""
        callback = f"{self.cookie_path}oauth_callback"
        registration = Registration(self.hub_client_id, self.hub_api_token, self.hub_service_name, callback)
        hub = Hub(self.commons.hub_url, HubApi(self.commons.hub_api_url, timeout_s), registration, ttl_s)
        self.sign_in = SignIn(hub, f"commonshub-{self.name}", self.cookie_path, self.commons.secure)

    def make_application(self) -> CountingApplication:
        """The common application, with what :class:`BrowserHandler` needs."""
        application = super().make_application()
        secret = kept_secret(Path(self.cookie_secret_file))
        application.settings |= {"sign_in": self.sign_in, "cookie_secret": secret}
        return application


class BrowserHandler(BaseHandler):
    """Base of everything that looks at who is visiting.

    Attributes
    ----------
    visitor
        The user whose browser this is, as the hub says; None where nobody is signed in.
    """

    visitor: Visitor | None = None

    @property
    def sign_in(self) -> SignIn:
        """How this service signs browsers in."""
        found: SignIn = self.settings["sign_in"]
        return found

    async def prepare(self) -> None:
        """Refuse what this browser was made to send, and find out who is visiting."""
        if self.request.method not in HARMLESS:
            self.check_xsrf()
        session = self.session
        if session is None:
            return
        try:
            self.visitor = await self.sign_in.hub.owner(session.token)
        except AuthenticationRequired:
            self.drop(self.sign_in.name)
        except PermissionDenied:
            self.drop(self.sign_in.name)
            raise
        else:
            self.identity = Identity(self.visitor.name)

    @property
    def session(self) -> Session | None:
        """The session in the cookie; whether the hub still knows it is another question."""
        value = self.get_signed_cookie(self.sign_in.name, max_age_days=SESSION_DAYS)
        return read_session(value) if value else None

    # -- what changes something ------------------------------------------------

    @property
    def xsrf(self) -> str:
        """What a request of this session must carry to change something; empty without a session."""
        session = self.session
        secret = self.settings["cookie_secret"].encode()
        return hmac.new(secret, b"xsrf:" + session.token.encode(), "sha256").hexdigest() if session else ""

    def check_xsrf(self) -> None:
        """Refuse what a page of somebody else made this browser send.

        An ``Authorization`` header makes no difference: pages take none.

        Raises
        ------
        PermissionDenied
            The request comes from another site, or lacks this session's token.
        """
        if self.request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise PermissionDenied("This request came from a page of another site.")
        given = self.request.headers.get("X-XSRFToken") or self.get_body_argument("_xsrf", "")
        if not given or not hmac.compare_digest(given.encode(), self.xsrf.encode()):
            raise PermissionDenied("The page is too old, or not ours. Reload it and try again.")

    # -- cookies ---------------------------------------------------------------

    def keep(self, name: str, value: str | bytes, max_age_s: int | None = None) -> None:
        """Set a cookie of this service's own."""
        self.set_signed_cookie(
            name,
            value,
            expires_days=None,
            path=self.sign_in.path,
            httponly=True,
            samesite="Lax",
            secure=self.sign_in.secure,
            max_age=max_age_s,
        )

    def drop(self, name: str) -> None:
        """Delete a cookie of this service's own."""
        self.clear_cookie(name, path=self.sign_in.path, httponly=True, samesite="Lax", secure=self.sign_in.secure)

    # -- what a browser comes back with ----------------------------------------

    def keep_attempt(self, prefix: str, state: str, value: bytes) -> None:
        """Keep what has begun in this tab until the browser comes back with its `state`."""
        for name in unfinished(self.request.cookies, prefix):
            self.drop(name)
        self.keep(prefix + state[:_STATE_MARK], state.encode() + b" " + value, ATTEMPT_S)

    def take_attempt(self, prefix: str) -> bytes | None:
        """What was kept for the ``state`` that the browser brings; it is there once.

        None where this browser began nothing, began something else, or did so too long ago.
        """
        state = self.get_query_argument("state", "")
        # No other characters may be in the name of a cookie.
        if not _STATE.fullmatch(state):
            return None
        name = prefix + state[:_STATE_MARK]
        kept, _, value = (self.get_signed_cookie(name, max_age_days=ATTEMPT_S / 86400) or b"").partition(b" ")
        if not hmac.compare_digest(kept, state.encode()):
            return None
        self.drop(name)
        return value

    # -- through the hub -------------------------------------------------------

    def begin_sign_in(self, target: str, anew: bool = False) -> None:
        """Send the browser to the hub, and from there back to `target`, a path that was judged already."""
        attempt = Attempt.begin(target, anew)
        self.keep_attempt(self.sign_in.attempts, attempt.state, orjson.dumps(attempt))
        self.redirect(self.sign_in.hub.authorize_url(attempt))

    async def complete_sign_in(self) -> None:
        """Take what the hub sent with the browser, start a session, and go where the sign-in was to lead.

        Raises
        ------
        BadRequest
            The hub did not complete it.
        PermissionDenied
            This browser did not begin it, or the hub does not accept it.
        Unavailable
            The hub does not answer.
        """
        kept = self.take_attempt(self.sign_in.attempts)
        if kept is None:
            raise PermissionDenied("This sign-in was not begun in this browser, or too long ago. Please sign in again.")
        attempt = Attempt(**orjson.loads(kept))
        code = self.get_query_argument("code", "")
        if not code:
            raise BadRequest("The hub did not complete the sign-in. Please sign in again.")
        token = await self.sign_in.hub.redeem(code, attempt)
        self.visitor = await self.sign_in.hub.owner(token)
        self.identity = Identity(self.visitor.name)
        session = Session(token, int(time.time()) if attempt.anew else None)
        self.keep(self.sign_in.name, orjson.dumps(session))
        self.redirect(attempt.target)

    def end_session(self) -> str | None:
        """Forget who was signed in; returns the hub's token, to be forgotten elsewhere too."""
        session = self.session
        if session is not None:
            self.sign_in.hub.forget(session.token)
        self.drop(self.sign_in.name)
        return session.token if session else None
