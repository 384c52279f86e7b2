"""Whether an index may take the place of the one before: not unasked, when most documents of a type are gone.

A document type that the mapping no longer has is not missed: whoever takes it out means to.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from commonshub.core.errors import CommonsError


class Shrunk(CommonsError):
    """A build has far fewer documents than the index that it would replace, which therefore stays."""

    code = "shrunk"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be gone at once.

    Parameters
    ----------
    part
        Largest part of the documents of a type, from 0 to 1.
    counted_from
        Types that had fewer documents may lose any number.
    """

    part: float
    counted_from: int

    def check(self, counts: Mapping[str, int], before: Mapping[str, int]) -> None:
        """Compare numbers of documents by type.

        Raises
        ------
        Shrunk
            More are gone of some type; the message names each.
        """
        shrunk = [
            f"{count} of {name} where there were {before[name]}"
            for name, count in counts.items()
            if before.get(name, 0) >= self.counted_from and count < (1 - self.part) * before[name]
        ]
        if shrunk:
            raise Shrunk(
                f"The new index has far fewer documents than the one before, which stays: {', '.join(shrunk)}. "
                "If that is meant, say `commonshub etl run --accept-fewer`."
            )
