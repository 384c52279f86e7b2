"""What is kept of submissions: for each a row of the log, what was sent, and what was answered.

A large body is kept in parts, since one value of PostgreSQL holds 1 GB at most and would be in memory as a whole.
"""

import orjson
import sqlalchemy as sa

from .documents import kept
from .entity import Outcome
from .logstore import LogRow
from .request import Submission
from .store import Store

PENDING, SUCCEEDED, FAILED, ERRORED = "PENDING", "SUCCEEDED", "FAILED", "ERRORED"


def row(submission: Submission, state: str, transaction_id: int | None = None) -> LogRow:
    """The row of ``transaction_logs``.

    Documents are kept as they came, in ``transaction_documents``; here only those of a dry run are needed, because it
    can be committed later. A large one is then read again.

    Parameters
    ----------
    transaction_id
        By default that of the submission; one that has none will get a new one.
    """
    needed = submission.dry_run and not submission.body.large
    known = transaction_id or submission.number
    return {
        **({"id": known} if known else {}),
        "submitter": submission.username,
        "role": submission.role,
        "program": submission.program,
        "project": submission.code,
        "is_dry_run": submission.dry_run,
        "state": state,
        "closed": False,
        "canonical_json": [document for _, document in submission.reading] if needed else [],
    }


def document(
    connection: sa.Connection, store: Store, submission: Submission, outcome: Outcome, announced: str | None = None
) -> None:
    """Write the row of ``transaction_documents``, and tell of a change of the project `announced`."""
    body, large = submission.body, submission.body.large
    sent = {
        "transaction_id": outcome.transaction_id,
        "name": submission.name,
        "doc_format": submission.format.upper(),
        "doc": "" if large else kept(body.bytes(), submission.format),
    }
    store.log.document(connection, sent, orjson.dumps(outcome.answer()), body.parts() if large else (), announced)


def rejected(connection: sa.Connection, store: Store, submission: Submission, outcome: Outcome) -> None:
    """Keep the story of a transaction that left nothing else."""
    state = SUCCEEDED if outcome.success else FAILED
    store.log.write(connection, row(submission, state, outcome.transaction_id))
    document(connection, store, submission, outcome)
