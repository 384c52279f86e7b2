"""The dictionary that is in force, and how another one takes its place while everybody goes on working.

Vocabulary
----------
version
    A dictionary that has been applied, with its number; the one with the highest number is in force.
source
    The place that the configuration names. A service that starts looks whether it has changed since it was last read;
    then it is applied as a new version.
draft
    A dictionary that may become a version.

A version is applied in one transaction, together with the tables and indexes that it needs. Whoever writes records
holds the dictionary until he commits (:func:`~.graph.hold_function`), so nothing that one version allowed is stored
under another.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2.errors
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from . import graph as tables
from .database import Database
from .dictionary import Dictionary, Source, compiled
from .dictionary.faults import refuse
from .dictionary.patterns import slow_patterns
from .errors import Conflict, NotFound, Unavailable, ValidationFailed
from .graph import Graph

CHANNEL = "commonshub_dictionary"
SOURCE, SENT = "source", "sent"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """A dictionary that has been applied."""

    number: int
    dictionary: Dictionary


@dataclass(frozen=True)
class Row:
    """What is known of a version without its content.

    Attributes
    ----------
    digest
        Of the dictionary.
    whence
        ``source``, ``sent``, or ``version <number>``.
    source_digest
        Of the source, as it was when it was last read; None where it never was.
    """

    number: int
    digest: str
    whence: str
    source_digest: str | None
    applied_at: Any
    applied_by: str | None


@dataclass(frozen=True)
class Draft:
    """A dictionary that may become a version.

    Parameters
    ----------
    files
        What it was made of.
    source_digest
        Where it is what the source says: the digest of that.
    """

    dictionary: Dictionary
    files: Mapping[str, Any]
    whence: str
    source_digest: str | None = None


@dataclass(frozen=True)
class Waits:
    """How long applying a version may take.

    Parameters
    ----------
    lock_s
        For those that hold the dictionary.
    statement_s
        For one statement: making a unique index of a large table takes a while.
    """

    lock_s: float = 10
    statement_s: float = 600


_WAITS = Waits()


def draft_of_source(place: str) -> Draft:
    """What the configured source says now; errors are those of :func:`~.dictionary.load`."""
    source = Source(place)
    return Draft(compiled(source), source.files, SOURCE, source.digest)


def draft_of_files(files: Any, place: str) -> Draft:
    """What somebody has sent.

    Raises
    ------
    ValidationFailed
        It is no dictionary, or has patterns that take long on some texts.
    """
    source = Source.of(files, place)
    dictionary = compiled(source)
    refuse(place, list(slow_patterns(dictionary)))
    return Draft(dictionary, source.files, SENT)


# -- reading -----------------------------------------------------------------------


def _table(schema: str) -> sa.Table:
    return tables.versions_table(sa.MetaData(schema=schema))


def listed(connection: sa.Connection, schema: str, limit: int | None = None) -> list[Row]:
    """The versions, the one in force first; none before the first service has started."""
    if not sa.inspect(connection).has_table("dictionary_versions", schema=schema):
        return []
    table = _table(schema)
    names = ("number", "digest", "whence", "source_digest", "applied_at", "applied_by")
    query = sa.select(*(table.c[name] for name in names)).order_by(table.c.number.desc()).limit(limit)
    return [Row(*row) for row in connection.execute(query)]


def newest(connection: sa.Connection, schema: str) -> Row | None:
    """The version that is in force."""
    return next(iter(listed(connection, schema, 1)), None)


def _files(connection: sa.Connection, schema: str, number: int) -> str:
    table = _table(schema)
    text = connection.execute(sa.select(table.c.files).where(table.c.number == number)).scalar_one_or_none()
    if text is None:
        raise NotFound(f"There is no version {number} of the dictionary.")
    return str(text)


def draft_of_version(connection: sa.Connection, schema: str, number: int) -> Draft:
    """An earlier version, to be applied again.

    Raises
    ------
    NotFound
        There is none of this number.
    """
    import orjson

    source = Source.of(orjson.loads(_files(connection, schema, number)), f"version {number}")
    return Draft(compiled(source), source.files, f"version {number}")


def load(connection: sa.Connection, schema: str, number: int) -> Version:
    """A version with its dictionary.

    Raises
    ------
    NotFound
        There is none of this number.
    """
    return Version(number, draft_of_version(connection, schema, number).dictionary)


def of_digest(connection: sa.Connection, schema: str, digest: str) -> Dictionary | None:
    """The dictionary of a digest, where it has ever been in force."""
    number = next((row.number for row in listed(connection, schema) if row.digest == digest), None)
    return None if number is None else load(connection, schema, number).dictionary


def in_force(connection: sa.Connection, schema: str, place: str) -> Dictionary:
    """The dictionary in force, or what the source at `place` says where no service has started yet."""
    row = newest(connection, schema)
    return load(connection, schema, row.number).dictionary if row else compiled(Source(place))


# -- applying ----------------------------------------------------------------------


def apply(
    connection: sa.Connection,
    schema: str,
    draft: Draft,
    waits: Waits,
    *,
    by: str | None,
    after: int | None,
    last: Callable[[sa.Connection], None] | None = None,
) -> Version:
    """Let a draft be in force from this transaction's commit on; every process hears of it.

    Parameters
    ----------
    by
        Who does.
    after
        Number of the version that he believes to be in force; None where he knows of none.
    last
        Looks once more, now that nobody can write, and raises where it finds something.

    Raises
    ------
    Conflict
        Submissions are under way and do not end in time; another version has come in between; or stored records break
        a unique key of the draft.
    """
    lock(connection, schema, waits)
    current = newest(connection, schema)
    if (current.number if current else None) != after:
        raise Conflict(f"Version {current.number if current else 0} of the dictionary has come in between; look again.")
    if last:
        last(connection)
    return put(connection, schema, draft, by=by)


def lock(connection: sa.Connection, schema: str, waits: Waits) -> None:
    """Wait until nobody holds the dictionary, and let nobody hold it before the transaction ends.

    Raises
    ------
    Conflict
        Somebody holds it for longer; the message says what is under way.
    """
    connection.execute(sa.text(f"set local statement_timeout = {int(1000 * waits.statement_s)}"))
    try:
        with connection.begin_nested():
            connection.execute(sa.text(f"set local lock_timeout = {max(1, int(1000 * waits.lock_s))}"))
            _take(connection, "pg_advisory_xact_lock", schema)
    except OperationalError as error:
        if not isinstance(error.orig, psycopg2.errors.LockNotAvailable):
            raise
        raise Conflict(f"The dictionary cannot be changed now: {_under_way(connection, schema)}.") from error


def _take(connection: sa.Connection, function: str, schema: str) -> None:
    connection.execute(sa.text(f"select {function}(hashtextextended(:name, 0))"), {"name": tables.lock_name(schema)})


def _under_way(connection: sa.Connection, schema: str) -> str:
    """What holds the dictionary, in words."""
    holders = connection.execute(
        sa.text(
            "with key as (select hashtextextended(:name, 0) as value)"
            " select count(*), coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)), 0)"
            " from pg_locks l join pg_stat_activity a using (pid), key"
            " where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.pid <> pg_backend_pid()"
            " and ((l.classid::bigint << 32) | l.objid::bigint) = key.value"
        ),
        {"name": tables.lock_name(schema)},
    )
    count, seconds = holders.one()
    words = f"{count} {'transaction' if count == 1 else 'transactions'} under way, the oldest for {int(seconds)} s"
    if not sa.inspect(connection).has_table("transaction_jobs", schema=schema):
        return words
    quoted = schema.replace('"', '""')
    jobs = connection.execute(
        sa.text(
            f'select l.id, l.program, l.project, j.stage, j.rows_written from "{quoted}".transaction_jobs j'  # noqa: S608
            f' join "{quoted}".transaction_logs l on l.id = j.transaction_id'
            " where j.finished is null and j.stage <> 'waiting' order by l.id limit 5"
        )
    )
    told = [f"{each.id} to {each.program}-{each.project} ({each.stage}, {each.rows_written} rows)" for each in jobs]
    return words + (f"; large submissions: {', '.join(told)}" if told else "")


def put(connection: sa.Connection, schema: str, draft: Draft, *, by: str | None) -> Version:
    """Make a draft the version in force, within :func:`lock`.

    Raises
    ------
    Conflict
        Stored records break a unique key of the draft, or somebody keeps the tables in use.
    """
    import orjson

    graph = Graph(draft.dictionary, schema)
    current = newest(connection, schema)
    try:
        if current and (before := _understood(connection, schema, current.number)):
            graph.withdraw(connection, Graph(before, schema))
        made = graph.create(connection)
    except IntegrityError as error:
        raise Conflict(f"Stored records break a unique key of the dictionary: {_detail(error)}") from error
    except OperationalError as error:
        if not isinstance(error.orig, psycopg2.errors.LockNotAvailable | psycopg2.errors.DeadlockDetected):
            raise
        raise Conflict("The tables of the graph are in use; try again in a moment.") from error
    number = current.number + 1 if current else 1
    row = {
        "number": number,
        "digest": draft.dictionary.digest,
        "files": orjson.dumps(_plain(draft.files)).decode(),
        "whence": draft.whence,
        # What was read of the source last stays known, whoever has sent what since.
        "source_digest": draft.source_digest or (current.source_digest if current else None),
        "applied_by": by,
    }
    connection.execute(sa.insert(graph.versions), row)
    for channel in (CHANNEL, tables.CHANNEL):
        connection.execute(sa.select(sa.func.pg_notify(channel, "")))
    log.info("Version %d of the dictionary, with %d new tables and indexes.", number, len(made))
    return Version(number, draft.dictionary)


def _understood(connection: sa.Connection, schema: str, number: int) -> Dictionary | None:
    """A version, or None where this release of the software takes it for faulty: then a mended one must get through."""
    try:
        return load(connection, schema, number).dictionary
    except ValidationFailed as error:
        log.warning("Version %d of the dictionary is faulty by now: %s", number, error.message)
        return None


def _detail(error: DBAPIError) -> str:
    return str(getattr(getattr(error.orig, "diag", None), "message_detail", None) or error.orig).strip()


def _plain(value: Any) -> Any:
    """YAML as JSON has it: names are texts."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


