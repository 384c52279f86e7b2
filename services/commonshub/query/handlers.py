"""HTTP of the query service, in Peregrine's forms: errors are texts, and any error makes the status 400."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import orjson
from tornado.iostream import StreamClosedError

from commonshub.core.administrators import require_administrator
from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, NotFound, Unavailable
from commonshub.core.web import BaseHandler

from . import coremetadata, datasets, packing, requests, store
from .answers import Answers
from .document import Invalid
from .formats import BLOCK_BYTES, CONTENT_TYPES, JSON, encode
from .planner import Plan
from .scope import Scope, scope_of
from .sql import Tables
from .streaming import Gone, Rows, Stream, Write, document, parted
from .table import Row, Table

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
    """``GET`` and ``POST /api/v0/submission/graphql``."""

    @cached_property
    def _gone(self) -> Event:
        """Set once the connection is closed."""
        return Event()

    async def get(self) -> None:
        scope, explained = self.scope(), self._explained()
        given = {key: self.get_query_argument(key) for key in self.request.query_arguments}
        # What somebody may read is nobody else's to keep.
        self.set_header("Cache-Control", "private, no-store")
        await self._respond(requests.read(given), scope, explained)

    async def post(self) -> None:
        scope, explained, body = self.scope(), self._explained(), self.json()
        if isinstance(body, list):
            if explained:
                raise BadRequest("explain tells of one query; send it by itself.")
            await self._post_batch(requests.read_batch(body, self.service.max_batch), scope)
            return
        await self._respond(self._read(body), scope, explained)

    def _read(self, body: Any) -> requests.Asked:
        """A query of a body; the address may say what it is read from and what it becomes."""
        return requests.read(body, *(self.get_query_argument(name, None) for name in ("release", "format")))

    async def _respond(self, asked: requests.Asked, scope: Scope, explained: bool) -> None:
        if asked.form == JSON:
            await self._answer(await self._plan(asked, scope, by_rows=not explained), explained)
        elif explained:
            raise BadRequest("explain tells of a query whose answer is JSON; leave out format.")
        else:
            await self._answer_table(asked, scope)

    async def _post_batch(self, entries: Sequence[Mapping[str, Any]], scope: Scope) -> None:
        """Answer several queries from one state of the database; what is wrong with one is no matter to the others."""
        planned: list[Plan | CommonsError] = []
        for entry in entries:
            try:
                planned.append(await self._plan(_json_only(self._read(entry)), scope))
            except CommonsError as error:
                planned.append(error)
        plans = [each for each in planned if isinstance(each, Plan)]
        data = iter(await self._data(plans))
        told = [
            _told(next(data), each.errors) if isinstance(each, Plan) else orjson.dumps(self.error_body(each))
            for each in planned
        ]
        self.finish(b"[" + b",".join(told) + b"]")

    async def _plan(self, asked: requests.Asked, scope: Scope, *, by_rows: bool = False) -> Plan:
        answers, scope, tables = await self._source(asked, scope)
        # Parsing and planning can take a while for a large query, and must not hold up the others.
        plan = partial(answers.plan, asked.text, asked.variables, asked.name, scope, tables, by_rows=by_rows)
        return await asyncio.to_thread(plan)

    async def _source(self, asked: requests.Asked, scope: Scope) -> tuple[Answers, Scope, Tables | None]:
        """What a query is about: the graph as it is now, or a release."""
        if asked.release is None:
            return self.service.answers, scope, None
        # Nothing but the release can be read from its tables, and the caller may read all of that.
        answers, tables = await self.service.shelf.find(asked.release, scope, self.service.answers)
        return answers, Scope(everything=True), tables

    async def _data(self, plans: Sequence[Plan]) -> list[bytes]:
        if all(plan.statement is None for plan in plans):
            return [plan.render(()) for plan in plans]
        return await self.service.database.run(store.answers, plans)

    def _explained(self) -> bool:
        """Whether to tell how the answer is found, which says much of what the database holds.

        Raises
        ------
        PermissionDenied
            The caller is no administrator.
        """
        if self.get_query_argument("explain", "0") in ("0", "false"):
            return False
        require_administrator(self.service.policy, self.identity)
        return True

    async def _answer(self, plan: Plan, explained: bool) -> None:
        self.set_status(400 if plan.errors else 200)
        if plan.listed:
            # Who has gone away is told nothing.
            with suppress(StreamClosedError):
                await self._stream(plan, partial(document, plan))
            return
        (data,) = await self._data([plan])
        found = await self.service.database.run(store.explain, plan) if explained else None
        self.finish(_told(data, plan.errors, found))

    async def _answer_table(self, asked: requests.Asked, scope: Scope) -> None:
        """Answer with a table, or, where a root field is at fault, with that alone: a table has no place to tell it.

        Raises
        ------
        Invalid
            A root field is at fault.
        """
        answers, scope, tables = await self._source(asked, scope)
        table = await asyncio.to_thread(answers.table, asked.text, asked.variables, asked.name)
        plan = await asyncio.to_thread(
            answers.plan, asked.text, asked.variables, asked.name, scope, tables, by_rows=True
        )
        if plan.errors:
            raise Invalid(list(plan.errors))
        self.set_header("Content-Type", CONTENT_TYPES[asked.form])
        self.set_header("Content-Disposition", f'attachment; filename="{table.name}.{asked.form}"')
        # Who has gone away is told nothing.
        with suppress(StreamClosedError, Gone):
            if asked.form == "parquet":
                await self._send_parquet(plan, table)
            elif plan.listed:
                await self._stream(plan, lambda rows: encode(table, _rows(plan, table, rows), asked.form))
            else:
                (data,) = await self._data([plan])
                written = encode(table, table.rows(orjson.loads(data)), asked.form)
                await self.finish(await asyncio.to_thread(b"".join, written))

    async def _send_parquet(self, plan: Plan, table: Table) -> None:
        """Send a file that is written for this answer; so many at a time, while others wait."""
        service = self.service
        async with service.packing:
            with TemporaryDirectory(prefix="commonshub-table-") as folder:
                write = partial(
                    packing.write, table.columns, folder=Path(folder), gone=self._gone, most_s=service.max_stream_s
                )
                if plan.listed:
                    file = await service.database.run(
                        lambda connection: write(_rows(plan, table, store.items(connection, plan)))
                    )
                else:
                    (data,) = await self._data([plan])
                    file = await asyncio.to_thread(write, table.rows(orjson.loads(data)))
                self.set_header("Content-Length", str(file.stat().st_size))
                with file.open("rb") as opened:
                    await self.write_blocks(iter(partial(opened.read, BLOCK_BYTES), b""))
                await self.finish()

    def on_connection_close(self) -> None:
        """Stop working on what nobody waits for."""
        self._gone.set()
        super().on_connection_close()

    async def _stream(self, plan: Plan, write: Write) -> None:
        """Send long lists while they are read; what turns out to be short goes out as a whole.

        Raises
        ------
        Unavailable
            Others are being sent long lists: those who read slowly must not take all connections to the database.
        """
        service, last, sending = self.service, b"", False
        async with AsyncExitStack() as held:
            stream = Stream(service.database, plan, write, service.max_stream_s)
            async for block in await held.enter_async_context(aclosing(stream.blocks())):
                if len(last) >= BLOCK_BYTES:
                    if not sending and service.streams.locked():
                        raise Unavailable("Too many long lists are being sent; try again, or page this one with first.")
                    if not sending:
                        await held.enter_async_context(service.streams)
                        sending = True
                    self.write(last)
                    await self.flush()
                    last = b""
                last += block
            await self.finish(last)

    def error_body(self, error: CommonsError) -> Any:
        """``{"data": null, "errors": [text, …]}``; also ``message``, which Gen3's clients print, and where it is."""
        told = error.errors if isinstance(error, Invalid) else [error.message]
        body: dict[str, Any] = {"data": None, "errors": told, "message": error.message}
        if isinstance(error, Invalid) and any(error.places):
            body["places"] = [each and {"line": each[0], "column": each[1]} for each in error.places]
        return body

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A fault of the query is a 400 whatever its kind; Gen3's clients know no other."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, CommonsError) and error.status == 413:
            error.status = 400
        super().write_error(status_code, **kwargs)


