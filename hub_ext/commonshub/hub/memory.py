"""How the processes of a commons get memory from glibc; other C libraries know none of these variables.

By itself glibc gives the memory of a large answer back to the kernel as soon as it is sent, and every answer after it
has its pages cleared anew: a tenth of the time that PostgreSQL takes for a thousand records.
"""

# What a process keeps of the memory that it uses no more, in bytes.
KEPT_BYTES = 8 * 2**20

ENVIRONMENT = {
    # Every thread that ever allocates would otherwise keep an arena of its own.
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES),
    # One that is given alone fixes the other at 128 KiB, and larger blocks would never be kept.
    "MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES),
}
