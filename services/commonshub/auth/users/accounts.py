"""SQL on accounts: making users and switching them off. Each function is a part of one transaction."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import BadRequest
from commonshub.core.grants import tables

from ..credentials.store import end_keys
from .store import UserRow, columns, get_user


def list_accounts(connection: sa.Connection, schema: str, start: str, limit: int) -> list[UserRow]:
    """At most `limit` users whose names come after `start`, by name."""
    name = tables(schema).user.c.username
    query = sa.select(*columns(schema)).where(name > start).order_by(name).limit(limit)
    return [UserRow(*row) for row in connection.execute(query)]


def create_account(
    connection: sa.Connection, schema: str, username: str, source: str, known: Mapping[str, Any]
) -> UserRow:
    """Make a user.

    Parameters
    ----------
    known
        Values of the columns ``email``, ``display_name``, ``phone_number`` and ``tags``.

    Raises
    ------
    BadRequest
        There is one of this name, in the words that Gen3's clients look for.
    """
    table = tables(schema).user
    statement = insert(table).values(username=username, source=source, **known).on_conflict_do_nothing()
    if connection.execute(statement.returning(table.c.id)).one_or_none() is None:
        raise BadRequest(f"Error: user already exist. There is a user {username}.")
    return get_user(connection, schema, username)


def deactivate(connection: sa.Connection, schema: str, username: str, token_ttl_s: float) -> UserRow:
    """Switch a user off, for good until he is switched on; his API keys end here and stay ended.

    Parameters
    ----------
    token_ttl_s
        Longest life of a token, in seconds.

    Raises
    ------
    NotFound
        There is no such user.
    """
    user = get_user(connection, schema, username)
    end_keys(connection, schema, user.id, token_ttl_s)
    return _switch(connection, schema, user, False)


def reactivate(connection: sa.Connection, schema: str, username: str) -> UserRow:
    """Switch a user on.

    Raises
    ------
    NotFound
        There is no such user.
    BadRequest
        He is on.
    """
    user = get_user(connection, schema, username)
    if user.active:
        raise BadRequest(f"The user {username} is active already.")
    return _switch(connection, schema, user, True)


def _switch(connection: sa.Connection, schema: str, user: UserRow, active: bool) -> UserRow:
    table = tables(schema).user
    connection.execute(table.update().where(table.c.id == user.id).values(active=active))
    return get_user(connection, schema, user.username)
