"""Transactions after the fact: committing what a dry run has tried, and closing one."""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from ..core.errors import BadRequest, NotFound
from .body import Body, join
from .deletion import DELETE, delete
from .documents import CONTENT_TYPES, JSON, Read, Reading, Records, unkept
from .entity import CREATE, UPDATE, Outcome
from .request import Submission
from .store import Store
from .transaction import Tools, submit


def dry_run(
    connection: sa.Connection, store: Store, read: Read, spool: Body, program: str, code: str, id_: int
) -> Submission:
    """What a dry run of this project had been given, as a submission that is none.

    Parameters
    ----------
    spool
        Takes the body of a large one, which is read again.

    Raises
    ------
    NotFound
        The project has no such transaction.
    BadRequest
        It is no dry run of records that succeeded and still waits.
    """
    row = _find(connection, store, program, code, id_)
    if row.role not in (CREATE, UPDATE, DELETE):
        raise BadRequest(f"Transaction {id_} has no records: ask for the step {row.role!r} of the project itself.")
    documents = store.graph.transaction_documents
    query = sa.select(documents).where(documents.c.transaction_id == id_).limit(1)
    document = connection.execute(query).one_or_none()
    form, text = (document.doc_format.lower(), document.doc or "") if document else (JSON, "")
    body = join(store.log.parts(connection, id_), spool)
    fields = _fields(text) if row.role == DELETE else ()
    if row.role == DELETE:
        ids = row.canonical_json or _snapshots(connection, store, id_)
        if not ids:
            raise BadRequest(f"Transaction {id_} does not say what it would have deleted.")
        reading: Reading = Records(ids)
        body.write(deleting(ids, fields).encode())
    else:
        if form not in CONTENT_TYPES or not (body.size or text):
            # Sheepdog takes formats of its own, and keeps the records that it has read of them.
            form = JSON
            body.write(orjson.dumps(row.canonical_json))
        elif not body.size:
            body.write(unkept(text, form))
        # Read again, faults have the rows of the table that was sent.
        reading = read(body, CONTENT_TYPES[form])
    return Submission(
        program=program,
        code=code,
        reading=reading,
        role=row.role,
        dry_run=False,
        username=row.submitter,
        body=body,
        format=form,
        name=document.name if document else None,
        fields=fields,
    )


def deleting(ids: Sequence[str], fields: Sequence[str]) -> str:
    """A deletion as a text: ``<ids>``, and ``?fields=<names>`` where only these properties are to be deleted."""
    return ",".join(ids) + (f"?fields={','.join(fields)}" if fields else "")


def _fields(text: str) -> tuple[str, ...]:
    """The properties that a text of :func:`deleting` names."""
    names = text.partition("?fields=")[2]
    return tuple(names.split(",")) if names else ()


def _snapshots(connection: sa.Connection, store: Store, id_: int) -> list[str]:
    """Ids of the records that a transaction has noted: where Sheepdog has those that a dry run would delete."""
    table = store.graph.transaction_snapshots
    query = sa.select(table.c.entity_id).where(table.c.transaction_id == id_).order_by(table.c.id)
    return list(connection.scalars(query))


def commit(connection: sa.Connection, tools: Tools, id_: int, submission: Submission) -> Outcome:
    """Run a dry run's submission in earnest, once.

    Raises
    ------
    Rejected
        What was right at the dry run is so no longer.
    BadRequest
        Somebody else has committed or closed it in the meantime.
    """
    _find(connection, tools.store, submission.program, submission.code, id_)
    if submission.role == DELETE:
        outcome = delete(connection, tools.store, submission)
    else:
        outcome = submit(connection, tools, submission)
    logs = tools.store.graph.transaction_logs
    connection.execute(sa.update(logs).where(logs.c.id == id_).values(committed_by=outcome.transaction_id))
    return outcome


def close(connection: sa.Connection, store: Store, program: str, code: str, id_: int) -> None:
    """Close a dry run: it can no longer be committed.

    Raises
    ------
    NotFound
        The project has no such transaction.
    BadRequest
        It is no dry run that succeeded and still waits.
    """
    _find(connection, store, program, code, id_)
    logs = store.graph.transaction_logs
    connection.execute(sa.update(logs).where(logs.c.id == id_).values(closed=True))


def _find(connection: sa.Connection, store: Store, program: str, code: str, id_: int) -> Any:
    logs = store.graph.transaction_logs
    mine = sa.and_(logs.c.id == id_, logs.c.program == program, logs.c.project == code)
    row = connection.execute(sa.select(logs).where(mine).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"Project {code} has no transaction {id_}.")
    reasons = {
        "it is not a dry run": not row.is_dry_run,
        f"it has been committed by {row.committed_by}": row.committed_by is not None,
        "it is closed": row.closed,
        f"its state is {row.state}": row.state != "SUCCEEDED",
    }
    for reason, holds in reasons.items():
        if holds:
            raise BadRequest(f"Transaction {id_} can be neither committed nor closed: {reason}.")
    return row
