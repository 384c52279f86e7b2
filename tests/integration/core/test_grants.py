"""The policy snapshot follows the database."""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from tests.reference_evaluator import World
from tests.waiting import eventually
from tests.worlds import USER_NAMES, snapshot, worlds

import commonshub.auth
from commonshub.auth.app import HEAD
from commonshub.core import grants
from commonshub.core.app import Route, ServiceApplication
from commonshub.core.database import migrate
from commonshub.core.grants import load, tables
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Binding, Client, Request, User

# Within this what the database tells is known, in seconds.
SOON_S = 10
ALICE = Identity("alice")
READ = Request("index", "read", "/programs/a/projects/b")


class FollowerApp(ServiceApplication):
    name = "follower"
    prefixes: ClassVar[tuple[str, ...]] = ()

    def routes(self) -> list[Route]:
        return []


@pytest.fixture(scope="module")
def database_url(empty_database_url: str) -> str:
    return empty_database_url


@pytest.fixture(scope="module")
def follower(run_service: Callable[..., Any]) -> Any:
    """A service that started before the tables existed."""
    return run_service(FollowerApp).app


def migrate_auth(engine: sa.Engine) -> None:
    assert commonshub.auth.__file__
    migrate(engine, "auth", Path(commonshub.auth.__file__).parent / "migrations", HEAD)


@pytest.fixture(scope="module")
def engine(follower: Any, database_url: str) -> Iterator[sa.Engine]:
    assert not follower.policy.policies
    engine = sa.create_engine(database_url)
    migrate_auth(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def definitions(engine: sa.Engine) -> Iterator[None]:
    t = tables("auth")
    with engine.begin() as connection:
        connection.execute(t.permission.insert().values(role_id="reader", id="r", service="*", method="read"))
        connection.execute(t.policy.insert().values(id="readers"))
        connection.execute(t.policy_role.insert().values(policy_id="readers", role_id="reader"))
        connection.execute(t.policy_resource.insert().values(policy_id="readers", path="/programs/a"))
        connection.execute(t.user.insert().values(username="alice"))
    yield
    with engine.begin() as connection:
        for table in (t.user, t.permission, t.policy, t.policy_role, t.policy_resource, t.group_policy):
            connection.execute(table.delete())


def bind(engine: sa.Engine, source: str = "test", until: datetime | None = None) -> None:
    t = tables("auth")
    user = sa.select(
        t.user.c.id, sa.literal("readers"), sa.literal(source), sa.literal(until, t.user.c.created_at.type)
    )
    with engine.begin() as connection:
        connection.execute(t.user_policy.insert().from_select(["user_id", "policy_id", "source", "expires_at"], user))


def test_a_grant_made_anywhere_reaches_a_running_service(follower: Any, engine: sa.Engine) -> None:
    bind(engine)
    assert eventually(lambda: follower.policy.allows(ALICE, READ), SOON_S)


def test_a_grant_taken_away_is_gone(follower: Any, engine: sa.Engine) -> None:
    bind(engine)
    assert eventually(lambda: follower.policy.allows(ALICE, READ), SOON_S)
    with engine.begin() as connection:
        connection.execute(tables("auth").user_policy.delete())
    assert eventually(lambda: not follower.policy.allows(ALICE, READ), SOON_S)


def test_a_short_grant_of_one_source_does_not_shorten_the_lasting_one_of_another(
    follower: Any, engine: sa.Engine
) -> None:
    bind(engine, "lasting")
    bind(engine, "expired", datetime.now(UTC) - timedelta(hours=1))
    assert eventually(lambda: follower.policy.allows(ALICE, READ), SOON_S)


def test_a_switched_off_user_may_nothing(follower: Any, engine: sa.Engine) -> None:
    bind(engine)
    assert eventually(lambda: follower.policy.allows(ALICE, READ), SOON_S)
    with engine.begin() as connection:
        connection.execute(tables("auth").user.update().values(active=False))
    assert eventually(lambda: not follower.policy.allows(ALICE, READ), SOON_S)


def test_a_malformed_stored_path_stops_nothing_else(follower: Any, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(tables("auth").policy_resource.insert().values(policy_id="readers", path="no/../path"))
    bind(engine)
    assert eventually(lambda: follower.policy.allows(ALICE, READ), SOON_S)


def test_changes_are_followed_again_after_the_connection_was_cut(follower: Any, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'commonshub listen' and datname = current_database()"
            )
        )
    t = tables("auth")
    with engine.begin() as connection:
        connection.execute(t.group_policy.insert().values(group_name="anonymous", policy_id="readers", source="test"))
    assert eventually(lambda: follower.policy.allows(ANONYMOUS, READ), SOON_S)
    with engine.begin() as connection:
        connection.execute(t.group_policy.delete())
    assert eventually(lambda: not follower.policy.allows(ANONYMOUS, READ), SOON_S)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds)
def test_what_is_stored_is_what_is_loaded(engine: sa.Engine, world: World) -> None:
    with engine.connect() as connection:
        store(connection, world)
        found = load(connection, "auth")
        connection.rollback()
    expected = snapshot(world)
    assert found.policies == expected.policies
    assert found.resources == expected.resources
    assert found.clients == {
        name: Client(tuple(sorted(client.policies, key=by_name)), client.expires_at)
        for name, client in expected.clients.items()
    }
    assert found.groups == {name: tuple(sorted(given, key=by_name)) for name, given in expected.groups.items()}
    assert dict(found.users) == {
        name: User(tuple(sorted(user.policies, key=by_name)), tuple(sorted(user.groups, key=by_name)), user.active)
        for name, user in expected.users.items()
    }
    assert len(found.users) == len(expected.users)
    assert ("alice" in found.users) == ("alice" in expected.users)
    assert found.users.get("stranger") is None


