"""Answers that were given before."""

import asyncio

import pytest

from commonshub.explore.cache import Cache, Once


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache = Cache(max_bytes=80)
    for name in range(8):
        cache.put(name, f"value {name}", 10)
    assert cache.get(0) == "value 0"
    cache.put(8, "value 8", 10)
    assert [cache.get(name) is None for name in range(9)] == [False, True, *[False] * 7]


def test_a_value_that_takes_too_much_room_is_not_held() -> None:
    cache = Cache(max_bytes=80)
    cache.put("small", 1, 10)
    cache.put("large", 2, 11)
    assert (cache.get("small"), cache.get("large")) == (1, None)


def test_a_value_takes_the_place_of_an_older_one_of_its_key() -> None:
    cache = Cache(max_bytes=80)
    for _ in range(100):
        cache.put("same", 1, 10)
    cache.put("other", 2, 10)
    assert (cache.get("same"), cache.get("other")) == (1, 2)


def test_only_what_is_not_held_is_asked_for_and_each_once() -> None:
    cache = Cache(max_bytes=1000)
    asked: list[list[int]] = []

    def ask(keys: list[int]) -> list[int]:
        asked.append(keys)
        return [10 * key for key in keys]

    def size(value: int) -> int | None:
        return None if value == 30 else 1

    assert cache.all([1, 2, 1, 3], ask, size) == [10, 20, 10, 30]
    assert cache.all([2, 3, 4], ask, size) == [20, 30, 40]
    assert asked == [[1, 2, 3], [3, 4]]


def test_who_asks_meanwhile_waits_for_the_same_work() -> None:
    begun = []

    async def asked() -> None:
        once, gate = Once(), asyncio.Event()

        async def work() -> int:
            begun.append(1)
            await gate.wait()
            return len(begun)

        first, gone, other = (asyncio.ensure_future(once("key", work)) for _ in range(3))
        await asyncio.sleep(0)
        gone.cancel()
        gate.set()
        assert (await first, await other) == (1, 1)
        assert await once("key", work) == 2

    asyncio.run(asked())


def test_who_waited_for_work_that_fails_is_told_so() -> None:
    async def asked() -> None:
        once = Once()

        async def work() -> int:
            raise LookupError("nothing")

        for answer in await asyncio.gather(once("key", work), once("key", work), return_exceptions=True):
            with pytest.raises(LookupError):
                raise answer  # type: ignore[misc]

    asyncio.run(asked())
