"""``POST /index/events``: a store tells that uploads have arrived."""

import json
import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests
import sqlalchemy as sa
from tests.statements import noted
from tests.waiting import eventually

from commonshub.core import blobs, records
from commonshub.core.attempts import Attempts
from commonshub.core.storage import Location, Storage
from commonshub.index import ledger

SECRET = "a-secret-of-the-store"
Send = Callable[..., requests.Response]


@pytest.fixture
def secret(running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "events"
    file.write_text(f"{SECRET}\n")
    monkeypatch.setattr(running.app, "event_secret_file", str(file))
    return file


@pytest.fixture
def send(running: Any, secret: Path) -> Send:
    running.app.attempts = Attempts(0, 0, 1)

    def post(*keys: str, authorization: str = f"Bearer {SECRET}", **more: Any) -> requests.Response:
        body = {"EventName": "s3:ObjectCreated:Put", "Records": [record(key, **more) for key in keys]}
        headers = {"Authorization": authorization}
        return requests.post(f"{running.url}/index/events", json=body, headers=headers, timeout=60)

    return post


def record(key: str, bucket: str = "commons", name: str = "s3:ObjectCreated:Put", **more: Any) -> dict[str, Any]:
    return {"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), **more}}}


def blank(running: Any, file_name: str = "a b+ä.bin") -> tuple[str, str]:
    """GUID and key of an expected upload."""
    made = running.app.database.call(
        blobs.create_blank, "index", uploader="alice", file_name=file_name, authz=[], bucket="commons"
    )
    return made.did, f"{made.did}/{file_name}"


def put(running: Any, key: str) -> None:
    url = Storage(running.app.storage_settings).presign("PUT", Location("commons", key), 60)
    requests.put(url, data=b"12345", timeout=60).raise_for_status()


def blob(running: Any, guid: str) -> Any:
    table = records.tables("index").blob
    query = sa.select(table, (table.c.due - sa.func.clock_timestamp()).label("wait")).where(table.c.guid == guid)
    return running.app.database.call(lambda connection: connection.execute(query).one())


def defer(running: Any, guid: str) -> None:
    """Have nobody look for an upload by himself, as if it were old."""
    eventually(lambda: blob(running, guid).wait.total_seconds() > 0)
    table = records.tables("index").blob
    later = sa.func.clock_timestamp() + sa.text("interval '1 hour'")
    statement = sa.update(table).where(table.c.guid == guid).values(due=later)
    running.app.database.call(lambda connection: connection.execute(statement))


def test_an_event_makes_the_worker_look_at_once(running: Any, send: Send) -> None:
    guid, key = blank(running)
    defer(running, guid)
    put(running, key)
    answer = send(key)
    assert (answer.status_code, answer.json()) == (200, {"events": 1, "hastened": 1, "ignored": 0})
    eventually(lambda: blob(running, guid).state == "verified")


def test_size_and_checksum_of_an_event_are_not_believed(running: Any, send: Send) -> None:
    guid, key = blank(running)
    put(running, key)
    send(key, size=99, eTag="0" * 32)
    eventually(lambda: blob(running, guid).state == "verified")
    assert blob(running, guid).size == 5


def test_an_event_without_an_object_changes_nothing_but_when_to_look(running: Any, send: Send) -> None:
    guid, key = blank(running)
    defer(running, guid)
    assert send(key).json()["hastened"] == 1
    eventually(lambda: blob(running, guid).wait.total_seconds() < 3000)
    assert blob(running, guid).state == "registered"


def test_events_may_come_twice_late_and_of_what_nobody_expects(running: Any, send: Send) -> None:
    guid, key = blank(running)
    defer(running, guid)
    put(running, key)
    assert send(key, key, f"{uuid.uuid4()}/x", "x").json() == {"events": 4, "hastened": 1, "ignored": 3}
    eventually(lambda: blob(running, guid).state == "verified")
    before = blob(running, guid)
    assert send(key).json() == {"events": 1, "hastened": 0, "ignored": 1}
    assert send(key, bucket="another").json()["ignored"] == 1
    assert blob(running, guid)[:-1] == before[:-1]


def test_an_object_that_was_removed_is_no_upload(running: Any, send: Send) -> None:
    guid, key = blank(running)
    defer(running, guid)
    assert send(key, name="s3:ObjectRemoved:Delete").json() == {"events": 1, "hastened": 0, "ignored": 1}
    assert blob(running, guid).wait.total_seconds() > 3000


def test_thousands_of_events_are_one_statement(running: Any, send: Send) -> None:
    keys = [blank(running)[1] for _ in range(20)] + [f"{uuid.uuid4()}/x" for _ in range(3000)]
    with noted(running.app.database.engine) as statements:
        assert send(*keys).json() == {"events": 3020, "hastened": 20, "ignored": 3000}
    assert (
        len([each for each in statements if each.text.startswith("UPDATE") and "blob.location = ANY" in each.text]) == 1
    )


def test_a_location_has_its_index(running: Any) -> None:
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith("UPDATE"):
            cursor.execute("explain " + statement, parameters)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))

    with running.app.database.engine.connect() as connection:
        connection.execute(sa.text("set enable_seqscan = off"))
        sa.event.listen(connection, "before_cursor_execute", explain)
        ledger.hasten(connection, "index", [Location("commons", "x")])
        connection.rollback()
        connection.invalidate()
    assert "ix_blob_location" in plans[0]


