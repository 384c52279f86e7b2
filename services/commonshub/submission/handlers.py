"""HTTP of the submission service. Upstream's links say ``/v0/submission``; clients only look at their last part."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from ..core.errors import AuthenticationRequired, BadRequest, CommonsError, NotFound, TooLarge, Unavailable
from ..core.policy import Request
from ..core.web import BaseHandler
from . import export
from .deletion import delete
from .documents import document_format, parse
from .entity import Outcome, Project, resource_path
from .transaction import CREATE, UPDATE, Rejected, Submission, find_project, log_rejected, submit

if TYPE_CHECKING:
    from .app import SubmissionApp

SERVICE = "sheepdog"
LINKS = "/v0/submission"
_PROGRAM_ADMIN = Request(SERVICE, "*", "/services/sheepdog/submission/program")
_PROJECT_ADMIN = Request(SERVICE, "*", "/services/sheepdog/submission/project")
_TYPES = {
    "tsv": "text/tab-separated-values; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
_SMALL_BYTES = 100_000
_DEADLOCK, _SERIALIZATION = "40P01", "40001"


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

    async def transact(self, function: Callable[[sa.Connection, Submission], Outcome], submission: Submission) -> None:
        """Run a transaction, again where another one got in its way, and answer; a failed one leaves only its log."""
        for attempt in range(self.app.max_retries + 1):
            try:
                outcome = await self.app.database.run(function, submission)
                break
            except Rejected as rejected:
                outcome = rejected.outcome
                await self.app.database.run(log_rejected, self.app.tools, submission, outcome)
                break
            except Unavailable as error:
                code = getattr(getattr(error.__cause__, "orig", None), "pgcode", None)
                if code not in (_DEADLOCK, _SERIALIZATION) or attempt == self.app.max_retries:
                    raise
        self.reply(outcome.answer(), outcome.code)


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
        return parse(self.request.body, kind, self.app.dictionary.nodes)


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
        tools = self.app.tools

        def run(connection: sa.Connection, submission: Submission) -> Outcome:
            return submit(connection, tools, submission)

        # What takes more than a few milliseconds to read is read off the event loop.
        small = len(body) < _SMALL_BYTES
        documents = parse(body, kind, nodes) if small else await asyncio.to_thread(parse, body, kind, nodes)
        submission = Submission(
            program=program,
            code=code,
            documents=documents,
            role=role,
            dry_run=self.dry_run,
            username=self.identity.username or self.identity.client,
            body=body.decode(errors="replace"),
            format=document_format(kind),
            name=self.request.headers.get("X-Document-Name"),
        )
        if not documents and not body.strip():
            raise BadRequest("Nothing to submit")
        await self.transact(run, submission)


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


def _entities(
    connection: sa.Connection, app: "SubmissionApp", program: str, code: str, ids: list[str]
) -> list[dict[str, Any]]:
    project, rows = _rows_by_type(connection, app, program, code, ids)
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


def _rows_by_type(
    connection: sa.Connection, app: "SubmissionApp", program: str, code: str, ids: list[str]
) -> tuple[Project, dict[str, list[export.Row]]]:
    store = app.tools.store
    project = find_project(store, connection, program, code)
    kinds: dict[str, list[str]] = {}
    for id_, owner in store.owners(connection, ids).items():
        if owner.project_id == project.project_id:
            kinds.setdefault(owner.type, []).append(id_)
    nodes = app.dictionary.nodes
    return project, {
        kind: export.by_ids(connection, store.graph, nodes[kind], project, those) for kind, those in kinds.items()
    }


class ExportHandler(SubmissionHandler):
    """``/<program>/<project>/export``: by ``node_label``, or by ``ids``."""

    async def get(self, program: str, code: str) -> None:
        self.require_on(program, code, "read")
        arguments = self._arguments()
        kind = export.check_format(str(arguments.get("format", "tsv")).lower())
        label = arguments.get("node_label")
        if label:
            await self._export_type(program, code, str(label), kind)
        else:
            ids = arguments.get("ids") or ""
            await self._export_ids(program, code, ids if isinstance(ids, str) else ",".join(map(str, ids)), kind)

    post = get

    def _arguments(self) -> dict[str, Any]:
        given: dict[str, Any] = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        return {**self.json_object(), **given} if self.request.method == "POST" and self.request.body else given

    async def _export_type(self, program: str, code: str, label: str, kind: str) -> None:
        node = self.app.dictionary.nodes.get(label)
        if node is None or node.id == "program" or node.category == "internal":
            raise BadRequest(f"{label[:80]!r} is not a node type that can be exported.")
        database, graph = self.app.database, self.app.tools.store.graph
        project = await database.run(lambda connection: find_project(self.app.tools.store, connection, program, code))
        writer = export.Writer(graph, node, kind, self.boolean("without_id"))
        self._attach(f"{program}-{code}_{label}.{kind}", kind)
        self.write(writer.head())
        last, limit = "", self.app.export_page_rows
        while True:
            rows = await database.run(export.page, graph, node, project, last, limit)
            self.write(writer.rows(rows))
            await self.flush()
            if len(rows) < limit:
                break
            last = rows[-1].id
        self.finish(writer.tail())

    async def _export_ids(self, program: str, code: str, text: str, kind: str) -> None:
        ids = self.id_list(text)
        _, rows = await self.app.database.run(_rows_by_type, self.app, program, code, ids)
        if not any(rows.values()):
            raise NotFound(f"Unable to find {', '.join(ids[:20])}")
        graph, nodes = self.app.tools.store.graph, self.app.dictionary.nodes
        without_id = self.boolean("without_id")
        writers = {each: export.Writer(graph, nodes[each], kind, without_id) for each in rows}
        if kind == "json":
            documents = {each: [writer.document(row) for row in rows[each]] for each, writer in writers.items()}
            self._attach("export.json", kind)
            self.finish(orjson.dumps(next(iter(documents.values())) if len(documents) == 1 else documents))
            return
        tables = {each: writer.head() + writer.rows(rows[each]) for each, writer in writers.items()}
        if len(tables) == 1:
            [(label, table)] = tables.items()
            self._attach(f"{label}.{kind}", kind)
            self.finish(table)
        else:
            self._attach("export.tar.gz", "gzip")
            self.finish(export.archive({f"{label}.{kind}": table for label, table in tables.items()}))

    def _attach(self, name: str, kind: str) -> None:
        self.set_header("Content-Type", _TYPES.get(kind, f"application/{kind}"))
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')


class ManifestHandler(ExportHandler):
    """``/<program>/<project>/manifest``: file records as the upload tools read them."""

    async def get(self, program: str, code: str) -> None:
        self.require_on(program, code, "read")
        import yaml

        text = self.get_query_argument("ids", "")
        if not text:
            raise BadRequest("Please provide valid ids")
        _, rows = await self.app.database.run(_rows_by_type, self.app, program, code, self.id_list(text))
        nodes = self.app.dictionary.nodes
        files = [
            {"local_file_path": row.properties.get("file_name"), "id": row.id, "type": kind, **row.properties}
            for kind, those in rows.items()
            if nodes[kind].is_file
            for row in those
        ]
        self.set_header("Content-Type", "text/yaml; charset=utf-8")
        self.finish(yaml.safe_dump({"files": files}, sort_keys=False, allow_unicode=True))


class DictionaryHandler(SubmissionHandler):
    """``/_dictionary``: the data model; public."""

    lenient = True

    def get(self, entry: str | None) -> None:
        self.answer(f"{LINKS}/_dictionary", entry)

    def answer(self, base: str, entry: str | None) -> None:
        """Answer the list of entries, one entry, or all."""
        document = self.app.dictionary.document
        if not entry:
            self.reply({"links": [f"{base}/{name}" for name in [*document, "_all"]]})
        elif entry == "_all":
            self.reply(document)
        elif entry in document:
            self.reply(document[entry])
        else:
            raise NotFound(f"Entry {entry} not in dictionary")


class ProjectDictionaryHandler(DictionaryHandler):
    """``/<program>/<project>/_dictionary``: the same, as clients ask for it."""

    def get(self, program: str, code: str, entry: str | None) -> None:  # type: ignore[override]
        self.answer(f"{LINKS}/{program}/{code}/_dictionary", entry)


class TemplateHandler(SubmissionHandler):
    """``/template/<node>``: forms to fill; public."""

    lenient = True

    def get(self, entry: str | None) -> None:
        kind = export.check_format(self.get_query_argument("format", "tsv").lower())
        graph, nodes = self.app.tools.store.graph, self.app.dictionary.nodes
        if entry:
            if entry not in nodes:
                raise NotFound(f"Entity type {entry} is not in dictionary")
            body, name = export.template(graph, nodes[entry], kind), f"submission_{entry}_template.{kind}"
        else:
            body, name = self._all(kind), f"submission_templates.{'json' if kind == 'json' else 'tar.gz'}"
        self.set_header("Content-Type", "application/json" if kind == "json" else "application/octet-stream")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(body)

    def _all(self, kind: str) -> bytes:
        categories = {each for each in self.get_query_argument("categories", "").split(",") if each}
        excluded = set(self.get_query_argument("exclude", "").split(","))
        chosen = [
            node
            for node in self.app.dictionary.nodes.values()
            if "project_id" in node.properties
            and node.id not in excluded
            and (not categories or node.category in categories)
        ]
        return export.template_archive(self.app.tools.store.graph, chosen, kind)


class ProjectTemplateHandler(TemplateHandler):
    """``/<program>/<project>/template``: the same."""

    def get(self, program: str, code: str, entry: str | None) -> None:  # type: ignore[override]
        super().get(entry)
