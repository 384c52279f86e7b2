"""Answers that were given before: an index never changes, so they hold for as long as its run is active."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Cache:
    """Values by key; those that were not used for longest go first. Safe to use from several threads.

    Parameters
    ----------
    max_bytes
        How much it holds, by the sizes that :meth:`put` is told.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value, or None."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        """Hold a value, unless it would take a large part of the room for itself."""
        if size_bytes > self._max_bytes // 8:
            return
        with self._lock:
            _, old = self._held.pop(key, (None, 0))
            self._held[key] = (value, size_bytes)
            self._bytes += size_bytes - old
            while self._bytes > self._max_bytes:
                _, (_, freed) = self._held.popitem(last=False)
                self._bytes -= freed

    def all(
        self, keys: list[Any], ask: Callable[[list[Any]], list[Any]], size: Callable[[Any], int | None]
    ) -> list[Any]:
        """The values of `keys`, of which those that are not held are asked for together.

        Parameters
        ----------
        size
            Bytes that a value takes; None where it is not to be held.
        """
        found = {key: value for key in keys if (value := self.get(key)) is not None}
        missing = list(dict.fromkeys(key for key in keys if key not in found))
        if missing:
            for key, value in zip(missing, ask(missing), strict=True):
                found[key] = value
                if (bytes_ := size(value)) is not None:
                    self.put(key, value, bytes_)
        return [found[key] for key in keys]


class Once:
    """Does what several ask for at the same time only once. For the event loop's thread alone."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    async def __call__(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work gives, begun by whoever asks first; who goes away does not end it for the others."""
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(start())
            running.add_done_callback(lambda _: self._running.pop(key))
        found: T = await asyncio.shield(running)
        return found