def by_name(binding: Binding) -> tuple[str, str]:
    return binding.name, binding.source


def store(connection: sa.Connection, world: World) -> None:
    """Write a world into emptied tables."""
    connection.execute(sa.text("set transaction isolation level repeatable read"))
    t = tables("auth")
    for table in (t.user, t.permission, t.role, t.policy, t.policy_role, t.policy_resource, t.group_policy, t.resource):
        connection.execute(table.delete())

    def add(table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(table.insert(), rows)

    def moment(end: float | None) -> datetime | None:
        return None if end is None else datetime.fromtimestamp(end, UTC)

    add(t.user, [{"username": name, "active": name not in world.off} for name in (*USER_NAMES, "idle")])
    ids = {row.username: row.id for row in connection.execute(sa.select(t.user.c.username, t.user.c.id))}
    actions = [(role, each) for role, listed in world.roles.items() for each in listed]
    add(
        t.permission,
        [
            {"role_id": role, "id": str(number), "service": service, "method": method}
            for number, (role, (service, method)) in enumerate(actions)
        ],
    )
    add(t.policy, [{"id": name} for name in world.policies])
    for table, key, part in ((t.policy_role, "role_id", 0), (t.policy_resource, "path", 1)):
        parts = [(name, each) for name, listed in world.policies.items() for each in set(listed[part])]
        add(table, [{"policy_id": name, key: each} for name, each in parts])
    add(t.resource, [{"path": path, "source": source} for path in world.resources for source in ("a", "b")])
    add(t.client, [{"client_id": name, "name": name, "expires_at": moment(end)} for name, end in world.clients.items()])
    subjects: dict[str, tuple[sa.Table, Callable[[str], dict[str, Any]]]] = {
        "user": (t.user_policy, lambda name: {"user_id": ids[name]}),
        "group": (t.group_policy, lambda name: {"group_name": name}),
        "client": (t.client_policy, lambda name: {"client_name": name}),
    }
    for each in world.given:
        table, subject = subjects[each.kind]
        given_ = {"policy_id": each.policy, "source": each.source, "expires_at": moment(each.end)}
        add(table, [{**subject(each.name), **given_}])
    for member in world.members:
        place = {"group_name": member.group, "source": member.source, "expires_at": moment(member.end)}
        add(t.user_group, [{"user_id": ids[member.user], **place}])


def test_under_a_stream_of_changes_policies_rest_and_revocations_do_not(
    run_service: Callable[..., Any], engine: sa.Engine
) -> None:
    app = run_service(FollowerApp).app
    bind(engine)
    assert eventually(lambda: app.policy.allows(ALICE, READ) and app.grants._rested > 0, SOON_S)
    app.grants._rested = time.monotonic() + 3600
    with engine.begin() as connection:
        connection.execute(tables("auth").user_policy.delete())
    with engine.begin() as connection:
        grants.revoke(connection, "auth", ["stolen"], 60)
    assert eventually(lambda: "stolen" in app.revoked, SOON_S)
    assert app.policy.allows(ALICE, READ)
    app.grants._rested = 0.0
    with engine.begin() as connection:
        grants.revoke(connection, "auth", ["another"], 60)
    assert eventually(lambda: not app.policy.allows(ALICE, READ), SOON_S)


def test_a_service_that_started_before_the_database_follows_it_later(
    run_service: Callable[..., Any], postgres: str
) -> None:
    name = f"late_{uuid.uuid4().hex[:12]}"
    url = sa.make_url(postgres).set(database=name)
    early = run_service(FollowerApp, DatabaseSettings={"url": url.render_as_string(hide_password=False)}).app
    assert not early.policy.allows(ALICE, READ)
    with sa.create_engine(postgres, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    engine = sa.create_engine(url)
    migrate_auth(engine)
    t = tables("auth")
    with engine.begin() as connection:
        connection.execute(t.permission.insert().values(role_id="reader", id="r", service="*", method="read"))
        connection.execute(t.policy.insert().values(id="readers"))
        connection.execute(t.policy_role.insert().values(policy_id="readers", role_id="reader"))
        connection.execute(t.policy_resource.insert().values(policy_id="readers", path="/programs/a"))
        connection.execute(t.group_policy.insert().values(group_name="logged-in", policy_id="readers", source="test"))
    engine.dispose()
    assert eventually(lambda: early.policy.allows(ALICE, READ), SOON_S)


def test_rights_of_a_client_go_by_its_name(follower: Any, engine: sa.Engine) -> None:
    t = tables("auth")
    with engine.begin() as connection:
        connection.execute(t.client.insert().values([{"client_id": each, "name": "app"} for each in ("one", "two")]))
        connection.execute(t.client_policy.insert().values(client_name="app", policy_id="readers", source="test"))
    assert eventually(lambda: follower.policy.allows(Identity(client="two"), READ), SOON_S)
    with engine.begin() as connection:
        connection.execute(t.client.delete())
    assert eventually(lambda: not follower.policy.allows(Identity(client="two"), READ), SOON_S)
