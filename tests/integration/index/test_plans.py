"""The usual filters of a list are answered from indexes."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from commonshub.core import records
from commonshub.core.records import Draft
from commonshub.index import store
from commonshub.index.filters import record_filter


@pytest.fixture(scope="module")
def connection(running: Any) -> Iterator[sa.Connection]:
    drafts = [
        Draft(
            size=n, hashes={"md5": f"{n:032x}"}, urls=[f"s3://b/{n}"], authz=[f"/p/{n}"], acl=[str(n)], file_name=str(n)
        )
        for n in range(500)
    ]
    with running.app.database.engine.begin() as connection:
        records.create(connection, "index", drafts)
        # A small table is read whole whatever its indexes; this asks whether an index would serve.
        connection.execute(sa.text("set local enable_seqscan = off"))
        yield connection
        connection.rollback()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"hash": ["md5:" + "0" * 32]}, "ix_record_hashes_gin"),
        ({"url": ["s3://b/1"]}, "ix_record_urls_gin"),
        ({"authz": ["/p/1"]}, "ix_record_authz_gin"),
        ({"acl": ["1"]}, "ix_record_acl_gin"),
        ({"size": ["1"], "limit": ["1024"]}, "ix_record_size"),
        ({"file_name": ["1"]}, "ix_record_file_name"),
        ({"uploader": ["1"]}, "ix_record_uploader"),
        ({"page": ["3"]}, "ix_record_updated_date_guid"),
        ({"start": ["8"]}, "record_pkey"),
        ({"ids": ["a,b"]}, "record_pkey"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_filter_has_its_index(connection: sa.Connection, query: dict[str, list[str]], index: str) -> None:
    plans: list[str] = []

    def explain(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        cursor.execute("explain " + statement, parameters)
        plans.append("\n".join(row[0] for row in cursor.fetchall()))

    sa.event.listen(connection, "before_cursor_execute", explain)
    try:
        store.listing(connection, "index", record_filter(query, 1024))
    finally:
        sa.event.remove(connection, "before_cursor_execute", explain)
    assert index in plans[0]
