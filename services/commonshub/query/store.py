"""The one statement of a query, run."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2.errors
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from commonshub.core.errors import TooLarge

from .planner import Plan


def tune(engine: sa.Engine) -> None:
    """Settings of every connection that is opened from now on.

    They only read, whatever a statement says; and compiling to machine code costs more than these statements take.
    """

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set default_transaction_read_only = on; set jit = off")
        connection.commit()


def answer(connection: sa.Connection, plan: Plan) -> bytes:
    """The ``data`` object of `plan`.

    Raises
    ------
    TooLarge
        The statement took longer than the time limit, or its answer does not fit into one value.
    """
    assert plan.statement is not None
    (row,) = rows(connection, plan.statement, plan.parameters)
    return plan.render(row)


def rows(connection: sa.Connection, statement: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """All rows of `statement`.

    Raises
    ------
    TooLarge
        As :func:`answer`.
    """
    try:
        return connection.exec_driver_sql(statement, dict(parameters)).fetchall()
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
