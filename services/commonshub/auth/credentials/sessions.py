"""SQL on sessions: what tokens are derived from, and end with.

A session is a workspace's server or a browser's sign-in at the hub. Its identifier is the ``sid`` of every token that
came from it. It stays for as long as tokens can be derived from it, and is made anew where it ended before its hub
token did.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from commonshub.core.grants import revoke, tables

from .origin import WORKSPACE, Origin


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session: of which user, and of which kind and name (see :class:`~.origin.Origin`)."""

    id: str
    username: str
    kind: str
    name: str
    created_at: datetime


@lru_cache
def table(schema: str) -> sa.Table:
    """The table of sessions."""
    return sa.Table(
        "session",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )


def hold(connection: sa.Connection, schema: str, user_id: int, origin: Origin, ttl_s: float) -> tuple[str, bool]:
    """The session of a hub token, which now lasts `ttl_s` seconds more, or longer.

    Returns
    -------
    tuple
        Its identifier, and whether it begins now.
    """
    sessions, fresh = table(schema), uuid.uuid4().hex
    made = insert(sessions).values(
        id=fresh,
        key=origin.key,
        user_id=user_id,
        kind=origin.kind,
        name=origin.name,
        expires_at=_after(ttl_s),
    )
    later = sa.func.greatest(sessions.c.expires_at, made.excluded.expires_at)
    statement = made.on_conflict_do_update(index_elements=["key"], set_={"expires_at": later})
    found: str = connection.execute(statement.returning(sessions.c.id)).scalar_one()
    return found, found == fresh


def workspaces(connection: sa.Connection, schema: str) -> list[SessionRow]:
    """The sessions of workspaces that have not expired; those that have are forgotten."""
    sessions = table(schema)
    connection.execute(sessions.delete().where(sessions.c.expires_at < sa.func.now()))
    query = _select(schema).where(sessions.c.kind == WORKSPACE)
    return [SessionRow(*row) for row in connection.execute(query)]


def find(connection: sa.Connection, schema: str, username: str, kind: str, name: str) -> list[SessionRow]:
    """The sessions of one user with this kind and name."""
    sessions, users = table(schema), tables(schema).user
    mine = (users.c.username == username, sessions.c.kind == kind, sessions.c.name == name)
    return [SessionRow(*row) for row in connection.execute(_select(schema).where(*mine))]


def of(connection: sa.Connection, schema: str, user_id: int) -> list[str]:
    """Identifiers of all sessions of a user."""
    sessions = table(schema)
    return list(connection.execute(sa.select(sessions.c.id).where(sessions.c.user_id == user_id)).scalars())


def extend(connection: sa.Connection, schema: str, ids: Collection[str], ttl_s: float) -> None:
    """Let sessions last `ttl_s` seconds from now; those that last half of it anyway are left alone."""
    sessions = table(schema)
    due = sessions.c.expires_at < _after(ttl_s / 2)
    statement = sessions.update().where(sessions.c.id.in_(ids), due)
    connection.execute(statement.values(expires_at=_after(ttl_s)))


def end(connection: sa.Connection, schema: str, ids: Sequence[str], token_ttl_s: float) -> None:
    """End sessions with all that came from them, their API keys too.

    Parameters
    ----------
    token_ttl_s
        Longest life of a token that was derived from one, in seconds.
    """
    sessions = table(schema)
    ended = connection.execute(sessions.delete().where(sessions.c.id.in_(ids)).returning(sessions.c.id, sessions.c.key))
    # The key too: a process that remembers what the hub once said of the token must ask again.
    revoke(connection, schema, [each for row in ended for each in row], token_ttl_s)


def _select(schema: str) -> sa.Select[Any]:
    sessions, users = table(schema).c, tables(schema).user
    columns = (sessions.id, users.c.username, sessions.kind, sessions.name, sessions.created_at)
    return sa.select(*columns).join(users, users.c.id == sessions.user_id)


def _after(ttl_s: float) -> sa.ColumnElement[datetime]:
    return sa.func.now() + sa.cast(sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl_s), INTERVAL)
