"""SQL on users."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import NotFound, PermissionDenied
from commonshub.core.grants import tables

from .. import sources


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user."""

    id: int
    username: str
    email: str
    display_name: str
    phone_number: str
    tags: Mapping[str, Any]
    active: bool


def columns(schema: str) -> list[sa.Column[Any]]:
    """What a :class:`UserRow` is made of."""
    user = tables(schema).user.c
    return [user.id, user.username, user.email, user.display_name, user.phone_number, user.tags, user.active]


def find_user(connection: sa.Connection, schema: str, username: str) -> UserRow | None:
    """The user of this name."""
    query = sa.select(*columns(schema)).where(tables(schema).user.c.username == username)
    row = connection.execute(query).one_or_none()
    return UserRow(*row) if row else None


def get_user(connection: sa.Connection, schema: str, username: str) -> UserRow:
    """The user of this name.

    Raises
    ------
    NotFound
        There is none.
    """
    user = find_user(connection, schema, username)
    if user is None:
        raise NotFound(f"This commons has no user {username}.")
    return user


def admit(connection: sa.Connection, schema: str, username: str, allow_new: bool) -> UserRow:
    """The user of this name, who has just proved to be him; made where he is new.

    Raises
    ------
    PermissionDenied
        He is unknown and `allow_new` is false, or he was switched off.
    """
    user = find_user(connection, schema, username)
    if user is None and allow_new:
        table = tables(schema).user
        connection.execute(insert(table).values(username=username, source=sources.HUB).on_conflict_do_nothing())
        user = find_user(connection, schema, username)
    if user is None:
        raise PermissionDenied(f"This commons does not know {username}. Ask an administrator to add you.")
    if not user.active:
        raise PermissionDenied("This account has been deactivated.")
    return user


def put_user(connection: sa.Connection, schema: str, username: str, source: str, email: str | None) -> UserRow:
    """Make a user, or bring an existing one's email up to date."""
    table = tables(schema).user
    statement = insert(table).values(username=username, source=source, email=email or "")
    if email is not None:
        statement = statement.on_conflict_do_update(index_elements=["username"], set_={"email": email})
    connection.execute(statement if email is not None else statement.on_conflict_do_nothing())
    return get_user(connection, schema, username)
