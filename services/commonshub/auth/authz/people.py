"""SQL on users as those who are granted something. Each function is a part of one transaction."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import BadRequest, Conflict
from commonshub.core.grants import revoke, tables
from commonshub.core.identity import account_mark

from .. import sources
from ..users.store import get_user
from . import bindings, store
from .bindings import BUILT_IN
from .forms import Grant, NewUser
from .store import Document, Page, Query, Row


def list_users(connection: sa.Connection, schema: str, page: Page) -> tuple[list[Document], str | None]:
    """A page of the users, and where the next starts."""
    user = tables(schema).user
    rows = connection.execute(store.page_of(_users(schema), user.c.username, page)).all()
    kept, following = store.cut(rows, page)
    return _documents(connection, schema, kept), following


def read_user(connection: sa.Connection, schema: str, name: str) -> Document:
    """One user and what he was given.

    Raises
    ------
    NotFound
        There is none of this name.
    """
    user = get_user(connection, schema, name)
    rows = connection.execute(_users(schema).where(tables(schema).user.c.id == user.id)).all()
    return _documents(connection, schema, rows)[0]


def _users(schema: str) -> Query:
    user = tables(schema).user.c
    return sa.select(user.username, user.id, user.email, user.active, user.source)


def _documents(connection: sa.Connection, schema: str, rows: Sequence[Row]) -> list[Document]:
    t = tables(schema)
    ids = [row.id for row in rows]
    policies = bindings.bound(connection, t.user_policy, t.user_policy.c.user_id, ids, t.user_policy.c.policy_id)
    groups = bindings.bound(connection, t.user_group, t.user_group.c.user_id, ids, t.user_group.c.group_name)
    return [
        {
            "name": row.username,
            "email": row.email,
            "active": row.active,
            "groups": bindings.names(groups[row.id]),
            "policies": bindings.in_full(policies[row.id]),
            "source": row.source,
        }
        for row in rows
    ]


def create_user(connection: sa.Connection, schema: str, user: NewUser, source: str) -> None:
    """Make a user, with groups and policies.

    Raises
    ------
    Conflict
        There is one of this name.
    BadRequest
        A group or policy does not exist, or the group is built in.
    """
    t = tables(schema)
    values = {"username": user.name, "email": user.email, "source": source}
    made = connection.execute(insert(t.user).values(**values).on_conflict_do_nothing().returning(t.user.c.id))
    user_id = made.scalar_one_or_none()
    if user_id is None:
        raise Conflict(f"The user {user.name} exists already.")
    bindings.require_policies(connection, schema, user.policies)
    absent = store.missing(connection, t.group.c.name, user.groups)
    if absent:
        raise BadRequest(f"There is no group {absent[0]}.")
    built_in = [name for name in user.groups if name in BUILT_IN]
    if built_in:
        raise BadRequest(f"Everybody is in {built_in[0]} who should be; nobody can be put into it.")
    subject = {"user_id": user_id}
    bindings.give(connection, t.user_policy, subject, "policy_id", [Grant(name) for name in user.policies], source)
    bindings.give(connection, t.user_group, subject, "group_name", [Grant(name) for name in user.groups], source)


def change_user(connection: sa.Connection, schema: str, name: str, new_name: str | None, email: str | None) -> None:
    """Change a user's email.

    Raises
    ------
    NotFound
        There is no such user.
    Conflict
        He is defined in user.yaml, or `new_name` is another's.
    BadRequest
        `new_name` is another name.
    """
    t = tables(schema)
    user = get_user(connection, schema, name)
    if new_name is not None and new_name != name:
        if store.missing(connection, t.user.c.username, [new_name]):
            raise BadRequest("The name of a user cannot be changed: his tokens, uploads and the audit trail carry it.")
        raise Conflict(f"The user {new_name} exists already.")
    if store.owner(connection, t.user.c.username, name) == sources.USER_FILE:
        raise Conflict(f"The user {name} is defined in user.yaml; change him there.")
    if email is not None:
        connection.execute(t.user.update().where(t.user.c.id == user.id).values(email=email))


def delete_user(connection: sa.Connection, schema: str, name: str, source: str, token_ttl_s: float) -> None:
    """Forget a user, his keys and what `source` gave him; one that is not there is gone already.

    His tokens are refused from now on, also when somebody else comes to have his name.

    Parameters
    ----------
    token_ttl_s
        Longest life of a token, in seconds.

    Raises
    ------
    Conflict
        He is defined in user.yaml, or another source gave him something.
    """
    t = tables(schema)
    row = connection.execute(sa.select(t.user.c.id, t.user.c.source).where(t.user.c.username == name)).one_or_none()
    if row is None:
        return
    if row.source == sources.USER_FILE:
        raise Conflict(f"The user {name} is defined in user.yaml; remove him there.")
    uses = [(table, {"user_id": row.id}) for table in (t.user_policy, t.user_group)]
    store.require_unused(connection, f"The user {name}", uses, source)
    revoke(connection, schema, [account_mark(row.id)], token_ttl_s)
    connection.execute(t.user.delete().where(t.user.c.id == row.id))


def grant_to_user(connection: sa.Connection, schema: str, name: str, grants: Sequence[Grant], source: str) -> None:
    """Give a user policies, all or none.

    Raises
    ------
    NotFound
        There is no such user.
    BadRequest
        A policy does not exist.
    """
    user = get_user(connection, schema, name)
    bindings.require_policies(connection, schema, [each.name for each in grants])
    bindings.give(connection, tables(schema).user_policy, {"user_id": user.id}, "policy_id", grants, source)


def revoke_from_user(connection: sa.Connection, schema: str, name: str, policy: str, source: str) -> None:
    """Take a policy from a user.

    Raises
    ------
    NotFound
        There is no such user.
    Conflict
        Other sources gave it to him.
    BadRequest
        Nobody did.
    """
    user = get_user(connection, schema, name)
    key = {"user_id": user.id, "policy_id": policy}
    bindings.take(connection, f"The policy {policy} of {name}", tables(schema).user_policy, key, source, exact=True)


def revoke_all_from_user(connection: sa.Connection, schema: str, name: str, source: str) -> None:
    """Take from a user all policies that `source` gave him.

    Raises
    ------
    NotFound
        There is no such user.
    """
    table = tables(schema).user_policy
    user = get_user(connection, schema, name)
    connection.execute(table.delete().where(table.c.user_id == user.id, table.c.source == source))
