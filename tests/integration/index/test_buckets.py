"""``/index/buckets``: buckets that an administrator registers over HTTP."""

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.index_service import PROJECT, Ask, ask, make
from tests.stores import KEYS, StoppableStore
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.core import audit, blobs, buckets, records
from commonshub.core.storage import Location, Storage

__all__ = ["ask"]

SCHEMA = "index"
ROUTE = "/index/buckets"
# By when every service must know of a change, in seconds.
EFFECTIVE_S = 5
DENIED = {"member": 403, "uploader": 403, None: 401}


@pytest.fixture
def second(second_store: StoppableStore) -> dict[str, Any]:
    """What is sent to register the bucket of the second store."""
    return {
        "name": "second",
        "endpoint_url": second_store.server.url,
        "credentials": KEYS,
        "resources": {"s3://second/one": [PROJECT]},
    }


@pytest.fixture(autouse=True)
def clean(running: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(running.app.registration, "grace_s", 0)
    yield
    database = running.app.database
    for each in database.call(buckets.read, SCHEMA):
        database.call(buckets.remove, SCHEMA, each.name)
    for file in kept(running):
        file.unlink()
    eventually(lambda: not running.app.storage_settings.registered, EFFECTIVE_S)


def registered(running: Any) -> list[str]:
    return [each.name for each in running.app.database.call(buckets.read, SCHEMA)]


def trail(running: Any) -> list[tuple[Any, ...]]:
    table = audit.table("auth")
    query = sa.select(table.c.action, table.c.subject, table.c.decision, table.c.username, table.c.detail)
    rows = running.app.database.call(lambda connection: connection.execute(query.order_by(table.c.id)).all())
    return [tuple(row) for row in rows if row.action.endswith("_bucket")]


def kept(running: Any) -> list[Path]:
    return sorted(running.app.kept_credentials.glob("*"))


def test_a_bucket_is_registered_read_changed_and_removed(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    made = ask("POST", ROUTE, json=second)
    assert made.status_code == 201, made.text
    document = {
        "name": "second",
        "endpoint_url": second["endpoint_url"],
        "region": None,
        "public": False,
        "has_credentials": True,
        "resources": second["resources"],
    }
    assert made.json() == ask("GET", f"{ROUTE}/second").json() == document
    assert ask("GET", f"{ROUTE}/").json() == {"buckets": [document]}
    changed = {"endpoint_url": second["endpoint_url"], "resources": {"s3://second": ["*"]}}
    answer = ask("PUT", f"{ROUTE}/second", json=changed)
    assert answer.json() == {**document, **changed}, "the credentials are kept"
    assert ask("DELETE", f"{ROUTE}/second").status_code == 204
    assert ask("GET", f"{ROUTE}/second").status_code == 404
    eventually(lambda: not kept(running))


def test_a_service_uses_it_without_a_restart(
    ask: Ask, running: Any, token: Callable[..., str], second: dict[str, Any]
) -> None:
    assert ask("POST", ROUTE, json=second).status_code == 201
    eventually(lambda: "second" in running.app.downloads.storage.buckets, EFFECTIVE_S)
    made = make(ask, authz=[PROJECT], urls=["s3://second/one/x"])
    try:
        answer = requests.get(
            f"{running.url}/ga4gh/drs/v1/objects/{made['did']}/access/s3",
            headers=bearer(token("member")),
            timeout=60,
        )
        assert KEYS["access_key"] in answer.json()["url"]
    finally:
        ask("DELETE", f"/index/index/{made['did']}?rev={made['rev']}")


def test_a_bucket_that_bytes_are_coming_into_is_not_removed(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    database = running.app.database
    assert ask("POST", ROUTE, json=second).status_code == 201
    upload = {"uploader": "admin", "file_name": "x", "authz": [], "bucket": "second"}
    blank = database.call(lambda connection: blobs.create_blank(connection, SCHEMA, **upload))
    try:
        refused = ask("DELETE", f"{ROUTE}/second")
        assert (refused.status_code, registered(running)) == (409, ["second"])
        assert "1 upload is under way into the bucket second, not verified yet" in refused.json()["message"]
    finally:
        database.call(records.delete_many, SCHEMA, [blank.did])
    assert ask("DELETE", f"{ROUTE}/second").status_code == 204


def test_each_change_is_in_the_trail_without_the_credentials(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    before = len(trail(running))
    ask("POST", ROUTE, json=second)
    ask("PUT", f"{ROUTE}/second", json={**second, "region": "eu-west-1"})
    ask("DELETE", f"{ROUTE}/second")
    rows = trail(running)[before:]
    assert [row[:4] for row in rows] == [
        (action, "second", "allowed", "admin") for action in ("add_bucket", "change_bucket", "remove_bucket")
    ]
    assert rows[1][4]["region"] == "eu-west-1"
    assert "key" not in json.dumps([row[4] for row in rows])


def test_a_change_without_its_row_in_the_trail_does_not_happen(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(audit, "write_many", fail)
    assert ask("POST", ROUTE, json=second).status_code == 500
    assert (registered(running), kept(running)) == ([], [])


def test_credentials_are_write_only(
    ask: Ask, running: Any, second: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        ask("POST", ROUTE, json=second),
        ask("POST", ROUTE, json=second),
        ask("PUT", f"{ROUTE}/second", json=second),
        ask("PUT", f"{ROUTE}/second", json={**second, "endpoint_url": "nothing"}),
        ask("GET", ROUTE),
        ask("GET", f"{ROUTE}/second"),
    ]
    assert [each.status_code for each in answers] == [201, 409, 200, 400, 200, 200]
    eventually(lambda: len(kept(running)) == 1)
    [file] = kept(running)
    assert json.loads(file.read_text()) == KEYS
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for text in (*(each.text for each in answers), caplog.text):
        assert KEYS["secret_key"] not in text
        assert str(file) not in text


@pytest.mark.parametrize("user", DENIED)
def test_only_administrators_see_and_change_buckets(
    ask: Ask, running: Any, url: str, token: Callable[..., str], second: dict[str, Any], user: str | None
) -> None:
    ask("POST", ROUTE, json=second)
    before = len(trail(running))
    headers = bearer(token(user)) if user else {}
    asked = [("GET", ROUTE), ("POST", ROUTE), *((each, f"{ROUTE}/second") for each in ("GET", "PUT", "DELETE"))]
    answers = [
        requests.request(*each, headers=headers, json=second, timeout=60) for each in ((m, url + p) for m, p in asked)
    ]
    assert {each.status_code for each in answers} == {DENIED[user]}
    assert registered(running) == ["second"]
    refused = [row[:4] for row in trail(running)[before:]]
    assert refused == (
        [
            ("add_bucket", ROUTE, "denied", user),
            ("change_bucket", f"{ROUTE}/second", "denied", user),
            ("remove_bucket", f"{ROUTE}/second", "denied", user),
        ]
        if user
        else []
    )


def test_a_token_that_a_notebook_may_hold_changes_no_bucket(
    ask: Ask, running: Any, url: str, token: Callable[..., str], second: dict[str, Any]
) -> None:
    headers = bearer(token("admin", scope=["openid", "user", "data"]))
    assert requests.get(url + ROUTE, headers=headers, timeout=60).status_code == 200
    answer = requests.post(url + ROUTE, headers=headers, json=second, timeout=60)
    assert (answer.status_code, "scope admin" in answer.text) == (403, True)
    assert registered(running) == []


def test_no_cookie_stands_for_an_administrator(
    running: Any, url: str, token: Callable[..., str], second: dict[str, Any]
) -> None:
    """So no page of somebody else's can register one by an administrator's browser."""
    for name in ("access_token", "fence", "_xsrf", "session"):
        answer = requests.post(url + ROUTE, cookies={name: token("admin")}, json=second, timeout=60)
        assert answer.status_code == 401
    assert registered(running) == []


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"name": 7}, 400, "name must be"),
        ({"name": "a/b"}, 400, "not the name of a bucket"),
        ({"name": "b@169.254.169.254#"}, 400, "not the name of a bucket"),
        ({"name": "commons", "resources": {}}, 409, "stands in the configuration"),
        ({"owner": "x"}, 400, "'owner'"),
        ({"credentials_file": "/etc/passwd"}, 400, "'credentials_file'"),
        ({"public": "yes"}, 400, "public must be"),
        ({"region": "x.169.254.169.254/?"}, 400, "region must be"),
        ({"endpoint_url": 7}, 400, "endpoint_url must be"),
        ({"endpoint_url": "file:///etc/passwd"}, 400, "endpoint_url must be"),
        ({"endpoint_url": "http://user:word@127.0.0.1/"}, 400, "endpoint_url must be"),
        ({"endpoint_url": "http://127.0.0.1/?"}, 400, "endpoint_url must be"),
        ({"endpoint_url": "http://127.0.0.1:99999"}, 400, "endpoint_url must be"),
        ({"credentials": {"access_key": "a"}}, 400, "credentials must have"),
        ({"credentials": {"access_key": "a", "secret_key": "s\nx"}}, 400, "credentials.secret_key"),
        ({"credentials": {"access_key": "a" * 15, "secret_key": "wrong" * 4}}, 400, "cannot be used"),
        ({"resources": ["/programs"]}, 400, "resources must map"),
        ({"resources": {"s3://second": "*"}}, 400, "must be a list"),
        ({"resources": {"s3://second": ["programs"]}}, 400, "programs"),
        ({"resources": {"s3://commons/folder": [PROJECT]}}, 400, "must begin with s3://second"),
        ({"resources": {"s3://second-of-another/x": [PROJECT]}}, 400, "must begin with s3://second"),
        ({"resources": {"s3://": [PROJECT]}}, 400, "must begin with s3://second"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_faulty_bucket_is_named_and_changes_nothing(
    ask: Ask, running: Any, second: dict[str, Any], changes: dict[str, Any], status: int, words: str
) -> None:
    answer = ask("POST", ROUTE, json={**second, **changes})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]
    assert (registered(running), kept(running)) == ([], [])


def test_a_bucket_that_is_not_there_is_refused(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    answer = ask("POST", ROUTE, json={**second, "name": "third", "resources": {}})
    assert (answer.status_code, "does not exist" in answer.text) == (400, True), answer.text
    assert (registered(running), kept(running)) == ([], [])


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "2852039166",
        "0.0.0.0",
        "[fe80::1]",
        "100.100.100.200",
    ],
)
def test_the_services_are_not_sent_to_where_clouds_keep_credentials(
    ask: Ask, running: Any, second: dict[str, Any], host: str
) -> None:
    answer = ask("POST", ROUTE, json={**second, "endpoint_url": f"http://{host}:80"})
    assert (answer.status_code, "no address that this commons goes to" in answer.text) == (400, True), answer.text
    assert registered(running) == []


def test_this_machine_is_out_of_bounds_where_the_own_store_is_elsewhere(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = running.app.storage_settings
    config = settings.config.copy()
    config.StorageSettings.endpoint_url = "http://store.example"
    monkeypatch.setattr(settings, "config", config)
    answer = ask("POST", ROUTE, json=second)
    assert (answer.status_code, "no address that this commons goes to" in answer.text) == (400, True), answer.text
    config.StorageSettings.registered_networks = ["127.0.0.0/8"]
    assert ask("POST", ROUTE, json=second).status_code == 201


def test_plain_http_is_refused_where_the_own_store_has_https(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.app.storage_settings, "endpoint_url", "https://store.example")
    assert "must be https" in ask("POST", ROUTE, json=second).json()["message"]


def test_a_name_that_later_means_another_address_gains_nothing(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is judged at each connection, so a store that was good when it was tried has no way in later."""
    assert ask("POST", ROUTE, json=second).status_code == 201
    eventually(lambda: "second" in running.app.storage_settings.registered, EFFECTIVE_S)
    there = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: there)
    with pytest.raises(Exception, match="no address that this commons goes to"):
        Storage(running.app.storage_settings).head(Location("second", "x"))


class Listening:
    """A server that takes connections and says `words`, or nothing.

    Parameters
    ----------
    pause_s
        Wait after each byte, in seconds.
    """

    def __init__(self, words: bytes, pause_s: float = 0) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.heard: list[bytes] = []
        self._open: list[socket.socket] = []
        self._words = words
        self._pause_s = pause_s
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self._open.append(connection)
            self.heard.append(connection.recv(65536))
            with contextlib.suppress(OSError):
                self._say(connection)
            if self._words:
                connection.close()

    def _say(self, connection: socket.socket) -> None:
        if not self._pause_s:
            connection.sendall(self._words)
            return
        for byte in self._words:
            connection.sendall(bytes([byte]))
            time.sleep(self._pause_s)

    def close(self) -> None:
        # `accept` sleeps on while the socket is only closed.
        self.socket.shutdown(socket.SHUT_RDWR)
        for each in (self.socket, *self._open):
            each.close()


@pytest.fixture
def listening() -> Iterator[Callable[..., Listening]]:
    servers: list[Listening] = []

    def start(words: bytes, pause_s: float = 0) -> Listening:
        servers.append(Listening(words, pause_s))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


@pytest.mark.parametrize(
    ("words", "pause_s"), [(b"", 0), (b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10, 0.2)], ids=["silent", "slow"]
)
def test_an_endpoint_that_hangs_is_given_up(
    ask: Ask,
    running: Any,
    second: dict[str, Any],
    listening: Callable[..., Listening],
    monkeypatch: pytest.MonkeyPatch,
    words: bytes,
    pause_s: float,
) -> None:
    monkeypatch.setattr(running.app.storage_settings, "probe_timeout_s", 1)
    answer = ask("POST", ROUTE, json={**second, "endpoint_url": listening(words, pause_s).url})
    told = "does not answer" in answer.text or "within 1 s" in answer.text
    assert (answer.status_code, told) == (400, True), answer.text
    assert (registered(running), kept(running)) == ([], [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "cannot be read"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", "is no object store"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 6\r\n\r\nsecret", "answered 500"),
        (b"SSH-2.0-OpenSSH\r\n", "broke off"),
    ],
)
def test_what_is_no_store_is_refused_and_not_echoed(
    ask: Ask,
    running: Any,
    second: dict[str, Any],
    listening: Callable[..., Listening],
    words: bytes,
    told: str,
) -> None:
    answer = ask("POST", ROUTE, json={**second, "endpoint_url": listening(words).url})
    assert (answer.status_code, told in answer.text) == (400, True), answer.text
    assert "secret" not in answer.text
    assert registered(running) == []


def test_a_redirect_is_not_followed(
    ask: Ask, running: Any, second: dict[str, Any], listening: Callable[..., Listening]
) -> None:
    inner = listening(b"HTTP/1.1 200 OK\r\n\r\n")
    words = f"HTTP/1.1 302 Found\r\nLocation: {inner.url}/\r\nContent-Length: 0\r\n\r\n"
    answer = ask("POST", ROUTE, json={**second, "endpoint_url": listening(words.encode()).url})
    assert (answer.status_code, "answered 302" in answer.text) == (400, True), answer.text
    assert inner.heard == []


def test_parts_that_the_configuration_ties_to_resources_cannot_be_tied_to_others(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.app.storage_settings, "bucket_resources", {"s3://second/one/private": ["/programs/z"]})
    answer = ask("POST", ROUTE, json=second)
    assert (answer.status_code, "bucket_resources" in answer.text) == (409, True), answer.text
    assert registered(running) == []


def test_a_name_is_registered_once_and_of_many_at_once_one_wins(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask("POST", ROUTE, json=second).status_code)) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(statuses) == [201, 409, 409, 409]
    [file] = kept(running)
    assert [str(file)] == [each.store["credentials_file"] for each in running.app.database.call(buckets.read, SCHEMA)]


def test_new_credentials_replace_the_old_ones(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    [first] = kept(running)
    assert ask("PUT", f"{ROUTE}/second", json=second).status_code == 200
    eventually(lambda: first not in kept(running))
    [file] = kept(running)
    wrong = {"access_key": "wrongaccesskey", "secret_key": "wrongsecretkey"}
    assert ask("PUT", f"{ROUTE}/second", json={**second, "credentials": wrong}).status_code == 400
    assert kept(running) == [file]


def test_credentials_stay_until_every_service_has_heard_of_new_ones(
    ask: Ask, running: Any, second: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.app.registration, "grace_s", 60)
    ask("POST", ROUTE, json=second)
    ask("PUT", f"{ROUTE}/second", json=second)
    assert len(kept(running)) == 2


def test_credentials_that_a_killed_process_has_left_are_swept(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    [named] = kept(running)
    left, fresh = named.with_name("left.0123.json"), named.with_name("fresh.0123.json")
    for each in (left, fresh):
        each.write_text("{}")
    for each in (named, left):
        os.utime(each, (0, 0))
    # Listed and not there, as what another process deletes at this moment.
    gone = named.with_name("gone.0123.json")
    gone.symlink_to("nowhere")
    running.call(running.app.registration.sweep())
    assert kept(running) == sorted([named, fresh, gone])


def test_a_bucket_that_records_point_into_stays(ask: Ask, running: Any, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    made = [make(ask, urls=["https://example.org/x", f"s3://second/{number}"]) for number in range(2)]
    make(ask, urls=["s3://secondary/x", "https://example.org/s3://second/x"])
    answer = ask("DELETE", f"{ROUTE}/second")
    assert (answer.status_code, "2 records point into the bucket second" in answer.text) == (409, True), answer.text
    assert registered(running) == ["second"]
    for each in made:
        ask("DELETE", f"/index/index/{each['did']}?rev={each['rev']}")
    assert ask("DELETE", f"{ROUTE}/second").status_code == 204


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_not_registered_is_not_found(ask: Ask, second: dict[str, Any], method: str) -> None:
    body = {**second, "name": "commons", "resources": {}} if method == "PUT" else None
    answer = ask(method, f"{ROUTE}/commons", json=body)
    # The configuration's is in the way of a change before it is looked for.
    assert answer.status_code == 404, answer.text


def test_another_name_cannot_be_given(ask: Ask, second: dict[str, Any]) -> None:
    ask("POST", ROUTE, json=second)
    assert ask("PUT", f"{ROUTE}/second", json={**second, "name": "third"}).status_code == 400
    assert ask("POST", f"{ROUTE}/second", json=second).status_code == 405
