"""The pages: each collects what it shows from the services, at the same time, and renders a template.

A visitor is known by the cookie that the hub's OAuth sign-in left (path ``/portal/``, so that no workspace is ever sent
it). The hub's token in it is exchanged at the auth service for a short-lived access token; only that one reaches the
other services or the page's own scripts.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated, UserNotAllowed
from tornado import web
from tornado.httputil import url_concat

from commonshub.core.errors import (
    AuthenticationRequired,
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
from .model import NodeView, children
from .redirects import HOME, safe_next

if TYPE_CHECKING:
    from .app import PortalApp

T = TypeVar("T")

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


class PortalHandler(HubOAuthenticated, BaseHandler):  # type: ignore[misc]
    """Base of everything that looks at who is visiting."""

    @property
    def portal(self) -> "PortalApp":
        """The application."""
        return cast("PortalApp", self.service)

    @property
    def gateway(self) -> Gateway:
        """The other services."""
        return self.portal.gateway

    @property
    def hub_auth(self) -> HubOAuth:
        """The sign-in through the hub."""
        return self.portal.hub_auth

    def set_default_headers(self) -> None:
        """Headers of every answer, errors too; what a visitor sees is nobody else's, so nothing is kept."""
        super().set_default_headers()
        secure_headers(self)
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        """Find out who is visiting; asking the hub must not hold up the other visitors."""
        self.current_user = None
        if self.get_cookie(self.hub_auth.cookie_name):
            self.current_user = await self._visitor()
        if self.current_user:
            self.identity = Identity(self.current_user["name"])

    async def _visitor(self) -> dict[str, Any] | None:
        model = await self.hub_auth.get_user(self, sync=False)
        try:
            found = self.check_hub_user(model) if model else None
        except UserNotAllowed as error:
            raise PermissionDenied("Your account may not use this portal; ask an administrator.") from error
        return found if found and found.get("kind", "user") == "user" else None

    def hub_token(self) -> str | None:
        """The hub's token of this visitor."""
        value = self.get_signed_cookie(self.hub_auth.cookie_name)
        return value.decode("ascii", "replace") if value and self.current_user else None

    async def authorization(self) -> str | None:
        """``Authorization`` header for the other services, or None for a visitor who is not signed in."""
        token = self.hub_token()
        return f"bearer {(await self.gateway.exchange(token))['access_token']}" if token else None


class TokenHandler(PortalHandler):
    """``POST /portal/token``: a short-lived access token for the page's own scripts."""

    async def post(self) -> None:
        token = self.hub_token()
        if token is None:
            raise AuthenticationRequired("Authentication Error: nobody is signed in.")
        answer = await self.gateway.exchange(token)
        self.reply({key: answer[key] for key in ("access_token", "expires_in", "username")})


class PageHandler(PortalHandler):
    """Base of the pages."""

    section = ""

    def get_template_namespace(self) -> dict[str, Any]:
        """What every template may use."""
        user = self.current_user
        return {
            **super().get_template_namespace(),
            "commons": self.portal.commons,
            "section": self.section,
            "user": user["name"] if user else None,
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
        if self.current_user is None:
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
            groups=sorted(set(self.current_user.get("groups") or ()) | set(information.get("groups") or ())),
            grants=grants_of(information.get("authz") or {}),
            keys=sorted(keys.get("jtis") or [], key=lambda key: -int(key["exp"])),
            notices=list(dict.fromkeys(notices)),
        )


class LoginHandler(PageHandler):
    """``/portal/login``: to the hub's sign-in, and back to a page of the portal."""

    def get(self) -> None:
        target = safe_next(self.get_query_argument("next", None))
        if self.current_user is not None:
            self.redirect(target)
            return
        verifier, challenge, method = self.hub_auth.generate_pkce_code_challenge()
        state = self.hub_auth.set_state_cookie(self, next_url=target, code_verifier=verifier)
        challenged = {"state": state, "code_challenge": challenge, "code_challenge_method": method}
        self.redirect(url_concat(self.hub_auth.login_url, challenged))


class CallbackHandler(HubOAuthCallbackHandler, PageHandler):  # type: ignore[misc]
    """``/portal/oauth_callback``: where the hub sends browsers after the sign-in."""


class LogoutHandler(PageHandler):
    """``/portal/logout``: end the portal's session, then the hub's."""

    def get(self) -> None:
        if self.current_user is None:
            self.redirect(HOME)
            return
        self.show("logout.html")

    def post(self) -> None:
        token = self.hub_token()
        if token:
            self.gateway.forget(token)
            self.hub_auth.cache.clear()
        for name in (self.hub_auth.cookie_name, "_xsrf"):
            self.clear_cookie(name, path=HOME)
        self.redirect(f"{self.portal.hub_url}logout")


class MissingPageHandler(PageHandler):
    """Every path below ``/portal/`` that is no page."""

    def get(self) -> None:
        raise NotFound("There is no such page.")


class AssetHandler(web.StaticFileHandler):
    """Style sheets and scripts of the package."""

    def set_extra_headers(self, path: str) -> None:
        """The same protection as for pages."""
        secure_headers(self)
