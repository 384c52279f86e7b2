"""The run list in PostgreSQL.

A run is ``building``, then ``ready`` or ``failed``; ``dropped`` when its file has been deleted. One that failed and has
a fingerprint was refused: it was complete. ``active_run`` points at the run that answers queries. All tables are in the
explore schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from commonshub.core.errors import Conflict, NotFound

from .reporting import Step

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0005"
_LOCK = {"name": "commonshub.explore.etl"}
CHANNEL = "commonshub_explore"
"""``NOTIFY`` channel of a new active run; the payload is its number."""


@dataclass(frozen=True)
class Active:
    """The run that answers queries."""

    id: int
    fingerprint: str
    catalog: Sequence[Mapping[str, Any]]
    counts: Mapping[str, int]


@lru_cache
def _tables(schema: str) -> tuple[sa.Table, sa.Table]:
    metadata = sa.MetaData(schema=schema)
    run = sa.Table(
        "etl_run",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("state", sa.Text),
        sa.Column("started", sa.DateTime(timezone=True)),
        sa.Column("finished", sa.DateTime(timezone=True)),
        sa.Column("fingerprint", sa.Text),
        sa.Column("catalog", JSONB),
        sa.Column("counts", JSONB),
        sa.Column("message", sa.Text),
        sa.Column("parquet", JSONB(none_as_null=True)),
        sa.Column("progress", JSONB(none_as_null=True)),
    )
    active = sa.Table("active_run", metadata, sa.Column("single", sa.Boolean, primary_key=True), sa.Column("run_id"))
    return run, active


def lock(connection: sa.Connection) -> bool:
    """Take the lock of the build for as long as the connection lives; whether nobody else holds it."""
    return bool(connection.execute(sa.text("select pg_try_advisory_lock(hashtext(:name))"), _LOCK).scalar())


def locked(connection: sa.Connection) -> bool:
    """Whether somebody holds the lock of the build: a run is in progress, or its documents are being published."""
    query = (
        "select exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 1 "
        "and database = (select oid from pg_database where datname = current_database()) "
        "and (classid::bigint << 32 | objid::bigint) = hashtext(:name)::bigint)"
    )
    return bool(connection.execute(sa.text(query), _LOCK).scalar())


def begin(connection: sa.Connection, schema: str) -> int:
    """Enter a new run, and mark those that a killed process left behind; for the holder of the lock only."""
    run, _ = _tables(schema)
    left = {"state": "failed", "finished": sa.func.now(), "message": "The process was killed."}
    connection.execute(sa.update(run).where(run.c.state == "building").values(left))
    number: int = connection.execute(sa.insert(run).values(state="building").returning(run.c.id)).scalar_one()
    return number


def fail(connection: sa.Connection, schema: str, number: int, message: str) -> None:
    """Enter why a run failed."""
    run, _ = _tables(schema)
    values = {"state": "failed", "finished": sa.func.now(), "message": message}
    connection.execute(sa.update(run).where(run.c.id == number).values(values))


def refuse(
    connection: sa.Connection, schema: str, number: int, message: str, *, fingerprint: str, counts: Mapping[str, int]
) -> None:
    """Enter that a run was complete and is not wanted, so that nothing builds the same again."""
    run, _ = _tables(schema)
    fail(connection, schema, number, message)
    connection.execute(sa.update(run).where(run.c.id == number).values(fingerprint=fingerprint, counts=counts))


def refusal(connection: sa.Connection, schema: str) -> tuple[str, Mapping[str, int]] | None:
    """Fingerprint and counts of the newest run, if that was refused."""
    run, _ = _tables(schema)
    query = sa.select(run.c.state, run.c.fingerprint, run.c.counts).order_by(run.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return (row.fingerprint, row.counts) if row and row.state == "failed" and row.fingerprint else None


def activate(
    connection: sa.Connection,
    schema: str,
    number: int,
    *,
    fingerprint: str,
    catalog: Sequence[Mapping[str, Any]],
    counts: Mapping[str, int],
) -> None:
    """Make a run the active one, and tell every service.

    Raises
    ------
    Conflict
        The run is no longer in progress: it lost the lock of the build, and another has begun.
    """
    run, _ = _tables(schema)
    values: dict[str, Any] = {"state": "ready", "finished": sa.func.now(), "fingerprint": fingerprint}
    values |= {"catalog": catalog, "counts": counts}
    ended = connection.execute(
        sa.update(run).where(run.c.id == number, run.c.state == "building").values(values)
    )  # fmt: skip
    if ended.rowcount != 1:
        raise Conflict("Another build of the explorer's index has begun meanwhile.")
    _point(connection, schema, number)


def go_back(connection: sa.Connection, schema: str, number: int | None) -> int:
    """Make an earlier run the active one again, and tell every service.

    Parameters
    ----------
    number
        The run; None for the one before the active one.

    Returns
    -------
    int
        The run.

    Raises
    ------
    NotFound
        There is no such run, or it has no index.
    """
    run, _ = _tables(schema)
    current = _hold_pointer(connection, schema)
    query = sa.select(run.c.id).where(run.c.state == "ready").order_by(run.c.id.desc()).limit(1)
    query = query.where(run.c.id < (current or 0)) if number is None else query.where(run.c.id == number)
    found: int | None = connection.execute(query).scalar()
    if found is None:
        told = "No earlier run has an index." if number is None else f"Run {number} has no index."
        raise NotFound(f"{told} `commonshub etl status` shows which have one.")
    _point(connection, schema, found)
    return found


def _hold_pointer(connection: sa.Connection, schema: str) -> int | None:
    """The active run; it stays the active one, and keeps its index, until the transaction ends."""
    _, pointer = _tables(schema)
    found: int | None = connection.execute(sa.select(pointer.c.run_id).with_for_update()).scalar()
    return found


def _point(connection: sa.Connection, schema: str, number: int) -> None:
    _, active = _tables(schema)
    pointer = insert(active).values(single=True, run_id=number)
    connection.execute(pointer.on_conflict_do_update(index_elements=["single"], set_={"run_id": number}))
    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, str(number))))


def newest_fingerprint(connection: sa.Connection, schema: str) -> str | None:
    """Fingerprint of the last run that ended well, whether or not it is still the active one."""
    run, _ = _tables(schema)
    query = sa.select(run.c.fingerprint).where(run.c.state.in_(("ready", "dropped")))
    found: str | None = connection.execute(query.order_by(run.c.id.desc()).limit(1)).scalar()
    return found


def active(connection: sa.Connection, schema: str) -> Active | None:
    """The active run, or None before the first."""
    run, pointer = _tables(schema)
    query = sa.select(run.c.id, run.c.fingerprint, run.c.catalog, run.c.counts)
    row = connection.execute(query.join(pointer, pointer.c.run_id == run.c.id)).one_or_none()
    return Active(*row) if row else None


def drop_older(connection: sa.Connection, schema: str, kept: int) -> list[int]:
    """Mark all but the newest `kept` indexes as dropped; returns the runs that still have one."""
    run, _ = _tables(schema)
    current = _hold_pointer(connection, schema)
    query = sa.select(run.c.id).where(run.c.state == "ready").order_by((run.c.id == current).desc(), run.c.id.desc())
    ready = list(connection.execute(query).scalars())
    if ready[kept:]:
        connection.execute(sa.update(run).where(run.c.id.in_(ready[kept:])).values(state="dropped"))
    return ready[:kept]


def set_progress(connection: sa.Connection, schema: str, number: int, step: Step | None) -> None:
    """Enter how far a run has come; None for one that has ended."""
    run, _ = _tables(schema)
    connection.execute(sa.update(run).where(run.c.id == number).values(progress=asdict(step) if step else None))


@dataclass(frozen=True)
class RunRecord:
    """One line of the run list.

    Parameters
    ----------
    counts, before
        Documents by type, and those of the last run before that ended well.
    progress
        Where the run is, if it is in progress.
    """

    id: int
    state: str
    active: bool
    started: datetime
    finished: datetime | None
    counts: Mapping[str, int] | None
    message: str
    before: Mapping[str, int] | None
    progress: Step | None


def parquet(connection: sa.Connection, schema: str, number: int) -> Mapping[str, int] | None:
    """Sizes of a run's Parquet files in bytes, by document type; None where they are not all there."""
    run, _ = _tables(schema)
    found: Mapping[str, int] | None = connection.execute(sa.select(run.c.parquet).where(run.c.id == number)).scalar()
    return found


