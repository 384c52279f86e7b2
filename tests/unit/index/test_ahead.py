"""Pages are read before they are asked for, and nobody can tell."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from commonshub.core.errors import Unavailable
from commonshub.index.ahead import Ahead, Page
from commonshub.index.filters import Filter

FIRST = Filter(limit=2)


class Numbers:
    """A list of the numbers from 0 to 9, with a version that every write changes."""

    def __init__(self) -> None:
        self.version = 0
        self.reads: list[str | None] = []
        self.turns: list[str | None] = []
        self.away = False
        # A page that takes long.
        self.long: str | None = None

    async def read(self, wanted: Filter) -> Page:
        self.reads.append(wanted.start)
        version = self.version
        await asyncio.sleep(60 if wanted.start and wanted.start == self.long else 0)
        if self.away:
            raise Unavailable("away")
        first = int(wanted.start) + 1 if wanted.start else 0
        found = list(range(first, min(first + (wanted.limit or 0), 10)))
        return Page(str(version), len(found), str(found[-1]) if found else None, f"{version}:{found}")

    async def turn(self, wanted: Filter) -> str | None:
        self.turns.append(wanted.start)
        await asyncio.sleep(0)
        last = int(wanted.start or -1) + (wanted.limit or 0)
        return str(last) if last < 10 else None

    async def view(self) -> str:
        return str(self.version)


def run(reader: Callable[[Numbers, Ahead], Awaitable[None]], most: int = 4, life_s: float = 60) -> None:
    async def main() -> None:
        numbers = Numbers()
        await reader(numbers, Ahead(numbers.read, numbers.turn, numbers.view, most, life_s))

    asyncio.run(main())


async def settled() -> None:
    """Whatever was begun has time to end."""
    for _ in range(20):
        await asyncio.sleep(0)


async def following(ahead: Ahead, page: Page, wanted: Filter = FIRST) -> Page:
    await settled()
    return await ahead.page(replace(wanted, start=page.last))


def test_two_pages_are_read_ahead() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        await following(ahead, await ahead.page(FIRST))
        await settled()
        assert numbers.reads == [None, "1", "3", "5"]

    run(reader)


def test_nothing_holds_a_page_that_was_taken() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        page = await ahead.page(FIRST)
        for _ in range(3):
            page = await following(ahead, page)
        await settled()
        gc.collect()
        held = {each.text for each in gc.get_objects() if isinstance(each, Page)}
        assert held == {page.text, "0:[8, 9]", "0:[]"}

    run(reader)


def test_the_third_page_is_there_before_it_is_asked_for() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        second = await following(ahead, await ahead.page(FIRST))
        assert numbers.reads == [None, "1"]
        await asyncio.sleep(0)
        assert numbers.reads == [None, "1", "3"]
        assert (await following(ahead, second)).text == "0:[4, 5]"
        assert numbers.reads.count("3") == 1

    run(reader)


def test_the_page_after_is_begun_while_one_is_read() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        numbers.long = "3"
        await following(ahead, await ahead.page(FIRST))
        await settled()
        assert numbers.reads == [None, "1", "3", "5"]

    run(reader)


def test_where_some_records_are_left_out_the_page_itself_tells_where_it_ends() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        some = Filter(limit=2, size=1)
        await following(ahead, await ahead.page(some), some)
        await settled()
        assert numbers.reads == [None, "1", "3", "5"]
        assert not numbers.turns

    run(reader)


@pytest.mark.parametrize("most", [0, 1, 4])
def test_a_reader_has_every_record_once(most: int) -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        page = await ahead.page(FIRST)
        texts = [page.text]
        while page.number == FIRST.limit:
            page = await following(ahead, page)
            texts.append(page.text)
        assert texts == ["0:[0, 1]", "0:[2, 3]", "0:[4, 5]", "0:[6, 7]", "0:[8, 9]", "0:[]"]
        assert numbers.reads == [None, "1", "3", "5", "7", "9"]

    run(reader, most)


def test_what_was_written_since_is_seen() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        third = await following(ahead, await following(ahead, await ahead.page(FIRST)))
        await asyncio.sleep(0)
        numbers.version = 1
        assert (await following(ahead, third)).text == "1:[6, 7]"

    run(reader)


def test_no_page_is_read_ahead_where_one_was_of_no_use() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        third = await following(ahead, await following(ahead, await ahead.page(FIRST)))
        await asyncio.sleep(0)
        numbers.version = 1
        await following(ahead, third)
        await asyncio.sleep(0)
        assert numbers.reads == [None, "1", "3", "5", "7", "5"]

    run(reader)


def test_a_fault_of_reading_ahead_is_told_to_nobody() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        second = await following(ahead, await ahead.page(FIRST))
        numbers.away = True
        for _ in range(3):
            await asyncio.sleep(0)
        numbers.away = False
        assert (await following(ahead, second)).text == "0:[4, 5]"

    run(reader)


def test_a_page_ahead_is_not_kept_for_long() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        second = await following(ahead, await ahead.page(FIRST))
        await asyncio.sleep(0.02)
        await following(ahead, second)
        assert numbers.reads.count("3") == 2

    run(reader, life_s=0.01)


def test_after_the_end_no_page_is_read() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        second = await following(ahead, await ahead.page(FIRST))
        await ahead.close()
        await settled()
        assert numbers.reads == [None, "1"]
        # Requests that are still answered at a stop.
        await following(ahead, second)
        await settled()
        assert numbers.reads == [None, "1", "3"]

    run(reader)


def test_a_write_ends_what_was_read_for_others() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        other = Filter(limit=2, size=1)
        pages = [await following(ahead, await ahead.page(each), each) for each in (FIRST, other)]
        await settled()
        numbers.version = 1
        await following(ahead, pages[0])
        await settled()
        gc.collect()
        assert not [each for each in gc.get_objects() if isinstance(each, Page) and each.text == "0:[6, 7]"]

    run(reader)


def test_who_asks_for_something_else_reads_nothing_ahead() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        first = await ahead.page(FIRST)
        await following(ahead, first, Filter(limit=2, size=1))
        await asyncio.sleep(0)
        assert numbers.reads == [None, "1"]

    run(reader)


def test_no_more_pages_are_kept_than_allowed() -> None:
    async def reader(numbers: Numbers, ahead: Ahead) -> None:
        wanted = [Filter(limit=2, size=size) for size in range(5)]
        pages = [await following(ahead, await ahead.page(each), each) for each in wanted]
        numbers.reads.clear()
        for each, page in zip(wanted, pages, strict=True):
            await following(ahead, page, each)
        # Those that had no room are read when they are asked for.
        assert numbers.reads.count("3") > 0

    run(reader, most=1)
