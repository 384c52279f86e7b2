"""Many new rows into a table by ``COPY``, which costs PostgreSQL less than any statement that has them as parameters.

One row that cannot be stored refuses them all, as it does in other statements.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice

import psycopg2
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

NULL = "\\N"
_LINES_AT_A_TIME = 100


def escaped(text: str) -> str:
    """A text as a field of a line."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def line(fields: Iterable[str]) -> str:
    """A row of fields, each of them :func:`escaped` or :data:`NULL`."""
    return "\t".join(fields) + "\n"


class _Reader:
    """Lines as the driver reads them: PostgreSQL stores some while the next are made."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    def read(self, _size: int) -> bytes:
        return "".join(islice(self._lines, _LINES_AT_A_TIME)).encode()


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
            cursor.copy_expert(statement, _Reader(lines))
    except psycopg2.Error as error:
        lost = connection.dialect.is_disconnect(error, None, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement, None, error, psycopg2.Error, connection_invalidated=lost, dialect=connection.dialect
        ) from error
