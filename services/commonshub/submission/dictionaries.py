"""HTTP of changing the dictionary while the commons runs: what would change, applying it, and what there was.

Guarded as all administration is (:mod:`commonshub.core.administrators`). Who looks for a long time is told how far it
is, as server-sent events; when he goes away, nobody looks any longer.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any

import orjson
from tornado.iostream import StreamClosedError

from ..core import administrators, audit, versions
from ..core.errors import BadRequest, CommonsError, Conflict, PermissionDenied, TooLarge
from ..core.identity import Identity
from ..core.versions import Draft, Waits
from ..core.web import BaseHandler
from .handlers import SubmissionHandler
from .preview import ACTION, Author, Bounds, Looking, Preview, apply, note, preview
from .readers import DictionaryHandler


class AdministrationHandler(SubmissionHandler):
    """Base of what administrators may."""

    async def prepare(self) -> None:
        """Judge who comes before anything of the request is looked at."""
        super().prepare()
        self.set_header("Cache-Control", "no-store")
        administrators.require_administrator(self.app.policy, self.identity)

    @property
    def schema(self) -> str:
        """Where the graph is."""
        return self.app.database.settings.graph_schema

    @property
    def author(self) -> Author:
        """The caller, for the trail."""
        return Author(self.identity, self.request_id)

    # -- what is sent ------------------------------------------------------------

    async def draft(self) -> Draft:
        """The dictionary of the body; without one that of an earlier ``version``, or what the source says now.

        Raises
        ------
        BadRequest
            It is none.
        """
        body, number = self.request.body, self.integer("version", low=1, high=2**31 - 1)
        if number is not None:
            if body:
                raise BadRequest("Send a dictionary, or name an earlier version, but not both.")
            return await self.app.database.run(versions.draft_of_version, self.schema, number)
        if not body:
            return await asyncio.to_thread(versions.draft_of_source, self.app.commons.dictionary)
        if len(body) > self.app.max_dictionary_bytes:
            raise TooLarge(f"A dictionary has at most {self.app.max_dictionary_bytes} bytes; this one has {len(body)}.")
        return await asyncio.to_thread(_sent, body)

    # -- looking -------------------------------------------------------------------

    async def look(self, draft: Draft, looking: Looking) -> Preview:
        """Look at what is stored."""
        model, app = await self.app.renew(), self.app
        bounds = Bounds(app.max_previewed_records, app.large_timeout_s)
        return await app.database.run(preview, draft, model.dictionary, model.number, self.schema, bounds, looking)

    async def answer_work(self, work: Coroutine[Any, Any, dict[str, Any]], looking: Looking) -> None:
        """Answer what `work` returns, with its progress where the client takes events; one works at a time.

        Raises
        ------
        Conflict
            Somebody else is at it.
        """
        if self.app.previewing:
            work.close()
            raise Conflict("Another dictionary is being looked at; try again when that is over.")
        self.app.previewing, self._looking = True, looking
        task = asyncio.create_task(work)
        task.add_done_callback(self._over)
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            await self._follow(task, looking)
        else:
            self.reply(await asyncio.shield(task))

    _looking: Looking | None = None

    def _over(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self.app.previewing = False
        # Nobody may be left to hear of it.
        if not task.cancelled():
            task.exception()

    def on_connection_close(self) -> None:
        """Look no longer for somebody who has gone."""
        super().on_connection_close()
        if self._looking is not None:
            self._looking.stopped = True

    async def _follow(self, task: asyncio.Task[dict[str, Any]], looking: Looking) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        try:
            while not task.done():
                await self._tell("progress", {"type": looking.type, "done": looking.done, "total": looking.total})
                await asyncio.wait({task}, timeout=self.app.report_s)
            try:
                await self._tell("done", task.result())
            except CommonsError as error:
                await self._tell("failed", {"status": error.status, **self.error_body(error)})
        except StreamClosedError:
            looking.stopped = True

    async def _tell(self, event: str, told: dict[str, Any]) -> None:
        self.write(b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(told)))
        await self.flush()


class VersionsHandler(AdministrationHandler):
    """``GET /_dictionary/_versions``: the versions, the one in force first."""

    async def get(self) -> None:
        rows = await self.app.database.run(versions.listed, self.schema)
        self.reply({"versions": [asdict(row) for row in rows]})


class PreviewHandler(AdministrationHandler):
    """``POST /_dictionary/_preview``: what would change."""

    async def post(self) -> None:
        draft, looking = await self.draft(), Looking()
        await self.answer_work(self._preview(draft, looking), looking)

    async def _preview(self, draft: Draft, looking: Looking) -> dict[str, Any]:
        return (await self.look(draft, looking)).document()


class ApplyHandler(AdministrationHandler, DictionaryHandler):
    """``/_dictionary``: the entries, for everybody; ``PUT`` lets another dictionary be in force."""

    async def prepare(self) -> None:
        """Judge who changes something; a refused change leaves a row in the trail."""
        BaseHandler.prepare(self)
        if self.request.method != "PUT":
            return
        try:
            administrators.require_governor(self.app.policy, self.identity)
        except PermissionDenied:
            entry, database = audit.Entry(ACTION, self.request.path, "denied"), self.app.database
            await database.run(note, database.settings, self.author, entry)
            raise

    def identify(self) -> Identity:
        """The caller."""
        return BaseHandler.identify(self)

    def get(self) -> None:  # type: ignore[override]
        DictionaryHandler.get(self, None)

    async def put(self) -> None:
        self.set_header("Cache-Control", "no-store")
        digest, after = self.get_query_argument("digest", ""), self.integer("after")
        if not digest or after is None:
            raise BadRequest("Preview the dictionary first: digest and after are those that the preview tells.")
        draft, looking = await self.draft(), Looking()
        if draft.dictionary.digest != digest:
            raise Conflict("This is not the dictionary that was previewed; preview it first.")
        await self.answer_work(self._apply(draft, after, looking), looking)

    async def _apply(self, draft: Draft, after: int, looking: Looking) -> dict[str, Any]:
        made, force = await self.look(draft, looking), self.boolean("force")
        if made.after != after:
            raise Conflict(f"Version {made.after} of the dictionary has come in between; preview it again.")
        made.refuse(force)
        waits = Waits(self.app.dictionary_wait_s, self.app.large_timeout_s)
        database = self.app.database
        version = await database.run(apply, database.settings, made, waits, force=force, author=self.author)
        await self.app.renew()
        counts = {"invalid_record_count": made.invalid, "unseen": made.unseen}
        return {"code": 200, "message": f"Version {version.number} is in force.", "number": version.number,
                "digest": draft.dictionary.digest, **counts}  # fmt: skip


def _sent(body: bytes) -> Draft:
    try:
        files = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    return versions.draft_of_files(files, "the request")
