"""GUIDs as callers write them: with the commons' prefix or without."""

import sqlalchemy as sa

from . import records
from .records import Record


def spellings(identifier: str, prefix: str) -> list[str]:
    """The GUIDs that `identifier` may stand for: itself, and without or with the commons' prefix."""
    if not prefix:
        return [identifier]
    other = identifier.removeprefix(prefix) if identifier.startswith(prefix) else prefix + identifier
    return [identifier, other]


def find(connection: sa.Connection, schema: str, identifier: str, *, prefix: str) -> Record | None:
    """The record with exactly this GUID; where there is none, the one of the other spelling."""
    names = spellings(identifier, prefix)
    found = records.get_many(connection, schema, names)
    return next((found[each] for each in names if each in found), None)
