"""Callers of the submission service, the service as one of them sees it, and records to submit."""

import io
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.tokens import bearer

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.submission.app import PREFIX, SubmissionApp

HELD_S = 60
"""By when whoever holds a submission lets it go, in seconds."""

SMALL = Path(__file__).parent / "data" / "dictionary"

POLICIES = {
    "all": Policy("all", frozenset({Permission("*", "*")}), frozenset({("programs",), ("services",)})),
    "one": Policy(
        "one",
        frozenset(Permission("sheepdog", method) for method in ("create", "update", "read", "delete")),
        frozenset({("programs", "P", "projects", "one")}),
    ),
    "create": Policy(
        "create", frozenset({Permission("sheepdog", "create")}), frozenset({("programs", "P", "projects", "one")})
    ),
}
USERS = {"admin": "all", "alice": "one", "bob": "create"}
SNAPSHOT = Snapshot(
    policies=POLICIES,
    users={**{name: User((Binding(policy),)) for name, policy in USERS.items()}, "eve": User()},
)


class Api:
    """The service as one user sees it."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url + PREFIX
        self.headers = headers

    def __call__(self, method: str, path: str = "", json: Any = None, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return requests.request(method, self.url + path, json=json, headers=headers, **more)

    def put(self, *documents: Any, path: str = "/P/one", method: str = "PUT") -> dict[str, Any]:
        answer: dict[str, Any] = self(method, path, list(documents)).json()
        return answer

    def table(self, text: str | bytes, kind: str = "text/tab-separated-values", path: str = "/P/one") -> Any:
        data = text.encode() if isinstance(text, str) else text
        return self("PUT", path, data=data, headers={"Content-Type": kind}).json()

    def export(self, label: str, project: str = "one") -> dict[str, dict[str, Any]]:
        answer = self("GET", f"/P/{project}/export/?node_label={label}&format=json")
        return {each["submitter_id"]: each for each in answer.json()["data"]}

    def found(self) -> "Api":
        """The same, once there is a program with two projects, each with the experiment ``e``."""
        assert self("PUT", "/", {"type": "program", "name": "P", "dbgap_accession_number": "P"}).status_code == 200
        for code in ("one", "two"):
            project = {"type": "project", "code": code, "name": code, "dbgap_accession_number": code}
            assert self("PUT", "/P", project).status_code == 200
            experiment = {"type": "experiment", "submitter_id": "e", "projects": {"code": code}}
            answer = self.put(experiment, path=f"/P/{code}")
            assert answer["success"], answer
        return self


# -- fixtures ----------------------------------------------------------------------


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
def sql(database_url: str) -> Iterator[Callable[..., list[Any]]]:
    """Run one statement: ``sql("select …").all()``."""
    engine = sa.create_engine(database_url)

    def run(text: str, **parameters: Any) -> list[Any]:
        with engine.begin() as connection:
            result = connection.execute(sa.text(text), parameters)
            return list(result.all()) if result.returns_rows else []

    yield run
    engine.dispose()


@pytest.fixture
def held(running: Any) -> Iterator[threading.Event]:
    """Nothing that is submitted is committed before this is set."""
    log, event = running.app.model.tools.store.log, threading.Event()
    document = log.document

    def wait(*arguments: Any) -> None:
        # What is written of one that was refused is announced to nobody.
        assert arguments[-1] is None or event.wait(HELD_S)
        document(*arguments)

    log.document = wait
    yield event
    event.set()
    del log.document


# -- records -----------------------------------------------------------------------


def fresh() -> str:
    """A submitter_id that nothing has yet."""
    return f"c-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def name() -> str:
    return fresh()


def program(name: str) -> dict[str, Any]:
    return {"type": "program", "name": name, "dbgap_accession_number": name}


def project(code: str, **more: Any) -> dict[str, Any]:
    return {"type": "project", "code": code, "name": code, "dbgap_accession_number": code, **more}


def case(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **more}


def sample(name: str, parent: str, **more: Any) -> dict[str, Any]:
    return {"type": "sample", "submitter_id": name, "cases": {"submitter_id": parent}, **more}


def demographic(name: str, parent: str, **more: Any) -> dict[str, Any]:
    return {"type": "demographic", "submitter_id": name, "cases": {"submitter_id": parent}, **more}


def aliquot(name: str, *parents: str) -> dict[str, Any]:
    return {"type": "aliquot", "submitter_id": name, "samples": [{"submitter_id": each} for each in parents]}


# -- answers -----------------------------------------------------------------------


def ids(answer: dict[str, Any]) -> list[str]:
    """Ids of what was stored."""
    assert answer["success"], answer
    return [entity["id"] for entity in answer["entities"]]


def only_error(answer: dict[str, Any]) -> dict[str, Any]:
    """The one fault that is told."""
    [error] = [error for entity in answer["entities"] for error in entity["errors"]]
    return error


def names(archive: bytes) -> list[str]:
    """The files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.getnames()
