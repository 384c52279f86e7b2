"""What a process has used once it uses again, without the kernel's help."""

import os
import platform
import subprocess
import sys

import pytest

from commonshub.hub import memory

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
