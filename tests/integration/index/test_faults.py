"""The index or its database dies in the middle of bulk writes: nothing acknowledged is lost, nothing is half there."""

import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.conftest import ORIGIN, free_port, wait_for_port
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.hub.accounts import Accounts, give, launcher
from commonshub.hub.postgres import Postgres, environment, socket_folder

ROOT = Path(__file__).parents[3]
RECORDS = 500
WITHIN_S = 60


class StoppableServer:
    """A PostgreSQL server that a test crashes and starts again."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.server.command(), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.server.wait_ready()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        self.process.send_signal(how)
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoppableServer]:
    folder = tmp_path_factory.mktemp("postgres")
    account = Accounts(folder / "accounts.json").part("postgres", str(folder / "cluster"))
    cluster, sockets = give(folder / "cluster", account), give(socket_folder(folder / "sockets"), account)
    # Only the machine's own end could lose what was not synchronized to the disk.
    wrap = launcher(account, writable=[cluster, sockets])
    made = Postgres(cluster, sockets, {"postgres": "test"}, wrap, {"fsync": "off"})
    made.initialise()
    started = StoppableServer(made)
    yield started
    started.stop(signal.SIGINT)
    shutil.rmtree(sockets)


@pytest.fixture(scope="module")
def database_url(server: StoppableServer) -> str:
    """A database on that server, in place of one on the server that all tests share."""
    engine = sa.create_engine(server.server.url("postgres", "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("create database faults"))
    engine.dispose()
    return server.server.url("postgres", "faults")


class Load:
    """Clients that write without pause, each request with a tag of its own.

    Attributes
    ----------
    tags
        Tags of all requests.
    acknowledged
        Tags of those that were answered with success.
    refused
        Answers that were no success.
    """

    def __init__(self, write: Callable[[str], requests.Response], clients: int = 3) -> None:
        self.write = write
        self.tags: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[requests.Response] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            tag = uuid.uuid4().hex
            self.tags.append(tag)
            try:
                answer = self.write(tag)
            except requests.RequestException:
                # Nobody listens, or the process was killed.
                self._stopped.wait(0.05)
                continue
            if answer.status_code == 200:
                self.acknowledged.append(tag)
            else:
                self.refused.append(answer)
                self._stopped.wait(0.2)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(WITHIN_S)


def record(tag: str) -> dict[str, Any]:
    return {"form": "object", "size": 1, "urls": [], "hashes": {"md5": uuid.uuid4().hex}, "uploader": tag}


def counts(engine: sa.Engine, tags: list[str]) -> dict[str, int]:
    """How many records there are of each tag."""
    query = sa.text("select uploader, count(*) from index.record where uploader = any(:tags) group by uploader")
    with engine.connect() as connection:
        return dict(map(tuple, connection.execute(query, {"tags": tags})))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(database_url, poolclass=sa.NullPool)
    yield made
    made.dispose()


@pytest.fixture
def process(
    database_url: str, s3: dict[str, Any], jwks_file: Path, tmp_path: Path
) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """Start the index on a port; the process."""
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int) -> subprocess.Popen[bytes]:
        options = {
            "ServiceApplication.url": f"http://127.0.0.1:{port}",
            "Commons.origin": ORIGIN,
            "Commons.data_dir": str(tmp_path),
            "DatabaseSettings.url": database_url,
            "TokenSettings.jwks_file": str(jwks_file),
            "StorageSettings.endpoint_url": s3["endpoint_url"],
            "StorageSettings.credentials_file": s3["credentials_file"],
        }
        command = [
            sys.executable,
            "-m",
            "tests.index_process",
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))
        wait_for_port(port, WITHIN_S)
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait(30)


def test_a_killed_index_leaves_bulk_writes_whole_or_absent(
    process: Callable[[int], subprocess.Popen[bytes]], engine: sa.Engine, token: Callable[..., str]
) -> None:
    port = free_port()
    headers = bearer(token("admin"))
    url = f"http://127.0.0.1:{port}/index/bulk/records"

    def write(tag: str) -> requests.Response:
        made = requests.post(url, json=[record(tag) for _ in range(RECORDS)], headers=headers, timeout=WITHIN_S)
        made.raise_for_status()
        # Half of them change, and half go while as many come.
        named = [{"did": each["did"], "rev": each["rev"]} for each in made.json()]
        changed, gone = named[: RECORDS // 2], named[RECORDS // 2 :]
        parts = {
            "update": [each | {"version": tag} for each in changed],
            "delete": gone,
            "create": [record(tag) | {"version": tag} for _ in gone],
        }
        return requests.patch(url, json=parts, headers=headers, timeout=WITHIN_S)

    running = process(port)
    load = Load(write)
    try:
        for _ in range(3):
            before = len(load.acknowledged)
            eventually(lambda seen=before: len(load.acknowledged) > seen + 1, WITHIN_S)
            running.send_signal(signal.SIGKILL)
            running.wait(30)
            running = process(port)
    finally:
        load.stop()
    found = counts(engine, load.tags)
    assert set(found.values()) == {RECORDS}
    query = sa.text("select uploader, count(*) filter (where version = uploader) from index.record group by uploader")
    with engine.connect() as connection:
        versions = dict(map(tuple, connection.execute(query)))
    assert {versions[tag] for tag in load.acknowledged} == {RECORDS}
    assert set(versions.values()) <= {0, RECORDS}


def test_a_database_that_crashes_under_load_is_told_of_and_met_again(
    server: StoppableServer, running: Any, url: str, engine: sa.Engine, token: Callable[..., str]
) -> None:
    running.call(running.app.grants.stop())
    headers = bearer(token("admin"))

    def bulk(tag: str) -> requests.Response:
        body = [record(tag) for _ in range(RECORDS)]
        return requests.post(f"{url}/index/bulk/records", json=body, headers=headers, timeout=WITHIN_S)

    def single(tag: str) -> requests.Response:
        return requests.post(f"{url}/index/index", json=record(tag), headers=headers, timeout=WITHIN_S)

    def read(tag: str) -> requests.Response:
        return requests.post(f"{url}/index/bulk/hashes", json={"md5": [tag]}, timeout=WITHIN_S)

    loads = [Load(bulk), Load(single), Load(read)]
    try:
        eventually(lambda: all(load.acknowledged for load in loads), WITHIN_S)
        server.stop()
        eventually(lambda: all(len(load.refused) > 2 for load in loads), WITHIN_S)
        server.start()
        before = [len(load.acknowledged) for load in loads]
        pairs = list(zip(loads, before, strict=True))
        eventually(lambda: all(len(load.acknowledged) > seen + 2 for load, seen in pairs), WITHIN_S)
    finally:
        for load in loads:
            load.stop()
    refusals = {(answer.status_code, answer.headers.get("Retry-After")) for load in loads for answer in load.refused}
    assert refusals == {(503, "5")}
    for load, size in zip(loads, (RECORDS, 1), strict=False):
        found = counts(engine, load.tags)
        assert set(load.acknowledged) <= set(found)
        assert set(found.values()) == {size}
    assert requests.get(f"{url}/index/_status", timeout=WITHIN_S).text == "Healthy"