def test_they_are_off_unless_a_secret_is_named(running: Any) -> None:
    answer = requests.post(f"{running.url}/index/events", json={}, timeout=60)
    assert (answer.status_code, "event_secret_file" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}", f"Basic {SECRET}", SECRET],
)
def test_who_has_not_the_secret_is_refused_before_the_body_is_looked_at(
    running: Any, secret: Path, authorization: str
) -> None:
    running.app.attempts = Attempts(0, 0, 1)
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.post(f"{running.url}/index/events", data=b"{", headers=headers, timeout=60)
    assert (answer.status_code, "Authorization: Bearer" in answer.text) == (401, True)


def test_no_token_of_a_user_stands_for_the_secret(send: Send, token: Callable[..., str]) -> None:
    assert send("x", authorization=f"Bearer {token('admin')}").status_code == 401


def test_guessing_the_secret_is_slowed_down(running: Any, send: Send) -> None:
    running.app.attempts = Attempts(2, 0, 60)
    statuses = [send("x", authorization="Bearer guess").status_code for _ in range(3)]
    running.app.attempts = Attempts(0, 0, 1)
    assert statuses == [401, 401, 429]


def test_the_secret_can_be_changed_without_a_restart(send: Send, secret: Path) -> None:
    other = "another-secret-of-the-store"
    secret.write_text(f"{other}\n{SECRET}\n")
    assert [send("x", authorization=f"Bearer {each}").status_code for each in (SECRET, other)] == [200, 200]
    secret.write_text(f"{other}\nshort\n")
    statuses = [send("x", authorization=f"Bearer {each}").status_code for each in (SECRET, other, "short")]
    assert statuses == [401, 200, 401]
    secret.write_text("short\n")
    assert send("x", authorization="Bearer short").status_code == 502
    secret.unlink()
    assert send("x").status_code == 502


def test_the_secret_is_in_no_log_and_no_answer(running: Any, send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [send("x"), send("x", authorization=f"Basic {SECRET}")]
    assert SECRET not in caplog.text + "".join(each.text for each in answers)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "JSON object"),
        (json.dumps({"Records": [record("x"), {}]}).encode(), 400, "Records[1].eventName"),
        (b" " * (2**20 + 1), 413, "1048576 bytes"),
    ],
    ids=["no-json", "list", "record", "large"],
)
def test_a_faulty_body_is_named(running: Any, send: Send, body: bytes, status: int, words: str) -> None:
    headers = {"Authorization": f"bearer {SECRET}"}
    answer = requests.post(f"{running.url}/index/events", data=body, headers=headers, timeout=60)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
