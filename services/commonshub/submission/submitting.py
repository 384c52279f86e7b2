"""HTTP of submitting records: bodies are taken in piece by piece, and large ones are worked on as jobs."""

import asyncio
import uuid
from collections.abc import Awaitable
from typing import Any, cast

import sqlalchemy as sa
from tornado import web

from ..core.errors import BadRequest, CommonsError, NotFound, TooLarge
from .body import BLOCK_BYTES, Body
from .documents import CSV, TSV, Reading, document_format
from .entity import CREATE, UPDATE, Outcome
from .handlers import PROJECT_ADMIN, SubmissionHandler
from .request import Submission
from .transaction import submit

_SMALL_BYTES = 100_000
_METHODS = {"PUT": (CREATE, UPDATE), "POST": (CREATE,)}


@web.stream_request_body
class ProjectHandler(SubmissionHandler):
    """``/<program>/<project>``: its records."""

    dry_run = False
    body: Body | None = None
    _refusal: CommonsError | None = None

    # -- taking in -------------------------------------------------------------

    def prepare(self) -> Awaitable[None] | None:
        """Decide who may send a body, and how long a one, before it comes."""
        if self.request.method not in _METHODS:
            return super().prepare()
        try:
            super().prepare()
            self._admit(*self.path_args)
        except CommonsError as error:
            # Who has begun to send would not hear an answer before the end; who asks first hears it now.
            if isinstance(error, TooLarge) or "Expect" in self.request.headers:
                raise
            self._refusal = error
        return None

    def _admit(self, program: str, code: str) -> None:
        self.require_on(program, code, *_METHODS[self.request.method or ""])
        table = document_format(self.request.headers.get("Content-Type", "")) in (TSV, CSV)
        self._limit = self.app.commons.max_table_bytes if table else self.app.max_body_bytes
        self._check_size(int(self.request.headers.get("Content-Length", 0)))
        cast(Any, self.request.connection).set_max_body_size(self._limit)
        # What goes on without its client must outlive this process.
        folder = self.app.job_settings.folder
        path = folder / uuid.uuid4().hex if self.boolean("async") else None
        self.body = Body(folder, self.app.memory_bytes, path)
        self._pieces = bytearray()

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise TooLarge(f"The body has more than the {self._limit} bytes that are allowed; send it in parts.")

    async def data_received(self, chunk: bytes) -> None:
        """Take in a piece."""
        if self.body is None:
            return
        self._pieces += chunk
        if len(self._pieces) >= BLOCK_BYTES:
            pieces, self._pieces = bytes(self._pieces), bytearray()
            await asyncio.to_thread(self.body.write, pieces)

    def on_connection_close(self) -> None:
        """Forget what will never be whole."""
        super().on_connection_close()
        self.on_finish()

    def on_finish(self) -> None:
        """Forget the body, which a job may still need."""
        if self.body is not None:
            self.body.close()
            self.body = None

    # -- submitting --------------------------------------------------------------

    async def put(self, program: str, code: str) -> None:
        await self._submit(program, code, UPDATE)

    async def post(self, program: str, code: str) -> None:
        await self._submit(program, code, CREATE)

    async def delete(self, program: str, code: str) -> None:
        if "/" in program or "/" in code:
            raise NotFound(f"Project {code} not found")
        self.require(PROJECT_ADMIN)
        await self.app.database.run(self.app.roots.delete_project, program, code)
        self.set_status(204)

    async def _submit(self, program: str, code: str, role: str) -> None:
        submission = await self._read(program, code, role)
        detached = self.boolean("async")
        if detached or submission.body.large:
            await self._submit_large(submission, detached)
            return
        tools = self.app.tools

        def run(connection: sa.Connection, submission: Submission) -> Outcome:
            return submit(connection, tools, submission)

        await self.transact(run, submission)

    async def _read(self, program: str, code: str, role: str) -> Submission:
        if self._refusal is not None:
            raise self._refusal
        kind, body = self.request.headers.get("Content-Type", ""), self.body
        assert body is not None
        # What takes more than a few milliseconds is done off the event loop.
        small = body.size + len(self._pieces) < _SMALL_BYTES

        def receive() -> Reading:
            body.write(bytes(self._pieces))
            return self.app.read(body, kind)

        reading = receive() if small else await asyncio.to_thread(receive)
        if small and document_format(kind) in (TSV, CSV) and not body.bytes().strip():
            raise BadRequest("Nothing to submit")
        return Submission(
            program=program,
            code=code,
            reading=reading,
            role=role,
            dry_run=self.dry_run,
            username=self.identity.username or self.identity.client,
            body=body,
            format=document_format(kind),
            name=self.request.headers.get("X-Document-Name"),
        )

    async def _submit_large(self, submission: Submission, detached: bool) -> None:
        work = await self.app.jobs.accept(submission, self.request.headers.get("Content-Type", ""), detached=detached)
        if detached:
            self.reply({"code": 200, "message": "Transaction submitted.", "transaction_id": work.number})
            return
        # A client that goes away does not take the work with it.
        outcome = await asyncio.shield(work.task)
        await self.reply_outcome(outcome, submission)


class DryRunHandler(ProjectHandler):
    """``/<program>/<project>/_dry_run``: the same without writing."""

    dry_run = True

    async def delete(self, program: str, code: str) -> None:
        raise NotFound("There is no dry run of deleting a project.")
