"""Reads of single records by what they are called.

Vocabulary
----------
name
    What a caller calls a record: its GUID with or without the commons' prefix, its baseid (the newest version is
    meant then) or, where asked for, an alias. The GUID comes first.
form
    How a record is read: as a :class:`Record` to be worked on, or as a document to be passed on.

Reads that arrive together share one statement (:mod:`commonshub.core.batches`). Those of them that name no GUID share
a second one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core import records
from commonshub.core.batches import Batches
from commonshub.core.database import Database
from commonshub.core.errors import NotFound
from commonshub.core.names import spellings
from commonshub.core.records import Record
from commonshub.core.texts import TEXTS

from . import documents
from .documents import Document
from .rooms import Room, bounded

T = TypeVar("T")


class Name(NamedTuple):
    """What a caller calls a record, and whether that may be an alias."""

    text: str
    aliases: bool = False


@dataclass(frozen=True)
class Form(Generic[T]):
    """How a record is read.

    Parameters
    ----------
    columns
        What is selected from the table.
    make
        What is made of a row of those.
    """

    columns: Callable[[sa.Table], Sequence[sa.ColumnElement[Any]]]
    make: Callable[[Any], T]


RECORD = Form(documents.whole, lambda row: documents.record(row.text, row.alias))
DOCUMENT = Form(documents.columns, lambda row: Document(row.did, row.pending, row.text))


def find(
    connection: sa.Connection, schema: str, form: Form[T], wanted: Sequence[Name], *, prefix: str = ""
) -> list[T | None]:
    """The records with these names, in their order; None where there is none."""
    spelt = {name: spellings(name.text, prefix) for name in wanted}
    everything = {"names": [each for names in spelt.values() for each in names]}
    found = {row.called: form.make(row) for row in connection.execute(_by_guid(schema, form), everything)}
    aliased: dict[str, T] = {}
    missed = [name for name in wanted if found.keys().isdisjoint(spelt[name])]
    if missed:
        baseids = [each for name in missed for each in spelt[name]]
        aliases = [name.text for name in missed if name.aliases]
        for row in connection.execute(_by_other_names(schema, form), {"baseids": baseids, "aliases": aliases}):
            (aliased if row.by_alias else found)[row.called] = form.make(row)

    def of(name: Name) -> T | None:
        exact = next((found[each] for each in spelt[name] if each in found), None)
        return aliased.get(name.text) if exact is None and name.aliases else exact

    return [of(name) for name in wanted]


def many(connection: sa.Connection, schema: str, form: Form[T], guids: Sequence[str], room: Room) -> dict[str, T]:
    """The records with exactly these GUIDs, by GUID; what does not exist is left out.

    Raises
    ------
    TooLarge
        They are longer than there is room for.
    """
    told = bounded(_by_guid(schema, form))
    rows = room.read(connection.execute(told, {"names": list(guids), **room.values()})) if guids else ()
    return {row.called: form.make(row) for row in rows}


@lru_cache(maxsize=8)
def _by_guid(schema: str, form: Form[Any]) -> sa.Select[Any]:
    table = records.tables(schema).record
    wanted = sa.any_(sa.bindparam("names", type_=TEXTS))
    return sa.select(table.c.guid.label("called"), *form.columns(table)).where(table.c.guid == wanted)


@lru_cache(maxsize=8)
def _by_other_names(schema: str, form: Form[Any]) -> sa.CompoundSelect[Any]:
    table = records.tables(schema).record
    newest = table.c.created_date.desc().nulls_last(), table.c.guid

    def one_each(parameter: str, condition: Callable[[Any], sa.ColumnElement[bool]]) -> sa.Select[Any]:
        names = sa.func.unnest(sa.bindparam(parameter, type_=TEXTS))
        asked = names.table_valued(sa.column("called", sa.VARCHAR())).render_derived(name=parameter)
        query = sa.select(*form.columns(table)).where(condition(asked.c.called)).order_by(*newest).limit(1)
        chosen = query.lateral("chosen")
        by_alias = sa.literal_column("true" if parameter == "aliases" else "false", sa.Boolean).label("by_alias")
        return sa.select(asked.c.called, by_alias, *chosen.c).select_from(asked.join(chosen, sa.true()))

    # An alias belongs to one record. The order is there to have the index of aliases read, not all records in turn.
    return sa.union_all(
        one_each("baseids", lambda name: table.c.baseid == name),
        one_each("aliases", lambda name: records.have_alias(table, pg.array([name]))),
    )


class Reads:
    """Single records for the handlers.

    Parameters
    ----------
    prefix
        Prefix of the commons' GUIDs.
    most
        Reads that share a statement.
    at_once
        Statements of each form that run at the same time.
    """

    def __init__(self, database: Database, schema: str, *, prefix: str, most: int, at_once: int) -> None:
        self._database = database
        self._schema = schema
        self._prefix = prefix
        self._records = Batches(partial(self._find, RECORD), most, at_once)
        self._documents = Batches(partial(self._find, DOCUMENT), most, at_once)

    async def record(self, name: str) -> Record:
        """The record with this GUID or baseid.

        Raises
        ------
        NotFound
            There is none.
        """
        return _there(await self._records.put(Name(name)))

    async def document(self, name: str, *, aliases: bool = False) -> Document:
        """The same to be passed on, by alias too where `aliases`.

        Raises
        ------
        NotFound
            There is none.
        """
        return _there(await self._documents.put(Name(name, aliases)))

    async def _find(self, form: Form[T], wanted: Sequence[Name]) -> list[T | None]:
        return await self._database.read(find, self._schema, form, wanted, prefix=self._prefix)


def _there(found: T | None) -> T:
    if found is None:
        raise NotFound("no record found")
    return found
