"""A running submission service with a program and a project, and callers of different rights."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.submission_service import SMALL, SNAPSHOT, Api
from tests.tokens import bearer

from commonshub.submission.app import SubmissionApp


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    running = run_service(SubmissionApp, Commons={"dictionary": str(SMALL)})
    running.hold(SNAPSHOT)
    return running


@pytest.fixture(scope="module")
def caller(running: Any, token: Callable[..., str]) -> Callable[[str | None], Api]:
    def make(username: str | None) -> Api:
        headers = {} if username is None else bearer(token(username))
        return Api(running.url, headers)

    return make


@pytest.fixture(scope="module")
def api(caller: Callable[[str | None], Api]) -> Api:
    """The administrator's view of a program with two projects, each with the experiment ``e``."""
    return caller("admin").found()


@pytest.fixture(scope="module")
def sql(database_url: str) -> Any:
    """Run one statement: ``sql("select …").all()``."""
    engine = sa.create_engine(database_url)

    def run(text: str, **parameters: Any) -> list[Any]:
        with engine.begin() as connection:
            result = connection.execute(sa.text(text), parameters)
            return list(result.all()) if result.returns_rows else []

    yield run
    engine.dispose()
