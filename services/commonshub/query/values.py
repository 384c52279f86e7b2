"""How a stored property is read: as the schema types it, and as lists are ordered by it."""

# ruff: noqa: S608 -- statements are put together here; names are quoted, see sql.py

from commonshub.core.dictionary import Property

from .sql import literal

NULL = "null::text"
"""What stands for a property that a node type does not have."""


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
    return "text" if each.kind == "string" else "jsonb"
