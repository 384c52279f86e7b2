"""Rows that are loaded are what they would have been with any other statement."""

from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonshub.core import records
from commonshub.core.database import create_engine
from commonshub.core.loading import load
from commonshub.core.records import Draft
from commonshub.core.settings import DatabaseSettings

GUID = "00000000-0000-4000-8000-000000000001"
TEXT = st.text(st.one_of(st.sampled_from("\"\\,{}' \t\r\nN."), st.characters(exclude_characters="\0", codec="utf-8")))
WORDS = TEXT | st.sampled_from(["", "\\N", "NULL", "\\.", "{}"])
OBJECTS = st.dictionaries(WORDS, WORDS, max_size=3)
DATES = st.none() | st.datetimes(min_value=datetime(1, 1, 1))
DRAFTS = st.builds(
    Draft,
    did=st.just(GUID),
    form=st.none() | WORDS,
    size=st.none() | st.integers(0, 2**63 - 1),
    hashes=OBJECTS,
    urls=st.lists(WORDS, max_size=3),
    urls_metadata=OBJECTS,
    file_name=st.none() | WORDS,
    version=st.none() | WORDS,
    uploader=st.none() | WORDS,
    acl=st.lists(WORDS, max_size=3),
    authz=st.lists(WORDS, max_size=3),
    metadata=OBJECTS,
    description=st.none() | WORDS,
    content_created_date=DATES,
    content_updated_date=DATES,
    aliases=st.lists(WORDS, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(DRAFTS)
def test_a_record_that_is_loaded_is_the_one_that_would_have_been_inserted(
    connection: sa.Connection, draft: Draft
) -> None:
    found = []
    for way in (records.add, records.create):
        try:
            way(connection, "index", [draft])
            record = records.get(connection, "index", GUID)
        finally:
            connection.rollback()
        assert record is not None
        assert all((record.baseid, record.rev, record.created_date, record.updated_date))
        found.append(record._replace(baseid=None, rev=None, created_date=None, updated_date=None))
    assert found[0] == found[1]


@pytest.mark.parametrize("stored", [True, False], ids=["taken", "given twice"])
def test_what_is_there_already_is_refused_with_all_that_came_with_it(connection: sa.Connection, stored: bool) -> None:
    drafts = [Draft(did=GUID), Draft()] if stored else [Draft(did=GUID), Draft(did=GUID)]
    if stored:
        records.add(connection, "index", [Draft(did=GUID)])
    count = sa.select(sa.func.count()).select_from(records.tables("index").record)
    before = connection.execute(count).scalar_one()
    with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
        records.add(connection, "index", drafts)
    assert connection.execute(count).scalar_one() == before
    connection.rollback()


def test_a_server_that_goes_away_leaves_no_connection_that_seems_alive(database_url: str) -> None:
    engine = create_engine(DatabaseSettings(url=database_url))
    table: Any = sa.Table("loaded", sa.MetaData(), sa.Column("a", sa.Text), prefixes=["TEMPORARY"])
    with engine.connect() as lost, engine.connect() as other:
        pid = lost.execute(sa.text("select pg_backend_pid()")).scalar_one()
        other.execute(sa.select(sa.func.pg_terminate_backend(pid)))
        with pytest.raises(sa.exc.OperationalError) as raised:
            load(lost, table, ("a",), ["x\n"])
        assert (raised.value.connection_invalidated, lost.invalidated) == (True, True)
    engine.dispose()
