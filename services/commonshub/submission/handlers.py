"""HTTP of the submission service. Upstream's links say ``/v0/submission``; clients only look at their last part."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from ..core.errors import AuthenticationRequired, BadRequest, CommonsError, Conflict, NotFound, TooLarge
from ..core.policy import Request
from ..core.web import StorableHandler
from . import export, report
from .attempt import Run, attempt
from .body import Body
from .deletion import DELETE, delete
from .documents import CSV, TSV, Reading, Records, document_format
from .entity import UPDATE, Outcome, resource_path
from .lifecycle import STEPS
from .marking import mark
from .model import Model
from .replay import deleting
from .request import Submission
from .store import Outdated, Store
from .tables import Table
from .transaction import Tools

if TYPE_CHECKING:
    from .app import SubmissionApp

T = TypeVar("T")

SERVICE = "sheepdog"
LINKS = "/v0/submission"
_PROGRAM_ADMIN = Request(SERVICE, "*", "/services/sheepdog/submission/program")
PROJECT_ADMIN = Request(SERVICE, "*", "/services/sheepdog/submission/project")


class SubmissionHandler(StorableHandler):
    """Base of the service's handlers."""

    @property
    def app(self) -> "SubmissionApp":
        """The application."""
        app: SubmissionApp = self.application.settings["service"]
        return app

    @cached_property
    def model(self) -> Model:
        """The data model that this request works with, from its first look at it to its end."""
        return self.app.model

    def error_body(self, error: CommonsError) -> Any:
        """Clients take a body without ``code`` for an error of the whole request, and print its errors."""
        body: dict[str, Any] = {"message": error.message, "error": error.message, "success": False}
        if error.status >= 500:
            body["code"] = error.status
        return {**body, "transactional_errors": [error.message, *error.details]}

    def require(self, *requests: Request) -> None:
        """Refuse callers who lack one of `requests`.

        Raises
        ------
        AuthenticationRequired
            Nobody is signed in.
        PermissionDenied
            The caller may not do this.
        """
        self.require_token()
        self.app.policy.require(self.identity, *requests)

    def require_token(self) -> None:
        """Refuse anonymous callers."""
        if self.identity.anonymous:
            raise AuthenticationRequired("Authentication Error: no authorization header provided")

    def require_on(self, program: str, code: str, *methods: str) -> None:
        """Refuse callers who lack one of `methods` on a project."""
        if "/" in program or "/" in code:
            raise NotFound(f"Project {code} not found")
        resource = resource_path(program, code)
        self.require(*(Request(SERVICE, method, resource) for method in methods))

    def may_read(self, program: str, code: str) -> bool:
        """Whether the caller may read the records of a project."""
        return self.app.policy.allows(self.identity, Request(SERVICE, "read", resource_path(program, code)))

    def boolean(self, name: str) -> bool:
        """A query argument as a truth value."""
        return self.get_query_argument(name, "false").lower() in ("true", "1", "")

    def id_list(self, text: str) -> list[str]:
        """Ids parted by commas.

        Raises
        ------
        TooLarge
            They are too many.
        """
        ids = [id_.strip() for id_ in text.split(",") if id_.strip()]
        if not ids:
            raise BadRequest("Please provide valid ids")
        if len(ids) > self.app.max_export_ids:
            raise TooLarge(f"{len(ids)} ids in one request; at most {self.app.max_export_ids} are allowed.")
        return ids

    async def hold_model(self, work: Callable[[Model], Awaitable[T]]) -> T:
        """Do what ends in a commit, anew where the dictionary has been changed since it was begun.

        Raises
        ------
        Conflict
            It was, each time.
        """
        for _ in range(self.app.max_retries):
            try:
                return await work(self.model)
            except Outdated:
                self.model = await self.app.renew()
        raise Conflict("The dictionary keeps changing; try again.")

    async def transact(self, function: Callable[[Tools], Run], submission: Submission) -> None:
        """Run a short transaction, and answer.

        Parameters
        ----------
        function
            Gives the transaction for the tools of a data model.
        """
        app, read_by = self.app, self.model

        async def work(model: Model) -> tuple[Outcome, Submission]:
            given = submission if model is read_by else submission.read_by(model.read)
            run = function(model.tools)
            return await attempt(app.database, model.tools.store, run, given, app.max_retries), given

        await self.reply_outcome(*await self.hold_model(work))

    async def reply_outcome(self, outcome: Outcome, submission: Submission) -> None:
        """Tell what became of a submission, as JSON or in the table that was sent."""
        if self.wants_table() and (submission.dry_run or not outcome.success):
            await self.reply_table(outcome, submission.reading)
        else:
            self.reply(outcome.answer(), outcome.code)

    def wants_table(self) -> bool:
        """Whether faults are to be told as a table."""
        if self.get_query_argument("format", "").lower() in (TSV, CSV):
            return True
        accepted = self.request.headers.get("Accept", "").partition(",")[0]
        return document_format(accepted) in (TSV, CSV)

    async def reply_table(self, outcome: Outcome, sent: Reading) -> None:
        """Answer with the table that was sent and what is wrong with it, or with a table of faults."""
        table = sent if isinstance(sent, Table) else None
        rows = report.sent_back(table.rows(), outcome) if table else report.listed(outcome)
        delimiter = table.delimiter if table else "\t"
        self.set_status(outcome.code)
        kind = "text/csv" if delimiter == "," else "text/tab-separated-values"
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        await self.write_blocks(report.written(rows, delimiter))


