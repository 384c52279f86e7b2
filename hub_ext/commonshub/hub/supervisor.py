"""Start the parts of a commons, keep them running, stop them.

The supervisor owns four processes: PostgreSQL, the object store, the proxy and the hub (which starts the services and
the workspaces). Each is in a session of its own, so a Ctrl-C reaches the supervisor alone. A part that ends by itself
is started again; a supervisor that is killed leaves the parts running, and the next one replaces them.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commonshub.core.errors import CommonsError
from commonshub.core.files import write_whole

from .files import read_json
from .folder import DataFolder
from .processes import Handle, marked, stop, wait_gone

LARGEST_LOG_BYTES = 20 * 2**20


def _always() -> bool:
    return True


def _nothing() -> None:
    return


@dataclass
class Part:
    """One process that the supervisor keeps running.

    Parameters
    ----------
    command
        Called at each start, because a command may hold what changed since the last one.
    ready
        Whether it does its work now.
    before, after
        What to do before each start, and as soon as it is ready; `after` is tried again while it fails with OSError.
    stop_signal, grace_s
        How to end it, and how long that may take, in seconds.
    """

    name: str
    command: Callable[[], list[str]]
    environment: dict[str, str]
    url: str = ""
    folder: Path | None = None
    ready: Callable[[], bool] = _always
    before: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10


@dataclass
class Watch:
    """What the supervisor knows of a part's process."""

    part: Part
    handle: Handle | None = None
    state: str = "stopped"
    began: float = 0
    failures: int = 0
    start_at: float = 0
    settled: bool = field(default=False)

    def document(self) -> dict[str, Any]:
        """The part as ``state.json`` shows it."""
        shown: dict[str, Any] = {"name": self.part.name, "state": self.state, "url": self.part.url}
        return {**shown, **(self.handle._asdict() if self.handle else {"pid": None, "started": None})}


