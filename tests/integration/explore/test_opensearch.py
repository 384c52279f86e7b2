"""The life of an index in OpenSearch: whole or not there, found by its aliases, gone with its run."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conftest import free_port
from tests.opensearch import Node
from tests.servers import answering
from tests.waiting import eventually
from tornado import web
from tornado.netutil import bind_sockets

from commonshub.core.errors import Conflict, NotFound, Unavailable, UpstreamError
from commonshub.explore import store
from commonshub.explore.etl import Etl, Outcome
from commonshub.explore.opensearch.client import Client
from commonshub.explore.opensearch.write import Writer
from commonshub.explore.settings import ExploreSettings

from .conftest import Explorer
from .test_engines import TYPE, make_documents

TYPES = ("case", "file", "project", "tumor")
QUERY = {"query": "{ case { submitter_id } _aggregation { case { _totalCount } } }"}


@pytest.fixture(scope="module")
def node(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that these tests may stop and spoil."""
    own = Node(tmp_path_factory.mktemp("own-node"), free_port())
    own.start()
    yield own
    own.stop()


@pytest.fixture(scope="module")
def engine(node: Node) -> dict[str, Any]:
    return node.settings()


@pytest.fixture
def run(explorer: Explorer, engine: dict[str, Any]) -> Callable[[], Outcome]:
    """One run beside the service, of which two are kept."""
    app = explorer.running.app
    names = ("mapping_file", "index_dir")
    own = ExploreSettings(**{name: getattr(app.settings, name) for name in names}, kept_runs=2, **engine)
    etl = Etl(app.database, app.commons, own, lambda *_: None)

    def once() -> Outcome | None:
        try:
            return etl.run(force=True)
        except Conflict:
            return None

    # The service may be building just now: its run goes first.
    return lambda: eventually(once)


def held(node: Node, engine: dict[str, Any]) -> dict[str, list[str]]:
    """The commons' indexes and their aliases, without the prefix."""
    prefix = engine["opensearch_prefix"]
    found = requests.get(f"{node.url}/{prefix}-*/_alias", timeout=30).json()
    return {
        index.removeprefix(f"{prefix}-"): [alias.removeprefix(f"{prefix}-") for alias in each["aliases"]]
        for index, each in found.items()
    }


def expected(active: int, *others: int) -> dict[str, list[str]]:
    found = {f"{name}-{active}": [name] for name in TYPES} | {str(active): []}
    return found | {name: [] for run in others for name in (*(f"{each}-{run}" for each in TYPES), str(run))}


def test_aliases_lead_to_the_active_run_and_others_go(
    explorer: Explorer, node: Node, engine: dict[str, Any], run: Callable[[], Outcome]
) -> None:
    # What a run left behind that was killed while it loaded.
    killed = f"{node.url}/{engine['opensearch_prefix']}-case-999999"
    assert requests.put(killed, timeout=30).ok
    first, second, third = (run().run or 0 for _ in range(3))
    assert held(node, engine) == expected(third, second)
    app = explorer.running.app
    etl = Etl(app.database, app.commons, app.settings, lambda *_: None)
    with pytest.raises(NotFound):
        etl.roll_back(first)
    assert etl.roll_back() == second
    assert held(node, engine) == expected(second, third)
    eventually(lambda: app.shelf.wanted == second)
    assert explorer.count(None) == 4


def test_a_run_that_opensearch_refuses_leaves_the_old_index_and_nothing_of_its_own(
    explorer: Explorer, node: Node, engine: dict[str, Any], run: Callable[[], Outcome]
) -> None:
    good = run().run or 0
    before = held(node, engine)
    template = f"{node.url}/_index_template/full"
    pattern = f"{engine['opensearch_prefix']}-tumor-*"
    body = {"index_patterns": [pattern], "template": {"settings": {"index.blocks.write": True}}}
    assert requests.put(template, json=body, timeout=30).ok
    try:
        with pytest.raises(UpstreamError, match=r"refused documents of \w+-tumor-\d+: [0-9a-f-]{36}: .*blocked"):
            run()
    finally:
        requests.delete(template, timeout=30)
    app = explorer.running.app
    newest = app.database.call(store.runs, app.schema, 1)[0]
    assert (newest.state, "OpenSearch refused" in newest.message) == ("failed", True)
    assert app.database.call(store.active, app.schema).id == good
    assert held(node, engine) == before
    assert explorer.count(None) == 4


def test_a_refused_document_is_named(opensearch: Node) -> None:
    wrong = {**make_documents(1)[0], "_case_id": "the wrong one", "age": "old"}
    writer = Writer(Client(opensearch.url, 30), "refused", 1, 2**20, 1, 0, lambda *_: None)
    with pytest.raises(UpstreamError, match=r"the wrong one: failed to parse field \[age\]"):
        writer.write([TYPE], {TYPE.name: [[*make_documents(3), wrong]]})


def test_while_opensearch_is_away_everything_else_is_told_to_come_back(explorer: Explorer, node: Node) -> None:
    assert explorer.post("graphql", QUERY).json()["data"]["_aggregation"]["case"]["_totalCount"] == 4
    node.stop()
    for path, body in (("graphql", {"query": "{ case { sex } }"}), ("download", {"type": "case"})):
        answer = explorer.post(path, body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), answer.text
        assert "OpenSearch does not answer" in answer.text
    app = explorer.running.app
    with pytest.raises(Unavailable, match="OpenSearch does not answer"):
        Etl(app.database, app.commons, app.settings, lambda *_: None).run(force=True)
    node.start()
    assert explorer.count(None) == 4


def test_credentials_come_from_a_file_and_a_refusal_is_told(tmp_path: Path) -> None:
    class Guarded(web.RequestHandler):
        def get(self) -> None:
            given = self.request.headers.get("Authorization", "").removeprefix("Basic ")
            if base64.b64decode(given) != b"me:a:secret":
                raise web.HTTPError(401)
            self.write({"who": "me"})

    file = tmp_path / "opensearch.json"
    sockets = bind_sockets(0, "127.0.0.1")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    with answering(web.Application([(".*", Guarded)]), sockets):
        file.write_text(json.dumps({"user": "me", "password": "a:secret"}))
        assert Client(url, 5, str(file)).need("GET", "/") == {"who": "me"}
        file.write_text(json.dumps({"user": "me", "password": "wrong"}))
        for credentials in (str(file), ""):
            with pytest.raises(UpstreamError, match="refuses the credentials") as caught:
                Client(url, 5, credentials).need("GET", "/")
            assert "wrong" not in str(caught.value)
        with pytest.raises(UpstreamError, match="cannot read the credentials"):
            Client(url, 5, str(tmp_path / "nothing")).need("GET", "/")
