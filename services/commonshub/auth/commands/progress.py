"""What a command is doing, on standard error, when it takes longer than a moment."""

import threading
from types import TracebackType
from typing import Self, TextIO

PATIENCE_S = 2.0
INTERVAL_S = 1.0


class Progress:
    """Tells after two seconds, and each second from then on, what is being done and how much of it is done.

    Parameters
    ----------
    stream
        On a terminal one line is written over and over, elsewhere a line each time.
    patience_s, interval_s
        Seconds before the first line, and between lines.
    """

    def __init__(self, stream: TextIO, patience_s: float = PATIENCE_S, interval_s: float = INTERVAL_S) -> None:
        self.stream = stream
        self.patience_s = patience_s
        self.interval_s = interval_s
        self._state = ("", 0, 0)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Note that `done` of `total` are done."""
        self._state = (doing, done, total)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _tell(self) -> None:
        wait = self.patience_s
        told = False
        end = "\r" if self.stream.isatty() else "\n"
        while not self._done.wait(wait):
            doing, done, total = self._state
            if doing:
                self.stream.write(f"{doing}: {100 * done // max(total, 1)} %{end}")
                self.stream.flush()
                told = True
            wait = self.interval_s
        if told and end == "\r":
            self.stream.write("\n")
