"""How a stored property is read: as the schema types it, and as lists are ordered by it."""

# ruff: noqa: S608 -- statements are put together here; names are quoted, see sql.py

import datetime

from commonshub.core.dictionary import Property
from commonshub.core.errors import BadRequest

from .sql import literal

NULL = "null::text"
"""What stands for a property that a node type does not have."""

TYPES = ("text", "jsonb")
"""PostgreSQL's types that properties are ordered as."""


def text(alias: str, name: str) -> str:
    """A property as text, whatever is stored."""
    return f"{alias}._props->>{literal(name)}"


def shown(alias: str, each: Property) -> str:
    """A property as the schema types it: text as text whatever is stored, the items of an array too."""
    stored = f"{alias}._props->{literal(each.name)}"
    if each.kind == "string":
        return text(alias, each.name)
    if each.kind != "array":
        return stored
    items = stored
    if each.item_kind != "string":
        items = f"(select coalesce(jsonb_agg(i), '[]') from jsonb_array_elements_text({stored}) i)"
    # A single value, left from an earlier dictionary, is a list of one.
    alone = f"nullif(jsonb_build_array({text(alias, each.name)}), '[null]')"
    return f"case jsonb_typeof({stored}) when 'array' then {items} else {alone} end"


def ordered(alias: str, each: Property) -> str:
    """A property as lists are ordered and ranges compared by it: numbers as numbers, and null where there is none."""
    if each.kind == "string":
        return text(alias, each.name)
    return f"nullif({alias}._props->{literal(each.name)}, 'null')"


def ordered_type(each: Property) -> str:
    """PostgreSQL's type of :func:`ordered`."""
    return TYPES[each.kind != "string"]


TIMES = frozenset(["created_datetime", "updated_datetime"])
"""Properties that are compared as moments; the commons itself sets them."""


def moment(place: str, given: str) -> str:
    """A time that a client gives, as PostgreSQL reads it: in UTC unless it says otherwise.

    Raises
    ------
    BadRequest
        What is given at `place` is none.
    """
    try:
        found = datetime.datetime.fromisoformat(given.strip())
    except ValueError as error:
        raise BadRequest(f"{place}: {given[:40]!r} is not a date or time like 2026-11-22T10:00:00Z.") from error
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).isoformat()


def pattern(part: str, anywhere: bool = True) -> str:
    """A LIKE pattern for texts that contain `part`, or begin with it."""
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if anywhere else f"{escaped}%"
