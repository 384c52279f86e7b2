"""Answers that are no longer than they may be, whatever the records in them are like.

A limit on the number of records does not bound an answer, since nothing bounds a record but the longest body of a
request. So PostgreSQL adds up the texts that it makes, and gives none beyond the room that there is.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from commonshub.core.errors import TooLarge

MOST = sa.bindparam("most_bytes", type_=sa.BigInteger())


class Room(NamedTuple):
    """How long the texts of an answer may be, all together.

    Parameters
    ----------
    most_bytes
        To be executed with every statement that is made here.
    advice
        What who asks for more is to do, as a sentence.
    """

    most_bytes: int
    advice: str

    def values(self) -> dict[str, int]:
        """The parameters of a statement that keeps to this room."""
        return {"most_bytes": self.most_bytes}

    def refusal(self) -> TooLarge:
        """What to tell of a longer answer."""
        return TooLarge(
            f"The records of this answer have more than {self.most_bytes} bytes together (IndexApp.max_answer_bytes). "
            f"{self.advice}"
        )

    def read(self, rows: sa.Result[Any], count: int | None = None) -> Sequence[sa.Row[Any]]:
        """All rows of :func:`bounded`.

        Parameters
        ----------
        count
            How many of them the answer has, from the first; all by default.

        Raises
        ------
        TooLarge
            Their texts do not fit.
        """
        found = rows.all()
        told = found[:count]
        if told and not told[-1].fits:
            raise self.refusal()
        return found


def bounded(told: sa.Select[Any]) -> sa.Select[Any]:
    """The rows of a statement with a column ``text``, of those that fit, and ``fits`` as a further column."""
    # Materialized, so that no text is made twice: once to be measured, and once to be given.
    rows = told.cte("told").prefix_with("MATERIALIZED", dialect="postgresql")
    so_far = sa.func.sum(sa.func.octet_length(rows.c.text)).over(rows=(None, 0))
    measured = sa.select(*rows.c, (so_far <= MOST).label("fits")).subquery("measured")
    columns = [sa.case((measured.c.fits, each)).label("text") if each.name == "text" else each for each in measured.c]
    return sa.select(*columns)


def joined(text: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """A text made of many rows if it fits, or else null."""
    return sa.case((sa.func.octet_length(text) <= MOST, text))
