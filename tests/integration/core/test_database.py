"""SQL off the event loop: transactions, time-outs, a server that is away."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from traitlets.config import Config

from commonshub.core.database import Database
from commonshub.core.errors import Unavailable
from commonshub.core.settings import DatabaseSettings

Connect = Callable[..., Database]


@pytest.fixture
def connect(database_url: str) -> Iterator[Connect]:
    opened = []

    def make(**traits: Any) -> Database:
        config = Config({"DatabaseSettings": {"url": database_url, **traits}})
        opened.append(Database(DatabaseSettings(config=config)))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


def sql(connection: sa.Connection, *statements: str) -> Any:
    return [connection.execute(sa.text(statement)) for statement in statements][-1]


def test_an_error_undoes_all_of_a_call(connect: Connect) -> None:
    database = connect()
    with pytest.raises(sa.exc.ProgrammingError):
        database.call(sql, "create table half (n int)", "insert into nowhere values (1)")
    assert database.call(lambda c: sa.inspect(c).has_table("half")) is False


def test_a_return_commits(connect: Connect) -> None:
    connect().call(sql, "create table kept (n int)")
    assert connect().call(lambda c: sa.inspect(c).has_table("kept")) is True


def test_a_statement_beyond_the_limit_is_cancelled_and_named(connect: Connect) -> None:
    with pytest.raises(Unavailable, match="longer than 50 ms"):
        connect(statement_timeout_ms=50).call(sql, "select pg_sleep(5)")


def test_a_server_that_is_away_is_unavailable(connect: Connect) -> None:
    database = connect(url="postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(Unavailable, match="cannot be reached"):
        asyncio.run(database.ping())


def backend(database: Database) -> int:
    return int(database.call(lambda c: c.scalar(sa.text("select pg_backend_pid()"))))


def test_a_connection_that_died_while_idle_is_replaced(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonshub.core.database.IDLE_S", 0.0)
    database = connect(pool_size=1)
    lost = backend(database)
    connect().call(sql, f"select pg_terminate_backend({lost})")
    assert backend(database) != lost


def test_a_connection_that_died_in_use_fails_one_call_and_no_more(connect: Connect) -> None:
    database = connect(pool_size=1)
    lost = backend(database)
    connect().call(sql, f"select pg_terminate_backend({lost})")
    with pytest.raises(Unavailable):
        backend(database)
    assert backend(database) != lost


def test_reads_open_no_transaction_and_survive_a_lost_connection(connect: Connect) -> None:
    database = connect(pool_size=1)

    def state(connection: sa.Connection) -> tuple[int, bool]:
        statement = sa.text("select pg_backend_pid(), now() = statement_timestamp()")
        connection.execute(statement)
        pid, starts_anew = connection.execute(statement).one()
        return pid, starts_anew

    async def three_times() -> list[tuple[int, bool] | BaseException]:
        first = await database.read(state)
        await connect().run(sql, f"select pg_terminate_backend({first[0]})")
        return [first, *await asyncio.gather(database.read(state), return_exceptions=True), await database.read(state)]

    first, lost, again = asyncio.run(three_times())
    assert isinstance(lost, Unavailable)
    assert isinstance(first, tuple)
    assert isinstance(again, tuple)
    assert (first[1], again[1]) == (True, True)
    assert first[0] != again[0]
    # The same connection serves transactions afterwards.
    assert database.call(_moments) == 1


def test_a_read_tells_the_server_nothing_but_its_statement(connect: Connect) -> None:
    database = connect(pool_size=1)
    pid = asyncio.run(database.read(scalar, "select pg_backend_pid()"))
    told = connect().call(scalar, f"select query from pg_stat_activity where pid = {pid}")
    assert told == "select pg_backend_pid()"


def test_what_fails_after_a_read_is_undone_whole(connect: Connect) -> None:
    database = connect(pool_size=1)
    database.call(sql, "create table undone (n int)")

    async def fail_between_reads() -> int:
        await database.read(scalar, "select 1")
        with pytest.raises(sa.exc.ProgrammingError):
            await database.run(sql, "insert into undone values (1)", "insert into nowhere values (1)")
        return int(await database.read(scalar, "select count(*) from undone"))

    assert asyncio.run(fail_between_reads()) == 0


def scalar(connection: sa.Connection, statement: str) -> Any:
    return connection.scalar(sa.text(statement))


def _moments(connection: sa.Connection) -> int:
    """How many moments a transaction has; one."""
    return len({connection.scalar(sa.text("select now()")) for _ in range(3)})


def test_the_event_loop_is_free_while_a_statement_runs(connect: Connect) -> None:
    database = connect()

    async def both() -> int:
        slow = asyncio.ensure_future(database.run(sql, "select pg_sleep(0.3)"))
        turns = 0
        while not slow.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    assert asyncio.run(both()) > 5
