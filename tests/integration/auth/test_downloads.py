"""What downloads cost, and how many at once keep apart."""

import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.statements import noted
from tests.tokens import bearer

from commonshub.core import records
from commonshub.core.storage import Location

ONE, TWO = "/programs/a/projects/one", "/programs/a/projects/two"


@pytest.fixture
def readable(auth: Auth) -> str:
    """GUID of a record that alice may download."""
    guid = str(uuid.uuid4())
    return auth.record(did=guid, urls=[f"s3://commons/{guid}/x"], authz=[ONE]).did


def cost(auth: Auth, method: str, path: str, **options: Any) -> list[str]:
    """The verbs of the SQL that one request costs: the fewest of some tries, since policies are read now and then."""
    headers = bearer(auth.access_token("alice"))
    tries = []
    for _ in range(20):
        with noted(auth.app.database.engine) as seen:
            assert auth.request(method, path, headers=headers, **options).status_code == 200
        tries.append([each.text.split()[0].lower() for each in seen])
    return min(tries, key=len)


def test_a_download_costs_two_statements(auth: Auth, readable: str) -> None:
    assert cost(auth, "GET", f"/user/data/download/{readable}") == ["select", "insert"]


def test_a_bulk_of_downloads_costs_two_statements(auth: Auth, readable: str) -> None:
    guids = [readable, *(str(uuid.uuid4()) for _ in range(100))]
    assert cost(auth, "POST", "/user/data/download/bulk", json={"guids": guids}) == ["select", "insert"]


def test_a_download_connects_to_nothing_else(auth: Auth, readable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected = []
    connect = socket.socket.connect

    def note(self: socket.socket, address: Any) -> None:
        connected.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    assert auth.get(f"/user/data/download/{readable}", "alice").status_code == 200
    assert connected == [("127.0.0.1", auth.app.port)]


def test_downloads_that_come_together_keep_apart(auth: Auth, readable: str) -> None:
    other = auth.record(authz=[TWO]).did
    nothing = auth.record(urls=["odd://x/y"], authz=[ONE]).did
    asked = [("alice", readable, 200), ("bob", readable, 401), ("alice", other, 401), (None, readable, 401)]
    asked += [("alice", nothing, 400), ("alice", "unknown", 404), ("alice", "a%00b", 404)]
    before = len(auth.audited())
    ready = threading.Barrier(4 * len(asked))

    def download(one: tuple[str | None, str, int]) -> int:
        headers = bearer(auth.access_token(one[0])) if one[0] else {}
        ready.wait(30)
        return auth.get(f"/user/data/download/{one[1]}", headers=headers).status_code

    with ThreadPoolExecutor(4 * len(asked)) as threads:
        assert list(threads.map(download, 4 * asked)) == [status for *_, status in 4 * asked]
    rows = sorted((row.username or "", row.subject, row.decision) for row in auth.audited()[before:])
    decisions = {200: "allowed", 401: "denied"}
    assert rows == sorted(
        (user or "", guid.replace("%00", "\ufffd"), decisions.get(status, "failed")) for user, guid, status in 4 * asked
    )


def test_nobody_gets_a_url_that_the_trail_does_not_show(
    auth: Auth, readable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth.app.downloads, "auth_schema", "nowhere")
    answer = auth.get(f"/user/data/download/{readable}", "alice")
    assert answer.status_code == 500
    assert "X-Amz" not in answer.text


def test_a_store_that_hangs_holds_up_no_download(auth: Auth, readable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = sa.select(sa.func.count()).select_from(records.tables("index").record)
    before = auth.app.database.call(lambda connection: connection.execute(count).scalar_one())
    many = auth.app.database.settings.pool_size + 2
    start = partial(auth.post, "/user/data/multipart/init", "alice", json={"file_name": "x"})
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(many) as threads:
        silent.settimeout(60)
        monkeypatch.setattr(auth.app.storage_settings, "endpoint_url", f"http://127.0.0.1:{silent.getsockname()[1]}")
        hanging = [threads.submit(start) for _ in range(many)]
        held = [silent.accept()[0] for _ in range(many)]
        try:
            assert auth.get(f"/user/data/download/{readable}", "alice").status_code == 200
        finally:
            for connection in held:
                connection.close()
    assert {each.result().status_code for each in hanging} == {503}
    assert auth.app.database.call(lambda connection: connection.execute(count).scalar_one()) == before


def test_a_fault_of_one_is_nobody_elses(auth: Auth, readable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guid = str(uuid.uuid4())
    faulty = auth.record(did=guid, urls=[f"s3://commons/{guid}/x"], authz=[ONE])
    sign = auth.app.downloads.storage.address

    def address(location: Location) -> str:
        if location.key.startswith(faulty.did):
            raise RuntimeError("a bug")
        return sign(location)

    monkeypatch.setattr(auth.app.downloads.storage, "address", address)
    answer = auth.post("/user/data/download/bulk", "alice", json={"guids": [faulty.did, readable]})
    assert [each["drs_object_id"] for each in answer.json()["urls"]] == [readable]
    assert answer.json()["failed_guids"] == [{"error_code": 500, "object_ids": [faulty.did]}]
    assert [row.decision for row in auth.audited()[-2:]] == ["failed", "allowed"]
    assert auth.get(f"/user/data/download/{faulty.did}", "alice").status_code == 500
