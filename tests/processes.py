"""Parts that a test kills and starts: a PostgreSQL server, and the index as a process of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from commonshub.hub.accounts import Accounts, give, launcher
from commonshub.hub.postgres import Postgres, environment, socket_folder

from .conftest import free_port, wait_for_port


class StoppablePostgres:
    """A PostgreSQL server of its own."""

    def __init__(self, folder: Path) -> None:
        account = Accounts(folder / "accounts.json").part("postgres", str(folder / "cluster"))
        cluster, self._sockets = give(folder / "cluster", account), give(socket_folder(folder / "sockets"), account)
        start = launcher(account, writable=[cluster, self._sockets])
        self.server = Postgres(cluster, self._sockets, {"postgres": "test"}, start, {"max_connections": "100"})
        self.server.initialise()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.server.url("postgres", "postgres")

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self.server.command(), env=environment(), stdout=quiet, stderr=quiet)
        self.server.wait_ready()

    def stop(self) -> None:
        """Cut all connections and stop, as an operator's restart does."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._sockets)


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoppablePostgres]:
    """A server that only this module uses, running."""
    server = StoppablePostgres(tmp_path_factory.mktemp("own-postgres"))
    server.start()
    yield server
    server.remove()


class IndexProcess:
    """The index service as the hub runs it.

    Parameters
    ----------
    traits
        Settings by their full names, as ``BlobSettings.lease_s``.
    """

    def __init__(self, folder: Path, traits: Mapping[str, Any]) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        options = [f"--{name}={value}" for name, value in traits.items()]
        self._command = [sys.executable, "-P", "-m", "commonshub.index", f"--data-dir={folder}", f"--url={self.url}"]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        with (self.folder / "index.log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for_port(self.port, 60)

    def kill(self) -> None:
        """End it without a warning."""
        if self._process:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def memory_mb(self, kind: str) -> float:
        """``VmRSS`` (now) or ``VmHWM`` (most ever), in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise AssertionError(kind)
