"""HTTP of the submission service. Upstream's links say ``/v0/submission``; clients only look at their last part."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..core.errors import AuthenticationRequired, BadRequest, CommonsError, Conflict, NotFound, TooLarge, Unavailable
from ..core.policy import Request
from ..core.web import BaseHandler
from . import export, replay, report
from .body import Body
from .deletion import delete
from .documents import CSV, TSV, Reading, Records, document_format, kept, parse, read
from .entity import CREATE, UPDATE, Outcome, resource_path
from .tables import Table
from .transaction import Rejected, Submission, log_rejected, submit

if TYPE_CHECKING:
    from .app import SubmissionApp

SERVICE = "sheepdog"
LINKS = "/v0/submission"
_PROGRAM_ADMIN = Request(SERVICE, "*", "/services/sheepdog/submission/program")
_PROJECT_ADMIN = Request(SERVICE, "*", "/services/sheepdog/submission/project")
_SMALL_BYTES = 100_000
# SQLSTATEs of PostgreSQL (appendix A of its manual): a class is the first two characters.
_CONFLICTS = ("40P01", "40001")
_INTEGRITY = "23"
_DATA = "22"
_TOO_LARGE = ("54000",)


class SubmissionHandler(BaseHandler):
    """Base of the service's handlers."""

    @property
    def app(self) -> "SubmissionApp":
        """The application."""
        app: SubmissionApp = self.application.settings["service"]
        return app

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

    async def transact(
        self,
        function: Callable[[sa.Connection, Submission], Outcome],
        submission: Submission,
        sent: Reading | None = None,
    ) -> None:
        """Run a transaction, again where another one got in its way, and answer; a failed one leaves only its log.

        Parameters
        ----------
        sent
            What the caller has sent, where faults can be told in it.
        """
        outcome = None
        for _ in range(self.app.max_retries):
            try:
                outcome = await self.app.database.run(function, submission)
                break
            except Rejected as rejected:
                outcome = rejected.outcome
                await self.app.database.run(log_rejected, self.app.tools, submission, outcome)
                break
            except (Unavailable, DBAPIError) as error:
                _examine(error)
        if outcome is None:
            raise Conflict("Other submissions to the same records keep getting in the way; try again.")
        if self.wants_table() and (submission.dry_run or not outcome.success):
            await self.reply_table(outcome, sent)
        else:
            self.reply(outcome.answer(), outcome.code)

    def wants_table(self) -> bool:
        """Whether faults are to be told as a table."""
        if self.get_query_argument("format", "").lower() in (TSV, CSV):
            return True
        accepted = self.request.headers.get("Accept", "").partition(",")[0]
        return document_format(accepted) in (TSV, CSV)

    async def reply_table(self, outcome: Outcome, sent: Reading | None) -> None:
        """Answer with the table that was sent and what is wrong with it, or with a table of faults."""
        table = sent if isinstance(sent, Table) else None
        rows = report.sent_back(table.rows(), outcome) if table else report.listed(outcome)
        delimiter = table.delimiter if table else "\t"
        self.set_status(outcome.code)
        kind = "text/csv" if delimiter == "," else "text/tab-separated-values"
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        blocks = report.written(rows, delimiter)
        while block := await asyncio.to_thread(next, blocks, b""):
            self.write(block)
            await self.flush()


def _examine(error: Unavailable | DBAPIError) -> None:
    """Return where it is worth to try again.

    Raises
    ------
    BadRequest
        PostgreSQL cannot store a value that the dictionary allows.
    """
    known = error if isinstance(error, DBAPIError) else error.__cause__
    code = str(getattr(getattr(known, "orig", None), "pgcode", None))
    if code in _TOO_LARGE or code.startswith(_DATA):
        raise BadRequest("A value is too long or too large to be stored; nothing was.") from error
    if code not in _CONFLICTS and not code.startswith(_INTEGRITY):
        raise error


class RootHandler(SubmissionHandler):
    """``/``: the programs."""

    async def get(self) -> None:
        self.require_token()
        names = await self.app.database.run(self.app.roots.programs)
        self.reply({"links": [f"{LINKS}/{name}" for name in names]})

    async def put(self) -> None:
        self.require(_PROGRAM_ADMIN)
        document = _single(self._documents())
        self.reply(await self.app.database.run(self.app.roots.put_program, document))

    post = patch = put

    def _documents(self) -> list[Any]:
        kind = self.request.headers.get("Content-Type", "")
        return parse(self.request.body, kind, self.app.dictionary.nodes, self.app.read_limits).documents


def _single(documents: list[Any]) -> dict[str, Any]:
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise BadRequest("This takes exactly one document, a JSON object or a table of one row.")
    return {name: value for name, value in documents[0].items() if value is not None}