def set_parquet(connection: sa.Connection, schema: str, number: int, sizes: Mapping[str, int] | None) -> None:
    """Enter that a run's Parquet files are all there, or none of them any more."""
    run, _ = _tables(schema)
    connection.execute(sa.update(run).where(run.c.id == number).values(parquet=sizes))


def outdated_parquet(connection: sa.Connection, schema: str) -> dict[int, Mapping[str, int]]:
    """The Parquet files of runs that have no index any more."""
    run, _ = _tables(schema)
    query = sa.select(run.c.id, run.c.parquet).where(run.c.state == "dropped", run.c.parquet.is_not(None))
    return {row.id: row.parquet for row in connection.execute(query)}


def runs(connection: sa.Connection, schema: str, limit: int) -> list[RunRecord]:
    """The newest runs first."""
    run, pointer = _tables(schema)
    active = sa.func.coalesce(run.c.id == sa.select(pointer.c.run_id).scalar_subquery(), False)
    earlier = run.alias()
    before = sa.select(earlier.c.counts).where(earlier.c.id < run.c.id, earlier.c.state.in_(("ready", "dropped")))
    before = before.order_by(earlier.c.id.desc()).limit(1)
    columns = (run.c.id, run.c.state, run.c.started, run.c.finished, run.c.counts, run.c.message, run.c.progress)
    query = sa.select(*columns, active.label("active"), before.scalar_subquery().label("before"))
    found = connection.execute(query.order_by(run.c.id.desc()).limit(limit)).mappings()
    return [RunRecord(**{**row, "progress": Step(**row["progress"]) if row["progress"] else None}) for row in found]
