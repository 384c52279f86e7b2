"""HTTP of upload manifests, and of what Gen3 had for files before there were presigned URLs."""

import asyncio
from typing import Any

import orjson

from ..core import located
from ..core.errors import BadRequest, NotFound, Unsupported
from . import export
from .handlers import SubmissionHandler

MAX_FAULTS = 1000
"""Faults of a manifest that are told at most."""
_MAX_FAULT_CHARS = 300
_UUID = "^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$"
_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "pattern": _UUID},
                    "file_name": _TEXT,
                    "local_file_path": _TEXT,
                    "file_size": {"type": "integer"},
                    "md5sum": {"type": "string", "pattern": "^[a-f0-9]{32}$"},
                    "type": _TEXT,
                    "project_id": _TEXT,
                },
                "required": ["id", "project_id"],
                "anyOf": [{"required": ["file_name"]}, {"required": ["local_file_path"]}],
            },
        }
    },
}
"""What Gen3 asks of a manifest."""


class ManifestHandler(SubmissionHandler):
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
        if not rows:
            raise NotFound(f"Unable to find {text[:200]}")
        if strange := [f"{kind} {row.id}" for kind, those in rows.items() for row in those if not nodes[kind].is_file]:
            raise BadRequest(f"Only files have a manifest, not {', '.join(strange[:20])}.")
        files = [
            {"local_file_path": row.properties.get("file_name"), "id": row.id, "type": kind, **row.properties}
            for kind, those in rows.items()
            for row in those
        ]
        self.set_header("Content-Type", "text/yaml; charset=utf-8")
        self.finish(yaml.safe_dump({"files": files}, sort_keys=False, allow_unicode=True))


class ValidationHandler(SubmissionHandler):
    """``/validation/upload_manifest``: whether a manifest, as JSON or YAML, can be used."""

    async def post(self) -> None:
        self.require_token()
        faults = await asyncio.to_thread(faults_of, self.request.body)
        self.reply({"valid": not faults, "errors": faults})


def faults_of(body: bytes) -> list[str]:
    """What is wrong with a manifest, each fault with its place.

    Raises
    ------
    BadRequest
        It is neither JSON nor YAML.
    """
    from jsonschema_rs import Draft4Validator

    found = []
    for error in Draft4Validator(SCHEMA).iter_errors(_data(body)):
        place = located.show(list(error.instance_path))
        message = error.message if len(error.message) <= _MAX_FAULT_CHARS else f"{error.message[:_MAX_FAULT_CHARS]}…"
        found.append(f"{place}: {message}" if place else message)
        if len(found) == MAX_FAULTS:
            break
    return found


def _data(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        document = located.read(body.decode())
    except UnicodeDecodeError as error:
        raise BadRequest(f"The manifest is not UTF-8: byte {error.start}.") from error
    if document.faults:
        raise BadRequest(f"The manifest is neither JSON nor YAML: {document.faults[0]}")
    return document.data


class FilesHandler(SubmissionHandler):
    """``/<program>/<project>/files/<id>``: Gen3's old way to upload, through the service itself."""

    def left_out(self, *_: str) -> None:
        """Say what there is instead."""
        self.require_token()
        raise Unsupported(
            "Files do not pass through this service: ask POST /user/data/upload for a URL, and submit the record with "
            "the object_id that comes with it."
        )

    get = put = post = delete = left_out


class XmlHandler(SubmissionHandler):
    """``/<program>/<project>/xml/…/bcr``: XML of the TCGA's biospecimen core resource."""

    def left_out(self, *_: str) -> None:
        """Say what there is instead."""
        self.require_token()
        raise Unsupported("XML of the TCGA is not read; submit JSON, TSV, CSV or a workbook.")

    put = post = left_out
