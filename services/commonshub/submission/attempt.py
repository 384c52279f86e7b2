"""Running a transaction until it ends in one way or the other."""

import asyncio
import random
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..core.database import Database
from ..core.errors import BadRequest, Conflict, Unavailable
from . import journal
from .entity import Outcome
from .request import Submission
from .store import Store
from .transaction import Raced, Rejected

# SQLSTATEs of PostgreSQL (appendix A of its manual): a class is the first two characters.
_CONFLICTS = ("40P01", "40001")
_INTEGRITY = "23"
_DATA = "22"
_TOO_LARGE = ("54000",)
# The longest wait before the second try; before each further one it is twice as long.
_PAUSE_S = 0.1

Run = Callable[[sa.Connection, Submission], Outcome]


async def attempt(database: Database, store: Store, function: Run, submission: Submission, tries: int) -> Outcome:
    """Run a transaction, again where another one got in its way; a failed one leaves only its log.

    Raises
    ------
    Conflict
        Others got in its way each time.
    BadRequest
        PostgreSQL cannot store a value that the dictionary allows.
    """
    for number in range(tries):
        if number:
            # Who waits for a while that nobody else knows meets the others less often.
            await asyncio.sleep(random.uniform(0, _PAUSE_S * 2**number))  # noqa: S311 - nothing depends on it
        try:
            return await database.run(function, submission)
        except Rejected as rejected:
            await database.run(journal.rejected, store, submission, rejected.outcome)
            return rejected.outcome
        except Raced:
            continue
        except (Unavailable, DBAPIError) as error:
            _examine(error)
    raise Conflict("Other submissions to the same records keep getting in the way; try again.")


def _examine(error: Unavailable | DBAPIError) -> None:
    """Return where it is worth to try again."""
    known = error if isinstance(error, DBAPIError) else error.__cause__
    code = str(getattr(getattr(known, "orig", None), "pgcode", None))
    if code in _TOO_LARGE or code.startswith(_DATA):
        raise BadRequest("A value is too long or too large to be stored; nothing was.") from error
    if code not in _CONFLICTS and not code.startswith(_INTEGRITY):
        raise error
