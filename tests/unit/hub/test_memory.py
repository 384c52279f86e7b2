"""What a process has used once it uses again, without the kernel's help."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from commonshub.hub import memory
from commonshub.hub.postgres import cache_mb

ANSWERS, ANSWER_BYTES = 50, 2**20
PAGE_BYTES = 4096

# Two blocks at a time, as an answer and its copy are.
WORK = f"""
import resource
def answer():
    return len(bytearray({ANSWER_BYTES}) + bytearray({ANSWER_BYTES}))
answer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ANSWERS}):
    answer()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries know none of these variables")
def test_memory_of_an_answer_serves_the_next_one() -> None:
    environment = {**os.environ, **memory.ENVIRONMENT}
    done = subprocess.run([sys.executable, "-c", WORK], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < ANSWERS * ANSWER_BYTES / PAGE_BYTES / 10


@pytest.mark.parametrize(
    ("limit", "known"),
    [("1073741824\n", True), ("max\n", False), (None, False), ("9223372036854771712", False)],
)
def test_a_container_has_the_memory_that_it_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str | None, known: bool
) -> None:
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit)
    monkeypatch.setattr(memory, "LIMITS", (tmp_path / "nowhere", file))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory.there_is() == (2**30 if known else machine)


@pytest.mark.parametrize(("gb", "mb"), [(0.5, 128), (2, 128), (4, 256), (8, 512), (1024, 512)])
def test_the_database_gets_a_part_of_the_memory(gb: float, mb: int) -> None:
    assert cache_mb(int(gb * 2**30)) == mb
