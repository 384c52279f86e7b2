"""HTTP of releases: freezing a project, and reading what was frozen."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
import sqlalchemy as sa

from ..core.errors import BadRequest, NotFound
from ..core.releases import Release
from . import diff, export
from .body import Body
from .documents import JSON, XLSX, Records
from .freezing import FREEZE, Words, freeze
from .handlers import SubmissionHandler
from .jobs import Task
from .opening import find_project
from .packing import Packed, Wanted, pack_blocks, pack_type
from .readers import SendingHandler
from .request import Submission
from .sources import Frozen, Live, Source

CURRENT = "current"
"""What a diff calls the project as it is now."""
MAX_NAME_CHARS = 200
MAX_NOTES_CHARS = 10_000


class ReleasesHandler(SubmissionHandler):
    """``/<program>/<project>/releases``: which there are, and freezing another one."""

    async def get(self, program: str, code: str) -> None:
        self.require_on(program, code, "read")
        await self.app.database.run(partial(find_project, self.model.tools.store), program, code)
        found = await self.app.database.run(self.app.releases.of_project, program, code)
        self.reply({"releases": [each.document() for each in found]})

    async def post(self, program: str, code: str) -> None:
        self.require_on(program, code, "release")
        words, store = self._words(), self.model.tools.store
        await self.app.database.run(partial(find_project, store), program, code)
        username, body = self.identity.username or self.identity.client, Body.of(orjson.dumps(words.document()))
        submission = Submission(program, code, Records([]), FREEZE, False, username, body, name=words.name or None)
        task = Task(partial(freeze, releases=self.app.releases, words=words), snapshot=True)
        work = await self.app.jobs.accept(submission, self.model, JSON, detached=False, task=task)
        if self.boolean("async"):
            self.reply({"code": 202, "message": "The project is being frozen.", "transaction_id": work.number}, 202)
            return
        # A client that goes away does not take the work with it.
        outcome = await asyncio.shield(work.task)
        self.reply({**outcome.extra["release"], "transaction_id": work.number}, outcome.code)

    def _words(self) -> Words:
        given = self.json_object() if self.request.body else {}
        if unknown := given.keys() - {"name", "notes"}:
            raise BadRequest(f"A release has a name and notes, and no {min(unknown)[:40]!r}.")
        name = _text(given, "name", MAX_NAME_CHARS)
        return Words(name, _text(given, "notes", MAX_NOTES_CHARS))


def _text(given: dict[str, Any], key: str, most: int) -> str:
    value = given.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or "\0" in value:
        raise BadRequest(f"{key} must be a text of at most {most} characters, without NUL.")
    return value


class ReleaseHandler(SendingHandler):
    """``/<program>/<project>/releases/<id>``: what is known of a release."""

    async def get(self, program: str, code: str, id_: str) -> None:
        self.reply((await self.find(program, code, id_)).document())

    async def find(self, program: str, code: str, id_: str) -> Release:
        """A release of a project that the caller may read.

        Raises
        ------
        NotFound
            The project has no such release.
        """
        self.require_on(program, code, "read")
        found = await self.app.database.run(self.app.releases.find, id_)
        if found is None or (found.program, found.project) != (program, code):
            raise NotFound(f"Project {code} has no release {id_[:300]!r}.")
        return found

    async def source(self, release: Release) -> Source:
        """The records of a release, by the dictionary of its time."""
        current = self.model.dictionary
        earlier = None if release.dictionary == current.digest else await self.app.archive.find(release.dictionary)
        return Frozen(earlier or current, self.app.releases, release)


class ReleaseExportHandler(ReleaseHandler):
    """``/<program>/<project>/releases/<id>/export``: by ``node_label``."""

    async def get(self, program: str, code: str, id_: str) -> None:
        release = await self.find(program, code, id_)
        kind = export.check_format(self.get_query_argument("format", "tsv").lower(), workbooks=True)
        label, source = self.get_query_argument("node_label"), await self.source(release)
        node = self.exportable(source.dictionary, label)
        without_id, name = self.boolean("without_id"), f"{id_}_{label}"
        if kind == XLSX:
            wanted = Wanted(
                node.id, (), kind, without_id, below=False, category="", page_rows=self.app.export_page_rows
            )
            async with self.app.packing:
                packed = await self.app.database.run(pack_type, source, wanted)
            await self.send_packed(packed, name)
        else:
            self.attach(f"{name}.{kind}", kind)
            await self.send(source, export.Writer(source.dictionary, node, kind, without_id, whole=True))


class ReleaseDiffHandler(ReleaseHandler):
    """``/<program>/<project>/releases/<id>/diff``: what is other in another release, or by now."""

    async def get(self, program: str, code: str, id_: str) -> None:
        release = await self.find(program, code, id_)
        to, kind = self.get_query_argument("to", CURRENT), self.get_query_argument("format", "json").lower()
        if kind not in ("json", "tsv"):
            raise BadRequest(f"format must be one of json, tsv, not {kind[:40]!r}.")
        old = await self.source(release)
        new = None if to == CURRENT else await self.source(await self.find(program, code, to))
        told = diff.Report(id_, to, kind, summary=self.boolean("summary"))
        async with self.app.packing:
            packed = await self.app.database.run(self._compare, old, new, told)
        await self.send_packed(packed, f"{id_}_{to}")

    def _compare(self, connection: sa.Connection, old: Source, new: Source | None, told: diff.Report) -> Packed:
        """Write all that differs: a client that reads slowly holds neither a connection nor a snapshot."""
        connection.execute(sa.text("set transaction isolation level repeatable read, read only"))
        if new is None:
            store, (program, code, _) = self.model.tools.store, self.path_args
            new = Live(store.graph, find_project(store, connection, program, code))
        blocks = diff.report(connection, old, new, self._labels(old, new), told)
        return pack_blocks(blocks, "diff", told.kind)

    def _labels(self, old: Source, new: Source) -> Sequence[str]:
        label, known = self.get_query_argument("node_label", None), diff.types(old, new)
        if label is not None and label not in known:
            raise BadRequest(f"{label[:80]!r} is not a node type whose records belong to projects.")
        return known if label is None else [label]
