"""Telling of a run that is in progress, so that ``etl status`` can show it from anywhere.

A build tells of each step when it begins, which may be many a second or none for a minute. The run list hears of the
newest about once a second, from a thread of its own.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from commonshub.core.errors import CommonsError

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """Where a run is.

    Parameters
    ----------
    done, of
        Parts of the phase that are done, and all of them.
    """

    phase: str
    done: int
    of: int

    def __str__(self) -> str:
        return f"{self.phase} {self.done + 1}/{self.of}" if self.of > 1 else self.phase


class Reporter:
    """Writes the newest step for as long as the block lasts, and at its end that there is none.

    Parameters
    ----------
    write
        Called with the newest step if it is another one, or None at the end; what it raises of ours is passed over,
        because a build does not fail for want of words.
    every_s
        How often, in seconds.
    """

    def __init__(self, write: Callable[[Step | None], object], every_s: float = EVERY_S) -> None:
        self._write = write
        self._every_s = every_s
        self._newest: Step | None = None
        self._written: Step | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def tell(self, phase: str, done: int, of: int) -> None:
        """A step begins."""
        self._newest = Step(phase, done, of)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._newest = None
        self._report()

    def _follow(self) -> None:
        while not self._ended.wait(self._every_s):
            self._report()

    def _report(self) -> None:
        newest = self._newest
        if newest != self._written:
            with suppress(CommonsError):
                self._write(newest)
                self._written = newest
