"""Where a registered bucket may send the services of a commons, and what answers there."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.index_service import Ask, ask
from tests.integration.index.registry import EFFECTIVE_S, ROUTE, clean, kept, registered, second
from tests.waiting import eventually

from commonshub.core.storage import Location, Storage

__all__ = ["ask", "clean", "second"]


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
