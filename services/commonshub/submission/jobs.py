"""Large submissions, which their clients need not wait for.

A job is a submission that has a number before it is worked on: anybody can ask how far it is. A detached one goes on
without its client, and is begun anew where its process has ended; its body is in a file until it is over. Any other
ends with its process.

A job belongs to the process that reports of it. One that nobody has reported of for a while is claimed by whoever
looks next; the work itself holds a lock in the database, so that no job is ever worked on twice at a time.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..core.database import Database
from ..core.errors import CommonsError, Conflict, Unavailable
from ..core.tasks import cancel
from . import journal
from .attempt import attempt
from .body import Body
from .documents import document_format
from .entity import Outcome
from .jobstore import JobStore
from .model import Model, Renew
from .progress import Progress
from .request import Submission
from .store import Outdated
from .transaction import Tools, submit
from .uploads import Uploads

_LOG = logging.getLogger("commonshub.submission")


@dataclass(frozen=True)
class JobSettings:
    """Limits of jobs.

    Parameters
    ----------
    folder
        Where their bodies are.
    tries
        How often one is tried that others get in the way of.
    of_user
        How many of one user may wait or run.
    at_once
        How many are worked on at a time; more would leave no connection to anybody else.
    report_s
        How often is written how far they are, in seconds.
    lapse_s
        After how many seconds without a report a job is taken to be abandoned.
    """

    folder: Path
    tries: int
    of_user: int
    at_once: int
    report_s: float
    lapse_s: float


class Elsewhere(Exception):
    """Somebody else works on the job, or it is over."""


Does = Callable[[sa.Connection, Tools, Submission, Progress], Outcome]


class Task(NamedTuple):
    """What a job does.

    Parameters
    ----------
    does
        Does it, within one transaction.
    snapshot
        Whether all its statements are to see one moment of the database, and not each its own.
    """

    does: Does
    snapshot: bool = False


SUBMIT = Task(submit)


@dataclass(eq=False)
class Job:
    """One large submission, or another task that takes long, and the data model that it was read by."""

    number: int
    submission: Submission
    detached: bool
    model: Model
    task: Task = SUBMIT
    progress: Progress = field(default_factory=Progress)


class Work(NamedTuple):
    """What is being done: the transaction's number, and the task that ends with its outcome."""

    number: int
    task: asyncio.Task[Outcome]


