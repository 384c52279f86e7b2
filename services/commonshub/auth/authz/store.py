"""SQL that all administration of policies shares: one change after another, owners, pages of lists.

Every change takes the lock that an import of user.yaml takes, so that what one checks cannot be undone by another
before it is written. A row belongs to the source that made it. Only that source changes or removes it: what somebody
else granted is never touched, and a definition that others still use stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from commonshub.core.errors import Conflict
from commonshub.core.grants import Tables, tables
from commonshub.core.policy import ANONYMOUS_GROUP, LOGGED_IN_GROUP

from .. import sources

Document = dict[str, Any]
Row = sa.Row[*tuple[Any, ...]]
Query = sa.Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: at most `limit` entries whose keys come after `start`."""

    start: str
    limit: int


def lock(connection: sa.Connection, schema: str) -> None:
    """Wait until no other change of policies is under way, and keep others waiting until this transaction ends."""
    connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('commonshub.import.' || :s))"), {"s": schema})


def one_of(column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether a column has one of `values`: one parameter, however many they are."""
    return column == sa.any_(sa.bindparam(None, list(values), type_=ARRAY(column.type)))


def cut(rows: Sequence[Row], page: Page) -> tuple[list[Row], str | None]:
    """The rows of a page, and where the next one starts; `rows` has one more than the page where there is more."""
    kept = list(rows[: page.limit])
    return kept, kept[-1][0] if len(rows) > page.limit else None


def page_of(query: Query, key: sa.Column[Any], page: Page) -> Query:
    """The rows of a page by `key`, and one more."""
    return query.where(key > page.start).order_by(key).limit(page.limit + 1)


def owner(connection: sa.Connection, key: sa.Column[Any], name: str) -> str | None:
    """The source of a definition; None where nothing defines it."""
    return connection.execute(sa.select(key.table.c.source).where(key == name)).scalar_one_or_none()


def require_owner(what: str, found: str, source: str) -> None:
    """Raise unless a definition belongs to `source`.

    Raises
    ------
    Conflict
        It belongs to another; the message says what to do.
    """
    if found == sources.USER_FILE:
        raise Conflict(f"{what} is defined in user.yaml; change it there.")
    if found == sources.BUILT_IN:
        raise Conflict(f"{what} is built in.")
    if found != source:
        raise Conflict(f"{what} belongs to {found or 'an unknown source'}; {source} cannot change it.")


def require_unused(
    connection: sa.Connection, what: str, uses: Sequence[tuple[sa.Table, Mapping[str, Any]]], source: str | None
) -> None:
    """Raise where a source other than `source` has rows that use a definition.

    Parameters
    ----------
    uses
        Tables with a ``source`` column, and what their rows say that use it.

    Raises
    ------
    Conflict
        Names the sources.
    """
    found: set[str] = set()
    for table, key in uses:
        query = sa.select(table.c.source).distinct().where(*matching(table, key))
        found |= set(connection.execute(query).scalars())
    others = sorted(found - {source})
    if others:
        raise Conflict(f"{what} is still used by what {', '.join(others)} granted; that must be revoked first.")


def matching(table: sa.Table, key: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    """Conditions: each column of `key` has its value."""
    return [table.c[name] == value for name, value in key.items()]


def uses_of_policy(t: Tables, policy: str) -> list[tuple[sa.Table, Mapping[str, Any]]]:
    """Where a policy can be bound."""
    return [(table, {"policy_id": policy}) for table in (t.user_policy, t.group_policy, t.client_policy)]


def missing(connection: sa.Connection, key: sa.Column[Any], names: Iterable[str]) -> list[str]:
    """Those of `names` that a table does not have."""
    wanted = list(dict.fromkeys(names))
    known = set(connection.execute(sa.select(key).where(one_of(key, wanted))).scalars())
    return [name for name in wanted if name not in known]


def public_wildcard(connection: sa.Connection, schema: str) -> str | None:
    """A policy that grants service ``*`` to everybody or to all who are signed in."""
    t = tables(schema)
    query = (
        sa.select(t.group_policy.c.policy_id)
        .join(t.policy_role, t.policy_role.c.policy_id == t.group_policy.c.policy_id)
        .join(t.permission, t.permission.c.role_id == t.policy_role.c.role_id)
        .where(t.group_policy.c.group_name.in_((ANONYMOUS_GROUP, LOGGED_IN_GROUP)), t.permission.c.service == "*")
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()