class RootHandler(SubmissionHandler):
    """``/``: the programs."""

    async def get(self) -> None:
        self.require_token()
        names = await self.app.database.run(self.model.roots.programs)
        self.reply({"links": [f"{LINKS}/{name}" for name in names]})

    async def put(self) -> None:
        self.require(_PROGRAM_ADMIN)
        database = self.app.database
        self.reply(
            await self.hold_model(lambda model: database.run(model.roots.put_program, _single(self._documents(model))))
        )

    post = patch = put

    def _documents(self, model: Model) -> list[Any]:
        kind = self.request.headers.get("Content-Type", "")
        return [document for _, document in model.read(Body.of(self.request.body), kind)]


def _single(documents: list[Any]) -> dict[str, Any]:
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise BadRequest("This takes exactly one document, a JSON object or a table of one row.")
    return {name: value for name, value in documents[0].items() if value is not None}


class ProgramHandler(RootHandler):
    """``/<program>``: its projects."""

    async def get(self, program: str) -> None:  # type: ignore[override]
        self.require_token()
        codes = await self.app.database.run(self.model.roots.projects, program)
        self.reply({"links": [f"{LINKS}/{program}/{code}" for code in codes]})

    async def put(self, program: str) -> None:  # type: ignore[override]
        self.require(PROJECT_ADMIN)
        database, username = self.app.database, self.identity.username or self.identity.client

        def work(model: Model) -> Awaitable[dict[str, Any]]:
            return database.run(model.roots.put_project, program, _single(self._documents(model)), username)

        self.reply(await self.hold_model(work))

    post = patch = put  # type: ignore[assignment]

    async def delete(self, program: str) -> None:
        self.require(_PROGRAM_ADMIN)
        await self.hold_model(lambda model: self.app.database.run(model.roots.delete_program, program))
        self.set_status(204)


class StepHandler(SubmissionHandler):
    """``/<program>/<project>/open``, ``…/review``, ``…/submit``, ``…/release``, and the same with ``/_dry_run``."""

    async def put(self, program: str, code: str, name: str, dry_run: str | None) -> None:
        self.require_on(program, code, "release")
        database = self.app.database
        project = await self.hold_model(
            lambda model: database.run(model.roots.take_step, program, code, name, dry_run=bool(dry_run))
        )
        message = f"Dry run: {name} is possible" if dry_run else STEPS[name].done
        self.reply({"code": 200, "success": True, "message": message, "id": project.id})

    post = put


class EntitiesHandler(SubmissionHandler):
    """``/<program>/<project>/entities/<ids>``."""

    dry_run = False

    async def get(self, program: str, code: str, ids: str) -> None:
        self.require_on(program, code, "read")
        found = await self.app.database.run(_entities, self.model.tools.store, program, code, self.id_list(ids))
        self.reply({"entities": found})

    async def delete(self, program: str, code: str, ids: str) -> None:
        fields = self._fields()
        # What takes properties away changes a record.
        self.require_on(program, code, DELETE, *([UPDATE] if fields else []))
        wanted = self.id_list(ids)
        picked = self.picked(program, code, wanted, deleting(wanted, fields))
        await self.transact(_deletion, replace(picked, fields=fields))

    def _fields(self) -> tuple[str, ...]:
        if "fields" not in self.request.query_arguments:
            return ()
        names = [name.strip() for name in self.get_query_argument("fields").split(",")]
        # Without names nobody may have meant the whole records.
        if not all(names):
            raise BadRequest("fields must name the properties to delete, parted by commas.")
        return tuple(dict.fromkeys(names))

    def picked(self, program: str, code: str, ids: list[str], body: str) -> Submission:
        """Records by id as a submission, whose body says what is done to them."""
        username = self.identity.username or self.identity.client
        return Submission(program, code, Records(ids), DELETE, self.dry_run, username, Body.of(body.encode()))


def _deletion(tools: Tools) -> Run:
    return lambda connection, submission: delete(connection, tools.store, submission)


class EntitiesDryRunHandler(EntitiesHandler):
    """``/<program>/<project>/entities/_dry_run/<ids>``."""

    dry_run = True


class MarkHandler(EntitiesHandler):
    """``/admin/<program>/<project>/entities/<ids>/to_delete/<true or false>``."""

    SUPPORTED_METHODS = ("DELETE",)

    async def delete(self, program: str, code: str, ids: str, flag: str) -> None:  # type: ignore[override]
        self.require_on(program, code, DELETE)
        flag = flag.lower()
        if flag not in ("true", "false"):
            raise BadRequest("to_delete value not true or false")
        wanted = self.id_list(ids)

        def work(tools: Tools) -> Run:
            return lambda connection, submission: mark(connection, tools.store, submission, flag == "true")

        await self.transact(work, self.picked(program, code, wanted, f"{','.join(wanted)}?to_delete={flag}"))


def _entities(connection: sa.Connection, store: Store, program: str, code: str, ids: list[str]) -> list[dict[str, Any]]:
    project, rows = export.rows_by_type(connection, store, program, code, ids)
    found = {}
    for kind, those in rows.items():
        for row in those:
            links = [
                {"id": each["node_id"], "submitter_id": each.get("submitter_id")}
                for targets in row.links.values()
                for each in targets
            ]
            properties = {**row.properties, "id": row.id, "type": kind, "links": links}
            found[row.id] = {"program": project.program, "project": project.code, "properties": properties}
    missing = [id_ for id_ in ids if id_ not in found]
    if missing:
        raise NotFound(f"Not found: {', '.join(missing)}")
    return [found[id_] for id_ in dict.fromkeys(ids)]
