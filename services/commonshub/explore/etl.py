"""One run: compile the mapping, take a picture of the graph, build the index, check it, make it the active one.

Whatever fails, the index before keeps answering: a new one becomes active in one transaction, after its file is
complete, opened and counted. A killed run leaves files behind that the next one removes.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from commonshub.core.database import Database, migrate
from commonshub.core.dictionary import Dictionary
from commonshub.core.errors import CommonsError, Conflict, NotFound
from commonshub.core.settings import Commons
from commonshub.core.storage import Storage
from commonshub.core.versions import in_force

from . import store
from .catalog import dump
from .compiler import compile_mapping
from .extract import Progress, fingerprint, picture
from .indexes import SUFFIX, file_of, indexes_of
from .inputs import Job, job
from .plan import Plan
from .publishing import Publisher
from .reporting import Reporter, Step
from .requests import Count, Reader, Scope
from .rights import Rights
from .settings import ExploreSettings
from .shrinkage import Shrunk

WORK = ".work"


Build = Callable[[Job, Path, Path, int, ExploreSettings, Progress], dict[str, int]]
"""Makes the index of a run from the files of an extract in a folder; returns numbers of documents by type."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its number, or None when there was nothing new; and documents by type, now and before."""

    run: int | None
    counts: Mapping[str, int]
    before: Mapping[str, int]
    warnings: tuple[str, ...] = ()


