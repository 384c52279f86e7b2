"""Saved sets in PostgreSQL. One never changes between its saving and its deletion.

They belong to an account, not to a name: who comes to have the name of somebody who was deleted sees none of theirs.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from commonshub.core import grants
from commonshub.core.database import Database
from commonshub.core.errors import AuthenticationRequired, BadRequest
from commonshub.core.identity import Identity
from commonshub.core.texts import TEXTS
from commonshub.core.uuids import fresh

from .asking import SavedSet
from .filters import Sets, Values
from .grammar import SET
from .settings import ExploreSettings

MAX_NAMED = 10
"""Saved sets that one request may name."""
MAX_TEXT_CHARS = 1_000
"""Longest text of a set; what is longer is no id."""

_NAMED = re.compile(SET + "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@lru_cache
def _table(schema: str) -> sa.Table:
    return sa.Table(
        "saved_set",
        sa.MetaData(schema=schema),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("account", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("created", sa.DateTime(timezone=True)),
        sa.Column("doc_type", sa.Text),
        sa.Column("path", sa.Text),
        sa.Column("size", sa.Integer),
        sa.Column("texts", TEXTS),
    )


def named(*texts: str) -> frozenset[str]:
    """The ids of sets that a request names, by what is written in it.

    Raises
    ------
    BadRequest
        They are more than :data:`MAX_NAMED`.
    """
    found = frozenset(match[1] for text in texts for match in _NAMED.finditer(text))
    if len(found) > MAX_NAMED:
        raise BadRequest(f"A request may name {MAX_NAMED} saved sets at most.")
    return found


def load(connection: sa.Connection, schema: str, account: str, ids: Sequence[str]) -> Sets:
    """The texts of those of the sets that belong to an account."""
    table = _table(schema)
    query = sa.select(table.c.id, table.c.texts).where(table.c.account == account, table.c.id.in_(ids))
    return {row.id: Values(row.texts) for row in connection.execute(query)}


def forget_deleted(connection: sa.Connection, schema: str, auth_schema: str) -> None:
    """Delete the sets of accounts that are not there any more."""
    if not sa.inspect(connection).has_table("usr", schema=auth_schema):
        return
    table, user = _table(schema), grants.tables(auth_schema).user
    there = sa.exists().where(sa.cast(user.c.id, sa.Text) == table.c.account)
    connection.execute(sa.delete(table).where(~there))


class SetStore:
    """The saved sets of one user, for one request; see :class:`.asking.Keeper`.

    Parameters
    ----------
    user
        Whose they are; nobody has none.
    """

    def __init__(self, database: Database, settings: ExploreSettings, user: Identity) -> None:
        self._database = database
        self._table = _table(database.settings.explore_schema)
        self._settings = settings
        self._user = user
        self._saved = False

    def check(self) -> None:
        """Raise :class:`AuthenticationRequired` for nobody."""
        _ = self._mine

    @property
    def _mine(self) -> str:
        if self._user.account is None:
            raise AuthenticationRequired("Sign in to have saved sets.")
        return self._user.account

    def save(self, doc_type: str, path: str, texts: Sequence[str]) -> SavedSet:
        """Keep texts.

        Raises
        ------
        BadRequest
            They are too many, or too long for ids; the user has too many sets; the request has saved one already.
        """
        if len(texts) > (most := self._settings.max_set_size):
            raise BadRequest(
                f"{path} has {len(texts)} values; a set has {most} at most (ExploreSettings.max_set_size)."
            )
        if any(len(text) > MAX_TEXT_CHARS for text in texts):
            raise BadRequest(f"{path} has values of more than {MAX_TEXT_CHARS} characters, which are no ids.")
        if self._saved:
            raise BadRequest("A request may save one set.")
        self._saved = True
        return self._database.call(self._insert, doc_type, path, texts)

    def _insert(self, connection: sa.Connection, doc_type: str, path: str, texts: Sequence[str]) -> SavedSet:
        table, account, owner = self._table, self._mine, self._user.username or ""
        key = sa.literal(f"commonshub.set.{table.schema}.{account}")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0))))
        if self._count(connection) >= (most := self._settings.max_sets):
            raise BadRequest(f"You have {most} saved sets (ExploreSettings.max_sets): delete one by deleteSets first.")
        (id_,) = fresh(1)
        values: dict[str, Any] = {"id": id_, "account": account, "owner": owner, "doc_type": doc_type, "path": path}
        values |= {"size": len(texts), "texts": texts}
        created = connection.execute(sa.insert(table).values(values).returning(table.c.created)).scalar_one()
        return SavedSet(id_, owner, created, doc_type, path, len(texts))

    def _count(self, connection: sa.Connection) -> int:
        mine = self._table.c.account == self._mine
        found: int = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
        return found

    def page(self, first: int, offset: int) -> tuple[int, list[SavedSet]]:
        """How many there are, and some of them, the newest first."""
        return self._database.call(self._page, first, offset)

    def _page(self, connection: sa.Connection, first: int, offset: int) -> tuple[int, list[SavedSet]]:
        table = self._table
        shown = [table.c[name] for name in ("id", "owner", "created", "doc_type", "path", "size")]
        query = sa.select(*shown).where(table.c.account == self._mine).order_by(table.c.id.desc())
        rows = connection.execute(query.limit(first).offset(offset))
        return self._count(connection), [SavedSet(*row) for row in rows]

    def delete(self, ids: Sequence[str]) -> int:
        """Forget sets; how many of them there were."""
        return self._database.call(self._delete, [each for each in ids if _NAMED.fullmatch(SET + each)])

    def _delete(self, connection: sa.Connection, ids: Sequence[str]) -> int:
        table = self._table
        named = table.c.id == sa.func.any(sa.literal(ids, TEXTS))
        return connection.execute(sa.delete(table).where(table.c.account == self._mine, named)).rowcount
