"""Filters as SQL.

Vocabulary
----------
exact condition
    Says which records pass.
candidate condition
    Lets all of them pass, and perhaps others, from an index. It stands beside an exact one that no index answers.
plain part
    What a filter asks of fields that all records have. Filters that ask of the same fields differ in values alone.
"""

import math
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core.catalog import filled
from commonshub.core.names import spellings
from commonshub.core.texts import TEXTS

from .filters import Filter, Negation

# A number in a filter is no longer than this; what is longer is no number that somebody stored.
MAX_NUMBER_CHARS = 32
EMPTY: dict[str, Any] = {}
_PLAIN = ("size", "file_name", "version", "uploader", "ids", "start", "hashes", "urls", "acl", "authz")
Condition = sa.ColumnElement[bool]


def names(wanted: Filter) -> frozenset[str]:
    """What a filter asks for, of that what :func:`named` has conditions for."""
    given = {name for name in _PLAIN if getattr(wanted, name) not in (None, {}, [])}
    if wanted.ids is not None:
        # Who names no record asks for none.
        given.add("ids")
    nobody = {name for name in ("acl", "authz") if getattr(wanted, name) == []}
    return frozenset(given | {f"no_{name}" for name in nobody})


def values(wanted: Filter, prefix: str) -> dict[str, Any]:
    """The values for :func:`named` conditions."""
    found = {name: getattr(wanted, name) for name in _PLAIN}
    if wanted.ids is not None:
        found["ids"] = [name for each in wanted.ids for name in spellings(each, prefix)]
    return found


@lru_cache(maxsize=256)
def named(table: sa.Table, asked: frozenset[str]) -> list[Condition]:
    """What holds for the records that pass the plain part of a filter, with its :func:`values` to come.

    To make conditions costs SQLAlchemy more than it costs PostgreSQL to look a record up by them.
    """
    columns = table.c
    conditions: list[Condition] = [
        columns[name] == sa.bindparam(name) for name in ("size", "file_name", "version", "uploader") if name in asked
    ]
    if "ids" in asked:
        conditions.append(columns.guid == sa.any_(sa.bindparam("ids", type_=TEXTS)))
    if "start" in asked:
        conditions.append(columns.guid > sa.bindparam("start"))
    if asked & {"hashes", "urls"}:
        conditions.append(_among_few(table, asked))
    if "acl" in asked:
        conditions.append(filled(columns.acl))
    conditions += [
        columns[name].contains(sa.bindparam(name, type_=TEXTS)) for name in ("acl", "authz") if name in asked
    ]
    # The zeros stand in the text, where PostgreSQL looks for the index's own condition.
    zero: sa.ColumnClause[int] = sa.literal_column("0")
    nobody = [columns[name] for name in ("acl", "authz") if f"no_{name}" in asked]
    return conditions + [sa.func.coalesce(sa.func.cardinality(each), zero) == zero for each in nobody]


def _among_few(table: sa.Table, asked: frozenset[str]) -> Condition:
    """Hashes and URLs are looked up first, whatever the rest: few records have them.

    PostgreSQL knows that of no single value. Where the first record is wanted it would rather try all in their order.
    """
    few = _again(table)
    held: dict[str, sa.types.TypeEngine[Any]] = {"hashes": pg.JSONB(), "urls": TEXTS}
    having = [few.c[name].contains(sa.bindparam(name, type_=kind)) for name, kind in held.items() if name in asked]
    guids = sa.select(few.c.guid).where(*having).scalar_subquery()
    return table.c.guid == sa.any_(sa.func.array(guids, type_=TEXTS))


def special(table: sa.Table, wanted: Filter) -> list[Condition]:
    """What holds besides: the part of a filter that names keys of its own, with its values."""
    conditions: list[Condition] = []
    if wanted.metadata:
        conditions.append(table.c.record_metadata != EMPTY)
    for key, value in wanted.metadata.items():
        conditions += [_may_hold(table.c.record_metadata, key, value), _holds(table.c.record_metadata, key, value)]
    for part, pairs in wanted.urls_metadata.items():
        conditions += [*some_url_may_hold(table, pairs), _on_url(table, part, pairs)]
    return conditions + (_negated(table, wanted.negation) if wanted.negation else [])


