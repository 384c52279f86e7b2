"""Lists of text arrive in PostgreSQL as they were."""

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonshub.core.texts import TEXTS

TEXT = st.text(st.one_of(st.sampled_from("\"\\,{}' \n"), st.characters(exclude_characters="\0", codec="utf-8")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(TEXT | st.sampled_from(["", "NULL", "null", "{}", " ", '"', "\\"])))
def test_any_texts_arrive_as_they_were(connection: sa.Connection, texts: list[str]) -> None:
    sent = sa.select(sa.bindparam("sent", type_=TEXTS), sa.func.cardinality(sa.bindparam("sent", type_=TEXTS)))
    assert tuple(connection.execute(sent, {"sent": texts}).one()) == (texts, len(texts))


def test_no_list_is_null(connection: sa.Connection) -> None:
    assert connection.execute(sa.select(sa.bindparam("sent", None, type_=TEXTS))).scalar_one() is None
