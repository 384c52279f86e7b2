"""SQL on what applications were given: sessions with their codes and refresh tokens, and consents.

Everything that may be used once is marked by one statement that finds it unmarked, so that of two who come at the same
time one is refused. Whoever needs a code or a refresh token locks its session first, as ending the session does: the
other way round each of the two could wait for the other, and PostgreSQL would stop the one that ends.
"""

import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from commonshub.core.errors import NotFound
from commonshub.core.grants import revoke, tables

from ..users.store import UserRow, columns
from .clients import digest
from .protocol import AuthorizationRequest


@dataclass(frozen=True)
class Tables:
    """The tables in one PostgreSQL schema."""

    session: sa.Table
    code: sa.Table
    refresh: sa.Table
    consent: sa.Table


@lru_cache
def oauth(schema: str) -> Tables:
    """The tables in `schema`."""
    metadata = sa.MetaData(schema=schema)

    def text(name: str, **options: Any) -> sa.Column[Any]:
        return sa.Column(name, sa.Text, **options)

    def moment(name: str) -> sa.Column[Any]:
        return sa.Column(name, sa.DateTime(timezone=True))

    scopes: list[sa.Column[Any]] = [sa.Column("scopes", ARRAY(sa.Text), nullable=False) for _ in range(2)]
    user = [sa.Column("user_id", sa.BigInteger, primary_key=key) for key in (False, True)]
    return Tables(
        session=sa.Table(
            "oauth_session",
            metadata,
            text("id", primary_key=True),
            text("client_id"),
            user[0],
            scopes[0],
            sa.Column("authenticated_at", sa.BigInteger),
            moment("created_at"),
            moment("expires_at"),
        ),
        code=sa.Table(
            "oauth_code",
            metadata,
            text("digest", primary_key=True),
            *map(text, ("session_id", "redirect_uri", "challenge", "nonce")),
            moment("expires_at"),
            moment("used_at"),
        ),
        refresh=sa.Table(
            "oauth_refresh", metadata, text("jti", primary_key=True), text("session_id"), moment("used_at")
        ),
        consent=sa.Table(
            "oauth_consent", metadata, user[1], text("client_id", primary_key=True), scopes[1], moment("at")
        ),
    )


@dataclass(frozen=True, slots=True)
class Session:
    """What one code gave rise to.

    Parameters
    ----------
    scopes
        What the user allowed.
    authenticated_at, expires_at
        Seconds since the epoch.
    """

    id: str
    client_id: str
    scopes: frozenset[str]
    authenticated_at: int | None
    expires_at: int
    user: UserRow


@dataclass(frozen=True, slots=True)
class Code:
    """A code, as it is redeemed."""

    session: Session
    redirect_uri: str
    challenge: str
    nonce: str | None
    used: bool
    expired: bool


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token, as it is used."""

    session: Session
    used: bool


def add_code(
    connection: sa.Connection,
    schema: str,
    user_id: int,
    request: AuthorizationRequest,
    authenticated_at: int | None,
    ttl_s: int,
) -> str:
    """Begin a session, and return the code that its client may redeem within `ttl_s` seconds.

    Sessions that are over are forgotten on the way.
    """
    t = oauth(schema)
    connection.execute(t.session.delete().where(t.session.c.expires_at < sa.func.now()))
    until, session, code = _in(ttl_s), str(uuid.uuid4()), secrets.token_urlsafe(32)
    connection.execute(
        t.session.insert().values(
            id=session,
            client_id=request.client_id,
            user_id=user_id,
            scopes=sorted(request.scopes),
            authenticated_at=authenticated_at,
            expires_at=until,
        )
    )
    connection.execute(
        t.code.insert().values(
            digest=digest(code),
            session_id=session,
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
            nonce=request.nonce,
            expires_at=until,
        )
    )
    return code


def find_code(connection: sa.Connection, schema: str, code: str) -> Code | None:
    """The code with its session, both locked until the transaction ends."""
    t = oauth(schema)
    told = (
        t.code.c.redirect_uri,
        t.code.c.challenge,
        t.code.c.nonce,
        t.code.c.used_at.is_not(None),
        t.code.c.expires_at <= sa.func.now(),
    )
    query = _sessions(schema, *told).join(t.code, t.code.c.session_id == t.session.c.id)
    query = query.where(t.code.c.digest == digest(code)).with_for_update(of=[t.session, t.code])
    row = connection.execute(query).one_or_none()
    return Code(_session(row), *row[-len(told) :]) if row else None


def redeem(connection: sa.Connection, schema: str, code: str, session: Session, ttl_s: int) -> Session:
    """Mark a code as used, and let its session live for `ttl_s` seconds more."""
    t = oauth(schema)
    connection.execute(t.code.update().where(t.code.c.digest == digest(code)).values(used_at=sa.func.now()))
    statement = t.session.update().where(t.session.c.id == session.id).values(expires_at=_in(ttl_s))
    until = connection.execute(statement.returning(_epoch(t.session.c.expires_at))).scalar_one()
    return Session(session.id, session.client_id, session.scopes, session.authenticated_at, until, session.user)


def add_refresh(connection: sa.Connection, schema: str, session: Session, jti: str) -> None:
    """Register a refresh token."""
    connection.execute(oauth(schema).refresh.insert().values(jti=jti, session_id=session.id))


def find_refresh(connection: sa.Connection, schema: str, jti: str) -> Refresh | None:
    """The refresh token with its live session, both locked until the transaction ends."""
    t = oauth(schema)
    query = _sessions(schema, t.refresh.c.used_at.is_not(None)).join(
        t.refresh, t.refresh.c.session_id == t.session.c.id
    )
    live = (t.refresh.c.jti == jti, t.session.c.expires_at > sa.func.now())
    row = connection.execute(query.where(*live).with_for_update(of=[t.session, t.refresh])).one_or_none()
    return Refresh(_session(row), row[-1]) if row else None


def use_refresh(connection: sa.Connection, schema: str, jti: str) -> None:
    """Mark a refresh token as used."""
    t = oauth(schema).refresh
    connection.execute(t.update().where(t.c.jti == jti).values(used_at=sa.func.now()))


def end_session(connection: sa.Connection, schema: str, session_id: str, ttl_s: int) -> None:
    """End a session: its refresh tokens at once, its access tokens (which live `ttl_s` at most) in every service."""
    t = oauth(schema).session
    connection.execute(t.delete().where(t.c.id == session_id))
    revoke(connection, schema, [session_id], ttl_s)


def end_sessions_of(connection: sa.Connection, schema: str, user_id: int, ttl_s: float) -> None:
    """End what all applications were given for a user; access tokens live `ttl_s` seconds at most."""
    t = oauth(schema).session
    ended = connection.execute(t.delete().where(t.c.user_id == user_id).returning(t.c.id)).scalars().all()
    revoke(connection, schema, ended, ttl_s)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a user allowed one client.

    Parameters
    ----------
    scopes
        What he need not be asked for again.
    sessions
        Those that are going on.
    last_at
        When the client last got something by his consent, in seconds since the epoch.
    """

    client_id: str
    name: str
    scopes: tuple[str, ...]
    sessions: tuple[str, ...]
    last_at: int


