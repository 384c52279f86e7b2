"""The pages: each collects what it shows from the services, at the same time, and renders a template."""

import asyncio
import secrets
from collections.abc import Awaitable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tornado.escape import url_escape

from commonshub.core.errors import AuthenticationRequired, NotFound, PermissionDenied, Unavailable, UpstreamError

from .access import grants_of
from .diagram import draw
from .examples import examples, records
from .gateway import counts_of
from .model import NodeView, children
from .session import CONTENT_POLICY, PageHandler

T = TypeVar("T")


def query_policy(nonce: str) -> str:
    """The policy of the page with GraphiQL: its style sheet carries its fonts, and its dialogs bring a sheet."""
    sheets = f"style-src 'self' 'nonce-{nonce}'"
    return CONTENT_POLICY.replace("style-src 'self'", sheets) + "; font-src data:"


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
    open_to_all = True

    async def get(self) -> None:
        notices = self.notices
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
    open_to_all = True

    async def get(self) -> None:
        nodes = await self.gateway.nodes()
        self.show("dictionary.html", nodes=nodes, diagram=draw(nodes))


class NodeHandler(PageHandler):
    """``/portal/dictionary/<node type>``: properties and links of one."""

    section = "dictionary"
    open_to_all = True

    async def get(self, name: str) -> None:
        nodes = await self.gateway.nodes()
        if name not in nodes:
            raise NotFound(f"The dictionary has no node type {name}.")
        self.show("node.html", node=nodes[name], nodes=nodes, children=children(nodes, name))


class QueryHandler(PageHandler):
    """``/portal/query``: GraphiQL, with the user's own token; ``type`` names the node type to begin with."""

    section = "query"

    async def get(self) -> None:
        subject = self.get_query_argument("type", None)
        if self.visitor is None:
            self.redirect(f"/portal/login?next={url_escape(self.request.uri or '')}")
            return
        nonce = secrets.token_urlsafe(16)
        self.set_header("Content-Security-Policy", query_policy(nonce))
        nodes: dict[str, NodeView] = await attempt("The examples", self.gateway.nodes(), {}, self.notices)
        if subject and nodes and subject not in nodes:
            raise NotFound(f"The dictionary has no node type {subject}.")
        chosen = examples(nodes, subject if nodes else None)
        self.show(
            "query.html",
            ready=(Path(self.settings["static_path"]) / "graphiql").is_dir(),
            examples=chosen,
            records=[records(nodes, node) for node in nodes.values()],
            nonce=nonce,
            subject=subject,
            first=chosen[0].query if chosen else "",
        )


class ProfileHandler(PageHandler):
    """``/portal/profile``: who am I, what may I do, and my API keys."""

    section = "profile"

    async def get(self) -> None:
        if self.visitor is None:
            self.redirect("/portal/login?next=/portal/profile")
            return
        notices = self.notices
        authorization = await attempt("Your access", self.authorization(), None, notices)
        information: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        others: dict[str, Any] = {}
        allowed: dict[str, Any] = {}
        if authorization:
            asked = {
                "Your access": "/user/user",
                "Your keys": "/user/credentials/api/",
                "Other commons": "/wts/external_oidc/",
                "What you allowed": "/user/oauth2/applications",
            }
            information, keys, others, allowed = await asyncio.gather(
                *(
                    attempt(what, self.gateway.call("GET", path, authorization=authorization), {}, notices)
                    for what, path in asked.items()
                )
            )
        self.show(
            "profile.html",
            information=information,
            groups=sorted({*self.visitor.groups, *(information.get("groups") or ())}),
            grants=grants_of(information.get("authz") or {}),
            applications=allowed.get("applications") or [],
            keys=sorted(keys.get("jtis") or [], key=lambda key: -int(key["exp"])),
            others=others.get("providers") or [],
        )


class ApplicationHandler(PageHandler):
    """``/portal/applications/<client_id>/end``: take back what the user allowed an application."""

    async def post(self, client_id: str) -> None:
        authorization = await self.authorization()
        if authorization is None:
            raise PermissionDenied("Nobody is signed in any more. Sign in and try again.")
        path = "/user/oauth2/applications"
        allowed = await self.gateway.call("GET", path, authorization=authorization)
        # Whoever presses twice has what he wants.
        if client_id in [each["client_id"] for each in allowed["applications"]]:
            await self.gateway.call("DELETE", f"{path}/{client_id}", authorization=authorization)
        self.redirect("/portal/profile#applications", status=303)


class MissingPageHandler(PageHandler):
    """Every path below ``/portal/`` that is no page."""

    def get(self) -> None:
        raise NotFound("There is no such page.")
