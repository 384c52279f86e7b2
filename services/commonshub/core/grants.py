"""The policies in the database, as an immutable snapshot that follows every change.

The tables belong to the auth service, whose migrations create them and whose code alone writes to them; every service
reads them. A statement that changes one of them notifies ``commonshub_policy`` (by trigger, so that a change made with
``psql`` counts too), and each process loads the whole anew: a decision never waits for the database.

Every row says where it came from (``source``: ``user.yaml``, ``cli``, ``api``…). What a source gave is a row of its
own: an import can neither shorten nor remove what somebody else granted, and the effective rights are the union.
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INTERVAL, JSON, JSONB, aggregate_order_by, insert
from sqlalchemy.exc import SQLAlchemyError

from .database import Database
from .errors import BadRequest, Unavailable
from .listen import Listener
from .policy import Binding, Client, Path, Permission, Policy, Snapshot, User, parse_path
from .tasks import cancel

CHANNEL = "commonshub_policy"
# Payload of a notification that only concerns revoked tokens.
REVOKED = "revoked"
DEBOUNCE_S = 0.02
RETRY_S = 1.0
# How long not to read the policies again, as a multiple of what it took: under a stream of changes (an hour of first
# sign-ins) reading takes a fifth of the time at most.
REST = 4.0
LONGEST_REST_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tables:
    """The tables of users and policies in one PostgreSQL schema."""

    user: sa.Table
    client: sa.Table
    group: sa.Table
    role: sa.Table
    permission: sa.Table
    policy: sa.Table
    policy_role: sa.Table
    policy_resource: sa.Table
    resource: sa.Table
    project: sa.Table
    user_policy: sa.Table
    user_group: sa.Table
    group_policy: sa.Table
    client_policy: sa.Table
    revoked: sa.Table


@lru_cache
def tables(schema: str) -> Tables:
    """The tables in `schema`.

    ``policy_role``, ``policy_resource`` and the bindings name roles, paths and policies without a foreign key: a name
    that nothing defines grants nothing, and an import may drop a definition and bring it back without touching what
    other sources bound to it. Clients are bound by name, since one that changes its secret has several ``client_id``.
    """
    metadata = sa.MetaData(schema=schema)

    def table(name: str, *columns: sa.Column[Any]) -> sa.Table:
        return sa.Table(name, metadata, *columns)

    def key(name: str) -> sa.Column[Any]:
        return sa.Column(name, sa.Text, primary_key=True)

    def user_id() -> sa.Column[Any]:
        user = sa.ForeignKey(f"{schema}.usr.id", ondelete="cascade")
        return sa.Column("user_id", sa.BigInteger, user, primary_key=True)

    def text(name: str) -> sa.Column[Any]:
        return sa.Column(name, sa.Text, nullable=False, server_default="")

    def expires() -> sa.Column[Any]:
        return sa.Column("expires_at", sa.DateTime(timezone=True))

    return Tables(
        user=table(
            "usr",
            sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
            sa.Column("username", sa.Text, nullable=False, unique=True),
            text("email"),
            text("display_name"),
            text("phone_number"),
            sa.Column("tags", JSONB, nullable=False, server_default="{}"),
            sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
            text("source"),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        ),
        client=table("client", key("client_id"), text("name"), text("source"), expires()),
        group=table("grp", key("name"), text("source")),
        role=table("role", key("id"), text("description"), text("source")),
        permission=table("permission", key("role_id"), key("id"), text("description"), text("service"), text("method")),
        policy=table("policy", key("id"), text("description"), text("source")),
        policy_role=table("policy_role", key("policy_id"), key("role_id")),
        policy_resource=table("policy_resource", key("policy_id"), key("path")),
        resource=table("resource", key("path"), key("source"), text("description")),
        project=table("project", key("auth_id"), key("source"), text("path")),
        user_policy=table("user_policy", user_id(), key("policy_id"), key("source"), expires()),
        user_group=table("user_group", user_id(), key("group_name"), key("source"), expires()),
        group_policy=table("group_policy", key("group_name"), key("policy_id"), key("source"), expires()),
        client_policy=table("client_policy", key("client_name"), key("policy_id"), key("source"), expires()),
        revoked=table("revoked", key("id"), expires()),
    )


class Users(Mapping[str, User]):
    """Users by name, each decoded when he is asked for.

    A commons may have many thousands, of whom few are active at a time: loading them keeps one text a user, and users
    who were given the same share theirs.

    Parameters
    ----------
    given
        JSON of what each user was given: ``[active, policies, groups]``, the two being lists of the fields of
        :class:`~commonshub.core.policy.Binding`, or null.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def __getitem__(self, username: str) -> User:
        active, policies, groups = orjson.loads(self._given[username])
        return User(_decode(policies), _decode(groups), active)

    def __contains__(self, username: object) -> bool:
        return username in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def _decode(bindings: Iterable[Sequence[Any]] | None) -> tuple[Binding, ...]:
    return tuple([Binding(name, end if end is None else float(end), source) for name, end, source in bindings or ()])


