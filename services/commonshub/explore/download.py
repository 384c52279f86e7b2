"""Downloads: what was asked for, and its rows in the wanted format, a chunk at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import orjson

from commonshub.core.cells import cell, table_text
from commonshub.core.errors import AuthenticationRequired, BadRequest

from .catalog import DocType, Field, Place
from .filters import All, Among, Not, Sets
from .grammar import parse
from .requests import MASKED, Count, Format, Reader, Rows, Scope
from .schema import sort_order
from .tiers import OUT_OF_SCOPE, Accessibility, Caller

CHUNK_ROWS = 2_000
CONTENT_TYPES: dict[Format, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "manifest": "application/json",
}
CHUNK_BYTES = 2**20
GUID = "object_id"
MANIFEST = (GUID, "md5sum", "file_name", "file_size")
"""What download clients of Gen3 read of a file; all but the first may be missing."""

_NO_SETS: Sets = {}

# Which parts of a nest were asked for: None for all of it.
Tree = dict[str, "Tree | None"]


@dataclass(frozen=True)
class Download:
    """A checked request.

    Parameters
    ----------
    tree
        What of a document is wanted.
    others
        Documents that the caller may not read; enough of them make the request one too wide.
    """

    rows: Rows
    tree: Tree
    format: Format
    others: Scope | None = None
    chunk_rows: int = CHUNK_ROWS

    @property
    def file_name(self) -> str:
        """What to save it as."""
        name = self.rows.scope.doc_type.name
        return f"{name}_manifest.json" if self.format == "manifest" else f"{name}.{self.format}"

    @classmethod
    def parse(
        cls, body: Mapping[str, Any], doc_types: Mapping[str, DocType], caller: Caller, sets: Sets = _NO_SETS
    ) -> "Download":
        """Check ``{"type", "fields", "filter", "sort", "format", "accessibility"}``.

        Raises
        ------
        BadRequest
            Names what is wrong.
        AuthenticationRequired
            Only documents of others are asked for.
        """
        name = body.get("type")
        doc_type = doc_types.get(name) if isinstance(name, str) else None
        if doc_type is None:
            raise BadRequest(f"Invalid type: {name!r}. This commons has {', '.join(doc_types)}.")
        format_: Format = body.get("format") or "json"
        if format_ not in get_args(Format):
            raise BadRequest(f"Invalid format: {format_!r}. Choose one of {', '.join(get_args(Format))}.")
        accessibility: Accessibility = body.get("accessibility") or "all"
        if accessibility not in get_args(Accessibility):
            raise BadRequest("Invalid accessibility: choose all, accessible or unaccessible.")
        tree = _tree(body.get("fields"), doc_type) if format_ != "manifest" else _manifest(doc_type)
        if format_ == "parquet" and any(branch is not None for branch in tree.values()):
            raise BadRequest("Invalid fields: a Parquet file has nested fields whole.")
        rights, others = caller.row_rights(doc_type.name, accessibility)
        filter = parse(body.get("filter"), doc_type, caller.links(doc_types), sets)
        if format_ == "manifest":
            filter = All((filter, Not(Among(Place((), Field(GUID, "string")), (), missing=True))))
        scope = Scope(doc_type, rights, filter)
        rows = Rows(scope, tuple(tree), sort_order(body.get("sort"), doc_type))
        return cls(rows, tree, format_, replace(scope, rights=others) if others else None)

    def check(self, reader: Reader) -> None:
        """Raise :class:`AuthenticationRequired` where documents of others are too many to leave out unsaid."""
        if self.others and reader.answer([Count(self.others)]) != [MASKED]:
            raise AuthenticationRequired(OUT_OF_SCOPE)


def _tree(fields: Any, doc_type: DocType) -> Tree:
    if fields is None or fields == []:
        return dict.fromkeys(doc_type.names)
    if not isinstance(fields, list) or not all(isinstance(each, str) for each in fields):
        raise BadRequest("fields must be a list of field names.")
    unknown = [path for path in fields if doc_type.find(path) is None and doc_type.inside(path.split(".")) is None]
    if unknown:
        raise BadRequest("Invalid fields: " + ", ".join(f'"{path}"' for path in unknown))
    tree: Tree = {}
    for path in fields:
        branch: Tree | None = tree
        *nests, name = path.split(".")
        for nest in nests:
            branch = branch.setdefault(nest, {}) if branch is not None else None
        if branch is not None:
            branch[name] = None
    return tree


def _manifest(doc_type: DocType) -> Tree:
    if doc_type.field(GUID) is None:
        raise BadRequest(f"Invalid format: {doc_type.name} has no {GUID}, so there is no manifest of it.")
    return dict.fromkeys(name for name in MANIFEST if doc_type.field(name))


def encode(reader: Reader, wanted: Download) -> Iterator[bytes]:
    """The rows in the wanted format."""
    if wanted.format == "parquet":
        with reader.parquet(wanted.rows) as file:
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")
        return
    chunks = reader.scan(wanted.rows, wanted.chunk_rows)
    partial = {name: branch for name, branch in wanted.tree.items() if branch is not None}
    trimmed = ([_trim_row(row, partial) for row in rows] if partial else rows for rows in chunks)
    if wanted.format in ("json", "manifest"):
        yield from _json(trimmed)
    elif wanted.format == "ndjson":
        yield from (b"".join(orjson.dumps(row) + b"\n" for row in rows) for rows in trimmed)
    else:
        yield from _table(trimmed, list(wanted.tree), "," if wanted.format == "csv" else "\t")


def _trim_row(row: dict[str, Any], partial: Mapping[str, Tree]) -> dict[str, Any]:
    for name, branch in partial.items():
        row[name] = _trim(row[name], branch)
    return row


def _trim(elements: list[dict[str, Any]], tree: Tree) -> list[dict[str, Any]]:
    return [
        {name: element[name] if branch is None else _trim(element[name], branch) for name, branch in tree.items()}
        for element in elements
    ]


def _json(chunks: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    separator = b"["
    for rows in chunks:
        yield separator + orjson.dumps(rows)[1:-1]
        separator = b","
    yield b"]" if separator == b"," else b"[]"


def _table(chunks: Iterator[list[dict[str, Any]]], names: list[str], delimiter: str) -> Iterator[bytes]:
    yield table_text([names], delimiter).encode()
    for rows in chunks:
        yield table_text(([_cell(row[name]) for name in names] for row in rows), delimiter).encode()


def _cell(value: Any) -> Any:
    """A table's cell: objects in a list are JSON."""
    if isinstance(value, list):
        return orjson.dumps(value).decode() if any(isinstance(each, dict) for each in value) else cell(value)
    return value
