"""Notifications reach every listener of a process, all over one connection."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import sqlalchemy as sa
from tests.waiting import eventually

from commonshub.core.database import Database
from commonshub.core.listen import Listener
from commonshub.core.settings import DatabaseSettings

WITHIN_S = 30
OURS = "from pg_stat_activity where application_name = 'commonshub listen' and datname = current_database()"

Heard = list[tuple[str, str | None]]


class Ears:
    """Listeners on several channels of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.heard: Heard = []

    async def open(self, *channels: str) -> list[Listener]:
        made = [self._listener(channel) for channel in channels]
        for listener in made:
            await listener.start()
        return made

    def _listener(self, channel: str) -> Listener:
        return Listener(self.database, channel, lambda payload: self.heard.append((channel, payload)))

    def sql(self, text: str) -> Any:
        return self.database.call(lambda connection: connection.execute(sa.text(text)).scalar())

    def connections(self) -> Any:
        return self.sql(f"select count(*) {OURS}")

    async def until(self, count: int) -> Heard:
        await asyncio.to_thread(eventually, lambda: len(self.heard) >= count, WITHIN_S)
        return sorted(self.heard, key=str)


@pytest.fixture
def run(database_url: str) -> Any:
    """Run a coroutine function with :class:`Ears` to the end."""

    def work(function: Callable[[Ears], Coroutine[Any, Any, None]]) -> None:
        database = Database(DatabaseSettings(url=database_url))
        try:
            asyncio.run(function(Ears(database)))
        finally:
            database.close()

    return work


def test_listeners_share_a_connection_and_each_hears_its_channel(run: Any) -> None:
    async def story(ears: Ears) -> None:
        listeners = await ears.open("one", "two", "one")
        assert ears.connections() == 1
        ears.sql("select pg_notify('one', 'a'), pg_notify('two', 'b'), pg_notify('three', 'c')")
        assert await ears.until(3) == [("one", "a"), ("one", "a"), ("two", "b")]
        for listener in listeners:
            await listener.stop()

    run(story)


def test_who_stops_hears_no_more_and_the_last_ends_the_connection(run: Any) -> None:
    async def story(ears: Ears) -> None:
        first, second = await ears.open("one", "two")
        await first.stop()
        ears.sql("select pg_notify('one', 'a'), pg_notify('two', 'b')")
        assert await ears.until(1) == [("two", "b")]
        await second.stop()
        await asyncio.to_thread(eventually, lambda: ears.connections() == 0, WITHIN_S)
        [again] = await ears.open("one")
        ears.sql("select pg_notify('one', 'c')")
        assert await ears.until(2) == [("one", "c"), ("two", "b")]
        await again.stop()

    run(story)


def test_each_is_told_that_the_connection_was_lost(run: Any) -> None:
    async def story(ears: Ears) -> None:
        listeners = await ears.open("one", "two")
        ears.sql(f"select count(pg_terminate_backend(pid)) {OURS}")
        assert await ears.until(2) == [("one", None), ("two", None)]
        ears.sql("select pg_notify('two', 'b')")
        assert ("two", "b") in await ears.until(3)
        for listener in listeners:
            await listener.stop()

    run(story)
