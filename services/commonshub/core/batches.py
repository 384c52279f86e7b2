"""Work in batches: what arrives while a batch is being worked on forms the next one.

Vocabulary
----------
item
    What one caller wants done; it gets an outcome of its own.
batch
    The items that are worked on together, in one transaction say. One that finds nobody else is a batch of one, at
    once: nothing ever waits for company.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batches(Generic[T, R]):
    """Shares the fixed cost of work among those who want it at the same moment. Belongs to one event loop.

    Parameters
    ----------
    work
        Gives the outcomes of many items, in their order. A fault that concerns one item alone is an outcome; what it
        raises, every item of the batch raises.
    most
        Items in one batch.
    at_once
        Batches that are worked on at the same time.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int, at_once: int) -> None:
        self._work = work
        self._most = most
        self._idle = at_once
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    def put(self, item: T) -> "asyncio.Future[R]":
        """The outcome of one item, to be awaited."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, outcome))
        if self._idle:
            self._idle -= 1
            # Not at once: who is served in the same turn of the loop comes along.
            loop.call_soon(self._start)
        return outcome

    def _start(self) -> None:
        task = asyncio.get_running_loop().create_task(self._drain())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._settle([(item, outcome) for item, outcome in batch if not outcome.done()])
        finally:
            self._idle += 1

    async def _settle(self, batch: list[tuple[T, "asyncio.Future[R]"]]) -> None:
        if not batch:
            return
        try:
            results = await self._work([item for item, _ in batch])
            for (_, outcome), result in zip(batch, results, strict=True):
                if not outcome.done():
                    outcome.set_result(result)
        except Exception as error:  # noqa: BLE001 - a boundary: everybody who waits is told
            for _, outcome in batch:
                if not outcome.done():
                    outcome.set_exception(error)
