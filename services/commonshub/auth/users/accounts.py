"""SQL on accounts: making users and switching them off. Each function is a part of one transaction."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import BadRequest, NotFound
from commonshub.core.grants import tables

from ..credentials.store import end_keys
from ..login.providers import HUB
from ..login.store import end_all, identity_table
from ..oauth.sessions import end_sessions_of
from .store import UserRow, columns, get_user


def find_account(connection: sa.Connection, schema: str, username: str) -> tuple[UserRow, str] | None:
    """The user of this name, and who vouches for him."""
    user, identity = tables(schema).user, identity_table(schema)
    query = (
        sa.select(sa.func.coalesce(identity.c.idp, HUB), *columns(schema))
        .select_from(user.outerjoin(identity, identity.c.user_id == user.c.id))
        .where(user.c.username == username)
    )
    row = connection.execute(query).one_or_none()
    return (UserRow(*row[1:]), row[0]) if row else None


def get_account(connection: sa.Connection, schema: str, username: str) -> tuple[UserRow, str]:
    """:func:`find_account`.

    Raises
    ------
    NotFound
        There is no such user.
    """
    found = find_account(connection, schema, username)
    if found is None:
        raise NotFound(f"This commons has no user {username}.")
    return found


def list_accounts(connection: sa.Connection, schema: str, start: str, limit: int) -> list[UserRow]:
    """At most `limit` users whose names come after `start`, by name."""
    name = tables(schema).user.c.username
    query = sa.select(*columns(schema)).where(name > start).order_by(name).limit(limit)
    return [UserRow(*row) for row in connection.execute(query)]


def create_account(
    connection: sa.Connection, schema: str, username: str, source: str, known: Mapping[str, Any]
) -> tuple[UserRow, str]:
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
    return get_account(connection, schema, username)


def deactivate(connection: sa.Connection, schema: str, username: str, token_ttl_s: float) -> tuple[UserRow, str]:
    """Switch a user off. What he and applications hold for him ends, and stays ended when he is switched on again.

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
    for end in (end_keys, end_all, end_sessions_of):
        end(connection, schema, user.id, token_ttl_s)
    return _switch(connection, schema, user, False)


def reactivate(connection: sa.Connection, schema: str, username: str) -> tuple[UserRow, str]:
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


def _switch(connection: sa.Connection, schema: str, user: UserRow, active: bool) -> tuple[UserRow, str]:
    table = tables(schema).user
    connection.execute(table.update().where(table.c.id == user.id).values(active=active))
    return get_account(connection, schema, user.username)
