"""HTTP of what is read: exports, the dictionary and its templates."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import sqlalchemy as sa

from ..core.dictionary import Dictionary, NodeType
from ..core.errors import BadRequest, NotFound
from ..core.web import VersionHandler
from . import copying, export, sheets
from .body import BLOCK_BYTES
from .documents import CONTENT_TYPES, XLSX
from .handlers import LINKS, SubmissionHandler
from .model import Model
from .opening import find_project
from .packing import Packed, Wanted, pack
from .sources import Live, Source

_TYPES = {
    "tsv": "text/tab-separated-values; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "tar.gz": "application/gzip",
    XLSX: CONTENT_TYPES[XLSX],
}


class SendingHandler(SubmissionHandler):
    """Base of handlers that send records as a file."""

    def attach(self, name: str, kind: str) -> None:
        """Say what the answer is, and what to call it."""
        self.set_header("Content-Type", _TYPES.get(kind, f"application/{kind}"))
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')

    def exportable(self, dictionary: Dictionary, label: str) -> NodeType:
        """A node type whose records can be exported.

        Raises
        ------
        BadRequest
            There is none of that name.
        """
        node = dictionary.nodes.get(label)
        if node is None or node.id == "program" or node.category == "internal":
            raise BadRequest(f"{label[:80]!r} is not a node type that can be exported.")
        return node

    async def send(self, source: Source, writer: export.Writer) -> None:
        """All records of the writer's type, a page at a time."""
        self.write(writer.head())
        last: str | None = ""
        pages = copying.Copier(source, writer) if writer.kind in export.DELIMITERS else export.Pages(source, writer)
        while last is not None:
            text, last = await self.app.database.run(_page, pages, last, self.app.export_page_rows)
            self.write(text)
            await self.flush()
        self.finish(writer.tail())

    async def send_packed(self, packed: Packed, name: str) -> None:
        """A file that was written for this answer, which is removed then."""
        with packed.file as file:
            self.attach(f"{name}.{packed.form}", packed.form)
            await self.write_blocks(iter(partial(file.read, BLOCK_BYTES), b""))
        await self.finish()


class ExportHandler(SendingHandler):
    """``/<program>/<project>/export``: by ``node_label``, or by ``ids``."""

    async def get(self, program: str, code: str) -> None:
        self.require_on(program, code, "read")
        arguments = self._arguments()
        form = export.check_format(arguments.get("format", "tsv").lower(), workbooks=True)
        without_id = _true(arguments.get("without_id"))
        if ids := arguments.get("ids"):
            wanted = self.id_list(ids)
            below, category = _true(arguments.get("with_children")), self._category(arguments)
            await self._send_packed(program, code, self._wanted("", wanted, form, without_id, below, category))
        elif label := arguments.get("node_label"):
            node = self.exportable(self.model.dictionary, label)
            if form == XLSX:
                await self._send_packed(program, code, self._wanted(node.id, (), form, without_id))
            else:
                await self._send_type(program, code, export.Writer(self.model.dictionary, node, form, without_id))
        else:
            raise BadRequest("expected either `ids` or `node_label` parameter")

    post = get

    def _arguments(self) -> dict[str, str]:
        """What is asked for, in the query or in a body."""
        sent = self.json_object() if self.request.method == "POST" and self.request.body else {}
        given = {name: _text(name, value) for name, value in sent.items() if value is not None}
        return {**given, **{name: self.get_query_argument(name) for name in self.request.query_arguments}}

    def _category(self, arguments: Mapping[str, str]) -> str:
        category = arguments.get("category", "")
        known = {node.category for node in self.model.dictionary.nodes.values()}
        if category and category not in known:
            raise BadRequest(f"category must be one of {', '.join(sorted(known))}, not {category[:40]!r}.")
        return category

    def _wanted(
        self, label: str, ids: Sequence[str], form: str, without_id: bool, below: bool = False, category: str = ""
    ) -> Wanted:
        rows, timeout_s = self.app.export_page_rows, self.app.large_timeout_s
        return Wanted(label, ids, form, without_id, below, category, rows, timeout_s)

    async def _send_type(self, program: str, code: str, writer: export.Writer) -> None:
        store = self.model.tools.store
        project = await self.app.database.run(lambda connection: find_project(store, connection, program, code))
        self.attach(f"{program}-{code}_{writer.node.id}.{writer.kind}", writer.kind)
        await self.send(Live(store.graph, project), writer)

    async def _send_packed(self, program: str, code: str, wanted: Wanted) -> None:
        # What may take long waits for its like; a few records do not.
        many = wanted.below or wanted.form == XLSX
        async with self.app.packing if many else nullcontext():
            packed = await self.app.database.run(pack, self.model.tools.store, program, code, wanted)
        await self.send_packed(packed, f"{program}-{code}_{packed.name}" if wanted.label else packed.name)


