"""A query service on a small graph, and a count of the statements that each request makes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.integration.query.model import RECORDS, insert, write_dictionary
from tests.tokens import bearer

from commonshub.core.dictionary import Dictionary, load
from commonshub.core.graph import Graph
from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.query.app import QueryApp
from commonshub.submission.app import SubmissionApp

GRAPHQL = "/api/v0/submission/graphql"
SUBMISSION = "/api/v0/submission"
READERS = {
    "alice": ["/programs"],
    "bob": ["/programs/P/projects/Q"],
    "carol": ["/programs/P"],
    "nobody": ["/workspace", "/open"],
}


def readers(paths_by_user: dict[str, list[str]], service: str = "peregrine", method: str = "read") -> Snapshot:
    """Policies that let each user read below some paths."""
    permission = frozenset([Permission(service, method)])
    policies = {
        user: Policy(user, permission, frozenset(tuple(path[1:].split("/")) for path in paths))
        for user, paths in paths_by_user.items()
    }
    return Snapshot(policies=policies, users={user: User(policies=(Binding(user),)) for user in policies})


@contextmanager
def writing(running: Any) -> Iterator[sa.Connection]:
    """A connection of our own to a service's database; the service's only read."""
    engine = sa.create_engine(running.app.database.engine.url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


class Statements:
    """The statements that an engine has run."""

    def __init__(self, engine: sa.Engine) -> None:
        self.texts: list[str] = []
        sa.event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.texts.append(statement)


class Client:
    """Asks a running query service, and sees that each request makes no more than one statement."""

    def __init__(self, running: Any, token: Callable[..., str]) -> None:
        self.running = running
        self.token = token
        self.statements = Statements(running.app.database.engine)

    def post(self, body: Any, user: str | None = "alice") -> requests.Response:
        """Any answer; no query, right or wrong, makes more than one statement on records."""
        headers, before = bearer(self.token(user)) if user else {}, len(self.statements.texts)
        answer = requests.post(self.running.url + GRAPHQL, json=body, headers=headers, timeout=60)
        on_records = [text for text in self.statements.texts[before:] if '"graph"."' in text or "release_nodes" in text]
        assert len(on_records) <= (len(body) if isinstance(body, list) else 1), on_records
        return answer

    def ask(self, query: str, variables: Any = None, user: str = "alice", statements: int = 1) -> Any:
        """The data that a faultless query gets."""
        self.statements.texts.clear()
        answer = self.post({"query": query, "variables": variables}, user)
        body = answer.json()
        assert (answer.status_code, body.get("errors")) == (200, None), body
        assert "errors" not in body
        assert len(self.statements.texts) == statements
        return body["data"]

    def faults(self, query: str, variables: Any = None, user: str = "alice", **more: Any) -> list[str]:
        """The errors that a faulty query gets."""
        answer = self.post({"query": query, "variables": variables, **more}, user)
        assert answer.status_code == 400, answer.text
        errors = answer.json()["errors"]
        assert errors
        assert all(isinstance(error, str) for error in errors)
        return list(errors)

    def refused(self, query: str, variables: Any = None) -> list[str]:
        """The errors of a query that is refused before the database is asked anything."""
        self.statements.texts.clear()
        errors = self.faults(query, variables)
        assert not self.statements.texts
        return errors


@pytest.fixture(scope="module")
def dictionary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dictionary(tmp_path_factory.mktemp("dictionary"))


@pytest.fixture(scope="module")
def dictionary(dictionary_file: Path) -> Dictionary:
    return load(str(dictionary_file))


@pytest.fixture(scope="module")
def empty_client(run_service: Callable[..., Any], dictionary_file: Path, token: Callable[..., str]) -> Iterator[Client]:
    """A service on an empty graph."""
    running = run_service(QueryApp, Commons={"dictionary": str(dictionary_file)})
    running.hold(readers(READERS))
    return Client(running, token)


@pytest.fixture(scope="module")
def client(empty_client: Client, dictionary: Dictionary) -> Client:
    """A service on the graph of :mod:`tests.integration.query.model`."""
    graph = Graph(dictionary, "graph")
    with writing(empty_client.running) as connection:
        insert(connection, graph, RECORDS)
    return empty_client


_PATHS = {"alice": [("programs",), ("services",)], "bob": [("programs", "P", "projects", "other")]}
_POLICIES = Snapshot(
    policies={
        name: Policy(name, frozenset([Permission("*", "*")]), frozenset(paths)) for name, paths in _PATHS.items()
    },
    users={name: User(policies=(Binding(name),)) for name in _PATHS},
)


def case(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "studies": {"submitter_id": "st"}, **more}


def sample(name: str, parent: str, kind: str) -> dict[str, Any]:
    return {"type": "sample", "submitter_id": name, "kind": kind, "cases": {"submitter_id": parent}}


class Commons:
    """A submission service and a query service on one database, as an administrator sees them."""

    def __init__(self, submission: str, client: Client, token: Callable[..., str]) -> None:
        self.submission = submission
        self.client = client
        self.token = token

    def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(
            method, self.submission + SUBMISSION + path, json=body, headers=bearer(self.token("alice")), timeout=60
        )
        assert answer.ok, answer.text
        return answer.json()

    def ask(self, query: str, release: str | None = None) -> Any:
        answer = self.client.post({"query": query, "release": release})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@pytest.fixture(scope="module")
def commons(run_service: Callable[..., Any], dictionary_file: Path, token: Callable[..., str]) -> Commons:
    """A project with a few records that were submitted."""
    submission = run_service(SubmissionApp, Commons={"dictionary": str(dictionary_file)})
    query = run_service(QueryApp, Commons={"dictionary": str(dictionary_file)})
    submission.hold(_POLICIES)
    query.hold(_POLICIES)
    commons = Commons(submission.url, Client(query, token), token)
    commons.send("PUT", "/", {"type": "program", "name": "P", "dbgap_accession_number": "P"})
    commons.send("PUT", "/P", {"type": "project", "code": "Q", "name": "Q", "dbgap_accession_number": "Q"})
    study = {"type": "study", "submitter_id": "st", "projects": {"code": "Q"}}
    commons.send(
        "PUT", "/P/Q", [study, case("c", age=61), case("d"), sample("s", "c", "blood"), sample("t", "d", "hair")]
    )
    return commons
