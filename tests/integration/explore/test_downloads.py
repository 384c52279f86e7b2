"""Downloads that are read slowly, not at all, or no more."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.waiting import eventually

from commonshub.explore import download

from .conftest import Explorer

SETTINGS = {"downloads_at_once": 1, "max_download_s": 2.0}
BODY = {"type": "case", "fields": ["submitter_id"]}


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Makes every download one of more than anybody reads; set when it was ended."""
    ended = threading.Event()

    def encode(*_: Any) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 2**20
        finally:
            ended.set()

    monkeypatch.setattr(download, "encode", encode)
    return ended


@contextmanager
def begun(explorer: Explorer) -> Iterator[socket.socket]:
    """A connection on which a download has begun."""
    url = urlsplit(explorer.url)
    content = json.dumps(BODY)
    head = f"POST /guppy/download HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {explorer._token('all')}\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n{content}".encode())
        assert b"200 OK" in connection.recv(100)
        yield connection


def test_downloads_beyond_the_limit_are_refused(explorer: Explorer, endless: threading.Event) -> None:
    with begun(explorer):
        answer = explorer.post("download", BODY)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert "downloads_at_once" in answer.json()["message"]
        assert explorer.query("{ case { sex } }")["case"]
    assert endless.wait(30)


def test_one_who_does_not_read_is_broken_off(explorer: Explorer, endless: threading.Event) -> None:
    with begun(explorer) as connection:
        assert endless.wait(30)
        eventually(lambda: not explorer.running.app.downloads.locked(), 30)
        with suppress(ConnectionResetError):
            while connection.recv(2**20):
                pass


def test_one_who_goes_away_is_no_fault(
    explorer: Explorer, endless: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    with begun(explorer):
        pass
    assert endless.wait(30)
    eventually(lambda: not explorer.running.app.downloads.locked(), 30)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_the_next_one_is_served(explorer: Explorer) -> None:
    assert len(explorer.post("download", BODY).json()) == 4
