"""What is kept of submissions: for each a row of the log, what was sent, and what was answered.

A large body is kept in parts, since one value of PostgreSQL holds 1 GB at most and would be in memory as a whole.
"""

import orjson
import sqlalchemy as sa

from .documents import kept
from .entity import Outcome
from .request import Submission
from .store import Store

PENDING, SUCCEEDED, FAILED, ERRORED = "PENDING", "SUCCEEDED", "FAILED", "ERRORED"


def log(connection: sa.Connection, store: Store, submission: Submission, transaction_id: int, state: str) -> None:
    """Write the row of ``transaction_logs``, or what has become of it.

    Documents are kept as they came, in ``transaction_documents``; here only those of a dry run are needed, because it
    can be committed later. A large one is then read again.
    """
    needed = submission.dry_run and not submission.body.large
    row = {
        "id": transaction_id,
        "submitter": submission.username,
        "role": submission.role,
        "program": submission.program,
        "project": submission.code,
        "is_dry_run": submission.dry_run,
        "state": state,
        "closed": False,
        "canonical_json": [document for _, document in submission.reading] if needed else [],
    }
    store.log(connection, row)


def document(connection: sa.Connection, store: Store, submission: Submission, outcome: Outcome) -> None:
    """Write the row of ``transaction_documents``."""
    body, large = submission.body, submission.body.large
    row = {
        "transaction_id": outcome.transaction_id,
        "name": submission.name,
        "doc_format": submission.format.upper(),
        "doc": "" if large else kept(body.bytes(), submission.format),
    }
    store.log_document(connection, row, orjson.dumps(outcome.answer()), body.parts() if large else ())


def rejected(connection: sa.Connection, store: Store, submission: Submission, outcome: Outcome) -> None:
    """Keep the story of a transaction that left nothing else."""
    log(connection, store, submission, outcome.transaction_id, SUCCEEDED if outcome.success else FAILED)
    document(connection, store, submission, outcome)