class Etl:
    """Runs builds, one at a time in the whole commons.

    Parameters
    ----------
    progress
        Called with the phase, and how many of how many parts of it are done.
    storage
        Where the documents go as Parquet, too, and through which a cluster makes them; nowhere for None.
    """

    def __init__(
        self,
        database: Database,
        commons: Commons,
        settings: ExploreSettings,
        progress: Progress,
        storage: Storage | None = None,
    ) -> None:
        self.database = database
        self.commons = commons
        self.settings = settings
        self._progress = progress
        self._reporter: Reporter | None = None
        self.storage = storage
        self.indexes = indexes_of(settings)
        self.schema = database.settings.explore_schema
        self.graph_schema = database.settings.graph_schema

    def run(self, *, force: bool = False, accept_fewer: bool = False) -> Outcome:
        """Build an index, if anything changed since the active one.

        Parameters
        ----------
        accept_fewer
            Whether it may have any number of documents less than the active one.

        Raises
        ------
        Conflict
            Another run is in progress.
        Shrunk
            It has far fewer documents than the active one; or the last run had, and nothing changed since.
        Unavailable
            The documents could not be stored as Parquet; the run is active all the same.
        ValidationFailed
            The mapping or the dictionary has faults.
        NotFound
            There is no mapping or no dictionary.
        """
        migrate(self.database.engine, self.schema, store.MIGRATIONS, store.HEAD)
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as guard:
            # Out of the pool, so that the lock ends with this block.
            guard.detach()
            if not store.lock(guard):
                raise Conflict("Another build of the explorer's index is in progress.")
            try:
                outcome = self._run(force, accept_fewer)
            finally:
                kept = self._clean()
            # Not a part of the run: its index is good, whatever comes of this.
            if (active := self.database.call(store.active, self.schema)) is not None:
                self.indexes.point(active.id)
                self.indexes.keep(kept)
                self._publish(active.id)
            return outcome

    def _run(self, force: bool, accept_fewer: bool) -> Outcome:
        before = self.database.call(store.active, self.schema)
        found = before.counts if before else {}
        with self._recorded() as begin:
            plan = self.plan()
            with picture(self.database.engine, self.graph_schema) as seen:
                tables = seen.marks(plan)
                mark = fingerprint(plan, tables)
                if before and not force and self._current(before, mark, accept_fewer):
                    return Outcome(None, found, found, plan.warnings)
                todo = job(plan, tables, *(self._earlier(before) if before and not force else ()))
                number = begin()
                # The documents are as confidential as the records: nobody else on this machine reads them.
                self.settings.indexes.mkdir(mode=0o700, parents=True, exist_ok=True)
                work = self.settings.indexes / f"{number}{WORK}"
                work.mkdir(mode=0o700)
                seen.copy(todo.made, work, self.progress)
            counts = self._build(todo, work, number, mark, {} if accept_fewer else found)
            return Outcome(number, counts, found, plan.warnings)

    def _earlier(self, before: store.Active) -> tuple[Path, Mapping[str, str]]:
        """The index that answers now, and the marks of its documents; none after a run that failed, to be safe."""
        from .duck.index import marks_of

        file = self.file(before.id)
        (newest,) = self.database.call(store.runs, self.schema, 1)
        return file, marks_of(file) if newest.state in ("ready", "dropped") else {}

    def progress(self, phase: str, done: int, of: int) -> None:
        """Tell of a step."""
        if self._reporter:
            self._reporter.tell(phase, done, of)
        self._progress(phase, done, of)

    @contextmanager
    def _reported(self, number: int) -> Iterator[None]:
        """Enter each step in the run list."""
        with Reporter(lambda step: self.database.call(store.set_progress, self.schema, number, step)) as reporter:
            self._reporter = reporter
            yield

    def _publish(self, active: int) -> None:
        # With an index elsewhere, the file may be on the machine of an earlier build.
        if self.storage is None or not self.settings.parquet or not self.file(active).exists():
            return
        work = self.settings.indexes / f"{active}{WORK}"
        work.mkdir(mode=0o700, exist_ok=True)
        memory = self.settings.build_memory_bytes
        publisher = Publisher(self.database, self.schema, self.storage, memory, self.progress)
        try:
            with self._reported(active):
                publisher.publish(active, self.file(active), work)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    @contextmanager
    def _recorded(self) -> Iterator[Callable[[], int]]:
        """Enter a run in the run list when it begins, or else when it fails."""
        number: int | None = None
        reported = ExitStack()

        def begin() -> int:
            nonlocal number
            number = self.database.call(store.begin, self.schema)
            reported.enter_context(self._reported(number))
            return number

        try:
            with reported:
                yield begin
        except Shrunk:
            # Entered by whoever found it, which may have been an earlier run.
            raise
        except Exception as error:
            told = error.message if isinstance(error, CommonsError) else f"{type(error).__name__}: {error}"
            self.database.call(store.fail, self.schema, begin() if number is None else number, told)
            raise

    def roll_back(self, number: int | None = None) -> int:
        """Let an earlier run answer again, the one before the active one where no `number` is given.

        It does so until the graph, the dictionary or the mapping changes: then there is something new to show.

        Raises
        ------
        NotFound
            The run has no index, or there is none before the active one.
        """
        migrate(self.database.engine, self.schema, store.MIGRATIONS, store.HEAD)

        def go_back(connection: sa.Connection) -> int:
            found = store.go_back(connection, self.schema, number)
            if not self.indexes.has(found):
                raise NotFound(f"The index of run {found} is missing.")
            return found

        found = self.database.call(go_back)
        self.indexes.point(found)
        return found

    def plan(self) -> Plan:
        """What a build would do now; errors are those of :meth:`run`."""
        return self._plan(self.database.call(in_force, self.graph_schema, self.commons.dictionary))

    def _current(self, before: store.Active, mark: str, accept_fewer: bool) -> bool:
        """Whether nothing changed since the newest index was built, and the file of the active run is here.

        The two differ after a rollback, which must not be undone by building the same again.

        Raises
        ------
        Shrunk
            Nothing changed since the last run was refused.
        """
        refusal = self.database.call(store.refusal, self.schema)
        if refusal and refusal[0] == mark and not accept_fewer:
            self.settings.shrinkage.check(refusal[1], before.counts)
        newest = self.database.call(store.newest_fingerprint, self.schema)
        return newest == mark and self.indexes.has(before.id)

    def file(self, number: int) -> Path:
        """The index file of a run."""
        return file_of(self.settings, number)

    def _plan(self, dictionary: Dictionary) -> Plan:
        try:
            text = self.settings.mapping.read_text()
        except FileNotFoundError as error:
            raise NotFound(f"There is no mapping at {self.settings.mapping}.") from error
        return compile_mapping(text, dictionary)

    def _build(self, todo: Job, work: Path, number: int, mark: str, before: Mapping[str, int]) -> dict[str, int]:
        plan = todo.plan
        target = work / f"index{SUFFIX}"
        counts = builder(self.settings, self.storage)(todo, work, target, number, self.settings, self.progress)
        self.progress("checking", 0, 1)
        self._check(target, plan, counts)
        try:
            self.settings.shrinkage.check(counts, before)
        except Shrunk as error:
            self.database.call(
                store.refuse, self.schema, number, error.message, fingerprint=mark, counts=counts
            )  # fmt: skip
            raise
        target.rename(self.file(number))
        self.indexes.take(number, self.file(number), self.progress)
        self.progress("activating", 0, 1)
        catalog = dump(plan.doc_types)
        self.database.call(
            store.activate, self.schema, number, fingerprint=mark, catalog=catalog, counts=counts
        )  # fmt: skip
        return counts

    def _check(self, file: Path, plan: Plan, counts: Mapping[str, int]) -> None:
        """Open the file as the service will, and ask it what it must know."""
        from .duck.indexes import DuckIndexes

        reader = DuckIndexes(self.settings).read(file)
        try:
            self._count(reader, plan, counts)
        finally:
            reader.close()

    def _count(self, reader: Reader, plan: Plan, counts: Mapping[str, int]) -> None:
        if tuple(reader.run.doc_types.values()) != plan.doc_types:
            raise AssertionError("the index does not describe what was built")
        for doc_type in plan.doc_types:
            readable = reader.answer([Count(Scope(doc_type, Rights(reader.run.paths)))])[0]
            if readable > counts[doc_type.name]:
                raise AssertionError(f"the index has more documents of {doc_type.name} than were built")

    def _clean(self) -> list[int]:
        """Remove work folders, those of killed runs too, and indexes beyond those that are kept: the runs returned."""
        kept = self.database.call(store.drop_older, self.schema, self.settings.kept_runs)
        names = set(map(str, kept))
        for path in self.settings.indexes.iterdir() if self.settings.indexes.is_dir() else ():
            if path.name.endswith(WORK):
                shutil.rmtree(path, ignore_errors=True)
            elif SUFFIX in path.suffixes and path.name.partition(".")[0] not in names:
                # A service that was killed leaves the folder in which DuckDB kept what did not fit into memory.
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return kept


def builder(settings: ExploreSettings, storage: Storage | None = None) -> Build:
    """What the settings choose."""
    if settings.builder == "spark":
        from .spark.build import build as build_by_spark

        return partial(build_by_spark, storage=storage)
    from .duck.build import build

    return build


def show(write: Callable[[str], None]) -> Progress:
    """A progress callback that writes each new step as one line."""
    last = ""

    def progress(phase: str, done: int, of: int) -> None:
        nonlocal last
        line = str(Step(phase, done, of))
        if line != last:
            write(line)
        last = line

    return progress
