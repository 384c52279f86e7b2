"""Submissions at every isolation level that a database may have set."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from tests.submission_service import SMALL, SNAPSHOT, case, only_error, sample

from commonshub.submission.app import SubmissionApp


@pytest.fixture(scope="module", params=["read committed", "repeatable read", "serializable"])
def level(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any], level: str, database_url: str) -> Any:
    engine = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = connection.scalar(sa.text("select current_database()"))
        connection.execute(sa.text(f"alter database \"{name}\" set default_transaction_isolation = '{level}'"))
    engine.dispose()
    running = run_service(SubmissionApp, Commons={"dictionary": str(SMALL)})
    running.hold(SNAPSHOT)
    return running


def test_g20_records_are_stored_at_every_level(api: Any, running: Any, level: str, name: str) -> None:
    shown = sa.text("show transaction_isolation")
    assert running.app.database.call(lambda connection: connection.execute(shown).scalar_one()) == level
    assert api.put(case(name), sample(name, name))["success"]
    assert name in api.export("sample")


def test_g20_of_writers_at_once_each_has_its_answer(api: Any, name: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: api.put(case(name), method="POST"), range(3)))
        merged = list(pool.map(lambda n: api.put(case(name, primary_site=str(n))), range(3)))
    assert sorted(answer["code"] for answer in answers) == [201, 400, 400]
    told = [only_error(answer)["message"] for answer in answers if not answer["success"]]
    assert all("already exists in the DB" in message for message in told)
    assert all(answer["success"] for answer in merged), merged
