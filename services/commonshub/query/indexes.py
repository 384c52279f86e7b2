"""Indexes on single properties, for ranges and orders of large tables.

The index on all properties finds what is equal. It knows no order: a range of a number, a list in order of one, or a
page of one reads a whole table, unless there is an index on the very expression that such a list is ordered by. The
operator adds those that are worth their space; the tables of the graph neither make nor drop them.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2.errors
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from commonshub.core.dictionary import Dictionary, Property
from commonshub.core.errors import BadRequest, Conflict, NotFound
from commonshub.core.graph import node_table

from .sql import MAX_NAME_BYTES, name
from .values import TYPES, ordered, ordered_type

PREFIX = "query_"
"""What the names of these indexes begin with, and of no others."""


@dataclass(frozen=True, slots=True)
class PropertyIndex:
    """An index that is there.

    Parameters
    ----------
    of
        Node type and property; None where the dictionary has lost them, or orders them otherwise by now.
    valid
        Whether it is used; false while it is built, and when that was broken off.
    bytes
        Its size.
    """

    name: str
    of: tuple[str, str] | None
    valid: bool
    bytes: int


def index_name(node_id: str, property_: str, type_: str) -> str:
    """Name of the index on a property that is ordered as `type_`: another dictionary may order it otherwise."""
    whole = f"{PREFIX}{node_table(node_id)}_{property_}_{type_}"
    if len(whole.encode()) <= MAX_NAME_BYTES:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
    return f"{PREFIX}{digest}_{property_.encode()[:40].decode(errors='ignore')}"


def listed(connection: sa.Connection, schema: str, dictionary: Dictionary) -> list[PropertyIndex]:
    """The indexes that are there, by name."""
    known = {
        index_name(node.id, name_, ordered_type(each)): (node.id, name_)
        for node in dictionary.nodes.values()
        for name_, each in node.properties.items()
    }
    query = sa.text(
        "select relname, indisvalid, pg_relation_size(c.oid) from pg_class c join pg_index i on i.indexrelid = c.oid"
        " join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = :schema and starts_with(relname, :prefix) order by relname"
    )
    found = connection.execute(query, {"schema": schema, "prefix": PREFIX})
    return [PropertyIndex(relname, known.get(relname), valid, size) for relname, valid, size in found]


def add(engine: sa.Engine, schema: str, dictionary: Dictionary, node_id: str, property_: str) -> str:
    """Build the index on a property while the commons goes on, and say its name; one that is there stays.

    Raises
    ------
    NotFound
        The dictionary has no such property.
    BadRequest
        An index on it would be of no use, or a value is too long for one.
    Conflict
        It is being built already.
    """
    each = _property(dictionary, node_id, property_)
    expression, made = ordered(name(node_table(node_id)), each), index_name(node_id, property_, ordered_type(each))
    table = f"{name(schema)}.{name(node_table(node_id))}"
    with _alone(engine, schema, made) as connection:
        valid = {each.name: each.valid for each in listed(connection, schema, dictionary)}
        if valid.get(made) is False:
            # It was broken off: PostgreSQL keeps up such an index, and never uses it.
            connection.exec_driver_sql(f"drop index concurrently if exists {name(schema)}.{name(made)}")
        try:
            columns = f"({expression}), node_id"
            connection.exec_driver_sql(f"create index concurrently if not exists {name(made)} on {table} ({columns})")
        except DBAPIError as error:
            connection.exec_driver_sql(f"drop index concurrently if exists {name(schema)}.{name(made)}")
            if isinstance(error.orig, psycopg2.errors.ProgramLimitExceeded):
                raise BadRequest(f"A value of {node_id}.{property_} is too long for an index.") from error
            raise
        # Without statistics on the expression its ranges are guessed at.
        connection.exec_driver_sql(f"analyze {table}")
    return made


def drop(engine: sa.Engine, schema: str, node_id: str, property_: str) -> str:
    """Drop the index on a property while the commons goes on, and say its name.

    Raises
    ------
    NotFound
        There is none.
    Conflict
        It is being built.
    """
    for made in (index_name(node_id, property_, type_) for type_ in TYPES):
        with _alone(engine, schema, made) as connection:
            query = sa.text("select to_regclass(:name)")
            if connection.execute(query, {"name": f"{name(schema)}.{name(made)}"}).scalar() is not None:
                connection.exec_driver_sql(f"drop index concurrently {name(schema)}.{name(made)}")
                return made
    raise NotFound(f"There is no index on {node_id}.{property_}.")


def _property(dictionary: Dictionary, node_id: str, property_: str) -> Property:
    node = dictionary.nodes.get(node_id)
    if node is None:
        raise NotFound(f"The dictionary has no node type {node_id}.")
    each = node.properties.get(property_)
    if each is None or property_ == "type":
        raise NotFound(f"{node_id} has no property {property_} in the dictionary.")
    if property_ == "id" or each.kind not in ("string", "integer", "number"):
        raise BadRequest(f"{node_id}.{property_} needs no index of its own: what equals it is found without.")
    return each


@contextmanager
def _alone(engine: sa.Engine, schema: str, made: str) -> Iterator[sa.Connection]:
    """A connection without transactions and time limit, on which nobody else builds or drops this index."""
    key: dict[str, Any] = {"key": f"commonshub.{schema}.{made}"}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.exec_driver_sql("set statement_timeout = 0")
            if not connection.execute(sa.text("select pg_try_advisory_lock(hashtextextended(:key, 0))"), key).scalar():
                raise Conflict(f"The index {made} is being built or dropped by somebody else.")
            yield connection
        finally:
            # The lock and the setting end with the session, whatever state it is in.
            connection.invalidate()