def load(connection: sa.Connection, schema: str) -> Snapshot:
    """All policies as of one moment; none where the tables do not exist yet.

    One statement a kind, each row of which PostgreSQL has put together already: this runs in every process whenever
    something changes, beside an event loop that waits for the interpreter meanwhile.
    """
    connection.execute(sa.text("set transaction isolation level repeatable read, read only"))
    if not sa.inspect(connection).has_table("revoked", schema=schema):
        return Snapshot()
    t = tables(schema)
    paths = _Paths()
    return Snapshot(
        policies=_policies(connection, t, paths),
        groups={
            name: _decode(orjson.loads(given))
            for name, given in connection.execute(_given(t.group_policy.c.group_name, t.group_policy.c.policy_id))
        },
        users=_users(connection, t),
        clients=_clients(connection, t),
        resources=frozenset(paths.parsed(connection.execute(sa.select(t.resource.c.path)).scalars())),
        projects={
            auth_id: path
            for auth_id, text in connection.execute(sa.select(t.project.c.auth_id, t.project.c.path))
            for path in paths.parsed([text])
        },
    )


def load_revoked(connection: sa.Connection, schema: str) -> frozenset[str]:
    """Identifiers of tokens, keys and sessions that are revoked, and could otherwise still be in use."""
    if not sa.inspect(connection).has_table("revoked", schema=schema):
        return frozenset()
    revoked = tables(schema).revoked.c
    return frozenset(connection.execute(sa.select(revoked.id).where(revoked.expires_at > sa.func.now())).scalars())


def revoke(connection: sa.Connection, schema: str, ids: Sequence[str], ttl_s: float) -> None:
    """Refuse, in every service, what carries one of `ids` as its ``jti`` or ``sid``, or is of an account named by
    :func:`~commonshub.core.identity.account_mark`.

    Parameters
    ----------
    ttl_s
        Seconds after which nothing can be in use any more that carries them, so that they can be forgotten.
    """
    if not ids:
        return
    table = tables(schema).revoked
    connection.execute(table.delete().where(table.c.expires_at < sa.func.now()))
    until = sa.func.now() + sa.cast(sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl_s), INTERVAL)
    statement = insert(table).values([{"id": each, "expires_at": until} for each in dict.fromkeys(ids)])
    later = sa.func.greatest(table.c.expires_at, statement.excluded.expires_at)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"expires_at": later}))


def _given(subject: sa.Column[Any], name: sa.Column[Any]) -> sa.Select[tuple[Any, str]]:
    """What each subject of a table of bindings was given, as JSON."""
    expires_at, source = subject.table.c.expires_at, subject.table.c.source
    binding = sa.func.json_build_array(name, sa.extract("epoch", expires_at), source)
    listed = sa.cast(sa.func.json_agg(aggregate_order_by(binding, name, source)), sa.Text)
    return sa.select(subject.label("subject"), listed.label("given")).group_by(subject)


def _users(connection: sa.Connection, t: Tables) -> Users:
    policies = _given(t.user_policy.c.user_id, t.user_policy.c.policy_id).subquery()
    groups = _given(t.user_group.c.user_id, t.user_group.c.group_name).subquery()
    user = t.user.c
    lists = [sa.cast(given.c.given, JSON) for given in (policies, groups)]
    query = (
        sa.select(user.username, sa.cast(sa.func.json_build_array(user.active, *lists), sa.Text))
        .outerjoin(policies, policies.c.subject == user.id)
        .outerjoin(groups, groups.c.subject == user.id)
        .where(sa.or_(policies.c.subject.is_not(None), groups.c.subject.is_not(None), ~user.active))
    )
    shared: dict[str, str] = {}
    return Users({name: shared.setdefault(given, given) for name, given in connection.execute(query)})


