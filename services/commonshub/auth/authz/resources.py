"""SQL on resources: what is registered, and by whom. Each function is a part of one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import BadRequest, Conflict, NotFound
from commonshub.core.grants import tables

from . import store
from .forms import Tree
from .store import Document, Page, Query, Row


class Exists(Conflict):
    """The resource is there already; `document` is it."""

    def __init__(self, document: Document) -> None:
        super().__init__(f"The resource {document['path']} exists already.")
        self.document = document


def list_resources(connection: sa.Connection, schema: str, page: Page) -> tuple[list[Document], str | None]:
    """A page of the resources, and where the next starts."""
    path = tables(schema).resource.c.path
    rows, following = store.cut(connection.execute(store.page_of(_resources(schema), path, page)).all(), page)
    return _resource_documents(connection, schema, rows), following


def get_resource(connection: sa.Connection, schema: str, path: str) -> Document:
    """One resource.

    Raises
    ------
    NotFound
        There is none of this path.
    """
    rows = connection.execute(_resources(schema).where(tables(schema).resource.c.path == path)).all()
    if not rows:
        raise NotFound(f"There is no resource {path}.")
    return _resource_documents(connection, schema, rows)[0]


def _resources(schema: str) -> Query:
    resource = tables(schema).resource.c
    sources = sa.func.array_agg(resource.source.distinct())
    return sa.select(resource.path, sa.func.max(resource.description), sources).group_by(resource.path)


def _resource_documents(connection: sa.Connection, schema: str, rows: Sequence[Row]) -> list[Document]:
    path = tables(schema).resource.c.path
    parent = sa.func.regexp_replace(path, "/[^/]+$", "", type_=sa.Text)
    query = sa.select(parent, path).distinct().where(store.one_of(parent, (row[0] for row in rows))).order_by(path)
    below: defaultdict[str, list[str]] = defaultdict(list)
    for above, each in connection.execute(query):
        below[above].append(each)
    return [
        {
            "name": path.rpartition("/")[2],
            "path": path,
            "description": text,
            "subresources": below[path],
            "sources": sources,
        }
        for path, text, sources in rows
    ]


def create_resources(connection: sa.Connection, schema: str, tree: Tree, source: str, parents: bool) -> Document:
    """Register a resource and those listed below it.

    Parameters
    ----------
    parents
        Register those above it too where they are missing.

    Raises
    ------
    Exists
        One of them is there, whoever registered it.
    BadRequest
        The one above it is missing.
    """
    path = tables(schema).resource.c.path
    query = sa.select(path).where(store.one_of(path, tree.described)).order_by(path).limit(1)
    found = connection.execute(query).scalar_one_or_none()
    if found is not None:
        raise Exists(get_resource(connection, schema, found))
    _require_parent(connection, schema, tree, source, parents)
    _register(connection, schema, tree.described, source)
    return get_resource(connection, schema, tree.root)


def put_resources(
    connection: sa.Connection, schema: str, tree: Tree, source: str, *, parents: bool, merge: bool
) -> Document:
    """Register a resource and those listed below it, or change them.

    Parameters
    ----------
    merge
        Keep what is registered below it and is not listed; otherwise `source` registers it no more.

    Raises
    ------
    BadRequest
        The one above it is missing.
    Conflict
        See :func:`delete_resource`.
    """
    _require_parent(connection, schema, tree, source, parents)
    _register(connection, schema, tree.described, source)
    if not merge:
        _unregister(connection, schema, source, _below(schema, tree.root), keep=tree.described)
    return get_resource(connection, schema, tree.root)


def delete_resource(connection: sa.Connection, schema: str, path: str, source: str) -> None:
    """Take back what `source` registered at `path` and below; policies of `source` lose the paths that are then gone.

    Raises
    ------
    Conflict
        Only others registered `path`, or a policy of another source is on a path that would be gone.
    """
    t = tables(schema)
    sources = set(connection.execute(sa.select(t.resource.c.source).where(t.resource.c.path == path)).scalars())
    if sources and source not in sources:
        store.require_owner(f"The resource {path}", min(sources), source)
    _unregister(connection, schema, source, sa.or_(t.resource.c.path == path, _below(schema, path)), keep=())


def _below(schema: str, path: str) -> sa.ColumnElement[bool]:
    return sa.func.starts_with(tables(schema).resource.c.path, f"{path}/", type_=sa.Boolean)


def _require_parent(connection: sa.Connection, schema: str, tree: Tree, source: str, parents: bool) -> None:
    segments = tree.root.split("/")
    above = ["/".join(segments[:depth]) for depth in range(2, len(segments))]
    absent = store.missing(connection, tables(schema).resource.c.path, above)
    if absent and not parents:
        raise BadRequest(f"The resource {absent[0]} does not exist; make it first, or add ?p to make it too.")
    _register(connection, schema, dict.fromkeys(absent), source)


def _register(connection: sa.Connection, schema: str, described: Mapping[str, str | None], source: str) -> None:
    table = tables(schema).resource
    silent = [{"path": path, "source": source} for path, text in described.items() if text is None]
    told = [
        {"path": path, "source": source, "description": text} for path, text in described.items() if text is not None
    ]
    statement = insert(table)
    if silent:
        connection.execute(statement.on_conflict_do_nothing(), silent)
    if told:
        changes = {"description": statement.excluded.description}
        connection.execute(statement.on_conflict_do_update(index_elements=["path", "source"], set_=changes), told)


def _unregister(
    connection: sa.Connection, schema: str, source: str, where: sa.ColumnElement[bool], keep: Iterable[str]
) -> None:
    t = tables(schema)
    path = t.resource.c.path
    listed = ~store.one_of(path, keep)
    statement = t.resource.delete().where(where, t.resource.c.source == source, listed).returning(path)
    gone = store.missing(connection, path, connection.execute(statement).scalars().all())
    on_gone = store.one_of(t.policy_resource.c.path, gone)
    query = (
        sa.select(t.policy.c.id, t.policy.c.source, t.policy_resource.c.path)
        .join(t.policy, t.policy.c.id == t.policy_resource.c.policy_id)
        .where(on_gone, t.policy.c.source != source)
        .limit(1)
    )
    used = connection.execute(query).one_or_none()
    if used is not None:
        raise Conflict(f"The policy {used.id} of {used.source} is on {used.path}; change that first.")
    connection.execute(t.policy_resource.delete().where(on_gone))
