"""The one statement of a query, run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2.errors
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from commonshub.core.errors import TooLarge
from commonshub.core.texts import literal

from .planner import OVERSIZE, Plan

Part = sa.Row[int, str | None]
"""Number of a column, and a text: of the column, or of an item where it is a long list."""

# What is taken from a cursor at a time: so many rows, and fewer where they would be more than so many characters.
_ROWS, _CHARS = 500, 2**20


def tune(engine: sa.Engine) -> None:
    """Settings of every connection that is opened from now on.

    They only read, whatever a statement says; and compiling to machine code costs more than these statements take.
    """

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set default_transaction_read_only = on; set jit = off")
        connection.commit()


def answers(connection: sa.Connection, plans: Sequence[Plan]) -> list[bytes]:
    """The ``data`` objects of plans, all from one state of the database.

    Raises
    ------
    TooLarge
        A statement took longer than the time limit, or the answers are larger than they may be.
    """
    asking = sum(plan.statement is not None for plan in plans)
    if asking > 1:
        connection.exec_driver_sql("set transaction isolation level repeatable read")
    found, total = [], 0
    for plan in plans:
        row, size = _row(connection, plan)
        total += size
        if total > plan.max_bytes:
            raise too_large(total, plan)
        found.append(plan.render(row))
    return found


def _row(connection: sa.Connection, plan: Plan) -> tuple[Sequence[Any], int]:
    """The columns of a plan, and how many bytes they have."""
    if plan.statement is None:
        return (), 0
    ((*columns, size),) = rows(connection, plan.statement, plan.parameters)
    return columns, int(size)


def items(connection: sa.Connection, plan: Plan) -> Iterator[Part]:
    """The rows of a plan with long lists, some at a time.

    Raises
    ------
    TooLarge
        As :func:`answers`.
    """
    assert plan.statement is not None
    with _told():
        found = connection.exec_driver_sql(
            plan.statement, _bound(plan.parameters), execution_options={"stream_results": True}
        )
        count = 1
        while some := found.fetchmany(count):
            chars = 1
            for number, text in some:
                if number == OVERSIZE:
                    raise too_large(int(text), plan)
                chars += len(text or "")
            yield from some
            count = max(1, min(_ROWS, 5 * count, _CHARS * len(some) // chars))


def too_large(size: int, plan: Plan) -> TooLarge:
    """The refusal of an answer that has `size` bytes so far."""
    return TooLarge(
        f"The answer has {size} bytes, more than the {plan.max_bytes} that are sent at once; narrow it by filters, ask "
        "for fewer fields, or page its lists with first. Lists at the top of a query come item by item with first: 0."
    )


def explain(connection: sa.Connection, plan: Plan) -> dict[str, Any]:
    """How the answer of `plan` is found: its ``statement``, the ``parameters``, and PostgreSQL's ``plan`` for it.

    Raises
    ------
    TooLarge
        As :func:`answers`.
    """
    found = None
    if plan.statement is not None:
        ((found,),) = rows(connection, f"explain (format json) {plan.statement}", plan.parameters)
    return {"statement": plan.statement, "parameters": dict(plan.parameters), "plan": found}


def rows(connection: sa.Connection, statement: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """All rows of `statement`.

    Raises
    ------
    TooLarge
        As :func:`answers`.
    """
    with _told():
        return connection.exec_driver_sql(statement, _bound(parameters)).fetchall()


def _bound(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with lists as one text each: the driver would write a long one in a go that holds up all threads."""
    return {key: literal(value) if isinstance(value, list) else value for key, value in parameters.items()}


@contextmanager
def _told() -> Iterator[None]:
    """Limits of the database in the words of a query."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.errors.QueryCanceled):
            raise TooLarge(
                "The query took longer than the time limit of this commons; "
                "narrow it by project_id or other filters, or page it with first and offset."
            ) from error
        if isinstance(error.orig, psycopg2.errors.ProgramLimitExceeded | psycopg2.errors.OutOfMemory):
            raise TooLarge(
                "The answer is larger than the database can build at once; page it with first and offset."
            ) from error
        raise
