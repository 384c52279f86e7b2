"""Figures, floors, and a commons to measure on."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("commonshub")
SHARED = ROOT.parent / "shared"


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Parameters
    ----------
    floor
        The same work with nothing of ours in it (an empty handler, bare SQL…), measured in the same run.
    bound
        What is promised: for the value, or for ``value / floor`` where `bound_on` is ``ratio``.
    better
        ``low`` where smaller is better, ``high`` where larger is.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    bound: float | None = None
    better: str = "low"
    bound_on: str = "value"

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def ok(self) -> bool | None:
        measured = self.value if self.bound_on == "value" else self.ratio
        if self.bound is None or measured is None:
            return None
        return measured <= self.bound if self.better == "low" else measured >= self.bound

    def line(self) -> str:
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}
        ratio = round(self.ratio, 4) if self.ratio is not None else None
        return json.dumps({**rounded, "ratio": ratio, "ok": self.ok})


def milliseconds(function: Callable[[], Any], runs: int = 30, warm: int = 3) -> float:
    """Median time of a call."""
    for _ in range(warm):
        function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


class Commons:
    """A commons of our own, with its state in a temporary folder, stopped and removed at the end.

    Parameters
    ----------
    dictionary
        Folder of a dictionary other than the demo's.
    demo
        With the demo's data.
    """

    def __init__(self, dictionary: Path | None = None, *, demo: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="commons-bench-"))
        self.folder.chmod(0o755)
        self.data_dir = self.folder / "data"
        self.port = free_port()
        if dictionary:
            self.run("init")
            with (self.data_dir / "commonshub_config.py").open("a") as config:
                config.write(f"\nc.Commons.dictionary = {str(dictionary)!r}\n")
        self.run("up", *([] if demo else ["--empty"]), "--detach", "--port", str(self.port))
        self.origin = f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str) -> str:
        command = [str(COMMAND), *arguments, "--data-dir", str(self.data_dir)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @cached_property
    def parts(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in json.loads(self.run("status", "--json"))["parts"]}

    def service(self, name: str) -> str:
        """Address of one service's own process, past the proxy."""
        return str(self.parts[name]["url"]).rstrip("/")

    @cached_property
    def session(self) -> requests.Session:
        """A session signed in as the administrator."""
        key = json.loads(self.run("key", "create", "admin"))
        answer = requests.post(f"{self.origin}/user/credentials/api/access_token", json=key, timeout=30)
        answer.raise_for_status()
        session = requests.Session()
        session.headers["Authorization"] = f"bearer {answer.json()['access_token']}"
        return session

    def close(self) -> None:
        self.run("down")
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def floor_server() -> Iterator[str]:
    """Address of an empty tornado handler in a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-P", str(Path(__file__).with_name("floor.py")), str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            with contextlib.suppress(requests.ConnectionError):
                requests.get(url, timeout=5)
                break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def pss_mb(pids: list[int]) -> float:
    """Proportional set size of processes and all below them, in MB."""
    total = 0
    for pid in {each for root in pids for each in tree(root)}:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total * 1024 / 1e6


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += tree(int(child))
    return found
