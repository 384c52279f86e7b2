"""HTTP of the query service, in Peregrine's forms: errors are texts, and any error makes the status 400."""

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError
from commonshub.core.web import BaseHandler

from . import datasets, store
from .document import Invalid
from .scope import Scope, scope_of

if TYPE_CHECKING:
    from .app import QueryApp

SERVICE = "peregrine"
METHOD = "read"


class QueryHandler(BaseHandler):
    """Base of this service's handlers."""

    @property
    def service(self) -> "QueryApp":
        """The query application."""
        app: QueryApp = self.application.settings["service"]
        return app

    def scope(self) -> Scope:
        """What the caller may read.

        Raises
        ------
        AuthenticationRequired
            There is no token.
        """
        if self.identity.anonymous:
            raise AuthenticationRequired("Authentication Error: no authorization header provided")
        return scope_of(self.service.policy.prefixes(self.identity, SERVICE, METHOD))


class GraphQLHandler(QueryHandler):
    """``POST /api/v0/submission/graphql``."""

    async def post(self) -> None:
        scope = self.scope()
        body = self.json_object()
        text, name = body.get("query"), body.get("operationName")
        if not isinstance(text, str):
            raise BadRequest("query must be a text.")
        if name is not None and not isinstance(name, str):
            raise BadRequest("operationName must be a text.")
        variables, answers, tables = _variables(body.get("variables")), self.service.answers, None
        release = body.get("release", self.get_query_argument("release", None))
        if release is not None:
            if not isinstance(release, str):
                raise BadRequest("release must be a text.")
            # Nothing but the release can be read from its tables, and the caller may read all of that.
            answers, tables = await self.service.shelf.find(release, scope, answers)
            scope = Scope(everything=True)
        # Parsing and planning can take a while for a large query, and must not hold up the others.
        plan = await asyncio.to_thread(answers.plan, text, variables, name, scope, tables)
        data = plan.render(()) if plan.statement is None else await self.service.database.run(store.answer, plan)
        self.set_status(400 if plan.errors else 200)
        errors = b',"errors":' + orjson.dumps(plan.errors) if plan.errors else b""
        self.finish(b'{"data":' + data + errors + b"}")

    def error_body(self, error: CommonsError) -> Any:
        """``{"data": null, "errors": [text, …]}``; also ``message``, which Gen3's clients print."""
        told = error.errors if isinstance(error, Invalid) else [error.message]
        return {"data": None, "errors": told, "message": error.message}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A fault of the query is a 400 whatever its kind; Gen3's clients know no other."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, CommonsError) and error.status == 413:
            error.status = 400
        super().write_error(status_code, **kwargs)


class SchemaHandler(QueryHandler):
    """``GET /api/v0/submission/getschema``: the answer to the introspection query, for everybody."""

    lenient: ClassVar[bool] = True

    async def get(self) -> None:
        self.finish(await asyncio.to_thread(self.service.answers.introspection))


class DatasetsHandler(QueryHandler):
    """``GET /api/v0/datasets?nodes=case,sample``: record counts of each project."""

    async def get(self) -> None:
        scope = self.scope()
        types = list(dict.fromkeys(filter(None, self.get_query_argument("nodes", "").split(","))))
        if not types:
            raise BadRequest("Need to provide target nodes in query param")
        answers = self.service.answers
        statement, parameters = datasets.counts(answers.dictionary, answers.tables, scope, types)
        rows = await self.service.database.run(store.rows, statement, parameters)
        self.reply({project: dict(zip(types, counts, strict=True)) for project, *counts in rows})

    def scope(self) -> Scope:
        """Everything, for everybody, where the commons publishes its counts; else what policies give the caller.

        Anonymous callers are let in here, and only here, when a policy gives everybody a project to read.
        """
        if self.service.public_datasets:
            return Scope(everything=True)
        granted = self.service.policy.prefixes(self.identity, SERVICE, METHOD)
        return scope_of(granted) if granted else super().scope()


class DatasetProjectsHandler(DatasetsHandler):
    """``GET /api/v0/datasets/projects``: the projects with their names."""

    async def get(self) -> None:
        answers = self.service.answers
        statement, parameters = datasets.projects(answers.dictionary, answers.tables, self.scope())
        rows = await self.service.database.run(store.rows, statement, parameters)
        self.reply({"projects": [dict(zip(datasets.PROJECT_KEYS, row, strict=True)) for row in rows]})


def _variables(given: Any) -> dict[str, Any]:
    """The variables of a request: an object, or its JSON as a text, or none."""
    if isinstance(given, str) and given.strip():
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            raise Invalid(["Unable to parse variables", f"variables: {error}"]) from error
    if not given:
        return {}
    if not isinstance(given, dict):
        raise Invalid(["Unable to parse variables", "variables must be a JSON object."])
    return given
