"""SQL on sign-ins, and on who at which provider is which user."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB, insert

from commonshub.core.errors import PermissionDenied
from commonshub.core.grants import revoke, tables

from .. import sources
from ..users.store import UserRow, admit
from .person import Person

# How much of the idle time must have passed before a sign-in is written to again, as one part of it.
TOUCH_PARTS = 10


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in that holds."""

    sid: str
    username: str
    idp: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """A sign-in that was ended."""

    username: str
    idp: str
    id_token: str


@lru_cache
def login_table(schema: str) -> sa.Table:
    """Sign-ins: ``id`` is the hash of the cookie, ``sid`` the name that others may know."""
    moment = sa.DateTime(timezone=True)
    return sa.Table(
        "login",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text) for name in ("sid", "idp", "subject", "id_token")),
        sa.Column("user_id", sa.BigInteger),
        sa.Column("groups", JSONB),
        *(sa.Column(name, moment) for name in ("created_at", "seen_at", "expires_at", "ends_at")),
    )


@lru_cache
def identity_table(schema: str) -> sa.Table:
    """Which subject of which provider is which user; each user is one of them only."""
    return sa.Table(
        "login_identity",
        sa.MetaData(schema=schema),
        sa.Column("idp", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("user_id", sa.BigInteger),
    )


def admit_person(connection: sa.Connection, schema: str, idp: str, person: Person, allow_new: bool) -> UserRow:
    """The user that a provider's subject is.

    A subject is bound to the user of his name when he first signs in, and stays bound whatever he is called later.
    Nobody else can ever sign in under a name that is bound, be it by another spelling, after the provider gave the
    name away, or from another provider.

    Raises
    ------
    PermissionDenied
        The name belongs to somebody else, or the user is unknown here or was switched off.
    """
    user, identity = tables(schema).user, identity_table(schema)
    bound = _bound_name(connection, schema, idp, person)
    row = admit(connection, schema, bound or person.name, allow_new)
    if bound is None:
        values = {"idp": idp, "subject": person.subject, "user_id": row.id}
        connection.execute(insert(identity).values(values).on_conflict_do_nothing())
        # The same person may have come twice at once: then the other request bound him.
        if _bound_name(connection, schema, idp, person) != row.username:
            raise PermissionDenied(
                f"The name {row.username} belongs to another account. Ask an administrator of this commons for help."
            )
    if person.email and not row.email:
        connection.execute(user.update().where(user.c.id == row.id).values(email=person.email))
    return row


def _bound_name(connection: sa.Connection, schema: str, idp: str, person: Person) -> str | None:
    user, identity = tables(schema).user, identity_table(schema)
    query = sa.select(user.c.username).join(identity, identity.c.user_id == user.c.id)
    found: str | None = connection.execute(
        query.where(identity.c.idp == idp, identity.c.subject == person.subject)
    ).scalar()
    return found


def begin(
    connection: sa.Connection,
    schema: str,
    user: UserRow,
    person: Person,
    *,
    idp: str,
    digest: str,
    sid: str,
    id_token: str,
    idle_s: int,
    life_s: int,
) -> None:
    """Store a new sign-in, and forget those that are over."""
    table = login_table(schema)
    connection.execute(table.delete().where(table.c.expires_at < sa.func.now()))
    connection.execute(
        table.insert().values(
            id=digest,
            sid=sid,
            user_id=user.id,
            idp=idp,
            subject=person.subject,
            id_token=id_token,
            groups=list(person.groups),
            expires_at=sa.func.now() + _seconds(min(idle_s, life_s)),
            ends_at=sa.func.now() + _seconds(life_s),
        )
    )


def find(connection: sa.Connection, schema: str, digest: str, idle_s: int) -> Login | None:
    """The sign-in whose cookie has this hash, if it holds and its user is active; it has then been seen."""
    login, user = login_table(schema), tables(schema).user
    touched = login.c.seen_at < sa.func.now() - _seconds(idle_s / TOUCH_PARTS)
    query = (
        sa.select(login.c.sid, user.c.username, login.c.idp, login.c.groups, touched)
        .join(user, user.c.id == login.c.user_id)
        .where(login.c.id == digest, login.c.expires_at > sa.func.now(), user.c.active)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    sid, username, idp, groups, stale = row
    if stale:
        until = sa.func.least(sa.func.now() + _seconds(idle_s), login.c.ends_at)
        connection.execute(login.update().where(login.c.id == digest).values(seen_at=sa.func.now(), expires_at=until))
    return Login(sid, username, idp, tuple(groups))


def put_groups(
    connection: sa.Connection, schema: str, user: UserRow, idp: str, names: Sequence[str], ttl_s: int
) -> None:
    """Make a user a member of those groups of this commons that a provider names, for `ttl_s` seconds.

    The memberships are the provider's: it takes away what it gave and names no more, and nothing that others gave.
    Groups that nobody defined here, and those that are built in, are left out.
    """
    t, source = tables(schema), f"provider:{idp}"
    wanted = sa.select(t.group.c.name).where(t.group.c.name.in_(names), t.group.c.source != sources.BUILT_IN)
    found = connection.execute(wanted).scalars().all()
    theirs = sa.and_(t.user_group.c.user_id == user.id, t.user_group.c.source == source)
    connection.execute(t.user_group.delete().where(theirs, t.user_group.c.group_name.not_in(found)))
    if not found:
        return
    until = sa.func.now() + _seconds(ttl_s)
    rows = [{"user_id": user.id, "group_name": name, "source": source, "expires_at": until} for name in found]
    statement = insert(t.user_group).values(rows)
    keys = ["user_id", "group_name", "source"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"expires_at": until}))


def end(connection: sa.Connection, schema: str, sid: str) -> Ended | None:
    """End one sign-in; what it was, or None where there is none of this name."""
    login, user = login_table(schema), tables(schema).user
    gone = connection.execute(
        login.delete().where(login.c.sid == sid).returning(login.c.user_id, login.c.idp, login.c.id_token)
    ).one_or_none()
    if gone is None:
        return None
    username = connection.execute(sa.select(user.c.username).where(user.c.id == gone.user_id)).scalar_one()
    return Ended(username, gone.idp, gone.id_token)


def end_all(connection: sa.Connection, schema: str, user_id: int, ttl_s: float) -> None:
    """End all sign-ins of a user, and what came from them, which lives `ttl_s` seconds at most."""
    login = login_table(schema)
    ended = connection.execute(login.delete().where(login.c.user_id == user_id).returning(login.c.sid)).scalars().all()
    revoke(connection, schema, ended, ttl_s)


def _seconds(seconds: float) -> Any:
    return sa.cast(sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds), INTERVAL)
