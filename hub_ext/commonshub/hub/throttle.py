"""How long to wait before answering an attempt to sign in. Pure: the caller brings the clock."""

from collections import OrderedDict


class Throttle:
    """Counts failures by key and turns them into a delay.

    Nobody is locked out, because a lock is a weapon against its owner: each attempt becomes slower, up to a limit.

    Parameters
    ----------
    free
        Failures without any delay.
    longest_s
        Largest delay, in seconds.
    memory_s
        A key without a failure for this long, in seconds, is forgotten.
    size
        Keys that are remembered; the oldest is forgotten first.
    """

    def __init__(self, free: int = 3, longest_s: float = 10, memory_s: float = 900, size: int = 10_000) -> None:
        self.free = free
        self.longest_s = longest_s
        self.memory_s = memory_s
        self.size = size
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def delay_s(self, key: str, now: float) -> float:
        """Seconds that the next attempt of `key` has to wait."""
        count, last = self._failures.get(key, (0, now))
        if now - last > self.memory_s or count < self.free:
            return 0
        return float(min(self.longest_s, 0.5 * 2 ** min(count - self.free, 20)))

    def failed(self, key: str, now: float) -> None:
        """Count a failure."""
        count, last = self._failures.pop(key, (0, now))
        self._failures[key] = (1 if now - last > self.memory_s else count + 1, now)
        if len(self._failures) > self.size:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of `key`."""
        self._failures.pop(key, None)
