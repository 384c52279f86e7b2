"""SQL on bindings: a policy or a group given to somebody. Each function is a part of one transaction.

A binding is a row of one source; see :mod:`.store`. Those that have ended are shown to nobody.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from commonshub.core.errors import BadRequest, Conflict, NotFound
from commonshub.core.grants import tables

from . import store
from .forms import Grant
from .store import Document

BUILT_IN = ("anonymous", "logged-in")


def give(
    connection: sa.Connection,
    table: sa.Table,
    subject: Mapping[str, Any],
    what: str,
    grants: Sequence[Grant],
    source: str,
) -> None:
    """Bind a subject on behalf of `source`; what it had given it before gets the new end.

    Parameters
    ----------
    subject
        Column and value of the subject.
    what
        Column of what it is given.
    """
    if not grants:
        return
    rows = [{**subject, what: each.name, "source": source, "expires_at": each.expires_at} for each in grants]
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    changes = {"expires_at": statement.excluded.expires_at}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), rows)


def take(
    connection: sa.Connection, what: str, table: sa.Table, key: Mapping[str, Any], source: str, exact: bool = False
) -> None:
    """Take back what `source` bound.

    Parameters
    ----------
    exact
        It is a fault when nothing was bound.

    Raises
    ------
    Conflict
        Only other sources bound it.
    BadRequest
        Nobody did, with `exact`.
    """
    matching = store.matching(table, key)
    if connection.execute(table.delete().where(*matching, table.c.source == source)).rowcount:
        return
    others = sorted(connection.execute(sa.select(table.c.source).where(*matching)).scalars())
    if others:
        raise Conflict(f"{what} was granted by {', '.join(others)}; {source} cannot revoke it.")
    if exact:
        raise BadRequest(f"{what} was not granted directly, so it is not revoked; perhaps it comes from a group.")


def require_policies(connection: sa.Connection, schema: str, names: Sequence[str]) -> None:
    """Raise unless all policies exist.

    Raises
    ------
    BadRequest
        Names the first that does not.
    """
    absent = store.missing(connection, tables(schema).policy.c.id, names)
    if absent:
        raise BadRequest(f"There is no policy {absent[0]}.")


def require_group(connection: sa.Connection, schema: str, name: str) -> str:
    found = store.owner(connection, tables(schema).group.c.name, name)
    if found is None:
        raise NotFound(f"There is no group {name}.")
    return found


def unended(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.or_(table.c.expires_at.is_(None), table.c.expires_at > sa.func.now())


def bound(
    connection: sa.Connection,
    table: sa.Table,
    subject: sa.Column[Any],
    subjects: Sequence[Any],
    what: sa.Column[Any],
    joined: sa.FromClause | None = None,
) -> defaultdict[Any, list[Document]]:
    """What rows of `table` bind to each of `subjects`; `what` is its name, which may be in a table `joined` to it."""
    query = (
        sa.select(subject, what, table.c.expires_at, table.c.source)
        .select_from(table if joined is None else joined)
        .where(store.one_of(subject, subjects), unended(table))
        .order_by(subject, what, table.c.source)
    )
    found: defaultdict[Any, list[Document]] = defaultdict(list)
    for who, name, until, source in connection.execute(query):
        found[who].append({"name": name, "expires_at": _text(until), "source": source})
    return found


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def names(found: Sequence[Document]) -> list[str]:
    return list(dict.fromkeys(each["name"] for each in found))


def in_full(found: Sequence[Document]) -> list[Document]:
    return [{"policy": each["name"], "expires_at": each["expires_at"], "source": each["source"]} for each in found]
