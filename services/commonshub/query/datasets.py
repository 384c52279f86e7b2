"""How many records each project holds, and which projects there are: what a commons' front page shows."""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

from collections.abc import Sequence

from commonshub.core.dictionary import Dictionary
from commonshub.core.errors import BadRequest

from .access import Access
from .scope import Scope
from .sql import GraphTables, Statement, Tables

PROJECT_KEYS = ("name", "code", "dbgap_accession_number", "description", "image_url")

Query = tuple[str, dict[str, object]]


def counts(dictionary: Dictionary, tables: GraphTables, scope: Scope, types: Sequence[str]) -> Query:
    """A statement with one row for each project: its id, and how many records it has of each of `types`.

    Raises
    ------
    BadRequest
        A type is not in the dictionary, or its records belong to no project.
    """
    statement = Statement()
    access = Access(dictionary, tables, scope, statement)
    columns = ["r.project_id"]
    for type_ in types:
        node = dictionary.nodes.get(type_)
        if node is None or type_ == "project" or "project_id" not in node.properties:
            raise BadRequest(
                f"nodes: {type_[:80]!r} is no node type of the dictionary whose records belong to projects."
            )
        sums = f"select coalesce(sum(n.records), 0)::bigint from {tables.counts(type_)} n"
        columns.append(f"({sums} where n._props->>'project_id' = r.project_id)")
    body = f"select {', '.join(columns)} from {access.readable()} r order by r.project_id"
    return statement.text(body), statement.parameters


def projects(dictionary: Dictionary, tables: Tables, scope: Scope) -> Query:
    """A statement with one row for each project: the values of :data:`PROJECT_KEYS`."""
    statement = Statement()
    access = Access(dictionary, tables, scope, statement)
    listed = access.projects()
    columns = ", ".join(f"n._props->>'{key}'" for key in PROJECT_KEYS)
    body = (
        f"select {columns} from {listed} p join {tables.node('project')} n on n.node_id = p.node_id"
        " where p.granted order by p.project_id"
    )
    return statement.text(body), statement.parameters