class Jobs:
    """The jobs of one process.

    Parameters
    ----------
    renew
        Gives the data model in force.
    """

    def __init__(self, database: Database, model: Model, renew: Renew, uploads: Uploads, settings: JobSettings) -> None:
        self._database = database
        self._renew = renew
        self._uploads = uploads
        self._settings = settings
        self.use(model)
        self.slots = asyncio.Semaphore(settings.at_once)
        self._running: dict[Job, asyncio.Task[Outcome]] = {}
        self._stopping = False
        self._watch: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Report of jobs from now on, and take over what others have abandoned."""
        self._watch = asyncio.create_task(self._keep_watch())

    async def stop(self) -> None:
        """End the work before its next chunk; detached jobs are left to whoever looks next."""
        self._stopping = True
        for job in self._running:
            job.progress.stopped = True
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)
        await cancel(self._watch)

    def use(self, model: Model) -> None:
        """Work with another data model from now on."""
        self._model = model
        self.store = JobStore(model.tools.store, self._settings.of_user)

    async def accept(
        self, submission: Submission, model: Model, content_type: str, *, detached: bool, task: Task = SUBMIT
    ) -> Work:
        """Work on a submission until it is over or the service stops; once this returns, a detached one is safe.

        Parameters
        ----------
        task
            What to do where it is not to submit it; it cannot be detached then.
        """
        body = submission.body
        body.keep()
        async with AsyncExitStack() as failing:
            failing.push_async_callback(asyncio.to_thread, body.close)
            await asyncio.to_thread(body.settle)
            digest = await asyncio.to_thread(body.digest) if detached else None
            number = await self._database.run(self.store.accept, submission, content_type, digest, detached)
            failing.pop_all()
        return Work(number, self._start(Job(number, replace(submission, number=number), detached, model, task)))

    def _start(self, job: Job) -> asyncio.Task[Outcome]:
        job.progress.stopped = self._stopping
        task = asyncio.create_task(self._run(job))
        self._running[job] = task
        task.add_done_callback(lambda done: self._over(job, done))
        return task

    def _over(self, job: Job, task: asyncio.Task[Outcome]) -> None:
        self._running.pop(job, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.info("Transaction %d ended with %s: %s", job.number, type(error).__name__, error)

    async def _run(self, job: Job) -> Outcome:
        over = True
        try:
            async with self.slots:
                outcome = await self._work(job)
            await self._finish(job)
            return outcome
        except Elsewhere:
            over = False
            raise
        except Unavailable as error:
            # What was no fault of a detached job is tried again, here or elsewhere.
            over = not job.detached
            if over:
                await self._fail(job.number, journal.FAILED, error)
            elif self._stopping:
                await self._database.run(self.store.release, job.number)
            raise
        except CommonsError as error:
            await self._fail(job.number, journal.FAILED, error)
            raise
        except Exception:
            # The boundary of a job: whoever asks for its number is told, and the task ends with the fault itself.
            await self._fail(job.number, journal.ERRORED, Unavailable("internal server error; nothing was stored."))
            raise
        finally:
            await asyncio.to_thread(job.submission.body.close, remove=over)

    async def _finish(self, job: Job) -> None:
        """Note that a job is over. What it was about is settled: where this fails, whoever looks next notes it."""
        try:
            await self._database.run(self.store.report, {job.number: job.progress})
            await self._database.run(self.store.finish, job.number)
        except (Unavailable, DBAPIError) as error:
            _LOG.warning("The end of transaction %d cannot be noted just now: %s", job.number, error)

    async def _work(self, job: Job) -> Outcome:
        def run(connection: sa.Connection, submission: Submission) -> Outcome:
            if job.task.snapshot:
                connection.execute(sa.text("set transaction isolation level repeatable read"))
            if not self.store.hold(connection, job.number):
                raise Elsewhere(job.number)
            return job.task.does(connection, job.model.tools, submission, job.progress)

        for _ in range(self._settings.tries):
            job.progress.check()
            try:
                return await attempt(self._database, job.model.tools.store, run, job.submission, self._settings.tries)
            except Outdated:
                job.model = await self._renew()
                job.submission = job.submission.read_by(job.model.read)
        raise Conflict("The dictionary keeps changing; send the submission again.")

    async def _fail(self, number: int, state: str, error: CommonsError) -> None:
        answer = {
            "transaction_id": number,
            "success": False,
            "code": error.status,
            "message": error.message,
            "transactional_errors": [error.message, *error.details],
        }
        await self._database.run(self.store.fail, number, state, answer)

    # -- watching --------------------------------------------------------------

    async def _keep_watch(self) -> None:
        looked = float("-inf")
        while True:
            try:
                await self._report()
                if time.monotonic() - looked >= self._settings.lapse_s / 2:
                    looked = time.monotonic()
                    if not self._stopping:
                        await self._take_over()
                    needed = await self._database.run(self.store.files)
                    await asyncio.to_thread(self._uploads.tidy, needed)
            except (Unavailable, DBAPIError, OSError) as error:
                _LOG.warning("Large submissions cannot be watched just now: %s", error)
            except Exception:  # noqa: BLE001 -- the boundary of the watch, which reports
                # A fault of ours in one round must not leave all jobs without a watch.
                _LOG.exception("Large submissions cannot be watched just now")
            await asyncio.sleep(self._settings.report_s)

    async def _report(self) -> None:
        jobs = {job.number: replace(job.progress) for job in self._running}
        if jobs:
            await self._database.run(self.store.report, jobs)

    async def _take_over(self) -> None:
        """Begin detached jobs anew that nobody has any more, and end the others."""
        for row in await self._database.run(self.store.claim, self._settings.lapse_s):
            if any(job.number == row.transaction_id for job in self._running):
                continue
            if row.state != journal.PENDING:
                await self._database.run(self.store.finish, row.transaction_id)
                await asyncio.to_thread(self._remove, row.file)
                continue
            reason = "The service ended in the middle of this submission; nothing was stored. Send it again."
            try:
                # One that ends each process that works on it must not do so forever.
                again = row.detached and row.claims <= self._settings.tries
                job = await asyncio.to_thread(self._again, row) if again else None
            except CommonsError as error:
                job, reason = None, error.message
            if job is not None:
                _LOG.info("Transaction %d is begun anew.", job.number)
                self._start(job)
            else:
                await self._fail(row.transaction_id, journal.ERRORED, Unavailable(reason))
                await asyncio.to_thread(self._remove, row.file)

    def _again(self, row: Any) -> Job | None:
        """A job as it was accepted; None where its body is not what it was."""
        try:
            body = Body.kept(self._settings.folder / row.file)
        except FileNotFoundError:
            return None
        if body.size != row.bytes or not compare_digest(body.digest(), row.digest):
            body.close()
            return None
        model = self._model
        submission = Submission(
            program=row.program,
            code=row.project,
            reading=model.read(body, row.content_type),
            role=row.role,
            dry_run=row.is_dry_run,
            username=row.submitter,
            body=body,
            format=document_format(row.content_type),
            name=row.name,
            number=row.transaction_id,
            reader=row.reader,
        )
        return Job(row.transaction_id, submission, True, model)

    def _remove(self, file: str | None) -> None:
        if file is not None:
            (self._settings.folder / file).unlink(missing_ok=True)
