"""The main job, end to end, with the official client."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOOP = Path(__file__).with_name("loop.py")


def run_loop(python: str, credentials: Path, program: str, environment: dict[str, str]) -> dict[str, Any]:
    command = [python, "-P", str(LOOP), str(credentials), program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_the_installed_sdk_completes_the_loop(commons: Any, clean_environment: dict[str, str], tmp_path: Path) -> None:
    seen = run_loop(sys.executable, commons.credentials("admin", tmp_path), "LOOP4", clean_environment)
    assert seen["gen3"].startswith("4.28")


def newer_python() -> str | None:
    """An interpreter that the SDK's version 5 runs on, if one is at hand."""
    on_path = [shutil.which(f"python3.{minor}") for minor in (14, 13)]
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.1[3-9]*/bin/python3"))
    for candidate in (sys.executable, *filter(None, on_path), *map(str, pyenv)):
        code = "import sys; sys.exit(sys.version_info < (3, 13))"
        if subprocess.run([candidate, "-c", code], capture_output=True).returncode == 0:
            return candidate
    return None


def test_version_5_of_the_sdk_completes_the_loop(
    commons: Any, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    python = newer_python()
    if python is None:
        pytest.skip("gen3 5 needs Python 3.13 or newer, and none is at hand")
    venv = tmp_path / "venv"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if uv:
        subprocess.run([uv, "venv", "-q", "--python", python, str(venv)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(venv), "gen3>=5,<6"], check=True, timeout=240)
    else:
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin/pip"), "install", "-q", "gen3>=5,<6"], check=True, timeout=240)
    seen = run_loop(str(venv / "bin/python"), commons.credentials("admin", tmp_path), "LOOP5", clean_environment)
    assert seen["gen3"].startswith("5.")
