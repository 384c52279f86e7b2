"""HTTP of what is read: exports, manifests, the dictionary and its templates."""

from typing import Any

import orjson

from ..core.dictionary import Dictionary, NodeType
from ..core.errors import BadRequest, NotFound
from ..core.web import VersionHandler
from . import export
from .handlers import LINKS, SubmissionHandler
from .model import Model
from .sources import Live, Source
from .transaction import find_project

_TYPES = {
    "tsv": "text/tab-separated-values; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
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
        last, limit = "", self.app.export_page_rows
        while True:
            rows = await self.app.database.run(export.page, source, writer.node, last, limit)
            self.write(writer.rows(rows))
            await self.flush()
            if len(rows) < limit:
                break
            last = rows[-1].id
        self.finish(writer.tail())


class ExportHandler(SendingHandler):
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
        node = self.exportable(self.model.dictionary, label)
        store = self.model.tools.store
        project = await self.app.database.run(lambda connection: find_project(store, connection, program, code))
        writer = export.Writer(self.model.dictionary, node, kind, self.boolean("without_id"))
        self.attach(f"{program}-{code}_{label}.{kind}", kind)
        await self.send(Live(store.graph, project), writer)

    async def _export_ids(self, program: str, code: str, text: str, kind: str) -> None:
        ids = self.id_list(text)
        _, rows = await self.app.database.run(export.rows_by_type, self.model.tools.store, program, code, ids)
        if not any(rows.values()):
            raise NotFound(f"Unable to find {', '.join(ids[:20])}")
        dictionary, without_id = self.model.dictionary, self.boolean("without_id")
        writers = {each: export.Writer(dictionary, dictionary.nodes[each], kind, without_id) for each in rows}
        if kind == "json":
            documents = {each: [writer.document(row) for row in rows[each]] for each, writer in writers.items()}
            self.attach("export.json", kind)
            self.finish(orjson.dumps(next(iter(documents.values())) if len(documents) == 1 else documents))
            return
        tables = {each: writer.head() + writer.rows(rows[each]) for each, writer in writers.items()}
        if len(tables) == 1:
            [(label, table)] = tables.items()
            self.attach(f"{label}.{kind}", kind)
            self.finish(table)
        else:
            self.attach("export.tar.gz", "gzip")
            self.finish(export.archive({f"{label}.{kind}": table for label, table in tables.items()}))


class ManifestHandler(ExportHandler):
    """``/<program>/<project>/manifest``: file records as the upload tools read them."""

    async def get(self, program: str, code: str) -> None:
        self.require_on(program, code, "read")
        import yaml

        text = self.get_query_argument("ids", "")
        if not text:
            raise BadRequest("Please provide valid ids")
        _, rows = await self.app.database.run(
            export.rows_by_type, self.model.tools.store, program, code, self.id_list(text)
        )
        nodes = self.model.dictionary.nodes
        files = [
            {"local_file_path": row.properties.get("file_name"), "id": row.id, "type": kind, **row.properties}
            for kind, those in rows.items()
            if nodes[kind].is_file
            for row in those
        ]
        self.set_header("Content-Type", "text/yaml; charset=utf-8")
        self.finish(yaml.safe_dump({"files": files}, sort_keys=False, allow_unicode=True))


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


class TemplateHandler(SubmissionHandler):
    """``/template/<node>``: forms to fill; public."""

    lenient = True

    def get(self, entry: str | None) -> None:
        kind = export.check_format(self.get_query_argument("format", "tsv").lower())
        dictionary = self.model.dictionary
        if entry:
            if entry not in dictionary.nodes:
                raise NotFound(f"Entity type {entry} is not in dictionary")
            body, name = (
                export.template(dictionary, dictionary.nodes[entry], kind),
                f"submission_{entry}_template.{kind}",
            )
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
            for node in self.model.dictionary.nodes.values()
            if "project_id" in node.properties
            and node.id not in excluded
            and (not categories or node.category in categories)
        ]
        return export.template_archive(self.model.dictionary, chosen, kind)


class ProjectTemplateHandler(TemplateHandler):
    """``/<program>/<project>/template``: the same."""

    def get(self, program: str, code: str, entry: str | None) -> None:  # type: ignore[override]
        super().get(entry)
