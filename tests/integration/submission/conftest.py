"""A running submission service with a program and a project, and callers of different rights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.tokens import bearer

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.submission.app import PREFIX, SubmissionApp

SMALL = Path(__file__).parents[2] / "data" / "dictionary"

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
    api = caller("admin")
    assert api("PUT", "/", {"type": "program", "name": "P", "dbgap_accession_number": "P"}).status_code == 200
    for code in ("one", "two"):
        project = {"type": "project", "code": code, "name": code, "dbgap_accession_number": code}
        assert api("PUT", "/P", project).status_code == 200
        experiment = {"type": "experiment", "submitter_id": "e", "projects": {"code": code}}
        answer = api.put(experiment, path=f"/P/{code}")
        assert answer["success"], answer
    return api


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


def case(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **more}
