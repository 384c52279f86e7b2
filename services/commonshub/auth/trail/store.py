"""SQL on the audit trail."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from commonshub.core import audit
from commonshub.core.errors import BadRequest, TooLarge

from .questions import Question
from .views import View

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the trail: moment and number of a row."""

    at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that an answer named.

        Raises
        ------
        BadRequest
            It did not.
        """
        microseconds, _, number = text.partition(".")
        try:
            return cls(EPOCH + timedelta(microseconds=int(microseconds)), int(number))
        except (ValueError, OverflowError) as error:
            raise BadRequest("after must be what `next` of the last answer said.") from error


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the place of the last one where there are more."""

    rows: list[Row]
    next: Place | None


def page(
    connection: sa.Connection,
    view: View,
    question: Question,
    limit: int,
    after: Place | None = None,
    newest_first: bool = False,
) -> Page:
    """The first rows after a place, at most `limit`."""
    table = view.table
    place = sa.tuple_(table.c.at, table.c.id)
    query = sa.select(*_labelled(view), table.c.at.label("_at"), table.c.id.label("_id")).select_from(view.source)
    query = query.where(*_conditions(view, question))
    if after is not None:
        bound = sa.tuple_(sa.literal(after.at, table.c.at.type), sa.literal(after.id, table.c.id.type))
        query = query.where(place < bound if newest_first else place > bound)
    order = (table.c.at.desc(), table.c.id.desc()) if newest_first else (table.c.at, table.c.id)
    found = [dict(row) for row in connection.execute(query.order_by(*order).limit(limit + 1)).mappings()]
    places = [Place(row.pop("_at"), row.pop("_id")) for row in found]
    return Page(found[:limit], places[limit - 1] if len(found) > limit else None)


def whole_seconds(
    connection: sa.Connection, view: View, question: Question, limit: int
) -> tuple[list[Row], datetime | None]:
    """The first rows, oldest first, and the second at which the next page starts.

    A Gen3 client continues at a second, so no second is split between two pages: one that alone is more than a page is
    given whole.

    Returns
    -------
    rows, next
        `next` is None after the last row.
    """
    first = page(connection, view, question, limit)
    if first.next is None:
        return first.rows, None
    second = first.next.at.replace(microsecond=0)
    [moment] = [name for name, column in view.columns.items() if column is view.table.c.at]
    whole = [row for row in first.rows if row[moment] < second]
    if whole:
        return whole, second
    following = second + timedelta(seconds=1)
    stop = min(following, question.stop) if question.stop else following
    rest = _select(view, question).where(view.table.c.at >= second, view.table.c.at < stop)
    rows = connection.execute(rest.order_by(view.table.c.at, view.table.c.id)).mappings()
    return [dict(row) for row in rows], following


def count(connection: sa.Connection, view: View, question: Question) -> int:
    """How many rows there are."""
    query = sa.select(sa.func.count()).select_from(view.source).where(*_conditions(view, question))
    return int(connection.execute(query).scalar_one())


def groups(connection: sa.Connection, view: View, question: Question, most: int) -> list[Row]:
    """Each combination of the columns of ``groupby`` with its ``count``, the largest first.

    Raises
    ------
    TooLarge
        There are more than `most`.
    """
    columns = [view.columns[name].label(name) for name in question.groupby]
    number = sa.func.count().label("count")
    query = sa.select(*columns, number).select_from(view.source).where(*_conditions(view, question))
    query = query.group_by(*columns).order_by(number.desc(), *columns).limit(most + 1)
    found = [dict(row) for row in connection.execute(query).mappings()]
    if len(found) > most:
        raise TooLarge(f"There are more than {most} groups; ask for a shorter time, or group by fewer columns.")
    return found


def forget(connection: sa.Connection, schema: str, before: datetime, most: int) -> int:
    """Delete the oldest rows of before a moment, at most `most`; how many."""
    table = audit.table(schema)
    old = sa.select(table.c.id).where(table.c.at < before).order_by(table.c.at, table.c.id).limit(most)
    # Two processes of this service take different rows.
    old = old.with_for_update(skip_locked=True)
    return connection.execute(table.delete().where(table.c.id.in_(old))).rowcount


def _labelled(view: View) -> Iterator[sa.ColumnElement[Any]]:
    return (column.label(name) for name, column in view.columns.items())


def _select(view: View, question: Question) -> sa.Select[Any]:
    return sa.select(*_labelled(view)).select_from(view.source).where(*_conditions(view, question))


def _conditions(view: View, question: Question) -> list[sa.ColumnElement[bool]]:
    at = view.table.c.at
    conditions = [view.belongs, *(view.condition(name, values) for name, values in question.filters.items())]
    if question.start is not None:
        conditions.append(at >= question.start)
    if question.stop is not None:
        conditions.append(at < question.stop)
    return conditions
