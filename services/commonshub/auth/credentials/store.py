"""SQL on API keys."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import sqlalchemy as sa

from commonshub.core.errors import NotFound
from commonshub.core.grants import revoke, tables
from commonshub.core.tokens import CLOCK_SKEW_S

from ..users.store import UserRow, columns


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
    query = sa.select(*columns(schema)).join(keys, users.c.id == keys.c.user_id).where(keys.c.jti == jti)
    row = connection.execute(query).one_or_none()
    return UserRow(*row) if row else None


def revoke_key(connection: sa.Connection, schema: str, jti: str, owner: str | None = None) -> None:
    """End an API key, and with it every access token that came from it.

    Parameters
    ----------
    owner
        Name of the user whose key it must be; None where anybody's will do.

    Raises
    ------
    NotFound
        There is no such key, or none of his.
    """
    keys, users = api_keys(schema), tables(schema).user
    statement = keys.delete().where(keys.c.jti == jti)
    if owner is not None:
        statement = statement.where(
            keys.c.user_id == sa.select(users.c.id).where(users.c.username == owner).scalar_subquery()
        )
    left_s = sa.extract("epoch", keys.c.expires_at - sa.func.now())
    found = connection.execute(statement.returning(left_s)).one_or_none()
    if found is None:
        raise NotFound("You have no API key with this identifier.")
    # No token that came from the key outlives it.
    revoke(connection, schema, [jti], max(0.0, float(found[0])) + CLOCK_SKEW_S)


def end_keys(connection: sa.Connection, schema: str, user_id: int, ttl_s: float) -> None:
    """Revoke all API keys of a user, and with them the access tokens that came from them.

    Parameters
    ----------
    ttl_s
        Longest life of an API key, in seconds.
    """
    keys = api_keys(schema)
    ended = connection.execute(keys.delete().where(keys.c.user_id == user_id).returning(keys.c.jti)).scalars().all()
    revoke(connection, schema, ended, ttl_s + CLOCK_SKEW_S)