def of_filter(table: sa.Table, wanted: Filter) -> list[Condition]:
    """What holds for the records that pass a filter; execute it with the filter's :func:`values`."""
    return [*named(table, names(wanted)), *special(table, wanted)]


@lru_cache(maxsize=8)
def _again(table: sa.Table) -> sa.FromClause:
    """The same table under another name; it costs SQLAlchemy more to make than many a statement costs PostgreSQL."""
    return table.alias("few")


def _holds(document: Any, key: str, value: str) -> Condition:
    """Whether a JSON object has a key, with this value where one is given, whose text counts."""
    held: Condition = document[key].astext == value if value else document.has_key(key)
    return sa.func.coalesce(held, sa.false())


def _may_hold(document: Any, key: str, value: str) -> Condition:
    """Candidates for :func:`_holds`."""
    if not value or _is_structure(value):
        has: Condition = document.has_key(key)
        return has
    values: list[Any] = [value, *_as_scalar(value)]
    return sa.or_(*(document.contains({key: each}) for each in values))


def some_url_may_hold(table: sa.Table, pairs: dict[str, str]) -> list[Condition]:
    """Candidates for records of which some URL has metadata, with all these pairs."""
    document = table.c.url_metadata
    conditions: list[Condition] = [document != EMPTY]
    for key, value in pairs.items():
        place = f"$.*.{orjson.dumps(key).decode()}"
        scalars = [] if not value or _is_structure(value) else [value, *_as_scalar(value)]
        paths = [f"{place} ? (@ == {orjson.dumps(each).decode()})" for each in scalars] or [place]
        conditions.append(sa.or_(*(document.path_exists(sa.literal(path, pg.JSONPATH())) for path in paths)))
    return conditions


def _is_structure(text: str) -> bool:
    return text.startswith(("{", "["))


def _as_scalar(text: str) -> list[Any]:
    """The number or truth value, as it stands, that is stored with this text; none for other text."""
    try:
        value = orjson.loads(text) if len(text) <= MAX_NUMBER_CHARS else None
    except orjson.JSONDecodeError:
        return []
    number = isinstance(value, int | float) and math.isfinite(value)
    return [orjson.Fragment(text.strip())] if number else []


def _on_url(table: sa.Table, part: str, pairs: dict[str, str]) -> Condition:
    """Whether some URL that contains `part` has metadata, with all these pairs."""
    # An old record may hold JSON's null, of which there is nothing to list.
    is_object = sa.func.jsonb_typeof(table.c.url_metadata) == "object"
    each = sa.func.jsonb_each(sa.case((is_object, table.c.url_metadata))).table_valued(
        sa.column("key", sa.Text), sa.column("value", pg.JSONB)
    )
    rows = each.alias("on_url")
    held = [_holds(rows.c.value, key, value) for key, value in pairs.items()]
    within = sa.func.strpos(rows.c.key, part) > 0
    return sa.exists(sa.select(sa.literal(1)).select_from(rows).where(within, rows.c.value != EMPTY, *held))


def some_url_contains(table: sa.Table, part: str) -> Condition:
    """Candidates for records of which some URL contains `part`.

    PostgreSQL keeps statistics of just this text: it goes through the records in their order where many have the part,
    and through the table where few have it.
    """
    joined = sa.func.array_to_string(table.c.urls, sa.literal_column("' '"), type_=sa.Text())
    return joined.contains(part, autoescape=True)


def _negated(table: sa.Table, unwanted: Negation) -> list[Condition]:
    columns = table.c
    conditions: list[Condition] = []
    for name in ("urls", "acl", "authz"):
        if values := getattr(unwanted, name):
            conditions += [sa.func.cardinality(columns[name]) > 0, sa.not_(columns[name].overlap(values))]
    for name in ("file_name", "version"):
        if (value := getattr(unwanted, name)) is not None:
            conditions.append(columns[name] != value)
    conditions += [sa.not_(_holds(columns.record_metadata, key, value)) for key, value in unwanted.metadata.items()]
    conditions += [sa.not_(_on_url(table, url, pairs)) for url, pairs in unwanted.urls_metadata.items()]
    return conditions
