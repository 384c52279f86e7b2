"""SQL on the connections of users to other commons."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from commonshub.core.grants import tables


@dataclass(frozen=True, slots=True)
class Held:
    """What is stored for one connection, encrypted, and what is to be done with it.

    Parameters
    ----------
    access_token
        The latest access token, if it has not expired.
    fresh
        It is good for a while yet.
    claimed
        The caller, and nobody else for the time of his claim, is to renew it.
    """

    refresh_token: str
    access_token: str | None
    fresh: bool
    claimed: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens to store, encrypted; moments in seconds since the epoch, None for unknown."""

    refresh_token: str
    refresh_exp: float | None
    access_token: str
    access_exp: float


@lru_cache
def table(schema: str) -> sa.Table:
    """The table of connections."""
    moment = sa.DateTime(timezone=True)
    return sa.Table(
        "wts_connection",
        sa.MetaData(schema=schema),
        sa.Column("user_id", sa.BigInteger, primary_key=True),
        sa.Column("idp", sa.Text, primary_key=True),
        sa.Column("refresh_token", sa.Text, nullable=False),
        sa.Column("access_token", sa.Text),
        *(sa.Column(name, moment) for name in ("refresh_expires_at", "access_expires_at", "claimed_until")),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
    )


def take(
    connection: sa.Connection, schema: str, username: str, idp: str, fresh_s: float, claim_s: float
) -> Held | None:
    """What is stored for a connection; claimed for renewal where it is not fresh and nobody else has claimed it.

    Parameters
    ----------
    fresh_s
        Life that an access token must have left to be fresh, in seconds.
    claim_s
        How long a claim holds, in seconds: whoever fails within it is not waited for any longer.
    """
    held = table(schema)
    left_s = sa.extract("epoch", held.c.access_expires_at - sa.func.now())
    free = sa.or_(held.c.claimed_until.is_(None), held.c.claimed_until < sa.func.now())
    query = sa.select(held.c.refresh_token, held.c.access_token, left_s, free)
    row = connection.execute(query.where(_mine(schema, username, idp)).with_for_update()).one_or_none()
    if row is None:
        return None
    refresh_token, access_token, left, claimable = row
    usable = access_token if left is not None and left > 0 else None
    fresh = usable is not None and left > fresh_s
    if claimable and not fresh:
        connection.execute(held.update().where(_mine(schema, username, idp)).values(claimed_until=_after(claim_s)))
    return Held(refresh_token, usable, fresh, claimable and not fresh)


def release(connection: sa.Connection, schema: str, username: str, idp: str) -> None:
    """Give a claim back."""
    connection.execute(table(schema).update().where(_mine(schema, username, idp)).values(claimed_until=None))


def put(connection: sa.Connection, schema: str, username: str, idp: str, tokens: Tokens) -> None:
    """Store a connection's tokens, in the place of those that it had."""
    held, users = table(schema), tables(schema).user
    values: dict[str, Any] = {
        "refresh_token": tokens.refresh_token,
        "refresh_expires_at": sa.func.to_timestamp(tokens.refresh_exp),
        "access_token": tokens.access_token,
        "access_expires_at": sa.func.to_timestamp(tokens.access_exp),
        "claimed_until": None,
    }
    user_id = sa.select(users.c.id).where(users.c.username == username).scalar_subquery()
    made = insert(held).values(user_id=user_id, idp=idp, **values)
    connection.execute(made.on_conflict_do_update(index_elements=["user_id", "idp"], set_=values))


def drop(
    connection: sa.Connection, schema: str, username: str, idp: str, refresh_token: str | None = None
) -> str | None:
    """Forget a connection; its refresh token, or None where there was none.

    Parameters
    ----------
    refresh_token
        Only while this is what is stored for it: the user may have connected anew meanwhile.
    """
    held = table(schema)
    statement = held.delete().where(_mine(schema, username, idp))
    if refresh_token is not None:
        statement = statement.where(held.c.refresh_token == refresh_token)
    return connection.execute(statement.returning(held.c.refresh_token)).scalar_one_or_none()


def connections(connection: sa.Connection, schema: str, username: str) -> dict[str, datetime | None]:
    """The connections of a user that have not expired, each with its end, where that is known."""
    held, users = table(schema), tables(schema).user
    alive = sa.or_(held.c.refresh_expires_at.is_(None), held.c.refresh_expires_at > sa.func.now())
    query = sa.select(held.c.idp, held.c.refresh_expires_at).join(users, users.c.id == held.c.user_id)
    rows = connection.execute(query.where(users.c.username == username, alive))
    return {row.idp: row.refresh_expires_at for row in rows}


def _mine(schema: str, username: str, idp: str) -> sa.ColumnElement[bool]:
    held, users = table(schema), tables(schema).user
    user_id = sa.select(users.c.id).where(users.c.username == username).scalar_subquery()
    return sa.and_(held.c.user_id == user_id, held.c.idp == idp)


def _after(ttl_s: float) -> sa.ColumnElement[datetime]:
    return sa.func.now() + sa.cast(sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl_s), INTERVAL)
