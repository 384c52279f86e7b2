"""Importing a user.yaml.

One transaction: readers see the earlier policies until it commits and the new ones after it, never anything between.
Every row is marked with the source, and what the source gave earlier and does not give now is removed; rows of other
sources are not touched. A definition that somebody else made first keeps its owner.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core import audit
from commonshub.core.errors import BadRequest, TooLarge
from commonshub.core.identity import Identity

from . import difference
from .authz.policies import require_sober
from .authz.store import lock
from .difference import Difference, Progress
from .userfile import Plan, parse

if TYPE_CHECKING:
    from .app import AuthApp


@dataclass(frozen=True)
class Report:
    """What an import did, or with ``--dry-run`` would do.

    Attributes
    ----------
    warnings
        What the file says in vain.
    differences
        What is added, changed and removed, kind by kind; of a file that was not read again, nothing.
    """

    warnings: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def changes(self) -> list[Difference]:
        """The kinds of which something is not as it was."""
        return [each for each in self.differences if each]


def import_file(
    app: "AuthApp",
    file: Path,
    source: str,
    *,
    always: bool = False,
    dry_run: bool = False,
    request_id: str = "",
    progress: Progress | None = None,
) -> Report:
    """Import a file unless its content is what it was when it was imported last.

    Parameters
    ----------
    always
        Import it even then: rows that others changed meanwhile become again what the file says.
    dry_run
        Only find out what would change.
    request_id
        By what the audit trail knows this.
    progress
        Called with what is done, how much of it is done, and of how much.

    Raises
    ------
    BadRequest
        There is no such file (only with `always`), or it is not UTF-8.
    TooLarge
        It is larger than ``AuthApp.max_user_file_bytes``.
    Faulty
        It has faults; nothing was changed.
    """
    if not file.is_file():
        if always:
            raise BadRequest(f"There is no file {file}.")
        return Report()
    content = _content(file, app.max_user_file_bytes)
    digest = hashlib.sha256(content).hexdigest()
    name = str(file.resolve())
    if not always and app.database.call(_imported, app.schema, name) == digest:
        return Report()
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not UTF-8: {error}.") from error
    plan = parse(text, progress and (lambda done, total: progress("reading", done, total)))
    warnings = [str(warning) for warning in plan.warnings]

    def compare(connection: sa.Connection) -> list[Difference]:
        connection.execute(sa.text("set transaction isolation level repeatable read, read only"))
        return difference.compare(connection, app.schema, plan, source, progress)

    def write(connection: sa.Connection) -> list[Difference]:
        found = apply(connection, app.schema, plan, source, request_id=request_id, progress=progress)
        _remember(connection, app.schema, name, digest)
        return found

    return Report(warnings, app.database.call(compare if dry_run else write))


def _content(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(limit + 1)
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > limit:
        raise TooLarge(f"{file} is larger than {limit} bytes (AuthApp.max_user_file_bytes).")
    return content


def _imported(connection: sa.Connection, schema: str, file: str) -> str | None:
    table = _imports(schema)
    return connection.execute(sa.select(table.c.digest).where(table.c.source == file)).scalar_one_or_none()


def _remember(connection: sa.Connection, schema: str, file: str, digest: str) -> None:
    done = insert(_imports(schema)).values(source=file, digest=digest)
    changes = {"digest": digest, "at": sa.func.now()}
    connection.execute(done.on_conflict_do_update(index_elements=["source"], set_=changes))


def _imports(schema: str) -> sa.TableClause:
    return sa.table("imported", sa.column("source"), sa.column("digest"), sa.column("at"), schema=schema)


def apply(
    connection: sa.Connection,
    schema: str,
    plan: Plan,
    source: str,
    *,
    request_id: str = "",
    progress: Progress | None = None,
) -> list[Difference]:
    """Make the rows of `source` equal to `plan`.

    Raises
    ------
    BadRequest
        Everybody would be granted service ``*``, with what others gave to everybody.

    Parameters
    ----------
    request_id
        By what the audit trail knows this.

    Returns
    -------
    list of Difference
        What was not as the plan has it.
    """
    lock(connection, schema)
    found = difference.compare(connection, schema, plan, source, progress)
    difference.write(connection, schema, found, source, progress)
    if any(found):
        # The file alone cannot tell: what everybody has may come from elsewhere, and the file change what it means.
        require_sober(connection, schema)
        audit.write(
            connection,
            schema,
            Identity(),
            request_id,
            action="import_policies",
            subject=source,
            decision="allowed",
            detail={each.kind.name: each.counts() for each in found if each},
        )
    return found
