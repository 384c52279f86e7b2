"""The usual filters of a list are answered from indexes."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from commonshub.core import records
from commonshub.core.records import Draft
from commonshub.index import store
from commonshub.index.filters import record_filter
from commonshub.index.pages import Place, Start
from commonshub.index.rooms import Room

ROOM = Room(2**20, "")


@pytest.fixture(scope="module")
def connection(running: Any) -> Iterator[sa.Connection]:
    drafts = [
        Draft(
            size=n,
            hashes={"md5": f"{n:032x}"},
            urls=[f"s3://b/{n}"],
            urls_metadata={f"s3://b/{n}": {"k": str(n)}},
            authz=[f"/p/{n}"],
            acl=[str(n)],
            file_name=str(n),
            version=str(n),
            metadata={"k": str(n)},
        )
        for n in range(500)
    ]
    with running.app.database.engine.begin() as connection:
        records.create(connection, "index", drafts)
        # A small table is read whole whatever its indexes; this asks whether an index would serve.
        connection.execute(sa.text('analyze "index".record'))
        connection.execute(sa.text("set local enable_seqscan = off"))
        yield connection
        connection.rollback()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"hash": ["md5:" + "0" * 32]}, "ix_record_hashes_gin"),
        ({"hash": ["md5:" + "0" * 32], "page": ["0"]}, "ix_record_hashes_gin"),
        ({"hash": ["md5:" + "0" * 32], "limit": ["1"]}, "ix_record_hashes_gin"),
        ({"url": ["s3://b/1"], "limit": ["1"]}, "ix_record_urls_gin"),
        ({"authz": ["/p/1"]}, "ix_record_authz_gin"),
        ({"authz": ["null"]}, "ix_record_no_authz"),
        ({"acl": ["1"]}, "ix_record_acl_gin"),
        ({"acl": ["null"]}, "ix_record_no_acl"),
        ({"size": ["1"], "limit": ["1024"]}, "ix_record_size"),
        ({"file_name": ["1"]}, "ix_record_file_name"),
        ({"uploader": ["1"]}, "ix_record_uploader"),
        ({"version": ["1"]}, "ix_record_version"),
        ({"metadata": ["k:1"]}, "ix_record_record_metadata_gin"),
        ({"metadata": ["other:"]}, "ix_record_record_metadata_gin"),
        ({"urls_metadata": ['{"s3:": {"k": "1"}}']}, "ix_record_url_metadata_gin"),
        ({"page": ["3"]}, "ix_record_changed"),
        ({"start": ["8"]}, "record_pkey"),
        ({"ids": ["a,b"]}, "record_pkey"),
        ({"negate_params": ['{"version": "1", "acl": ["1"]}'], "limit": ["10"]}, "record_pkey"),
    ],
    ids=str,
)
def test_a_filter_has_its_index(connection: sa.Connection, query: dict[str, list[str]], index: str) -> None:
    wanted = record_filter(query, 1024)
    if wanted.page is None:
        plan = explained(connection, lambda: store.listing(connection, "index", wanted, ROOM))
    else:
        plan = explained(connection, lambda: store.page(connection, "index", wanted, Start(None, 3), ROOM))
    assert index in plan


def test_a_page_starts_after_the_page_before(connection: sa.Connection) -> None:
    place = Place(datetime(2020, 1, 1), "a")
    plan = explained(
        connection, lambda: store.page(connection, "index", record_filter({"page": ["9"]}, 1024), Start(place, 0), ROOM)
    )
    assert "Index Cond: (ROW(updated_date, (guid)::text) >=" in plan


@pytest.mark.parametrize("limit", [1, 7, 499, 500, 501])
def test_where_a_page_ends_is_told_without_the_records(connection: sa.Connection, limit: int) -> None:
    wanted = record_filter({"limit": [str(limit)]}, 1024)
    assert "Index Only Scan using record_pkey" in explained(connection, lambda: store.turn(connection, "index", wanted))
    page = store.listing(connection, "index", wanted, ROOM)
    assert store.turn(connection, "index", wanted) == (page.last if page.number == limit else None)


def explained(connection: sa.Connection, read: Callable[[], object]) -> str:
    """PostgreSQL's plan of the one statement that a read makes."""
    plans: list[str] = []

    def explain(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        cursor.execute("explain " + statement, parameters)
        plans.append("\n".join(row[0] for row in cursor.fetchall()))

    sa.event.listen(connection, "before_cursor_execute", explain)
    try:
        read()
    finally:
        sa.event.remove(connection, "before_cursor_execute", explain)
    [plan] = plans
    return plan
