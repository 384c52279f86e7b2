"""HTTP of submitting records: bodies are taken in piece by piece, and large ones are worked on as jobs."""

import asyncio
import uuid

from tornado import web

from ..core.errors import BadRequest, NotFound
from .attempt import Run
from .body import Body
from .documents import BULK, CONTENT_TYPES, CSV, TSV, document_format
from .entity import CREATE, UPDATE
from .handlers import PROJECT_ADMIN
from .receiving import SMALL_BYTES, ReceivingHandler
from .request import Submission
from .transaction import Tools, submit
from .uploads import Upload

_METHODS = {"PUT": (CREATE, UPDATE), "POST": (CREATE,)}


@web.stream_request_body
class ProjectHandler(ReceivingHandler):
    """``/<program>/<project>``: its records."""

    dry_run = False
    body: Body | None = None
    upload: Upload | None = None

    # -- taking in -------------------------------------------------------------

    def admit(self) -> int:
        """Make room in memory or in a file."""
        program, code = self.path_args
        self.require_on(program, code, *_METHODS[self.request.method or ""])
        folder = self.app.job_settings.folder
        # What goes on without its client must outlive this process.
        path = folder / uuid.uuid4().hex if self.boolean("async") else None
        self.body = Body(folder, self.app.memory_bytes, path)
        table = document_format(self.content_type) in (TSV, CSV)
        return self.app.commons.max_table_bytes if table else self.app.max_body_bytes

    def take_in(self, data: bytes) -> None:
        """Keep a piece."""
        assert self.body is not None
        self.body.write(data)

    def forget(self) -> None:
        """Have no more use for the body, which a job may still have."""
        assert self.body is not None
        self.body.close()

    @property
    def waits(self) -> bool:
        """Whether the body is in a file, or will be."""
        return self.body is not None and (self.body.waits or self._size > self.app.memory_bytes)

    @property
    def content_type(self) -> str:
        """The format of the body, as its sender names it."""
        return self.request.headers.get("Content-Type", "")

    # -- submitting --------------------------------------------------------------

    async def put(self, program: str, code: str) -> None:
        await self._submit(program, code, UPDATE)

    async def post(self, program: str, code: str) -> None:
        await self._submit(program, code, CREATE)

    async def delete(self, program: str, code: str) -> None:
        if "/" in program or "/" in code:
            raise NotFound(f"Project {code} not found")
        self.require(PROJECT_ADMIN)
        await self.hold_model(lambda model: self.app.database.run(model.roots.delete_project, program, code))
        self.set_status(204)

    async def _submit(self, program: str, code: str, role: str) -> None:
        submission = await self._read(program, code, role)
        detached = self.boolean("async")
        if detached or submission.body.large:
            await self._submit_large(submission, detached)
        else:
            await self.transact(_submission, submission)
        # Now that it is accepted, or has an outcome. A dry run leaves it to be submitted in earnest.
        if self.upload and not self.dry_run:
            await asyncio.to_thread(self.app.uploads.delete, self.upload)

    async def _read(self, program: str, code: str, role: str) -> Submission:
        size = await self.received()
        username, name = self.identity.username or self.identity.client, self.request.headers.get("X-Document-Name")
        kind = self.content_type
        if (uploaded := self.get_query_argument("upload", None)) is not None:
            self.upload = upload = self.app.uploads.find(uploaded, username, program, code)
            if size:
                raise BadRequest("A request that names an upload has no body.")
            self.forget()
            self.body = await asyncio.to_thread(self._uploaded, upload)
            kind, name, size = upload.content_type, name or upload.name, upload.length
        body = self.body
        assert body is not None
        # What takes more than a few milliseconds is done off the event loop.
        small = size < SMALL_BYTES
        reading = self.model.read(body, kind) if small else await asyncio.to_thread(self.model.read, body, kind)
        if small and document_format(kind) in (TSV, CSV) and not body.bytes().strip():
            raise BadRequest("Nothing to submit")
        self._kind = kind
        form, reader = document_format(kind), self.may_read(program, code)
        return Submission(program, code, reading, role, self.dry_run, username, body, form, name, reader=reader)

    def _uploaded(self, upload: Upload) -> Body:
        return Body.kept(self.app.uploads.take(upload))

    async def _submit_large(self, submission: Submission, detached: bool) -> None:
        work = await self.app.jobs.accept(submission, self.model, self._kind, detached=detached)
        if detached:
            self.reply({"code": 200, "message": "Transaction submitted.", "transaction_id": work.number})
            return
        # A client that goes away does not take the work with it.
        outcome = await asyncio.shield(work.task)
        await self.reply_outcome(outcome, submission)


def _submission(tools: Tools) -> Run:
    return lambda connection, submission: submit(connection, tools, submission)


class DryRunHandler(ProjectHandler):
    """``/<program>/<project>/_dry_run``: the same without writing."""

    dry_run = True

    async def delete(self, program: str, code: str) -> None:
        raise NotFound("There is no dry run of deleting a project.")


class BulkHandler(ProjectHandler):
    """``/<program>/<project>/bulk``: several documents at once."""

    SUPPORTED_METHODS = ("PUT", "POST")

    def admit(self) -> int:
        """Make room, for what comes with the request itself."""
        if "upload" in self.request.query_arguments:
            raise BadRequest("An upload is one document; submit it to the project itself.")
        return super().admit()

    @property
    def content_type(self) -> str:
        """Whatever its sender says: there is one form of it."""
        return CONTENT_TYPES[BULK]


class BulkDryRunHandler(BulkHandler):
    """``/<program>/<project>/bulk/_dry_run``: the same without writing."""

    dry_run = True
