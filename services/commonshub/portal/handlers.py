"""The pages: each collects what it shows from the services, at the same time, and renders a template.

A visitor is known by the signed cookie that the sign-in through the hub left (path ``/portal/``, so that no workspace
is ever sent it). The hub's token in it is exchanged at the auth service for a short-lived access token; only that one
reaches the other services or the page's own scripts.

What changes something must carry a token that is computed from the session (no second cookie, which a server on a
neighbouring host name could plant), in the field ``_xsrf`` or the header ``X-XSRFToken``.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar, cast

import orjson
from tornado import web

from commonshub.core.errors import (
    AuthenticationRequired,
    BadRequest,
    CommonsError,
    NotFound,
    PermissionDenied,
    Unavailable,
    UpstreamError,
)
from commonshub.core.identity import Identity
from commonshub.core.web import BaseHandler

from .access import grants_of
from .diagram import draw
from .gateway import Gateway, counts_of
from .hub import Attempt, Hub, Visitor
from .model import NodeView, children
from .redirects import HOME, safe_next

if TYPE_CHECKING:
    from .app import PortalApp

T = TypeVar("T")

SESSION_COOKIE = "commonshub-portal"
ATTEMPT_COOKIE = "commonshub-portal-attempt-"
SESSION_DAYS = 14
ATTEMPT_S = 600

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
            "notices": [],
        }

    def show(self, template: str, **values: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.render(template, **values)

    def finish_error(self, error: CommonsError) -> None:
        """Errors as pages."""
        self.clear_header("WWW-Authenticate")
        self.show("error.html", error=error, request_id=self.request_id)


async def attempt(what: str, work: Awaitable[T], otherwise: T, notices: list[str]) -> T:
    """The result of `work`; where the service cannot give it, `otherwise` and a notice that names `what`.

    A page shows what it can: one service that is down takes away one part.
    """
    try:
        return await work
    except (Unavailable, UpstreamError):
        notices.append(f"{what} cannot be shown just now; try again in a minute.")
    except (AuthenticationRequired, PermissionDenied):
        pass
    return otherwise


class HomeHandler(PageHandler):
    """``/portal/``: what this commons holds."""

    section = "home"

    async def get(self) -> None:
        notices: list[str] = []
        authorization = await attempt("Your own view", self.authorization(), None, notices)
        nodes: dict[str, NodeView] = await attempt("The data model", self.gateway.nodes(), {}, notices)
        projects, counts = await asyncio.gather(
            attempt("The projects", self._projects(nodes, authorization), [], notices),
            attempt("The counts", self._counts(nodes, authorization), {}, notices),
        )
        identify(projects, counts)
        totals = {node: sum(each.get(node, 0) for each in counts.values()) for node in nodes}
        self.show(
            "home.html",
            projects=projects,
            counts=counts,
            totals=totals,
            nodes=nodes,
            files=[node.id for node in nodes.values() if node.is_file],
            diagram=draw(nodes),
            notices=list(dict.fromkeys(notices)),
        )

    async def _projects(self, nodes: Mapping[str, NodeView], authorization: str | None) -> list[dict[str, Any]]:
        """Projects that the visitor may see, with those of their properties that this dictionary has."""
        if authorization is None:
            answer = await self.gateway.call("GET", "/api/v0/datasets/projects")
            return list(answer.get("projects") or [])
        if "project" not in nodes:
            return []
        known = {each.name for each in nodes["project"].properties}
        wanted = [name for name in ("code", "name", "description", "availability_type", "license") if name in known]
        query = f'{{ project(first: 0, order_by_asc: "code") {{ project_id {" ".join(wanted)} }} }}'
        answer = await self.gateway.call(
            "POST", "/api/v0/submission/graphql", authorization=authorization, body={"query": query}
        )
        return list((answer.get("data") or {}).get("project") or [])

    async def _counts(self, nodes: Mapping[str, NodeView], authorization: str | None) -> dict[str, dict[str, int]]:
        names = ",".join(name for name in nodes if name not in ("program", "project"))
        if not names:
            return {}
        return counts_of(await self.gateway.call("GET", "/api/v0/datasets", authorization=authorization, nodes=names))


def identify(projects: list[dict[str, Any]], project_ids: Iterable[str]) -> None:
    """Give each project its ``project_id`` where the answer had only its code, which is unique in a commons."""
    by_code = {project_id.partition("-")[2]: project_id for project_id in project_ids}
    for project in projects:
        project.setdefault("project_id", by_code.get(project.get("code") or "", project.get("code")))


class DictionaryHandler(PageHandler):
    """``/portal/dictionary``: the node types."""

    section = "dictionary"

    async def get(self) -> None:
        nodes = await self.gateway.nodes()
        self.show("dictionary.html", nodes=nodes, diagram=draw(nodes))


class NodeHandler(PageHandler):
    """``/portal/dictionary/<node type>``: properties and links of one."""

    section = "dictionary"

    async def get(self, name: str) -> None:
        nodes = await self.gateway.nodes()
        if name not in nodes:
            raise NotFound(f"The dictionary has no node type {name}.")
        self.show("node.html", node=nodes[name], nodes=nodes, children=children(nodes, name))


class ProfileHandler(PageHandler):
    """``/portal/profile``: who am I, what may I do, and my API keys."""

    section = "profile"

    async def get(self) -> None:
        if self.visitor is None:
            self.redirect("/portal/login?next=/portal/profile")
            return
        notices: list[str] = []
        authorization = await attempt("Your access", self.authorization(), None, notices)
        information: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        if authorization:
            information, keys = await asyncio.gather(
                attempt(
                    "Your access", self.gateway.call("GET", "/user/user", authorization=authorization), {}, notices
                ),
                attempt(
                    "Your keys",
                    self.gateway.call("GET", "/user/credentials/api/", authorization=authorization),
                    {},
                    notices,
                ),
            )
        self.show(
            "profile.html",
            information=information,
            groups=sorted({*self.visitor.groups, *(information.get("groups") or ())}),
            grants=grants_of(information.get("authz") or {}),
            keys=sorted(keys.get("jtis") or [], key=lambda key: -int(key["exp"])),
            notices=list(dict.fromkeys(notices)),
        )


class LoginHandler(PageHandler):
    """``/portal/login``: to the hub's sign-in, and back to a page of the portal."""

    def get(self) -> None:
        target = safe_next(self.get_query_argument("next", None))
        if self.visitor is not None:
            self.redirect(target)
            return
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


class MissingPageHandler(PageHandler):
    """Every path below ``/portal/`` that is no page."""

    def get(self) -> None:
        raise NotFound("There is no such page.")


class AssetHandler(web.StaticFileHandler):
    """Style sheets and scripts of the package."""

    def set_extra_headers(self, path: str) -> None:
        """The same protection as for pages."""
        secure_headers(self)
