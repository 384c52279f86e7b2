"""SQL on API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import NotFound
from commonshub.core.grants import revoke, tables
from commonshub.core.tokens import CLOCK_SKEW_S

from ..users.store import UserRow, columns
from . import sessions


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
        sa.Column("session_id", sa.Text),
    )


def add_key(
    connection: sa.Connection,
    schema: str,
    user_id: int,
    jti: str,
    exp: int,
    workspace: bool,
    session: str | None = None,
) -> str:
    """Register an API key, and forget the user's expired ones.

    Returns
    -------
    str
        Identifier of the key: a session has one key, which keeps its identifier when it is renewed.
    """
    keys = api_keys(schema)
    connection.execute(keys.delete().where(keys.c.user_id == user_id, keys.c.expires_at < sa.func.now()))
    until = datetime.fromtimestamp(exp, UTC)
    made = insert(keys).values(jti=jti, user_id=user_id, expires_at=until, workspace=workspace, session_id=session)
    later = sa.func.greatest(keys.c.expires_at, made.excluded.expires_at)
    statement = made.on_conflict_do_update(index_elements=["session_id"], set_={"expires_at": later})
    registered: str = connection.execute(statement.returning(keys.c.jti)).scalar_one()
    return registered


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


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """The user whose API key it is, and the session that the key ends with, if it is a workspace's."""

    user: UserRow
    session: str | None


def key_owner(connection: sa.Connection, schema: str, jti: str) -> KeyOwner | None:
    """Whose API key this is; None where it was revoked, or its session has ended."""
    keys, users, session = api_keys(schema), tables(schema).user, sessions.table(schema)
    query = (
        sa.select(keys.c.session_id, *columns(schema))
        .join(users, users.c.id == keys.c.user_id)
        .outerjoin(session, session.c.id == keys.c.session_id)
        .where(keys.c.jti == jti, sa.or_(session.c.id.is_(None), session.c.expires_at > sa.func.now()))
    )
    row = connection.execute(query).one_or_none()
    return KeyOwner(UserRow(*row[1:]), row[0]) if row else None


def revoke_key(connection: sa.Connection, schema: str, jti: str, owner: str | None = None) -> None:
    """End an API key, and with it every access token that came from it.

    A workspace's key ends with its session; while its server runs, the workspace may sign in anew.

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
        his = sa.select(users.c.id).where(users.c.username == owner).scalar_subquery()
        statement = statement.where(keys.c.user_id == his)
    left_s = sa.extract("epoch", keys.c.expires_at - sa.func.now())
    found = connection.execute(statement.returning(left_s, keys.c.session_id)).one_or_none()
    if found is None:
        raise NotFound("You have no API key with this identifier.")
    # No token that came from the key outlives it.
    ttl_s = max(0.0, float(found[0])) + CLOCK_SKEW_S
    revoke(connection, schema, [jti], ttl_s)
    if found[1] is not None:
        sessions.end(connection, schema, [found[1]], ttl_s)


def end_keys(connection: sa.Connection, schema: str, user_id: int, ttl_s: float) -> None:
    """Revoke all API keys of a user, and with them the access tokens that came from them; his sessions end too.

    Parameters
    ----------
    ttl_s
        Longest life of an API key, in seconds.
    """
    keys = api_keys(schema)
    ended = connection.execute(keys.delete().where(keys.c.user_id == user_id).returning(keys.c.jti)).scalars().all()
    revoke(connection, schema, ended, ttl_s + CLOCK_SKEW_S)
    sessions.end(connection, schema, sessions.of(connection, schema, user_id), ttl_s + CLOCK_SKEW_S)


def is_revoked(connection: sa.Connection, schema: str, ids: Sequence[str]) -> bool:
    """Whether one of these identifiers of tokens and sessions was revoked, and is still remembered to be."""
    revoked = tables(schema).revoked.c
    return connection.execute(sa.select(revoked.id).where(revoked.id.in_(ids)).limit(1)).first() is not None


def left_s(connection: sa.Connection, schema: str, session: str) -> float | None:
    """Seconds that the API key or the session named by a ``sid`` has left; None where there is none of this name."""
    keys, held = api_keys(schema).c, sessions.table(schema).c
    ends = sa.union_all(
        sa.select(keys.expires_at).where(keys.jti == session),
        sa.select(held.expires_at).where(held.id == session),
    ).subquery()
    left: Any = connection.execute(sa.select(sa.extract("epoch", sa.func.min(ends.c[0]) - sa.func.now()))).scalar_one()
    return None if left is None else float(left)