class Supervisor:
    """Keeps parts running.

    Parameters
    ----------
    instance
        Mark of this commons in the environment of everything that it starts.
    services
        Names of what the hub starts in turn, for `status`.
    """

    def __init__(
        self, folder: DataFolder, instance: str, parts: Iterable[Part], url: str, services: Iterable[str] = ()
    ) -> None:
        self.folder = folder
        self.instance = instance
        self.watches = {part.name: Watch(part) for part in parts}
        self.url = url
        self.services = tuple(services)
        self.state = "starting"
        self._stopping = False
        # Kept to be polled, so that children which have ended do not stay as zombies.
        self._processes: list[subprocess.Popen[bytes]] = []

    def request_stop(self, *_: object) -> None:
        """Make :meth:`run` and :meth:`wait` return soon; a signal handler."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopping

    def start(self, *names: str, timeout_s: float = 120) -> None:
        """Start parts side by side and wait until each is ready.

        Raises
        ------
        CommonsError
            A part keeps ending, or is not ready in time; the message quotes the end of its log.
        """
        watches = [self.watches[name] for name in names]
        for watch in watches:
            self._launch(watch)
        self.write_state()
        end = time.monotonic() + timeout_s
        while not all(watch.settled for watch in watches):
            if self._stopping:
                raise KeyboardInterrupt
            self.step()
            for watch in watches:
                if watch.failures >= 3 or time.monotonic() > end:
                    raise CommonsError(
                        f"{watch.part.name} does not start. Its log, {self.log(watch.part.name)}, ends with:\n"
                        + tail(self.log(watch.part.name), 15)
                    )
            time.sleep(0.05)

    def set_state(self, state: str) -> None:
        """Say what the commons as a whole is doing."""
        self.state = state
        self.write_state()

    def run(self) -> None:
        """Watch until a stop is asked for."""
        while not self._stopping:
            self.step()
            time.sleep(0.25)

    def step(self) -> None:
        """Look at every started part once; start again what has ended."""
        self._processes = [process for process in self._processes if process.poll() is None]
        before = [watch.document() for watch in self.watches.values()]
        for watch in self.watches.values():
            if watch.state != "stopped":
                self._look(watch)
        if [watch.document() for watch in self.watches.values()] != before:
            with contextlib.suppress(OSError):
                self.write_state()

    def stop(self) -> None:
        """Stop the hub, then everything that it started, then what the services stand on."""
        self.set_state("stopping")
        for name in reversed(self.watches):
            watch = self.watches[name]
            if watch.handle is None:
                continue
            if name == "hub":
                self._stop_hub(watch.handle)
            stop([watch.handle], watch.part.stop_signal, watch.part.grace_s)
            watch.handle, watch.state = None, "stopped"
            self.write_state()
        self.sweep()
        self.set_state("stopped")

    def replace_leftovers(self) -> bool:
        """Stop what a killed run left behind, workspaces excepted: the new hub finds those again.

        Returns
        -------
        bool
            Whether there was anything.
        """
        recorded = {
            part.get("name"): handle
            for part in read_json(self.folder.state_file).get("parts", [])
            if (handle := Handle.parse(part)) and handle.alive
        }
        services = [each.handle for each in marked(self.instance) if "JUPYTERHUB_USER" not in each.environment]
        services = [handle for handle in services if handle not in recorded.values()]
        for name in reversed(self.watches):
            if name in recorded:
                part = self.watches[name].part
                stop([recorded[name]], part.stop_signal, part.grace_s)
        stop(services)
        return bool(recorded or services)

    def sweep(self) -> None:
        """Stop every process that carries the mark of this commons."""
        stop([each.handle for each in marked(self.instance)], signal.SIGTERM, 8)

    def log(self, name: str) -> Path:
        """Log file of a part or service."""
        return self.folder.logs / f"{name}.log"

    def write_state(self) -> None:
        """Write ``run/state.json``."""
        own = Handle.of(os.getpid())
        document = {
            "state": self.state,
            "url": self.url,
            "supervisor": own._asdict() if own else None,
            "parts": [watch.document() for watch in self.watches.values()],
            "services": self.services,
        }
        write_whole(self.folder.state_file, json.dumps(document, indent=1))

    def _launch(self, watch: Watch) -> None:
        part = watch.part
        part.before()
        rotate(self.log(part.name))
        with self.log(part.name).open("ab") as log:
            process = subprocess.Popen(
                part.command(),
                env=part.environment,
                cwd=part.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        watch.handle = Handle.of(process.pid)
        self._processes.append(process)
        watch.state, watch.began, watch.settled = "starting", time.monotonic(), False

    def _look(self, watch: Watch) -> None:
        now = time.monotonic()
        if watch.handle is not None and watch.handle.alive:
            if not watch.settled:
                self._settle(watch)
            elif now - watch.began > 60:
                watch.failures = 0
            return
        if watch.state != "failed":
            watch.failures += 1
            watch.state, watch.settled, watch.handle = "failed", False, None
            # The first restart is immediate; a part that keeps failing is tried every half minute.
            watch.start_at = now + (0 if watch.failures == 1 else min(30, 2**watch.failures / 2))
        if now >= watch.start_at and not self._stopping:
            try:
                self._launch(watch)
            except (OSError, CommonsError) as error:
                # A full disk, say: the other parts go on, and this one is tried again.
                print(f"{watch.part.name} cannot be started: {error}", file=sys.stderr, flush=True)

    def _settle(self, watch: Watch) -> None:
        if not watch.part.ready():
            return
        try:
            watch.part.after()
        except (OSError, CommonsError):
            return
        watch.state, watch.settled = "running", True

    def _stop_hub(self, hub: Handle) -> None:
        # The hub stops its services one after another; asking them all at once makes that quick.
        hub.signal(signal.SIGTERM)
        children = [each.handle for each in marked(self.instance) if each.service]
        for child in children:
            child.signal(signal.SIGTERM)
        wait_gone([hub], 15)
        self.sweep()


def answers(url: str, timeout_s: float = 2) -> bool:
    """Whether a URL answers with success."""
    try:
        with _opener.open(url, timeout=timeout_s) as answer:
            return bool(200 <= answer.status < 300)
    except (OSError, ValueError):
        return False


def listens(port: int) -> bool:
    """Whether something takes connections on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url: str, token: str, timeout_s: float = 10) -> None:
    """POST with a hub token.

    Raises
    ------
    OSError
        It did not work.
    """
    request = urllib.request.Request(url, data=b"", method="POST")  # noqa: S310
    request.add_header("Authorization", f"token {token}")
    with _opener.open(request, timeout=timeout_s):
        return


def rotate(log: Path) -> None:
    """Put a log aside that has grown large; one earlier log is kept."""
    try:
        if log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
    except FileNotFoundError:
        return


def tail(log: Path, lines: int) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 2**10))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
