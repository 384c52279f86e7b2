"""HTTP of transactions after the fact, and of large ones while they run."""

import asyncio
from contextlib import AsyncExitStack, nullcontext
from dataclasses import replace
from typing import Any

import orjson
from tornado.iostream import StreamClosedError

from ..core.errors import NotFound
from . import journal, replay
from .attempt import Run
from .body import Body
from .entity import CREATE, UPDATE
from .handlers import SubmissionHandler
from .request import Submission
from .transaction import Tools


class TransactionHandler(SubmissionHandler):
    """``/<program>/<project>/transactions/<id>``: how far it is, once or as a stream of events."""

    async def get(self, program: str, code: str, number: str) -> None:
        found = await self._look(program, code, int(number))
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            await self._follow(program, code, found)
        else:
            self.reply(found)

    async def _look(self, program: str, code: str, number: int) -> dict[str, Any]:
        """What there is to tell, to those who may read the project and to the submitter himself."""
        reader = self.may_read(program, code)
        self.require_on(program, code, "read" if reader else CREATE)
        found = await self.app.database.read(self.app.jobs.store.look, program, code, number)
        if not reader and (found is None or found["submitter"] != (self.identity.username or self.identity.client)):
            self.require_on(program, code, "read")
        if found is None:
            raise NotFound(f"Project {code} has no transaction {number}.")
        return found

    async def _follow(self, program: str, code: str, found: dict[str, Any]) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        told: dict[str, Any] = {}
        try:
            while True:
                over = found["state"] != journal.PENDING
                if over or found != told:
                    event = "done" if over else "progress"
                    self.write(b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(found)))
                    await self.flush()
                if over or self.app.closing:
                    return
                told = found
                await asyncio.sleep(self.app.job_settings.report_s)
                # Rights may end, and tokens, while somebody looks.
                self.identity = self.identify()
                found = await self._look(program, code, found["transaction_id"])
        except StreamClosedError:
            pass


class CommitHandler(SubmissionHandler):
    """``/<program>/<project>/transactions/<id>/commit``: a dry run in earnest."""

    async def put(self, program: str, code: str, number: str) -> None:
        self.require_on(program, code, CREATE, UPDATE, "delete")
        store, id_ = self.model.tools.store, int(number)
        spool = Body(self.app.job_settings.folder, self.app.memory_bytes)
        async with AsyncExitStack() as ending:
            ending.push_async_callback(asyncio.to_thread, spool.close)
            tried = await self.app.database.run(replay.dry_run, store, self.model.read, spool, program, code, id_)
            await self._commit(tried, id_)

    post = put

    async def _commit(self, tried: Submission, id_: int) -> None:
        def commit(tools: Tools) -> Run:
            return lambda connection, submission: replay.commit(connection, tools, id_, submission)

        username, reader = self.identity.username or self.identity.client, self.may_read(tried.program, tried.code)
        submission = replace(tried, username=username, reader=reader)
        # A large one takes its turn among the others.
        async with self.app.jobs.slots if submission.body.large else nullcontext():
            await self.transact(commit, submission)


class CloseHandler(SubmissionHandler):
    """``/<program>/<project>/transactions/<id>/close``."""

    async def put(self, program: str, code: str, number: str) -> None:
        self.require_on(program, code, UPDATE)
        await self.app.database.run(replay.close, self.model.tools.store, program, code, int(number))
        self.reply({"code": 200, "message": "Closed transaction.", "transaction_id": int(number)})

    post = put
