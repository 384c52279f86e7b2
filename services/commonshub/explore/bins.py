"""Where the bins of a histogram lie: what of it does not depend on the engine."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from commonshub.core.errors import BadRequest

from .requests import MASKED, Bins, Bucket


@dataclass(frozen=True, slots=True)
class Bin:
    """Statistics of the numbers in a bin; the count is :data:`.requests.MASKED` where it is not told."""

    minimum: float | None
    maximum: float | None
    average: float | None
    total: float | None
    count: int

    def bucket(self, low: float | None, high: float | None) -> Bucket:
        """The bin between two edges; one whose count is not told has no statistics either."""
        if self.count == MASKED:
            return Bucket((low, high), MASKED)
        return Bucket((low, high), self.count, self.minimum, self.maximum, self.average, self.total)


# A bin that is empty and one whose few documents are not told look the same.
_EMPTY = {False: Bin(None, None, None, 0, 0), True: Bin(None, None, None, None, MASKED)}


def check_bins(question: Bins) -> None:
    """Raise :class:`BadRequest` for arguments of a histogram that make no sense."""
    if question.step is not None and question.bins is not None:
        raise BadRequest("Invalid rangeStep/binCount: give one of them, not both.")
    if question.step is not None and not (question.step > 0 and math.isfinite(question.step)):
        raise BadRequest(f"Invalid rangeStep {question.step:g}: it must be larger than 0.")
    if question.bins is not None and question.bins <= 0:
        raise BadRequest(f"Invalid binCount {question.bins}: it must be larger than 0.")
    if question.low is not None and question.high is not None and question.low > question.high:
        raise BadRequest(f"Invalid rangeStart {question.low:g} > rangeEnd {question.high:g}.")


def whole(question: Bins, all_of_them: Bin, low: float | None, high: float | None) -> list[Bucket]:
    """One bucket of all, between the edges that were asked for, or else the smallest and largest number."""
    edges = (low if question.low is None else question.low, high if question.high is None else question.high)
    return [all_of_them.bucket(*edges)]


def spread(question: Bins, low: float, high: float) -> tuple[float, float]:
    """Where the first of a number of bins begins, and their width.

    Parameters
    ----------
    low, high
        The smallest and the largest number.

    Raises
    ------
    BadRequest
        All are one number, or are too far apart to be subtracted.
    """
    assert question.bins is not None
    origin = low if question.low is None else question.low
    step = ((high + 1 if question.high is None else question.high) - origin) / question.bins
    if not (step > 0 and math.isfinite(step)):
        raise BadRequest(f"The range of {question.place.path} is too {'narrow' if step <= 0 else 'wide'} for bins.")
    return origin, step


def in_order(question: Bins, found: Mapping[int, Bin], origin: float, step: float, max_buckets: int) -> list[Bucket]:
    """Bins by their numbers, with the empty ones in between.

    Raises
    ------
    BadRequest
        They are more than `max_buckets`.
    """
    if not found:
        return []
    first, last = min(found), max(found)
    if last - first >= max_buckets:
        raise BadRequest(f"That makes more than {max_buckets} bins: choose a larger rangeStep.")
    none = _EMPTY[question.scope.rights.masked]
    return [
        found.get(number, none).bucket(origin + number * step, origin + (number + 1) * step)
        for number in range(first, last + 1)
    ]
