"""SQL on applications."""

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from commonshub.core.errors import Conflict, NotFound
from commonshub.core.grants import tables

from .. import sources
from .clients import Client

# Where policies come from that belong to a registered client, and not to a name in a file.
SOURCES = (sources.CLI, sources.API)


@lru_cache
def clients(schema: str) -> sa.Table:
    """The table of applications, of which :mod:`commonshub.core.grants` reads the first columns."""
    texts = [sa.Column(name, sa.Text, nullable=False) for name in ("name", "source", "secret_hash", "owner")]
    kind: Any = ARRAY(sa.Text)
    lists = [sa.Column(name, kind, nullable=False) for name in ("redirect_uris", "scopes", "grant_types")]
    flags = [sa.Column(name, sa.Boolean, nullable=False) for name in ("auto_approve", "confidential")]
    moments = [sa.Column(name, sa.DateTime(timezone=True)) for name in ("expires_at", "created_at")]
    key = sa.Column("client_id", sa.Text, primary_key=True)
    return sa.Table("client", sa.MetaData(schema=schema), key, *texts, *lists, *flags, *moments)


def columns(schema: str) -> list[sa.ColumnElement[Any]]:
    """What a :class:`Client` is made of, in its order."""
    table = clients(schema).c
    special = {
        "id": table.client_id,
        "expires_at": sa.cast(sa.extract("epoch", table.expires_at), sa.BigInteger),
        "created_at": sa.cast(sa.extract("epoch", table.created_at), sa.BigInteger),
    }
    return [special[each.name] if each.name in special else table[each.name] for each in fields(Client)]


def read_client(row: Sequence[Any]) -> Client:
    """The client of a row of :func:`columns`."""
    values = dict(zip((each.name for each in fields(Client)), row, strict=True))
    values["redirect_uris"] = tuple(values["redirect_uris"])
    values["scopes"], values["grant_types"] = frozenset(values["scopes"]), frozenset(values["grant_types"])
    return Client(**values)


def find_client(connection: sa.Connection, schema: str, client_id: str | None) -> Client | None:
    """The client of this ``client_id``."""
    if not client_id:
        return None
    query = sa.select(*columns(schema)).where(clients(schema).c.client_id == client_id)
    row = connection.execute(query).one_or_none()
    return read_client(row) if row else None


def get_client(connection: sa.Connection, schema: str, client_id: str) -> Client:
    """The client of this ``client_id``.

    Raises
    ------
    NotFound
        There is none.
    """
    client = find_client(connection, schema, client_id)
    if client is None:
        raise NotFound(f"This commons has no client {client_id[:80]}.")
    return client


def list_clients(connection: sa.Connection, schema: str, name: str | None = None) -> list[Client]:
    """All clients, or those of a name, by name and then the newest first."""
    table = clients(schema).c
    query = sa.select(*columns(schema)).order_by(table.name, table.created_at.desc(), table.client_id)
    if name is not None:
        query = query.where(table.name == name)
    return [read_client(row) for row in connection.execute(query)]


def add_client(connection: sa.Connection, schema: str, client: Client, source: str, rotated: bool = False) -> None:
    """Register a client.

    Parameters
    ----------
    rotated
        It takes the place of another of the same name, which lives on until it is deleted or ends.

    Raises
    ------
    Conflict
        There is one of this name, and this is not `rotated`.
    """
    # Two who register the same name at once would both find it free.
    lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext(sa.literal("commonshub.client." + client.name)))
    connection.execute(sa.select(lock))
    if not rotated and list_clients(connection, schema, client.name):
        raise Conflict(f"There is a client {client.name!r} already; rotate its secret, or take another name.")
    connection.execute(clients(schema).insert().values(client_id=client.id, source=source, **_values(client)))


def put_client(connection: sa.Connection, schema: str, client: Client) -> None:
    """Write a client that was changed; its ``client_id`` and secret stay."""
    table = clients(schema)
    connection.execute(table.update().where(table.c.client_id == client.id).values(**_values(client)))


def delete_clients(connection: sa.Connection, schema: str, ids: Sequence[str]) -> None:
    """Delete clients, and with them all that they were given."""
    table = clients(schema)
    connection.execute(table.delete().where(table.c.client_id.in_(ids)))


def bind_policies(connection: sa.Connection, schema: str, name: str, policies: Sequence[str], source: str) -> None:
    """Make `policies` the ones that `source` gives to the clients of a name; what others give stays.

    Raises
    ------
    NotFound
        Nothing defines one of them.
    """
    t = tables(schema)
    known = set(connection.execute(sa.select(t.policy.c.id).where(t.policy.c.id.in_(policies))).scalars())
    unknown = sorted(set(policies) - known)
    if unknown:
        raise NotFound(f"This commons has no policy {unknown[0][:80]}; import a user.yaml that defines it.")
    mine = (t.client_policy.c.client_name == name, t.client_policy.c.source == source)
    connection.execute(t.client_policy.delete().where(*mine))
    for policy in dict.fromkeys(policies):
        values = {"client_name": name, "policy_id": policy, "source": source}
        connection.execute(insert(t.client_policy).values(**values))


def unbind_unused(connection: sa.Connection, schema: str, names: Sequence[str]) -> None:
    """Take back the policies of names that no client has any more, so that who takes the name later inherits nothing.

    What user.yaml gives stays, since it names clients that may not be registered yet.
    """
    table, bound = clients(schema), tables(schema).client_policy
    used = sa.select(table.c.name).where(table.c.name.in_(names))
    gone = (bound.c.client_name.in_(names), bound.c.client_name.not_in(used), bound.c.source.in_(SOURCES))
    connection.execute(bound.delete().where(*gone))


def policies_of(connection: sa.Connection, schema: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Policies that the clients of each name have, whoever gave them."""
    bound = tables(schema).client_policy.c
    query = sa.select(bound.client_name, bound.policy_id).where(bound.client_name.in_(names)).distinct()
    found: dict[str, list[str]] = {}
    for name, policy in connection.execute(query.order_by(bound.client_name, bound.policy_id)):
        found.setdefault(name, []).append(policy)
    return found


def _values(client: Client) -> dict[str, Any]:
    texts = {name: getattr(client, name) for name in ("name", "secret_hash", "owner", "auto_approve", "confidential")}
    lists = {name: sorted(getattr(client, name)) for name in ("scopes", "grant_types")}
    until = None if client.expires_at is None else sa.func.to_timestamp(client.expires_at)
    return {**texts, **lists, "redirect_uris": list(client.redirect_uris), "expires_at": until}
