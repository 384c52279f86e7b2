"""Records that are put into the table past the services, and read back whole."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from commonshub.core import blobs, records
from commonshub.core.records import Draft, Record


def put_records(connection: sa.Connection, schema: str, drafts: Sequence[Draft]) -> list[Record]:
    """New records, in the order given."""
    made = records.create(connection, schema, drafts)
    found = records.get_many(connection, schema, [each.did for each in made])
    return [found[each.did] for each in made]


def put_blank(connection: sa.Connection, schema: str, **upload: Any) -> Record:
    """A blank record whose upload is expected."""
    made = blobs.create_blank(connection, schema, **upload)
    return records.get_many(connection, schema, [made.did])[made.did]
