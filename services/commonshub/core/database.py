"""PostgreSQL for the services: one engine, a bounded pool of threads, and migrations.

SQL never runs on the event loop. A store writes plain functions that take a SQLAlchemy ``Connection`` as their first
argument; a handler awaits ``database.run(function, …)``, which runs it in one transaction on a worker thread: commit on
return, rollback on any error.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import orjson
import psycopg2
import sqlalchemy as sa
from psycopg2.errors import ProgramLimitExceeded, QueryCanceled
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError

from .errors import BadRequest, Unavailable
from .settings import DatabaseSettings

if TYPE_CHECKING:
    from .listen import Wire

AWAY = "The database cannot be reached just now; try again in a few seconds."
# A connection that was used within this time is taken to be alive.
IDLE_S = 1.0

P = ParamSpec("P")
T = TypeVar("T")


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


def create_engine(settings: DatabaseSettings) -> sa.Engine:
    """An engine with orjson for ``jsonb`` and the statement timeout of the settings."""
    url = sa.make_url(settings.url)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg2")
    options = f"-c statement_timeout={settings.statement_timeout_ms} -c timezone=UTC"
    engine = sa.create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        connect_args={"options": options, "application_name": "commonshub"},
    )
    _check_idle_connections(engine)
    _notice_lost_connections(engine)
    return engine


def _check_idle_connections(engine: sa.Engine) -> None:
    """Replace connections that died while nobody used them.

    SQLAlchemy's own check asks the server at every checkout, which costs a busy service a round trip a request.
    """

    @sa.event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def _check(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", float("inf")) < IDLE_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg2.Error as error:
            raise DisconnectionError from error


def _notice_lost_connections(engine: sa.Engine) -> None:
    """Take a fault that the server did not report for the end of the connection.

    One that is lost during a commit raises psycopg2's most general error, which SQLAlchemy knows nothing of.
    """

    @sa.event.listens_for(engine, "handle_error")
    def _note(context: Any) -> None:
        error = context.original_exception
        if type(error) is psycopg2.DatabaseError and error.pgcode is None:
            context.is_disconnect = True


def _read_without_transactions(engine: sa.Engine) -> sa.Engine:
    """The same engine with connections that commit each statement by itself.

    SQLAlchemy's own isolation level for that has PostgreSQL told at the end of every use, which is a round trip.
    """
    reading = engine.execution_options(commonshub_reading=True)

    @sa.event.listens_for(engine, "engine_connect")
    def _settle(connection: sa.Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        alone = "commonshub_reading" in connection.get_execution_options()
        if driver.autocommit != alone:
            driver.autocommit = alone

    return reading


class Database:
    """The database as the event loop sees it.

    Parameters
    ----------
    settings
        Where PostgreSQL is and how many connections to keep.

    Attributes
    ----------
    wire
        What the listeners of this process hear on, once there is one (:mod:`.listen`).
    """

    wire: "Wire | None" = None

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.engine = create_engine(settings)
        self._reading = _read_without_transactions(self.engine)
        self._threads = ThreadPoolExecutor(settings.pool_size, thread_name_prefix="sql")

    async def run(
        self, function: Callable[Concatenate[sa.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``function(connection, *args, **kwargs)`` in one transaction on a worker thread.

        Raises
        ------
        Unavailable
            PostgreSQL cannot be reached, the connection was lost before the commit, or a statement took too long.
        BadRequest
            One value, an answer in JSON say, would be larger than PostgreSQL's limit of 1 GB.
        """
        return await self._on_thread(lambda: self.call(function, *args, **kwargs))

    async def read(
        self, function: Callable[Concatenate[sa.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same without a transaction, for what only reads: each statement sees what is committed when it starts.

        That spares two round trips.

        Raises
        ------
        Unavailable
            As :meth:`run`.
        """

        def work() -> T:
            with self._told(), self._reading.connect() as connection:
                return function(connection, *args, **kwargs)

        return await self._on_thread(work)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def call(self, function: Callable[Concatenate[sa.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """:meth:`run` on the calling thread, for start-up code and command lines."""
        with self._told(), self.engine.begin() as connection:
            return function(connection, *args, **kwargs)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Faults of the database in the words of :mod:`.errors`."""
        try:
            yield
        except DBAPIError as error:
            if isinstance(error.orig, QueryCanceled):
                limit = self.settings.statement_timeout_ms
                raise Unavailable(f"This took the database longer than {limit} ms; ask for less at once.") from error
            if isinstance(error.orig, ProgramLimitExceeded):
                raise BadRequest("This is larger than the database can take or give at once; ask for less.") from error
            if error.connection_invalidated or isinstance(error, OperationalError):
                raise Unavailable(AWAY) from error
            raise
        except psycopg2.DatabaseError as error:
            if error.pgcode is not None and not isinstance(error, psycopg2.OperationalError):
                raise
            # SQLAlchemy lets this one pass as it is: a connection was lost on its way back to the pool, which would
            # count it as taken for good.
            self.engine.dispose()
            raise Unavailable(AWAY) from error

    async def ping(self) -> None:
        """Raise :class:`Unavailable` unless the database answers."""
        await self.run(lambda connection: connection.execute(sa.text("select 1")).scalar_one())

    def close(self) -> None:
        """Give all connections back."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()


def migrate(engine: sa.Engine, schema: str, scripts: Path, head: str) -> None:
    """Bring one schema to revision `head` with the Alembic scripts in `scripts`; safe to call from many processes.

    A start that changes nothing costs one query. Where there is something to do, a process of its own does it: what
    Alembic needs, some 10 MB, would otherwise stay with the service for good.

    Parameters
    ----------
    schema
        PostgreSQL schema of the service; created where absent. Its table ``alembic_version_<service>`` holds the
        revision: apart from other services that may share the schema, and from the upstream program that made it.
    scripts
        Folder ``<service>/migrations`` with ``env.py``-less Alembic scripts: ``versions/*.py``.
    head
        Revision that the calling code was written for.

    Raises
    ------
    RuntimeError
        The migration failed, and changed nothing; the message ends with its own words.
    """
    table = f"alembic_version_{scripts.parent.name}"
    with engine.connect() as connection:
        if current_revision(connection, schema, table) == head:
            return
    url = engine.url.render_as_string(hide_password=False)
    task = {"url": url, "schema": schema, "scripts": str(scripts), "head": head, "table": table}
    # By standard input, since the URL may hold a password that a command line would show to everybody.
    command = [sys.executable, "-P", "-m", "commonshub.core.migration"]
    done = subprocess.run(command, input=orjson.dumps(task), capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace")[-4000:]
        raise RuntimeError(f"The tables of schema {schema} could not be brought to revision {head}:\n{words}")


def current_revision(connection: sa.Connection, schema: str, table: str) -> str | None:
    """The revision that the version table of a schema holds, or None before the first migration."""
    if not sa.inspect(connection).has_table(table, schema=schema):
        return None
    return connection.execute(sa.select(sa.table(table, sa.column("version_num"), schema=schema))).scalar()
