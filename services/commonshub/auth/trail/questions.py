"""What is asked of the audit trail, read from the arguments of a request or of a command.

Vocabulary
----------
view
    The trail as one route shows it: the rows that belong to it, and their columns (:mod:`.views`).
filter
    A column and the values that it may have; filters of different columns must all hold.
start, stop
    The first moment that counts, and the first that does not any more.
groupby
    Columns whose combinations are counted instead of listing rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from commonshub.core.errors import BadRequest

# Arguments that are no filter.
SPECIAL = frozenset({"start", "stop", "groupby", "count", "limit", "after", "format"})


@dataclass(frozen=True, slots=True)
class Question:
    """One query; see the vocabulary above."""

    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start: datetime | None = None
    stop: datetime | None = None
    groupby: tuple[str, ...] = ()
    count: bool = False


def read_question(arguments: Mapping[str, Sequence[str]], category: str, columns: Sequence[str]) -> Question:
    """The query that a request's arguments make.

    Parameters
    ----------
    columns
        Columns of the view, which are the filters that it takes.

    Raises
    ------
    BadRequest
        A column does not exist, a moment is none, or `start` is after `stop`.
    """
    filters = {name: tuple(values) for name, values in arguments.items() if name not in SPECIAL}
    groupby = tuple(dict.fromkeys(arguments.get("groupby", ())))
    for name in (*filters, *groupby):
        if name not in columns:
            known = ", ".join(columns)
            raise BadRequest(f"{name[:40]!r} is not allowed on category {category!r}; there are: {known}.")
    start, stop = (_last_moment(arguments, name) for name in ("start", "stop"))
    if start and stop and start > stop:
        raise BadRequest("start must be before stop.")
    return Question(filters, start, stop, groupby, "count" in arguments)


def _last_moment(arguments: Mapping[str, Sequence[str]], name: str) -> datetime | None:
    return moment(arguments[name][-1], name) if arguments.get(name) else None


def moment(text: str, name: str) -> datetime:
    """A moment, given in seconds since the epoch or as ISO 8601 (UTC where it names no zone).

    Raises
    ------
    BadRequest
        It is neither; the message calls it `name`.
    """
    try:
        if text.isdecimal() and text.isascii():
            return datetime.fromtimestamp(int(text), UTC)
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequest(
            f"{name} must be seconds since the epoch or a moment such as 2026-01-31T12:00:00Z, not {text[:40]!r}."
        ) from error
