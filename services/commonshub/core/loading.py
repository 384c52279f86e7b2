"""Many new rows into a table by ``COPY``, which costs PostgreSQL less than any statement that has them as parameters.

One row that cannot be stored refuses them all, as it does in other statements.
"""

import io
from collections.abc import Iterable, Sequence
from contextlib import closing

import psycopg2
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

NULL = "\\N"
_AT_A_TIME_BYTES = 2**20


def escaped(text: str) -> str:
    """A text as a field of a line."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def line(fields: Iterable[str]) -> str:
    """A row of fields, each of them :func:`escaped` or :data:`NULL`."""
    return "\t".join(fields) + "\n"


def load(connection: sa.Connection, table: sa.Table, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Store new rows.

    Parameters
    ----------
    columns
        What each :func:`line` has; the others get their defaults.

    Raises
    ------
    sqlalchemy.exc.DBAPIError
        What any statement raises: an ``IntegrityError`` where a row is there already.
    """
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.quote(name) for name in columns)
    statement = f"copy {preparer.format_table(table)} ({names}) from stdin"
    try:
        with closing(connection.connection.cursor()) as cursor:
            data = io.BytesIO("".join(lines).encode())
            cursor.copy_expert(statement, data, size=_AT_A_TIME_BYTES)
    except psycopg2.Error as error:
        lost = connection.dialect.is_disconnect(error, None, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement, None, error, psycopg2.Error, connection_invalidated=lost, dialect=connection.dialect
        ) from error