def allowed(connection: sa.Connection, schema: str, username: str) -> list[Allowed]:
    """What a user allowed whom, by the clients' names."""
    t, client, user = oauth(schema), tables(schema).client, tables(schema).user
    mine = sa.select(user.c.id).where(user.c.username == username).scalar_subquery()
    given = sa.select(t.consent).where(t.consent.c.user_id == mine).subquery()
    live = (t.session.c.user_id == mine, t.session.c.expires_at > sa.func.now())
    going = (
        sa.select(
            t.session.c.client_id,
            sa.func.array_agg(t.session.c.id).label("ids"),
            sa.func.max(t.session.c.created_at).label("at"),
        )
        .where(*live)
        .group_by(t.session.c.client_id)
        .subquery()
    )
    last = sa.cast(sa.extract("epoch", sa.func.greatest(given.c.at, going.c.at)), sa.BigInteger)
    query = (
        sa.select(client.c.client_id, client.c.name, given.c.scopes, going.c.ids, last)
        .outerjoin(given, given.c.client_id == client.c.client_id)
        .outerjoin(going, going.c.client_id == client.c.client_id)
        .where(sa.or_(given.c.client_id.is_not(None), going.c.client_id.is_not(None)))
        .order_by(client.c.name, client.c.client_id)
    )
    rows = connection.execute(query)
    return [
        Allowed(client_id, name, tuple(scopes or ()), tuple(ids or ()), at) for client_id, name, scopes, ids, at in rows
    ]


def withdraw(connection: sa.Connection, schema: str, username: str, client_id: str, ttl_s: int) -> None:
    """End all that a user allowed a client, and ask him again the next time.

    Raises
    ------
    NotFound
        He allowed it nothing.
    """
    found = [each for each in allowed(connection, schema, username) if each.client_id == client_id]
    if not found:
        raise NotFound("You have allowed no such application anything.")
    t, user = oauth(schema), tables(schema).user
    mine = sa.select(user.c.id).where(user.c.username == username).scalar_subquery()
    connection.execute(t.consent.delete().where(t.consent.c.user_id == mine, t.consent.c.client_id == client_id))
    connection.execute(t.session.delete().where(t.session.c.id.in_(found[0].sessions)))
    revoke(connection, schema, found[0].sessions, ttl_s)


def consented(connection: sa.Connection, schema: str, user_id: int, client_id: str) -> frozenset[str]:
    """What a user allowed a client before."""
    t = oauth(schema).consent
    query = sa.select(t.c.scopes).where(t.c.user_id == user_id, t.c.client_id == client_id)
    return frozenset(connection.execute(query).scalar() or ())


def remember(connection: sa.Connection, schema: str, user_id: int, client_id: str, scopes: Iterable[str]) -> None:
    """Add to what a user allowed a client."""
    t = oauth(schema).consent
    together = sorted(consented(connection, schema, user_id, client_id) | frozenset(scopes))
    statement = insert(t).values(user_id=user_id, client_id=client_id, scopes=together, at=sa.func.now())
    changed = {"scopes": together, "at": sa.func.now()}
    connection.execute(statement.on_conflict_do_update(index_elements=["user_id", "client_id"], set_=changed))


def _sessions(schema: str, *more: Any) -> "sa.Select[Any]":
    session, users = oauth(schema).session, tables(schema).user
    own = (session.c.id, session.c.client_id, session.c.scopes, session.c.authenticated_at)
    return (
        sa.select(*own, _epoch(session.c.expires_at), *columns(schema), *more)
        .select_from(session)
        .join(users, users.c.id == session.c.user_id)
    )


def _session(row: Any) -> Session:
    name, client_id, scopes, authenticated_at, until, *rest = row
    return Session(name, client_id, frozenset(scopes), authenticated_at, until, UserRow(*rest[:_USER_COLUMNS]))


_USER_COLUMNS = len(fields(UserRow))


def _epoch(column: sa.Column[Any]) -> Any:
    return sa.cast(sa.extract("epoch", column), sa.BigInteger)


def _in(ttl_s: int) -> Any:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl_s)
