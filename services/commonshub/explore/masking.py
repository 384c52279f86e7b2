"""Which counts of a group of documents are told.

Under masked rights three numbers belong to a group: all that it holds, those that the caller may read, and the
*documents* of others. A group's count is told when the documents of others are at least as many as the limit; if not,
the group exists for the caller only if they may read a part of it, and then without its count. So a group of others
below the limit changes nothing in any answer, whether it has many documents, few or none.
"""

from collections.abc import Sequence
from typing import Any

from commonshub.core.errors import BadRequest

from .catalog import MISSING
from .requests import MASKED, Bucket, Part, Parts, Terms, Value
from .rights import Rights

Measures = tuple[int, ...]
"""What an engine counts of a group: all; and under masked rights also what is the caller's, and documents of others."""

Groups = list[tuple[Any, Measures]]
"""Values of a field, None for a missing one, with the measures of their documents."""


def named(key: Any) -> str:
    """A group's value as settings name it."""
    return MISSING if key is None else str(key).lower()


def exists(rights: Rights, key: Any, measures: Measures) -> bool:
    """Whether there is such a group, for the caller."""
    if not rights.masked:
        return measures[0] > 0
    everything, own, hidden = measures
    return own > 0 or hidden >= rights.limit or (everything > 0 and named(key) in rights.told)


def told(rights: Rights, key: Any, measures: Measures) -> int:
    """The count of a group that exists for the caller."""
    if not rights.masked:
        return measures[0]
    everything, _, hidden = measures
    return everything if hidden >= rights.limit or named(key) in rights.told else MASKED


def single(rights: Rights, measures: Measures) -> int:
    """The count of all that a question is about."""
    return measures[0] if not rights.masked or measures[2] >= rights.limit else MASKED


def buckets(groups: Groups, facet: Terms, max_buckets: int) -> list[Bucket]:
    """The groups that exist for the caller as buckets, the largest first.

    Raises
    ------
    BadRequest
        There are more than `max_buckets`.
    """
    rights = facet.scope.rights
    kept = [(value, measures) for value, measures in groups if value is not None]
    if len(kept) > max_buckets:
        raise BadRequest(f"{facet.place.path} has more than {max_buckets} different values: narrow the filter.")
    found = [Bucket(value, told(rights, value, measures)) for value, measures in kept]
    found.sort(key=lambda bucket: (-bucket.count, bucket.key))
    none = next((measures for value, measures in groups if value is None), None)
    return [*found, Bucket(None, told(rights, None, none))] if none and facet.missing else found


def parts(counted: Sequence[tuple[Value, Value, Measures]], question: Parts, max_buckets: int) -> list[Part]:
    """The parts that exist for the caller, the largest first.

    Parameters
    ----------
    counted
        Bucket, value of the other field, and measures of each.

    Raises
    ------
    BadRequest
        There are more than `max_buckets`.
    """
    if len(counted) > max_buckets:
        raise BadRequest(f"{question.other.path} makes more than {max_buckets} parts: narrow the filter.")
    rights = question.scope.rights
    found = [Part(bucket, value, told(rights, value, measures)) for bucket, value, measures in counted]
    return sorted(found, key=_size_first)


def _size_first(part: Part) -> tuple[Any, ...]:
    # Keys of one question are all text or all numbers, and so are its buckets.
    return -part.count, part.key is None, *(() if part.key is None else (part.key,)), part.bucket
