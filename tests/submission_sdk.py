"""The unmodified ``gen3.submission.Gen3Submission``, with submission and query behind one origin."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gen3.submission import Gen3Submission
from tests.servers import Router, answering
from tests.submission_service import SMALL, SNAPSHOT, program, project
from tests.tokens import Bearer
from tornado import netutil, web

from commonshub.query.app import QueryApp
from commonshub.submission.app import PREFIX, SubmissionApp


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody's."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def submission(run_service: Callable[..., Any], token: Callable[..., str]) -> Iterator[Callable[..., Gen3Submission]]:
    services = [run_service(app, Commons={"dictionary": str(SMALL)}) for app in (SubmissionApp, QueryApp)]
    for each in services:
        each.hold(SNAPSHOT)
    writing, reading = (each.url for each in services)
    routes = {PREFIX: writing, f"{PREFIX}/graphql": reading, f"{PREFIX}/getschema": reading}
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    with answering(web.Application([(r"/.*", Router)], routes=routes, log_function=lambda _: None), sockets):
        yield lambda name="admin": Gen3Submission(endpoint=url, auth_provider=Bearer(url, token(name)))


@pytest.fixture(scope="module")
def sub(submission: Callable[..., Gen3Submission]) -> Gen3Submission:
    """The administrator's client, with program ``DEV`` and project ``test``."""
    client = submission()
    client.create_program(program("DEV"))
    client.create_project("DEV", project("test"))
    client.submit_record("DEV", "test", {"type": "experiment", "submitter_id": "e", "projects": {"code": "test"}})
    return client
