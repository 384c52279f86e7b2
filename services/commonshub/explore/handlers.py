"""HTTP of the explorer, in Guppy's dialect."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from tornado.iostream import StreamClosedError

from commonshub.core.errors import AuthenticationRequired, NotFound, TooLarge, Unavailable
from commonshub.core.policy import Request
from commonshub.core.web import BaseHandler, StatusHandler

from .catalog import load
from .filters import Sets
from .setstore import SetStore, named
from .setstore import load as load_sets
from .tiers import Caller

if TYPE_CHECKING:
    from .app import ExploreApp
    from .shelf import OpenIndex

REFRESHING = Request("guppy", "admin_access", "/guppy_admin")


class ExploreHandler(BaseHandler):
    """Base of the handlers that read the index."""

    @property
    def explore(self) -> "ExploreApp":
        """The application, as what it is."""
        return cast("ExploreApp", self.service)

    def prepare(self) -> Awaitable[None] | None:
        """Refuse bodies that would take long to read, after finding out who asks."""
        waiting = super().prepare()
        if len(self.request.body) > (limit := self.explore.settings.max_query_bytes):
            raise TooLarge(f"The request is larger than {limit} bytes (ExploreSettings.max_query_bytes).")
        return waiting

    async def index(self) -> "OpenIndex":
        """The index to use for this request."""
        shelf = self.explore.shelf
        return found if (found := shelf.ready) else await self.explore.query(shelf.current)

    def caller(self, index: "OpenIndex") -> Caller:
        """What the caller may learn of it."""
        return self.explore.caller(self.identity, index.reader.run.paths if index.reader else frozenset())

    async def saved(self, *texts: str) -> Sets:
        """The caller's saved sets that are named in what was sent."""
        ids, account = named(*texts), self.identity.account
        if not ids or account is None:
            return {}
        return await self.explore.database.read(load_sets, self.explore.schema, account, sorted(ids))


class GraphqlHandler(ExploreHandler):
    """``POST /guppy/graphql``."""

    async def post(self) -> None:
        body = self.json_object()
        index = await self.index()
        asked = index.endpoint.read(body, self.caller(index))
        sets = await self.saved(asked.query, asked.variables.decode())
        asked = replace(asked, sets=sets, set_ids=frozenset(sets))
        if asked.personal:
            keeper = SetStore(self.explore.database, self.explore.settings, self.identity)
            answer: tuple[int, bytes] | None = await self.explore.query(index.endpoint.answer, asked, keeper)
        else:
            answer = index.endpoint.known(asked)
        if answer is None:
            answer = await self.explore.once(
                (index.run, asked), lambda: self.explore.query(index.endpoint.answer, asked)
            )
        status, document = answer
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(document)


class DownloadHandler(ExploreHandler):
    """``POST /guppy/download``: all rows of a document type, streamed."""

    async def post(self) -> None:
        from .download import CONTENT_TYPES, Download, encode

        body = self.json_object()
        index = await self.index()
        if index.reader is None:
            raise NotFound("This commons has no explorer index yet: it is built a few seconds after a submission.")
        sets = await self.saved(self.request.body.decode())
        # A filter of many values takes a while to be read.
        wanted = await self.explore.query(Download.parse, body, index.reader.run.doc_types, self.caller(index), sets)
        await self.explore.query(wanted.check, index.reader)
        self.set_header("Content-Type", CONTENT_TYPES[wanted.format])
        self.set_header("Content-Disposition", f'attachment; filename="{wanted.file_name}"')
        if self.explore.downloads.locked():
            raise Unavailable("Too many downloads are being sent; try again (ExploreSettings.downloads_at_once).")
        async with self.explore.downloads:
            # Who has gone away is told nothing.
            with suppress(StreamClosedError):
                await self._send(encode(index.reader, wanted))

    async def _send(self, chunks: Iterator[bytes]) -> None:
        """Send chunks as fast as the client takes them: what is not sent yet holds memory of all queries."""
        most_s = self.explore.settings.max_download_s
        loop = asyncio.get_running_loop()
        end = loop.time() + most_s
        try:
            while (chunk := await self.explore.download(next, chunks, None)) is not None:
                self.write(chunk)
                async with asyncio.timeout_at(end):
                    await self.flush()
        except TimeoutError as error:
            raise Unavailable(f"The download was not read within {most_s:g} s.") from error
        finally:
            await self.explore.download(_close, chunks)
        await self.finish()


def _close(chunks: Iterator[bytes]) -> None:
    chunks.close()  # type: ignore[attr-defined]


class RefreshHandler(ExploreHandler):
    """``POST /guppy/_refresh``: look for a new run at once. Runs are followed by themselves; Gen3's scripts ask all the
    same."""

    async def post(self) -> None:
        if not self.explore.settings.allow_refresh:
            raise NotFound("_refresh is off here (ExploreSettings.allow_refresh): new runs are followed by themselves.")
        self.require_user()
        if not self.explore.policy.allows(self.identity, REFRESHING):
            raise AuthenticationRequired("You may not refresh the explorer.")
        await self.explore.find_active()
        self.reply({"message": "success"})


class GuppyStatusHandler(StatusHandler):
    """``GET /guppy/_status``: the indices, and which of their fields are lists."""

    async def get(self) -> None:
        app = cast("ExploreApp", self.service)
        await app.check_health()
        indices: dict[str, Any] = {}
        if app.active:
            for doc_type in load(app.active.catalog).values():
                indices[f"{doc_type.index}_{app.active.id}"] = {"aliases": {doc_type.index: {}}}
                lists = [place.path for place in doc_type.places() if place.field.array]
                indices[doc_type.index] = {"arrayFields": [*lists, *(nest.name for nest in doc_type.nests)]}
        warnings = [] if app.active else ["This commons has no explorer index yet."]
        self.reply({"statusCode": 200, "warnings": warnings, "indices": indices})
