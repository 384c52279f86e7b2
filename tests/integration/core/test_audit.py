"""Rows of the audit trail in a real table."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from tests.statements import noted

from commonshub.core import audit
from commonshub.core.audit import Entry
from commonshub.core.database import create_engine
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.settings import DatabaseSettings

ALICE = Identity("alice", "client-1", token_id="t-1", session="key-1")


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(DatabaseSettings(url=database_url))
    yield engine
    engine.dispose()


def rows(connection: sa.Connection) -> list[sa.Row]:
    table = audit.table("auth")
    return list(connection.execute(sa.select(table).order_by(table.c.id)))


def test_each_entry_of_a_request_is_a_row_that_says_who_asked(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        entries = [Entry("download", "g1", detail={"protocol": "s3"}), Entry("download", "g2", "denied")]
        audit.write_many(connection, "auth", ALICE, "r-1", entries)
        found = rows(connection)
    assert [(row.subject, row.decision, row.detail) for row in found] == [
        ("g1", "allowed", {"protocol": "s3"}),
        ("g2", "denied", {}),
    ]
    assert {(row.username, row.client, row.token_id, row.session, row.request_id) for row in found} == {
        ("alice", "client-1", "t-1", "key-1", "r-1")
    }


def test_a_thousand_rows_are_one_statement(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        entries = [Entry("download", f"g{number}") for number in range(1000)]
        with noted(engine) as statements:
            audit.write_many(connection, "auth", ALICE, "r-2", entries)
        assert len(statements) == 1
        assert [row.subject for row in rows(connection)] == [entry.subject for entry in entries]


def test_nothing_to_tell_writes_nothing(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        audit.write_many(connection, "auth", ALICE, "r-3", [])
        assert rows(connection) == []


def test_whatever_is_asked_for_can_be_told_of(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        audit.write(connection, "auth", ANONYMOUS, "r", action="download", subject="a\x00b" * 999, decision="failed")
        [row] = rows(connection)
    assert row.subject.startswith("a\ufffdb")
    assert len(row.subject) == audit.MAX_SUBJECT
