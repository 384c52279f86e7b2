"""The SQL of large submissions: which there are, how far they are, and who may go on with one."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ..core.errors import TooManyRequests
from . import journal
from .progress import DONE, WAITING, Progress
from .request import Submission
from .store import Store

# First half of the keys of the advisory locks on transactions that are being worked on.
_WORK = 0x5B1
_WAIT_S = 60


class JobStore:
    """The jobs of one commons in its database.

    Parameters
    ----------
    most
        Jobs of one user that are not over.
    """

    def __init__(self, store: Store, most: int) -> None:
        self.store = store
        self.most = most
        self.jobs = store.graph.transaction_jobs
        self.logs = store.graph.transaction_logs

    def accept(
        self, connection: sa.Connection, submission: Submission, content_type: str, digest: str | None, detached: bool
    ) -> int:
        """Note a job, which from now on has a number.

        Raises
        ------
        TooManyRequests
            The user has too many that are not over.
        """
        mine = self.logs.c.submitter.is_not_distinct_from(submission.username)
        join = self.jobs.join(self.logs, self.logs.c.id == self.jobs.c.transaction_id)
        unfinished = sa.select(sa.func.count()).select_from(join).where(self.jobs.c.finished.is_(None), mine)
        if connection.execute(unfinished).scalar_one() >= self.most:
            raise TooManyRequests(f"{self.most} large submissions of yours are not over yet.", _WAIT_S)
        number = self.store.log.write(connection, journal.row(submission, journal.PENDING))
        path = submission.body.path
        row = {
            "transaction_id": number,
            "detached": detached,
            "reader": submission.reader,
            "content_type": content_type,
            "name": submission.name,
            "file": path.name if path else None,
            "bytes": submission.body.size,
            "digest": digest,
            "stage": WAITING,
        }
        connection.execute(sa.insert(self.jobs), row)
        return number

    def hold(self, connection: sa.Connection, number: int) -> bool:
        """Take a job for this transaction alone.

        Returns
        -------
        bool
            False where somebody else works on it, or it is over.
        """
        if not connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_WORK, number))).scalar_one():
            return False
        state = sa.select(self.logs.c.state).where(self.logs.c.id == number)
        return bool(connection.execute(state).scalar_one_or_none() == journal.PENDING)

    def report(self, connection: sa.Connection, jobs: Mapping[int, Progress]) -> None:
        """Write how far jobs are that are not over; that they are written at all says that somebody has them."""
        mine = sa.and_(self.jobs.c.transaction_id == sa.bindparam("number"), self.jobs.c.finished.is_(None))
        names = ("stage", "rows_read", "rows_checked", "rows_written")
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
        update = sa.update(self.jobs).where(mine).values({**values, "updated": sa.func.now()})
        rows = [
            {
                "number": number,
                "new_stage": progress.stage,
                "new_rows_read": progress.read,
                "new_rows_checked": progress.checked,
                "new_rows_written": progress.written,
            }
            for number, progress in jobs.items()
        ]
        connection.execute(update, rows)

    def finish(self, connection: sa.Connection, number: int) -> None:
        """Note that a job is over."""
        mine = self.jobs.c.transaction_id == number
        connection.execute(sa.update(self.jobs).where(mine).values(stage=DONE, finished=sa.func.now()))

    def fail(self, connection: sa.Connection, number: int, state: str, answer: Mapping[str, Any]) -> bool:
        """End a job that has written nothing, unless somebody works on it or it is over."""
        if not self.hold(connection, number):
            return False
        connection.execute(sa.update(self.logs).where(self.logs.c.id == number).values(state=state))
        documents = self.store.graph.transaction_documents
        row = {"transaction_id": number, "doc_format": "JSON", "doc": "", "response_json": dict(answer)}
        connection.execute(sa.insert(documents), row)
        self.finish(connection, number)
        return True

    def release(self, connection: sa.Connection, number: int) -> None:
        """Leave a job, which has done nothing wrong, to whoever looks next."""
        mine = self.jobs.c.transaction_id == number
        connection.execute(sa.update(self.jobs).where(mine).values(updated=sa.func.to_timestamp(0), claims=-1))

    def claim(self, connection: sa.Connection, lapse_s: float) -> list[Any]:
        """Take the jobs that nobody has reported of for so long, as rows of jobs and log."""
        lapsed = self.jobs.c.updated < sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 0, lapse_s)
        update = sa.update(self.jobs).where(self.jobs.c.finished.is_(None), lapsed)
        update = update.values(updated=sa.func.now(), claims=self.jobs.c.claims + 1)
        claimed = update.returning(*self.jobs.c).cte("claimed")
        log = self.logs
        query = sa.select(
            claimed, log.c.state, log.c.role, log.c.program, log.c.project, log.c.submitter, log.c.is_dry_run
        ).join(log, log.c.id == claimed.c.transaction_id)
        return list(connection.execute(query))

    def files(self, connection: sa.Connection) -> set[str]:
        """Names of the files that jobs still need."""
        return set(connection.scalars(sa.select(self.jobs.c.file).where(self.jobs.c.finished.is_(None))))

    def look(self, connection: sa.Connection, program: str, code: str, number: int) -> dict[str, Any] | None:
        """How far a transaction of a project is, and its answer once there is one."""
        log, jobs, documents = self.logs, self.jobs, self.store.graph.transaction_documents
        seconds = sa.func.extract("epoch", sa.func.coalesce(jobs.c.finished, sa.func.now()) - log.c.created_datetime)
        answer = sa.select(documents.c.response_json).where(documents.c.transaction_id == log.c.id)
        query = (
            sa.select(log, jobs, seconds.label("seconds"), answer.limit(1).scalar_subquery().label("answer"))
            .join(jobs, jobs.c.transaction_id == log.c.id, isouter=True)
            .where(log.c.id == number, log.c.program == program, log.c.project == code)
        )
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        found: dict[str, Any] = {"transaction_id": number, "state": row.state, "role": row.role}
        found |= {"is_dry_run": row.is_dry_run, "submitter": row.submitter}
        if row.stage is not None:
            names = ("stage", "rows_read", "rows_checked", "rows_written")
            found |= {name: getattr(row, name) for name in names}
            found |= {"bytes": row.bytes, "seconds": round(float(row.seconds), 1)}
        if row.state != journal.PENDING:
            found["answer"] = row.answer
        return found
