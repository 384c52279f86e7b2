"""Templates and exports: a node type as the columns of a table, and records as its rows.

An export can be sent back as it is: columns are those of the template, and links are given by key.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ..core.cells import cell, table_text
from ..core.dictionary import Dictionary, NodeType
from ..core.errors import BadRequest
from .entity import Project
from .opening import find_project
from .sources import Live, Source
from .store import Store

DELIMITERS = {"tsv": "\t", "csv": ","}
FORMATS = ("tsv", "csv", "json")


@dataclass(frozen=True)
class Row:
    """One record with the targets of its links: ``{"node_id", "submitter_id" or "code"}`` each."""

    id: str
    properties: Mapping[str, Any]
    links: Mapping[str, Sequence[Mapping[str, Any]]]


def check_format(text: str, *, workbooks: bool = False) -> str:
    """A format by name.

    Parameters
    ----------
    workbooks
        Whether it may be ``xlsx``.

    Raises
    ------
    BadRequest
        There is no such format.
    """
    known = [*FORMATS, "xlsx"] if workbooks else FORMATS
    if text not in known:
        raise BadRequest(f"format must be one of {', '.join(known)}, not {text[:40]!r}.")
    return text


def target_key(dictionary: Dictionary, target: str) -> str:
    """The key by which a link names a target of this type."""
    for keys in dictionary.nodes[target].unique_keys:
        if "submitter_id" in keys:
            return "submitter_id"
        if len(keys) == 1:
            return keys[0]
    return "submitter_id"


def columns(dictionary: Dictionary, node: NodeType, with_id: bool = False) -> list[str]:
    """Columns of a node type: type, keys, links, required and optional properties."""
    keys = sorted({key for each in node.unique_keys for key in each})
    links = sorted(link.name for link in node.links)
    rest = [name for name in node.properties if name not in {"type", "id", *keys}]
    visible = [name for name in rest if name not in node.system]
    required = sorted(name for name in visible if name in node.required)
    optional = sorted(name for name in visible if name not in node.required)
    found = ["type", *(["id"] if with_id else []), *keys]
    for name in links:
        key = target_key(dictionary, node.links_by_name[name].target)
        found += [f"{name}.id", f"{name}.{key}"] if with_id else [f"{name}.{key}"]
    return [*found, *required, *optional]


def marked_columns(dictionary: Dictionary, node: NodeType) -> list[str]:
    """Columns of a form to fill; what is required carries a ``*``."""
    marked = [("*" if name.partition(".")[0] in node.required else "") + name for name in columns(dictionary, node)]
    return [*marked, "urls"] if node.category == "data_file" else marked


def template(dictionary: Dictionary, node: NodeType, kind: str) -> bytes:
    """An empty form for records of a type, as TSV, CSV or JSON."""
    marked = marked_columns(dictionary, node)
    if kind == "json":
        form: dict[str, Any] = {}
        for name in marked:
            first, dot, key = name.partition(".")
            form[first] = {key: None} if dot else node.id if first.lstrip("*") == "type" else None
        return orjson.dumps(form, option=orjson.OPT_INDENT_2)
    example = [node.id if name.lstrip("*") == "type" else "" for name in marked]
    return _table([marked, example], DELIMITERS[kind])


def template_archive(dictionary: Dictionary, nodes: Iterable[NodeType], kind: str) -> bytes:
    """The templates of several node types as a ``.tar.gz``, or as one JSON list."""
    if kind == "json":
        return b"[" + b",".join(template(dictionary, node, kind) for node in nodes) + b"]"
    return archive({f"{node.id}.{kind}": template(dictionary, node, kind) for node in nodes})


def archive(files: Mapping[str, bytes]) -> bytes:
    """Several files as a ``.tar.gz``."""
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Writer:
    """Records of one type as bytes, a chunk at a time.

    Parameters
    ----------
    whole
        Whether JSON has properties that the dictionary does not know, too.
    """

    def __init__(
        self, dictionary: Dictionary, node: NodeType, kind: str, without_id: bool = False, *, whole: bool = False
    ) -> None:
        self.node = node
        self.kind = kind
        self.without_id = without_id
        self.whole = whole
        header = columns(dictionary, node, with_id=not without_id)
        self.properties = [name for name in header if "." not in name]
        self.links = [name for name in header if "." in name]
        self._first = True

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        return [*self.properties, *self.links]

    def head(self) -> bytes:
        """What comes before the first record."""
        if self.kind == "json":
            return b'{"data":['
        return _table([self.header], DELIMITERS[self.kind])

    def tail(self) -> bytes:
        """What comes after the last record."""
        return b"]}" if self.kind == "json" else b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Some records."""
        if self.kind == "json":
            text = b",".join(orjson.dumps(self.document(row)) for row in rows)
            comma = b"" if self._first or not rows else b","
            self._first = self._first and not rows
            return comma + text
        return _table([self.cells(row) for row in rows], DELIMITERS[self.kind])

    def document(self, row: Row) -> dict[str, Any]:
        """A record as JSON, without what is null."""
        document: dict[str, Any] = {"type": self.node.id}
        if not self.without_id:
            document["id"] = row.id
        given = {name: value for name, value in row.properties.items() if value is not None}
        document |= given if self.whole else self._known(given)
        hidden = {"node_id"} if self.without_id else set()
        for name, targets in row.links.items():
            if targets:
                document[name] = [{key: each[key] for key in each if key not in hidden} for each in targets]
        return document

    def _known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the dictionary knows; a single value in a list property, left from an earlier one, is a list of one."""
        known = self.node.properties
        return {
            name: [value] if known[name].kind == "array" and not isinstance(value, list) else value
            for name, value in given.items()
            if name in known
        }

    def cells(self, row: Row, written: Callable[[Any], Any] | None = None) -> list[Any]:
        """A record as the cells of a row.

        Parameters
        ----------
        written
            How a value stands in a cell; by default as text.
        """
        written = written or cell
        values = {**row.properties, "type": self.node.id, "id": row.id}
        cells = [written(values.get(name)) for name in self.properties]
        separator = "#" if self.kind == "csv" else ","
        for column in self.links:
            name, _, key = column.partition(".")
            key = "node_id" if key == "id" else key
            cells.append(written(separator.join(cell(target[key]) for target in row.links.get(name, ()))))
        return cells


def _table(rows: Iterable[Sequence[str]], delimiter: str) -> bytes:
    return table_text(rows, delimiter).encode()


# -- SQL ---------------------------------------------------------------------------


def page(connection: sa.Connection, source: Source, node: NodeType, after: str, limit: int) -> list[Row]:
    """Records of a project with ids greater than `after`, in the order of their ids."""
    table = source.records(node)
    query = _query(source, node, table).where(table.c.node_id > after).order_by(table.c.node_id).limit(limit)
    return [_row(node, row) for row in connection.execute(query)]


@dataclass(frozen=True)
class Pages:
    """The records of one type as bytes, a page at a time."""

    source: Source
    writer: Writer

    def page(self, connection: sa.Connection, after: str, limit: int) -> tuple[bytes, str | None]:
        """Records with ids greater than `after`; with the id of the last one where there may be more."""
        rows = page(connection, self.source, self.writer.node, after, limit)
        return self.writer.rows(rows), rows[-1].id if len(rows) == limit else None


def pages(connection: sa.Connection, source: Source, node: NodeType, limit: int) -> Iterator[Sequence[Row]]:
    """All records of a type, so many at a time."""
    last = ""
    while rows := page(connection, source, node, last, limit):
        yield rows
        last = rows[-1].id


def by_ids(connection: sa.Connection, source: Source, node: NodeType, ids: Sequence[str]) -> list[Row]:
    """Records of a project by id."""
    table = source.records(node)
    wanted = sa.bindparam("ids", list(ids), type_=ARRAY(sa.Text))
    query = _query(source, node, table).where(table.c.node_id == sa.any_(wanted)).order_by(table.c.node_id)
    return [_row(node, row) for row in connection.execute(query)]


def _query(source: Source, node: NodeType, table: sa.FromClause) -> sa.Select[Any]:
    parts: list[Any] = [table.c.node_id, table.c._props]
    for number, link in enumerate(node.links):
        edge = source.links(link).alias(f"edge_{number}")
        target = source.targets(link).alias(f"target_{number}")
        key = target_key(source.dictionary, link.target)
        entry = sa.func.jsonb_build_object("node_id", target.c.node_id, key, target.c._props[key].astext)
        all_of = sa.func.coalesce(sa.func.jsonb_agg(entry), sa.literal_column("'[]'::jsonb"), type_=JSONB)
        inner = sa.select(all_of).select_from(edge).join(target, target.c.node_id == edge.c.dst_id)
        parts.append(inner.where(edge.c.src_id == table.c.node_id).correlate(table).scalar_subquery())
    return sa.select(*parts)


def _row(node: NodeType, row: Sequence[Any]) -> Row:
    links = dict(zip((link.name for link in node.links), row[2:], strict=True))
    return Row(row[0], row[1], links)


def rows_by_type(
    connection: sa.Connection, store: Store, program: str, code: str, ids: Sequence[str]
) -> tuple[Project, dict[str, list[Row]]]:
    """Records of a project by id, by node type; what is not there, or in another project, is left out.

    Raises
    ------
    NotFound
        There is no such project.
    """
    project = find_project(store, connection, program, code)
    kinds: dict[str, list[str]] = {}
    for id_, owner in store.owners(connection, ids).items():
        if owner.project_id == project.project_id:
            kinds.setdefault(owner.type, []).append(id_)
    source, nodes = Live(store.graph, project), store.graph.dictionary.nodes
    return project, {kind: by_ids(connection, source, nodes[kind], those) for kind, those in kinds.items()}