def _clients(connection: sa.Connection, t: Tables) -> dict[str, Client]:
    policies = _given(t.client_policy.c.client_name, t.client_policy.c.policy_id).subquery()
    query = sa.select(t.client.c.client_id, sa.extract("epoch", t.client.c.expires_at), policies.c.given).outerjoin(
        policies, policies.c.subject == t.client.c.name
    )
    return {
        name: Client(_decode(orjson.loads(given or "[]")), None if until is None else float(until))
        for name, until, given in connection.execute(query)
    }


def _policies(connection: sa.Connection, t: Tables, paths: "_Paths") -> dict[str, Policy]:
    permissions: defaultdict[str, set[Permission]] = defaultdict(set)
    for role, service, method in connection.execute(
        sa.select(t.permission.c.role_id, t.permission.c.service, t.permission.c.method)
    ):
        permissions[role].add(Permission(service, method))
    parts = [
        sa.select(sa.func.array_agg(aggregate_order_by(part, part)))
        .where(owner == t.policy.c.id)
        .correlate(t.policy)
        .scalar_subquery()
        for owner, part in (
            (t.policy_role.c.policy_id, t.policy_role.c.role_id),
            (t.policy_resource.c.policy_id, t.policy_resource.c.path),
        )
    ]
    # Most policies have the roles of others; they share one set.
    united: dict[tuple[str, ...], frozenset[Permission]] = {}
    found = {}
    for name, roles, listed in connection.execute(sa.select(t.policy.c.id, *parts)):
        key = tuple(roles or ())
        if key not in united:
            united[key] = frozenset().union(*(permissions[role] for role in key))
        found[name] = Policy(name, united[key], frozenset(paths.parsed(listed or ())))
    return found


class _Paths:
    """Parses stored paths, each text once."""

    def __init__(self) -> None:
        self._known: dict[str, Path | None] = {}

    def parsed(self, texts: Iterable[str]) -> Iterator[Path]:
        """Those that are paths; one that is malformed (put there by hand) grants nothing and stops nothing else."""
        for text in texts:
            if text not in self._known:
                self._known[text] = self._parse(text)
            path = self._known[text]
            if path is not None:
                yield path

    def _parse(self, text: str) -> Path | None:
        try:
            return parse_path(text)
        except BadRequest as error:
            log.warning("Ignoring a stored resource path: %s", error.message)
            return None


class Grants:
    """Keeps :attr:`snapshot` and :attr:`revoked` equal to what the database says.

    Until the tables exist and have been read the snapshot is empty, which denies everything.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.schema = database.settings.auth_schema
        self.snapshot = Snapshot()
        self.revoked: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._policy_changed = False
        self._rested = 0.0
        self._reading = asyncio.Lock()
        self._listener = Listener(database, CHANNEL, self._hear)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the policies and follow their changes."""
        # Listening comes first: a change between the two would otherwise be missed.
        await self._listener.start()
        try:
            await self.reload()
        except Unavailable as error:
            log.warning("Starting without policies, so denying everything: %s", error.message)
            self._hear(None)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following."""
        await cancel(self._task)
        await self._listener.stop()

    async def reload(self) -> None:
        """Read the policies now, without waiting for the notification: for the process that just changed them.

        Raises
        ------
        Unavailable
            PostgreSQL cannot be reached; the earlier snapshot stays in force.
        """
        async with self._reading:
            self.snapshot = await self.database.run(load, self.schema)
            self.revoked = await self.database.run(load_revoked, self.schema)

    async def reload_revoked(self) -> None:
        """Read only what is revoked: cheap, however many users there are."""
        async with self._reading:
            self.revoked = await self.database.run(load_revoked, self.schema)

    def _hear(self, payload: str | None) -> None:
        self._policy_changed = self._policy_changed or payload != REVOKED
        self._changed.set()

    async def _follow(self) -> None:
        while True:
            await self._wake()
            await asyncio.sleep(DEBOUNCE_S)
            self._changed.clear()
            # What is revoked never waits for the policies.
            everything = self._policy_changed and time.monotonic() >= self._rested
            self._policy_changed = self._policy_changed and not everything
            start = time.monotonic()
            try:
                await (self.reload() if everything else self.reload_revoked())
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("The policies could not be read; the earlier ones stay in force, trying again: %s", error)
                self._policy_changed = self._policy_changed or everything
                self._changed.set()
                await asyncio.sleep(RETRY_S)
            if everything:
                end = time.monotonic()
                self._rested = end + min(REST * (end - start), LONGEST_REST_S)

    async def _wake(self) -> None:
        """Wait for news, and for policies that changed until they may be read again."""
        left = max(0.0, self._rested - time.monotonic()) if self._policy_changed else None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), left)
