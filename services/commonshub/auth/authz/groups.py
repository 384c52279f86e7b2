"""SQL on groups and clients, and what they are given. Each function is a part of one transaction.

Clients are given policies by their name, since one that changes its secret has several ``client_id``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import BadRequest, Conflict, NotFound
from commonshub.core.grants import tables

from . import bindings, store
from .bindings import BUILT_IN
from .forms import Grant, Group
from .policies import require_sober
from .store import Document, Page, Query, Row

# -- groups ------------------------------------------------------------------------------------------------------------


def list_groups(connection: sa.Connection, schema: str, page: Page) -> tuple[list[Document], str | None]:
    """A page of the groups, and where the next starts."""
    group = tables(schema).group.c
    rows = connection.execute(store.page_of(sa.select(group.name, group.source), group.name, page)).all()
    kept, following = store.cut(rows, page)
    return _group_documents(connection, schema, kept), following


def read_group(connection: sa.Connection, schema: str, name: str) -> Document:
    """One group, who is in it and what it gives.

    Raises
    ------
    NotFound
        There is none of this name.
    """
    group = tables(schema).group.c
    rows = connection.execute(sa.select(group.name, group.source).where(group.name == name)).all()
    if not rows:
        raise NotFound(f"There is no group {name}.")
    return _group_documents(connection, schema, rows)[0]


def _group_documents(connection: sa.Connection, schema: str, rows: Sequence[Row]) -> list[Document]:
    t = tables(schema)
    names = [row.name for row in rows]
    policies = bindings.bound(
        connection, t.group_policy, t.group_policy.c.group_name, names, t.group_policy.c.policy_id
    )
    in_it = t.user_group.join(t.user, t.user.c.id == t.user_group.c.user_id)
    users = bindings.bound(connection, t.user_group, t.user_group.c.group_name, names, t.user.c.username, in_it)
    return [
        {
            "name": row.name,
            "users": bindings.names(users[row.name]),
            "policies": bindings.names(policies[row.name]),
            "source": row.source,
        }
        for row in rows
    ]


def create_group(connection: sa.Connection, schema: str, group: Group, source: str) -> None:
    """Make a group, with users and policies.

    Raises
    ------
    Conflict
        There is one of this name, or something was granted under it before it was dropped.
    BadRequest
        A user or policy does not exist.
    """
    t = tables(schema)
    if store.owner(connection, t.group.c.name, group.name) is not None:
        raise Conflict(f"The group {group.name} exists already.")
    store.require_unused(connection, f"The name {group.name}", _uses(schema, group.name), None)
    connection.execute(t.group.insert().values(name=group.name, source=source))
    _fill(connection, schema, group, source)


def put_group(connection: sa.Connection, schema: str, group: Group, source: str) -> None:
    """Make a group, or replace what `source` says of an existing one.

    Raises
    ------
    Conflict
        It is new, and something was granted under its name before.
    BadRequest
        A user or policy does not exist; the group is built in and users are listed; it would give everybody too much.
    """
    t = tables(schema)
    if store.owner(connection, t.group.c.name, group.name) is None:
        return create_group(connection, schema, group, source)
    for table, key in _uses(schema, group.name):
        connection.execute(table.delete().where(*store.matching(table, key), table.c.source == source))
    return _fill(connection, schema, group, source)


def _uses(schema: str, name: str) -> list[tuple[sa.Table, dict[str, Any]]]:
    t = tables(schema)
    return [(table, {"group_name": name}) for table in (t.user_group, t.group_policy)]


def _fill(connection: sa.Connection, schema: str, group: Group, source: str) -> None:
    t = tables(schema)
    if group.users:
        _require_open(group.name)
    user_ids = _user_ids(connection, schema, group.users)
    bindings.require_policies(connection, schema, group.policies)
    rows = [{"user_id": each, "group_name": group.name, "source": source} for each in user_ids]
    if rows:
        connection.execute(insert(t.user_group), rows)
    grants = [Grant(policy) for policy in group.policies]
    bindings.give(connection, t.group_policy, {"group_name": group.name}, "policy_id", grants, source)
    require_sober(connection, schema)


def _user_ids(connection: sa.Connection, schema: str, names: Sequence[str]) -> list[int]:
    user = tables(schema).user.c
    absent = store.missing(connection, user.username, names)
    if absent:
        raise BadRequest(f"There is no user {absent[0]}.")
    return list(connection.execute(sa.select(user.id).where(store.one_of(user.username, names))).scalars())


def _require_open(name: str) -> None:
    if name in BUILT_IN:
        raise BadRequest(f"The group {name} is built in: who is in it cannot be changed.")


def delete_group(connection: sa.Connection, schema: str, name: str, source: str) -> None:
    """Remove a group and what `source` says of it; one that is not there is gone already.

    Raises
    ------
    BadRequest
        It is built in.
    Conflict
        It belongs to another source, or another source put somebody into it or gave it something.
    """
    t = tables(schema)
    if name in BUILT_IN:
        raise BadRequest(f"The group {name} is built in.")
    found = store.owner(connection, t.group.c.name, name)
    if found is None:
        return
    store.require_owner(f"The group {name}", found, source)
    uses = _uses(schema, name)
    store.require_unused(connection, f"The group {name}", uses, source)
    for table, key in uses:
        connection.execute(table.delete().where(*store.matching(table, key)))
    connection.execute(t.group.delete().where(t.group.c.name == name))


def join_group(
    connection: sa.Connection, schema: str, name: str, username: str, expires_at: datetime | None, source: str
) -> None:
    """Put a user into a group.

    Raises
    ------
    NotFound
        There is no such group.
    BadRequest
        The group is built in, or there is no such user.
    """
    _require_open(name)
    bindings.require_group(connection, schema, name)
    [user_id] = _user_ids(connection, schema, [username])
    grants = [Grant(name, expires_at)]
    bindings.give(connection, tables(schema).user_group, {"user_id": user_id}, "group_name", grants, source)


def leave_group(connection: sa.Connection, schema: str, name: str, username: str, source: str) -> None:
    """Take a user out of a group; one who is not in it is out already.

    Raises
    ------
    NotFound
        There is no such group.
    BadRequest
        There is no such user.
    Conflict
        Only other sources put him into it.
    """
    bindings.require_group(connection, schema, name)
    [user_id] = _user_ids(connection, schema, [username])
    key = {"user_id": user_id, "group_name": name}
    bindings.take(connection, f"The place of {username} in {name}", tables(schema).user_group, key, source)


def grant_to_group(connection: sa.Connection, schema: str, name: str, grant: Grant, source: str) -> None:
    """Give a group a policy.

    Raises
    ------
    NotFound
        There is no such group.
    BadRequest
        There is no such policy, or it would give everybody too much.
    """
    bindings.require_group(connection, schema, name)
    bindings.require_policies(connection, schema, [grant.name])
    bindings.give(connection, tables(schema).group_policy, {"group_name": name}, "policy_id", [grant], source)
    require_sober(connection, schema)


def revoke_from_group(connection: sa.Connection, schema: str, name: str, policy: str, source: str) -> None:
    """Take a policy from a group; one that it has not is gone already.

    Raises
    ------
    NotFound
        There is no such group.
    Conflict
        Only other sources gave it.
    """
    bindings.require_group(connection, schema, name)
    key = {"group_name": name, "policy_id": policy}
    bindings.take(connection, f"The policy {policy} of {name}", tables(schema).group_policy, key, source)


# -- clients -----------------------------------------------------------------------------------------------------------


def list_clients(connection: sa.Connection, schema: str, page: Page) -> tuple[list[Document], str | None]:
    """A page of the clients, and where the next starts."""
    client = tables(schema).client
    rows = connection.execute(store.page_of(_clients(schema), client.c.client_id, page)).all()
    kept, following = store.cut(rows, page)
    return _client_documents(connection, schema, kept), following


def read_client(connection: sa.Connection, schema: str, client_id: str) -> Document:
    """One client and what it was given.

    Raises
    ------
    NotFound
        There is none of this ``client_id``.
    """
    rows = connection.execute(_clients(schema).where(tables(schema).client.c.client_id == client_id)).all()
    if not rows:
        raise NotFound(f"There is no client {client_id}.")
    return _client_documents(connection, schema, rows)[0]


def _clients(schema: str) -> Query:
    client = tables(schema).client.c
    return sa.select(client.client_id, client.name, client.source)


def _client_documents(connection: sa.Connection, schema: str, rows: Sequence[Row]) -> list[Document]:
    table = tables(schema).client_policy
    names = [row.name for row in rows]
    found = bindings.bound(connection, table, table.c.client_name, names, table.c.policy_id)
    return [
        {
            "clientID": row.client_id,
            "name": row.name,
            "policies": bindings.names(found[row.name]),
            "source": row.source,
        }
        for row in rows
    ]


def create_client(connection: sa.Connection, schema: str, client_id: str, policies: Sequence[str], source: str) -> None:
    """Make a client to which policies can be given; it has no secret, so no token is issued to it.

    Raises
    ------
    Conflict
        There is one of this ``client_id`` or name, or something was granted to its name.
    BadRequest
        A policy does not exist.
    """
    t = tables(schema)
    taken = sa.or_(t.client.c.client_id == client_id, t.client.c.name == client_id)
    if connection.execute(sa.select(t.client.c.client_id).where(taken).limit(1)).first():
        raise Conflict(f"The client {client_id} exists already.")
    store.require_unused(connection, f"The name {client_id}", [(t.client_policy, {"client_name": client_id})], None)
    bindings.require_policies(connection, schema, policies)
    connection.execute(t.client.insert().values(client_id=client_id, name=client_id, source=source))
    grants = [Grant(policy) for policy in policies]
    bindings.give(connection, t.client_policy, {"client_name": client_id}, "policy_id", grants, source)


def delete_client(connection: sa.Connection, schema: str, client_id: str, source: str) -> None:
    """Remove a client, and with the last of its name what `source` gave it; one that is not there is gone already.

    Raises
    ------
    Conflict
        It belongs to another source, or another source gave it something.
    """
    t = tables(schema)
    found = store.owner(connection, t.client.c.client_id, client_id)
    if found is None:
        return
    store.require_owner(f"The client {client_id}", found, source)
    name = _client_name(connection, schema, client_id)
    connection.execute(t.client.delete().where(t.client.c.client_id == client_id))
    if store.missing(connection, t.client.c.name, [name]):
        key = {"client_name": name}
        store.require_unused(connection, f"The client {client_id}", [(t.client_policy, key)], source)
        connection.execute(t.client_policy.delete().where(*store.matching(t.client_policy, key)))


def grant_to_client(connection: sa.Connection, schema: str, client_id: str, grant: Grant, source: str) -> None:
    """Give a client a policy.

    Raises
    ------
    NotFound
        There is no such client, or no such policy.
    """
    name = _client_name(connection, schema, client_id)
    t = tables(schema)
    if store.missing(connection, t.policy.c.id, [grant.name]):
        raise NotFound(f"There is no policy {grant.name}.")
    bindings.give(connection, t.client_policy, {"client_name": name}, "policy_id", [grant], source)


def revoke_from_client(connection: sa.Connection, schema: str, client_id: str, policy: str | None, source: str) -> None:
    """Take a policy from a client, or all that `source` gave it; one that it has not is gone already.

    Raises
    ------
    NotFound
        There is no such client.
    Conflict
        Only other sources gave it.
    """
    table = tables(schema).client_policy
    name = _client_name(connection, schema, client_id)
    if policy is None:
        connection.execute(table.delete().where(table.c.client_name == name, table.c.source == source))
        return
    key = {"client_name": name, "policy_id": policy}
    bindings.take(connection, f"The policy {policy} of {client_id}", table, key, source)


def _client_name(connection: sa.Connection, schema: str, client_id: str) -> str:
    client = tables(schema).client.c
    name: str | None = connection.execute(
        sa.select(client.name).where(client.client_id == client_id)
    ).scalar_one_or_none()
    if name is None:
        raise NotFound(f"There is no client {client_id}.")
    return name
