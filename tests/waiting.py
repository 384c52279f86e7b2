"""Waiting for what comes to pass by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.05


def eventually(condition: Callable[[], T], timeout_s: float = 60) -> T:
    """What `condition` says as soon as that is true.

    Parameters
    ----------
    timeout_s
        Without a number a test only must not hang; what has to be quick names its bound.

    Raises
    ------
    AssertionError
        It is not true in time.
    """
    end = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{found!r} for {timeout_s} s"
        time.sleep(POLL_S)
    return found
