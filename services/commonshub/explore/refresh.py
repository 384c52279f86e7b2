"""Building after submissions: debounced, in a process of its own, again after a fault."""

import asyncio
import json
import logging
import sys
from typing import Any

from commonshub.core.files import Stamp, stamp
from commonshub.core.tasks import cancel

from .command import EXIT_BUSY, EXIT_DATA, EXIT_FAULT, EXIT_SHRUNK
from .settings import ExploreSettings

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 300.0
STOP_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


class Refresher:
    """Starts a build whenever the graph has changed.

    A process of its own keeps the service small and its loop free, and gives all memory of a build back.

    Parameters
    ----------
    passed
        Settings of the service for the process, as traitlets configuration; they go through its standard input,
        because command lines and environments show to others what may be a password.
    """

    def __init__(self, settings: ExploreSettings, passed: dict[str, Any]) -> None:
        self.settings = settings
        self.passed = passed
        self._changed = asyncio.Event()
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._seen: Stamp | None = None
        self._process: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        """Begin; the first check is now, for whatever changed while nobody listened."""
        self.notify()
        self._task = asyncio.create_task(self._follow())

    def notify(self) -> None:
        """The graph has changed, or may have."""
        self._changed.set()
        self._again.set()

    async def stop(self) -> None:
        """Stop, and end a build that is running: the active index stays as it is."""
        await cancel(self._task)
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _follow(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            await self._wait()
            await self._settle()
            self._changed.clear()
            if not self.settings.mapping.exists():
                log.info("There is no %s, so there is nothing to explore.", self.settings.mapping)
                continue
            code = await self._build()
            if code in (0, EXIT_DATA, EXIT_SHRUNK):
                # As long as nothing changes, another build would end in the same way.
                retry_s = FIRST_RETRY_S
                continue
            delay = self.settings.debounce_s if code == EXIT_BUSY else retry_s
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            await asyncio.sleep(delay)
            self._changed.set()

    async def _wait(self) -> None:
        """Wait until the graph or the mapping file has changed."""
        while not self._changed.is_set():
            try:
                await asyncio.wait_for(self._changed.wait(), self.settings.watch_s)
            except TimeoutError:
                if stamp(self.settings.mapping) != self._seen:
                    self._changed.set()
        self._seen = stamp(self.settings.mapping)

    async def _settle(self) -> None:
        """Wait until no submission came for a while, but not for ever."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.settings.debounce_longest_s
        while (left := min(self.settings.debounce_s, end - loop.time())) > 0:
            self._again.clear()
            try:
                await asyncio.wait_for(self._again.wait(), left)
            except TimeoutError:
                return

    async def _build(self) -> int:
        command = [sys.executable, "-P", "-m", "commonshub.explore", "etl", "run", "--quiet", "--settings-stdin"]
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        except OSError:
            log.exception("The build could not be started.")
            return EXIT_FAULT
        out, err = await self._process.communicate(json.dumps(self.passed).encode())
        code = self._process.returncode or 0
        if code == 0:
            log.info("%s", out.decode(errors="replace").strip())
        elif code != EXIT_BUSY:
            log.error("The build ended with code %d: %s", code, err.decode(errors="replace").strip()[-4000:])
        return code