# -- starting ----------------------------------------------------------------------


def start(database: Database, place: str, waits: Waits = _WAITS) -> Version:
    """The version that a service starts on: the one in force, or a new one where the source has changed.

    Several services may start at once; one of them applies what is new. The tables that are missing are made.

    Raises
    ------
    CommonsError
        There is no version yet, and the source cannot be read; or the source has changed, and has faults.
    """
    schema = database.settings.graph_schema
    current = database.call(newest, schema)
    source = _look(place, current)
    if current and (source is None or source.digest == current.source_digest):
        version = database.call(load, schema, current.number)
        database.call(Graph(version.dictionary, schema).create)
        return version
    assert source is not None
    draft = Draft(compiled(source), source.files, SOURCE, source.digest)
    try:
        return database.call(_start_on, schema, draft, waits)
    except Conflict as error:
        if current is None:
            raise
        log.warning("The source of the dictionary has changed, and is not applied: %s", error.message)
        return database.call(load, schema, current.number)


def _look(place: str, current: Row | None) -> Source | None:
    """The source, or None where it is out of reach and there is something else to start on."""
    try:
        return Source(place)
    except Unavailable as error:
        if current is None:
            raise
        log.warning("Starting on version %d of the dictionary: %s", current.number, error.message)
        return None


def _start_on(connection: sa.Connection, schema: str, draft: Draft, waits: Waits) -> Version:
    lock(connection, schema, waits)
    current = newest(connection, schema)
    if current is None or draft.dictionary.digest != current.digest:
        return put(connection, schema, draft, by=None)
    Graph(draft.dictionary, schema).create(connection)
    table = _table(schema)
    same = sa.update(table).where(table.c.number == current.number)
    connection.execute(same.values(source_digest=draft.source_digest))
    return Version(current.number, draft.dictionary)
