"""What a caller may learn of, as plain data that travels beside whatever they ask."""

from dataclasses import dataclass
from typing import Literal

Reach = Literal["own", "others", "all", "public"]


@dataclass(frozen=True, slots=True)
class Rights:
    """Which documents a question can be about at all, and how much its answer tells of them.

    Parameters
    ----------
    paths
        Values of ``auth_resource_path`` that the caller may read.
    reach
        ``own``: documents with one of these; ``others``: those with another; ``all``: both. ``public``: every
        document, whatever it has there.
    whole
        Whether `paths` are all that the index has.
    limit
        Smallest group of documents of others that is told of.
    sensitive
        Field of documents that do not count, where it is ``true``, unless the caller may read them.
    told
        Values, in lower case, whose counts are told however small.
    """

    paths: frozenset[str]
    reach: Reach = "own"
    whole: bool = False
    limit: int = 1
    sensitive: str | None = None
    told: frozenset[str] = frozenset()

    @property
    def masked(self) -> bool:
        """Whether answers count documents that the caller may not read."""
        return self.reach in ("others", "all")
