"""Progress of transfers, as a bar or as whatever the caller shows it with."""

import threading
from typing import Any, Protocol

from .errors import Cancelled


class Progress(Protocol):
    """What a caller may pass to follow a transfer; called from one thread at a time."""

    def start(self, total_bytes: int) -> None:
        """The transfer begins."""
        ...

    def update(self, count_bytes: int) -> None:
        """So many more bytes are done; negative when some must be fetched again."""
        ...

    def close(self) -> None:
        """The transfer has ended."""
        ...


class Bar:
    """A tqdm bar: text in a console, a widget in a notebook."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None

    def start(self, total_bytes: int) -> None:
        """Show the bar."""
        from tqdm.auto import tqdm

        self._bar = tqdm(total=total_bytes, unit="B", unit_scale=True, desc=self._title)

    def update(self, count_bytes: int) -> None:
        """Move the bar."""
        self._bar.update(count_bytes)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


class Silence:
    """No progress at all."""

    def start(self, total_bytes: int) -> None:
        """Say nothing."""

    def update(self, count_bytes: int) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class Meter:
    """A progress shared by threads, and the place where they learn that the user has cancelled."""

    def __init__(self, progress: bool | Progress, title: str, cancel: threading.Event | None = None) -> None:
        shown: Progress = progress if not isinstance(progress, bool) else Bar(title) if progress else Silence()
        self._progress = shown
        self._lock = threading.Lock()
        self._cancel = cancel or threading.Event()

    def start(self, total_bytes: int) -> None:
        """The transfer begins."""
        self._progress.start(total_bytes)

    def update(self, count_bytes: int) -> None:
        """Count bytes.

        Raises
        ------
        Cancelled
            The user has stopped the transfer.
        """
        with self._lock:
            self._progress.update(count_bytes)
        self.check()

    def check(self) -> None:
        """Raise :class:`Cancelled` when the user has stopped the transfer."""
        if self._cancel.is_set():
            raise Cancelled("The transfer was stopped. Call it again to go on where it ended.")

    def pause(self, delay_s: float) -> None:
        """Wait, but not longer than until the user stops the transfer."""
        self._cancel.wait(delay_s)
        self.check()

    def cancel(self) -> None:
        """Make all threads stop."""
        self._cancel.set()

    def close(self) -> None:
        """The transfer has ended."""
        self._progress.close()
