"""SQL on users and API keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import NotFound, PermissionDenied
from commonshub.core.grants import tables


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


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One API key; `exp` in seconds since the epoch."""

    jti: str
    exp: int
    workspace: bool


@lru_cache
def api_keys(schema: str) -> sa.Table:
    """The table of API keys."""
    return sa.Table(
        "api_key",
        sa.MetaData(schema=schema),
        sa.Column("jti", sa.Text, primary_key=True),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("workspace", sa.Boolean, nullable=False),
    )


def _columns(schema: str) -> list[sa.Column[Any]]:
    user = tables(schema).user.c
    return [user.id, user.username, user.email, user.display_name, user.phone_number, user.tags, user.active]


def find_user(connection: sa.Connection, schema: str, username: str) -> UserRow | None:
    """The user of this name."""
    query = sa.select(*_columns(schema)).where(tables(schema).user.c.username == username)
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
        connection.execute(insert(table).values(username=username, source="hub").on_conflict_do_nothing())
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


def bind_policy(connection: sa.Connection, schema: str, user: UserRow, policy: str, source: str) -> None:
    """Give a user a policy for good, on behalf of `source`.

    Raises
    ------
    NotFound
        Nothing defines the policy.
    """
    t = tables(schema)
    if connection.execute(sa.select(t.policy.c.id).where(t.policy.c.id == policy)).first() is None:
        raise NotFound(f"This commons has no policy {policy}; import a user.yaml that defines it.")
    values = {"user_id": user.id, "policy_id": policy, "source": source}
    statement = insert(t.user_policy).values(**values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["user_id", "policy_id", "source"], set_={"expires_at": None})
    )


def add_key(connection: sa.Connection, schema: str, user_id: int, jti: str, exp: int, workspace: bool) -> None:
    """Register an API key, and forget the user's expired ones."""
    keys = api_keys(schema)
    connection.execute(keys.delete().where(keys.c.user_id == user_id, keys.c.expires_at < sa.func.now()))
    until = datetime.fromtimestamp(exp, UTC)
    connection.execute(keys.insert().values(jti=jti, user_id=user_id, expires_at=until, workspace=workspace))


def list_keys(connection: sa.Connection, schema: str, username: str) -> list[KeyRow]:
    """The unexpired API keys of a user, newest first."""
    keys, users = api_keys(schema), tables(schema).user
    query = (
        sa.select(keys.c.jti, sa.extract("epoch", keys.c.expires_at), keys.c.workspace)
        .join(users, users.c.id == keys.c.user_id)
        .where(users.c.username == username, keys.c.expires_at > sa.func.now())
        .order_by(keys.c.created_at.desc(), keys.c.jti)
    )
    return [KeyRow(jti, int(exp), workspace) for jti, exp, workspace in connection.execute(query)]


def key_owner(connection: sa.Connection, schema: str, jti: str) -> UserRow | None:
    """The user whose API key this is; None where it was revoked."""
    keys = api_keys(schema)
    users = tables(schema).user
    query = sa.select(*_columns(schema)).join(keys, users.c.id == keys.c.user_id).where(keys.c.jti == jti)
    row = connection.execute(query).one_or_none()
    return UserRow(*row) if row else None


def delete_key(connection: sa.Connection, schema: str, username: str, jti: str) -> None:
    """Revoke an API key of a user.

    Raises
    ------
    NotFound
        He has no such key.
    """
    keys, users = api_keys(schema), tables(schema).user
    owner = sa.select(users.c.id).where(users.c.username == username).scalar_subquery()
    statement = keys.delete().where(keys.c.jti == jti, keys.c.user_id == owner).returning(keys.c.jti)
    if connection.execute(statement).one_or_none() is None:
        raise NotFound("You have no API key with this identifier.")
