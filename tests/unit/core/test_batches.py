"""Work that arrives together is done together."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence

import pytest

from commonshub.core.batches import Batches


def in_a_loop(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


class Work:
    """Doubles numbers, and lets a test hold it up; negative ones break the whole batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if min(items) < 0:
            raise ValueError("negative")
        return [2 * item for item in items]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@in_a_loop
async def test_one_alone_is_not_kept_waiting() -> None:
    work = Work()
    assert await Batches(work, most=10, at_once=1).put(1) == 2
    assert work.batches == [[1]]


@in_a_loop
async def test_what_arrives_meanwhile_forms_the_next_batch() -> None:
    work = Work()
    batches = Batches(work, most=10, at_once=1)
    work.gate.clear()
    first = batches.put(1)
    await turns()
    others = [batches.put(number) for number in (2, 3, 4)]
    await turns()
    assert work.batches == [[1]]
    work.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]


@in_a_loop
async def test_no_more_than_the_bounds_say() -> None:
    work = Work()
    batches = Batches(work, most=3, at_once=2)
    work.gate.clear()
    outcomes = [batches.put(number) for number in range(10)]
    await turns()
    assert [len(batch) for batch in work.batches] == [3, 3]
    work.gate.set()
    assert await asyncio.gather(*outcomes) == [2 * number for number in range(10)]
    assert max(len(batch) for batch in work.batches) == 3


@in_a_loop
async def test_a_fault_of_the_work_is_told_to_its_batch_and_ends_there() -> None:
    batches = Batches(Work(), most=10, at_once=1)
    failing = [batches.put(number) for number in (1, -1)]
    for outcome in failing:
        with pytest.raises(ValueError, match="negative"):
            await outcome
    assert await batches.put(1) == 2


@in_a_loop
async def test_who_gave_up_is_left_out() -> None:
    work = Work()
    batches = Batches(work, most=10, at_once=1)
    gone, there = batches.put(1), batches.put(2)
    gone.cancel()
    assert await there == 4
    assert work.batches == [[2]]
