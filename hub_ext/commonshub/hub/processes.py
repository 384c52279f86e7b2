"""Processes known by more than a number: a process id is reused, its start time is not.

Everything that stops a process goes through here, so that nothing is ever signalled on the strength of a number in a
file alone.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

INSTANCE_VARIABLE = "COMMONSHUB_INSTANCE"


class Handle(NamedTuple):
    """One process, of ours or of an earlier run."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Handle | None":
        """The process that has this number now, or None where there is none."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    @classmethod
    def parse(cls, document: Any) -> "Handle | None":
        """Read ``{"pid", "started"}`` of a state file; None for anything else."""
        match document:
            case {"pid": int(pid), "started": str(started)}:
                return cls(pid, started)
        return None

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return _started(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def stop(handles: Iterable[Handle], number: int = signal.SIGTERM, grace_s: float = 10) -> None:
    """Ask processes to finish, all at once, and end what still runs after `grace_s` seconds."""
    running = [handle for handle in handles if handle.alive]
    for handle in running:
        handle.signal(number)
    if not wait_gone(running, grace_s):
        for handle in running:
            handle.signal(signal.SIGKILL)
        wait_gone(running, 5)


def wait_gone(handles: Iterable[Handle], timeout_s: float) -> bool:
    """Wait until none of the processes runs; False when one still does after `timeout_s` seconds."""
    running = list(handles)
    end = time.monotonic() + timeout_s
    while running := [handle for handle in running if handle.alive]:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class Marked(NamedTuple):
    """A process that carries the mark of a commons."""

    handle: Handle
    parent: int
    environment: dict[str, str]

    @property
    def service(self) -> str:
        """Name of the service that it is or belongs to; empty for all else."""
        return self.environment.get("JUPYTERHUB_SERVICE_NAME", "")


def marked(instance: str) -> Iterator[Marked]:
    """Processes that a commons started, directly or through the hub: they carry its mark in their environment.

    The caller and the processes above it are left out. Where there is no ``/proc`` nothing is found.
    """
    mark = f"{INSTANCE_VARIABLE}={instance}"
    spared = set(_ancestors(os.getpid()))
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        try:
            variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if mark in variables and pid not in spared and (handle := Handle.of(pid)):
            yield Marked(
                handle, _parent(pid), dict(variable.split("=", 1) for variable in variables if "=" in variable)
            )


def command_line(pid: int) -> str:
    """The command of a process, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return _ps(pid, "command")


def _started(pid: int) -> str | None:
    try:
        # The program's name, in parentheses, may hold anything; the fields that count follow the last one.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return None
        return None if _ps(pid, "stat").startswith("Z") else _ps(pid, "lstart") or None
    return None if fields[0] in "ZX" else fields[19]


def services(instance: str) -> dict[str, Handle]:
    """The process of each managed service, without the processes that it started in turn.

    While one process takes over from another, the later one counts.
    """
    found = [each for each in marked(instance) if each.service]
    members = {(each.handle.pid, each.service) for each in found}
    own = [each for each in found if (each.parent, each.service) not in members]
    return {each.service: each.handle for each in sorted(own, key=lambda each: int(each.handle.started))}


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 0:
        yield pid
        pid = _parent(pid)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _ps(pid: int, column: str) -> str:
    answer = subprocess.run(["ps", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
