"""How much memory there is, and how the processes of a commons get it from glibc.

Other C libraries know none of the variables here.

By itself glibc gives the memory of a large answer back to the kernel as soon as it is sent, and every answer after it
has its pages cleared anew: a tenth of the time that PostgreSQL takes for a thousand records.
"""

import os
from pathlib import Path

# What a process keeps of the memory that it uses no more, in bytes.
KEPT_BYTES = 8 * 2**20

ENVIRONMENT = {
    # Every thread that ever allocates would otherwise keep an arena of its own.
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES),
    # One that is given alone fixes the other at 128 KiB, and larger blocks would never be kept.
    "MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES),
}

# Where the kernel tells the limit of a container, in bytes, in its newer and its older form.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def there_is() -> int:
    """Memory of the machine, or of the container that this runs in, in bytes."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for each in LIMITS:
        # No limit is a word in the newer form, and a file of the other form is not there.
        text = each.read_text(encoding="ascii").strip() if each.exists() else ""
        sizes += [int(text)] if text.isdigit() else []
    return min(sizes)
