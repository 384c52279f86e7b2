"""Start: from a fresh clone with an empty home, and again; memory when idle."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import ROOT, Figure, free_port, pss_mb

IDLE_S = 30


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="commons up ") as folder:
        Path(folder).chmod(0o755)
        clone, home = Path(folder) / "a clone", Path(folder) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("UV_", "VIRTUAL_ENV", "XDG_"))
        }
        environment["HOME"] = str(home)

        def run(*command: str) -> float:
            start = time.perf_counter()
            subprocess.run(command, cwd=clone, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=900)
            return time.perf_counter() - start

        up = ("./scripts/up", "--detach", "--port", str(free_port()))
        yield Figure("up.first_s", run(*up), "s", bound=180)
        try:
            run(".venv/bin/commonshub", "down")
            yield Figure("up.again_s", run(*up), "s", bound=15)
            time.sleep(IDLE_S)
            status = subprocess.run(
                [".venv/bin/commonshub", "status", "--json"],
                cwd=clone,
                env=environment,
                check=True,
                capture_output=True,
            )
            pids = [part["pid"] for part in json.loads(status.stdout)["parts"] if part["pid"]]
            yield Figure("up.pss_mb", pss_mb(pids), "MB", bound=700)
        finally:
            run(".venv/bin/commonshub", "down")