class ProgramHandler(RootHandler):
    """``/<program>``: its projects."""

    async def get(self, program: str) -> None:  # type: ignore[override]
        self.require_token()
        codes = await self.app.database.run(self.app.roots.projects, program)
        self.reply({"links": [f"{LINKS}/{program}/{code}" for code in codes]})

    async def put(self, program: str) -> None:  # type: ignore[override]
        self.require(_PROJECT_ADMIN)
        document = _single(self._documents())
        answer = await self.app.database.run(
            self.app.roots.put_project, program, document, self.identity.username or self.identity.client
        )
        self.reply(answer)

    post = patch = put  # type: ignore[assignment]

    async def delete(self, program: str) -> None:
        self.require(_PROGRAM_ADMIN)
        await self.app.database.run(self.app.roots.delete_program, program)
        self.set_status(204)


class ProjectHandler(SubmissionHandler):
    """``/<program>/<project>``: its records."""

    dry_run = False

    async def put(self, program: str, code: str) -> None:
        self.require_on(program, code, CREATE, UPDATE)
        await self._submit(program, code, UPDATE)

    async def post(self, program: str, code: str) -> None:
        self.require_on(program, code, CREATE)
        await self._submit(program, code, CREATE)

    async def delete(self, program: str, code: str) -> None:
        if "/" in program or "/" in code:
            raise NotFound(f"Project {code} not found")
        self.require(_PROJECT_ADMIN)
        await self.app.database.run(self.app.roots.delete_project, program, code)
        self.set_status(204)

    async def _submit(self, program: str, code: str, role: str) -> None:
        kind, body, nodes = self.request.headers.get("Content-Type", ""), self.request.body, self.app.dictionary.nodes
        tools, limits = self.app.tools, self.app.read_limits

        def run(connection: sa.Connection, submission: Submission) -> Outcome:
            return submit(connection, tools, submission)

        # What takes more than a few milliseconds to read is read off the event loop.
        small = len(body) < _SMALL_BYTES

        def gather() -> tuple[Reading, Records]:
            sent = read(Body.of(body), kind, nodes, limits)
            return sent, Records.of(sent)

        sent, reading = gather() if small else await asyncio.to_thread(gather)
        submission = Submission(
            program=program,
            code=code,
            documents=reading.documents,
            role=role,
            dry_run=self.dry_run,
            username=self.identity.username or self.identity.client,
            reading=reading,
            body=kept(body, document_format(kind)),
            format=document_format(kind),
            name=self.request.headers.get("X-Document-Name"),
        )
        if not reading.documents and not body.strip():
            raise BadRequest("Nothing to submit")
        await self.transact(run, submission, sent)


class DryRunHandler(ProjectHandler):
    """``/<program>/<project>/_dry_run``: the same without writing."""

    dry_run = True

    async def delete(self, program: str, code: str) -> None:
        raise NotFound("There is no dry run of deleting a project.")


class OpenHandler(SubmissionHandler):
    """``/<program>/<project>/open``."""

    async def put(self, program: str, code: str) -> None:
        self.require_on(program, code, "release")
        project = await self.app.database.run(self.app.roots.open_project, program, code)
        self.reply({"code": 200, "success": True, "message": "Successfully opened project", "id": project.id})

    post = put


class EntitiesHandler(SubmissionHandler):
    """``/<program>/<project>/entities/<ids>``."""

    dry_run = False

    async def get(self, program: str, code: str, ids: str) -> None:
        self.require_on(program, code, "read")
        found = await self.app.database.run(_entities, self.app, program, code, self.id_list(ids))
        self.reply({"entities": found})

    async def delete(self, program: str, code: str, ids: str) -> None:
        self.require_on(program, code, "delete")
        store = self.app.tools.store

        def run(connection: sa.Connection, submission: Submission) -> Outcome:
            return delete(connection, store, submission)

        username = self.identity.username or self.identity.client
        wanted = self.id_list(ids)
        submission = Submission(program, code, wanted, "delete", self.dry_run, username, body=",".join(wanted))
        await self.transact(run, submission)


class EntitiesDryRunHandler(EntitiesHandler):
    """``/<program>/<project>/entities/_dry_run/<ids>``."""

    dry_run = True


class CommitHandler(SubmissionHandler):
    """``/<program>/<project>/transactions/<id>/commit``: a dry run in earnest."""

    async def put(self, program: str, code: str, number: str) -> None:
        self.require_on(program, code, CREATE, UPDATE, "delete")
        tools, id_ = self.app.tools, int(number)
        tried = await self.app.database.run(replay.dry_run, tools.store, program, code, id_)

        def run(connection: sa.Connection, submission: Submission) -> Outcome:
            return replay.commit(connection, tools, id_, submission)

        await self.transact(run, replace(tried, username=self.identity.username or self.identity.client))

    post = put


class CloseHandler(SubmissionHandler):
    """``/<program>/<project>/transactions/<id>/close``."""

    async def put(self, program: str, code: str, number: str) -> None:
        self.require_on(program, code, UPDATE)
        await self.app.database.run(replay.close, self.app.tools.store, program, code, int(number))
        self.reply({"code": 200, "message": "Closed transaction.", "transaction_id": int(number)})

    post = put


def _entities(
    connection: sa.Connection, app: "SubmissionApp", program: str, code: str, ids: list[str]
) -> list[dict[str, Any]]:
    project, rows = export.rows_by_type(connection, app.tools.store, program, code, ids)
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
