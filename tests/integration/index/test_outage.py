"""PostgreSQL stops for ten seconds under load: nothing acknowledged is lost, and nobody has to be started anew."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import USER_FILE, Auth
from tests.processes import StoppablePostgres
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.auth.app import AuthApp
from commonshub.core import records
from commonshub.core.errors import Unavailable
from commonshub.index.app import IndexApp

PROJECT = "/programs/a/projects/one"
OUTAGE_S = 10
WRITERS = 4


@pytest.fixture(scope="module")
def auth(
    run_service: Callable[..., Any], own_postgres: StoppablePostgres, tmp_path_factory: pytest.TempPathFactory
) -> Auth:
    folder = tmp_path_factory.mktemp("auth")
    (folder / "user.yaml").write_text(USER_FILE)
    return Auth(run_service(AuthApp, **settings(own_postgres, folder)))


@pytest.fixture(scope="module")
def index(run_service: Callable[..., Any], auth: Auth, own_postgres: StoppablePostgres) -> Any:
    return run_service(IndexApp, BlobSettings={"retry_s": 0.2}, **settings(own_postgres, auth.app.commons.path))


def settings(server: StoppablePostgres, folder: Path) -> dict[str, Any]:
    return {
        "Commons": {"data_dir": str(folder)},
        "DatabaseSettings": {"url": server.url},
        "TokenSettings": {"jwks_file": str(folder / "keys" / "jwks.json")},
    }


class Answer(NamedTuple):
    """What is kept of a response: the response itself would keep its connection open, and there are thousands."""

    status: int
    text: str
    retry_after: str | None


class Load:
    """Clients that write and read without a pause, and note every answer."""

    def __init__(self, auth: Auth, index: Any) -> None:
        self.auth = auth
        self.index = index
        # Made beforehand: the test itself would ask the database for it.
        self.headers = bearer(auth.access_token("root"))
        self.writer = bearer(auth.access_token("writer"))
        self.ended = threading.Event()
        self.stored: list[str] = []
        self.answers: list[Answer] = []

    def create(self) -> int:
        did = str(uuid.uuid4())
        body = {"did": did, "form": "object", "size": 1, "hashes": {"md5": "0" * 32}, "urls": [], "authz": [PROJECT]}
        answer = requests.post(f"{self.index.url}/index/index", json=body, headers=self.headers, timeout=60)
        if answer.status_code == 200:
            self.stored.append(did)
        return self.note(answer)

    def upload(self) -> int:
        body = {"file_name": "x", "authz": [PROJECT]}
        answer = self.auth.post("/user/data/upload", headers=self.writer, json=body)
        if answer.status_code == 201:
            self.stored.append(answer.json()["guid"])
        return self.note(answer)

    def read(self) -> int:
        return self.note(requests.get(f"{self.index.url}/index/index?limit=1", timeout=60))

    def note(self, answer: requests.Response) -> int:
        self.answers.append(Answer(answer.status_code, answer.text, answer.headers.get("Retry-After")))
        return answer.status_code

    def run(self) -> None:
        while not self.ended.is_set():
            self.create()
            self.upload()
            self.read()


@pytest.fixture
def load(auth: Auth, index: Any) -> Iterator[Load]:
    made = Load(auth, index)
    with ThreadPoolExecutor(WRITERS) as threads:
        running = [threads.submit(made.run) for _ in range(WRITERS)]
        yield made
        made.ended.set()
        for each in running:
            each.result(60)


def test_an_outage_of_the_database_costs_nothing_but_time(
    auth: Auth, index: Any, load: Load, own_postgres: StoppablePostgres
) -> None:
    assert eventually(lambda: len(load.stored) > 20)
    own_postgres.stop()
    stopped = time.monotonic()
    assert eventually(lambda: time.monotonic() - stopped > OUTAGE_S)
    refused = [answer for answer in load.answers if answer.status == 503]
    own_postgres.start()
    before = len(load.stored)
    assert eventually(lambda: len(load.stored) > before + 20)
    load.ended.set()

    assert refused
    assert [answer.text for answer in load.answers if answer.status == 500] == []
    assert {answer.status for answer in load.answers} == {200, 201, 503}
    assert all(answer.retry_after for answer in load.answers if answer.status == 503)
    acknowledged = set(load.stored)
    assert set(auth.app.database.call(records.get_many, "index", acknowledged)) == acknowledged


def test_an_upload_is_verified_after_the_outage(auth: Auth, index: Any, own_postgres: StoppablePostgres) -> None:
    made = auth.post("/user/data/upload", "writer", json={"file_name": "x", "authz": [PROJECT]}).json()
    own_postgres.stop()
    requests.put(made["url"], data=b"x", timeout=30).raise_for_status()
    own_postgres.start()

    def blob() -> Any:
        answer = requests.get(f"{index.url}/index/index/{made['guid']}/blob", timeout=30)
        return answer.status_code == 200 and answer.json()["state"] == "verified"

    assert eventually(blob)


def test_no_record_is_left_without_its_upload(auth: Auth, index: Any) -> None:
    record, blob, *_ = records.tables("index")
    lone = sa.select(record.c.guid).where(record.c.size.is_(None), ~sa.exists().where(blob.c.guid == record.c.guid))
    found: list[Any] = []

    def asked() -> bool:
        # Connections that died in the outage are noticed by the first who use them.
        with suppress(Unavailable):
            found.extend(auth.app.database.call(lambda connection: connection.execute(lone).all()))
            return True
        return False

    assert eventually(asked)
    assert found == []