def _json_only(asked: requests.Asked) -> requests.Asked:
    if asked.form != JSON:
        raise BadRequest("A batch is answered in JSON; send a query by itself for a table.")
    return asked


def _rows(plan: Plan, table: Table, rows: Rows) -> Iterator[Row]:
    """The rows of a table whose list comes item by item; they are taken from the database as they are needed."""
    row, items = parted(plan, rows)
    data: dict[str, Any] = orjson.loads(plan.render(row))
    holder, (*way, key) = data, table.root.list
    for each in way:
        holder = holder[each]
    holder[key] = (orjson.loads(item or "null") for _, item in items)
    return table.rows(data)


def _told(data: bytes, errors: Sequence[str], explained: Mapping[str, Any] | None = None) -> bytes:
    more = [(b"errors", errors), (b"explain", explained)]
    return b'{"data":' + data + b"".join(b',"%b":%b' % (key, orjson.dumps(each)) for key, each in more if each) + b"}"


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


class CoreMetadataHandler(QueryHandler):
    """``GET /coremetadata/<object id>``: what a file is, as JSON, BibTeX or JSON-LD of schema.org."""

    async def get(self, object_id: str) -> None:
        scope, answers = self.scope(), self.service.answers
        file = await self._file(answers, scope, object_id)
        if file is None:
            raise NotFound(f'object_id "{object_id[:300]}" not found')
        found = coremetadata.merged(file)
        self.set_header("Vary", "Accept")
        # What somebody may read is nobody else's to keep.
        self.set_header("Cache-Control", "private, no-store")
        match self._form():
            case "bibtex":
                self.set_header("Content-Type", "application/x-bibtex; charset=utf-8")
                self.finish(coremetadata.bibtex(found))
            case "schemaorg":
                self.set_header("Content-Type", "application/vnd.schemaorg.ld+json")
                address = f"{self.service.commons.origin}/index/{quote(object_id)}"
                self.finish(orjson.dumps(coremetadata.schemaorg(found, address)))
            case _:
                self.reply(coremetadata.shown(found))

    async def _file(self, answers: Answers, scope: Scope, object_id: str) -> Mapping[str, Any] | None:
        query = coremetadata.query(answers.dictionary)
        if query is None:
            return None
        plan = await asyncio.to_thread(answers.plan, query, {"id": object_id}, None, scope)
        [data] = await self.service.database.run(store.answers, [plan])
        # A list is null where PostgreSQL cannot hold the id.
        return next((file for files in orjson.loads(data).values() for file in files or ()), None)

    def _form(self) -> str | None:
        """The first form of the ``Accept`` header that there is."""
        accepted = (
            each.partition(";")[0].strip().lower() for each in self.request.headers.get("Accept", "").split(",")
        )
        return next((_FORMS[each] for each in accepted if each in _FORMS), None)


_FORMS = {
    "application/json": "json",
    "x-bibtex": "bibtex",
    "application/x-bibtex": "bibtex",
    "application/vnd.schemaorg.ld+json": "schemaorg",
    "application/ld+json": "schemaorg",
}