def _page(
    connection: sa.Connection, pages: copying.Copier | export.Pages, after: str, limit: int
) -> tuple[bytes, str | None]:
    """A page, all of it from one state of the database."""
    connection.execute(sa.text("set transaction isolation level repeatable read, read only"))
    return pages.page(connection, after, limit)


def _text(name: str, value: Any) -> str:
    """A value of a body as it would stand in a query."""
    if isinstance(value, bool):
        return str(value).lower()
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in texts):
        raise BadRequest(f"{name[:40]!r} must be a text, a list of texts, true or false.")
    text = ",".join(texts)
    if "\0" in text:
        raise BadRequest(f"{name[:40]!r} has NUL characters, which cannot be.")
    return text


def _true(given: str | None) -> bool:
    """Whether an argument says yes."""
    return given is not None and given.lower() in ("true", "1", "")


class DataVersionHandler(VersionHandler):
    """``/_version``, with the dictionary in force."""

    def more(self) -> dict[str, Any]:
        """Number and digest of the dictionary."""
        model: Model = self.application.settings["service"].model
        return {"dictionary": {"version": str(model.number), "commit": model.dictionary.digest}}


class DictionaryHandler(SubmissionHandler):
    """``/_dictionary``: the data model; public."""

    lenient = True

    def get(self, entry: str | None) -> None:
        self.answer(f"{LINKS}/_dictionary", entry)

    def answer(self, base: str, entry: str | None) -> None:
        """Answer the list of entries, one entry, or all."""
        document = self.model.dictionary.document
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


class TemplateHandler(SendingHandler):
    """``/template/<node>``: forms to fill; public."""

    lenient = True

    async def get(self, entry: str | None) -> None:
        form = export.check_format(self.get_query_argument("format", "tsv").lower(), workbooks=True)
        dictionary = self.model.dictionary
        if entry and entry not in dictionary.nodes:
            raise NotFound(f"Entity type {entry} is not in dictionary")
        chosen = [dictionary.nodes[entry]] if entry else self._chosen()
        name = f"submission_{entry}_template" if entry else "submission_templates"
        if form == XLSX:
            # Seconds of work for a large dictionary: nobody may ask for them without a name.
            self.require_token()
            async with self.app.packing:
                body = await asyncio.to_thread(sheets.form, dictionary, chosen)
        elif entry:
            body = export.template(dictionary, chosen[0], form)
        else:
            body = export.template_archive(dictionary, chosen, form)
            form = form if form == "json" else "tar.gz"
        self.attach(f"{name}.{form}", form if form in ("json", XLSX) else "octet-stream")
        self.finish(body)

    def _chosen(self) -> list[NodeType]:
        categories = {each for each in self.get_query_argument("categories", "").split(",") if each}
        excluded = set(self.get_query_argument("exclude", "").split(","))
        chosen = [
            node
            for node in self.model.dictionary.nodes.values()
            if "project_id" in node.properties
            and node.id not in excluded
            and (not categories or node.category in categories)
        ]
        if not chosen:
            raise NotFound("No node type is of these categories.")
        return chosen


class ProjectTemplateHandler(TemplateHandler):
    """``/<program>/<project>/template``: the same."""

    async def get(self, program: str, code: str, entry: str | None) -> None:  # type: ignore[override]
        await super().get(entry)
