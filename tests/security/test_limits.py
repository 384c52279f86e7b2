"""S24: guessing is slowed down, and nobody can ask for more than there is room for."""

import asyncio
import json
import logging
import socket
from typing import Any

import pytest
import requests
from tests.access_log import settle
from tests.auth_service import Auth
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from commonshub.core.attempts import Attempts
from commonshub.core.logs import JsonLines
from commonshub.core.settings import LimitSettings
from commonshub.core.web import address_of

EXCHANGE = "/user/credentials/api/access_token"

# So long a window that nothing drains while a slow machine tests.
BY_CREDENTIAL, BY_ADDRESS, WINDOW_S = 4, 12, 36_000


@pytest.fixture(autouse=True)
def strict(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.app, "attempts", Attempts(BY_CREDENTIAL, BY_ADDRESS, WINDOW_S))


def exchange(auth: Auth, key: str, address: str) -> requests.Response:
    return auth.post(EXCHANGE, json={"api_key": key}, headers={"X-Forwarded-For": address})


def test_s24_who_fails_too_often_is_told_when_to_come_back(auth: Auth) -> None:
    statuses = [exchange(auth, "guess", "203.0.113.1").status_code for _ in range(BY_CREDENTIAL)]
    assert set(statuses) == {401}
    refused = exchange(auth, "guess", "203.0.113.1")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= WINDOW_S
    assert "Try again in" in refused.json()["message"]


def test_s24_failures_of_one_credential_hurt_no_other_of_its_address(auth: Auth) -> None:
    for _ in range(BY_CREDENTIAL + 1):
        last = exchange(auth, "forgotten", "203.0.113.2")
    assert last.status_code == 429
    assert exchange(auth, auth.api_key("alice"), "203.0.113.2").status_code == 200


def test_s24_one_credential_after_the_other_is_stopped(auth: Auth) -> None:
    most = BY_ADDRESS
    statuses = [exchange(auth, f"guess-{number}", "203.0.113.3").status_code for number in range(most + 1)]
    assert statuses == [401] * most + [429]
    assert exchange(auth, auth.api_key("alice"), "203.0.113.4").status_code == 200


def test_s24_one_workspace_cannot_stop_the_others_of_its_machine(auth: Auth) -> None:
    for number in range(2 * BY_ADDRESS):
        assert exchange(auth, f"hostile-{number}", "127.0.0.1").status_code == 401
    assert exchange(auth, auth.api_key("alice"), "127.0.0.1").status_code == 200


def test_s24_an_address_that_the_client_invents_helps_nobody(auth: Auth) -> None:
    for number in range(BY_CREDENTIAL):
        exchange(auth, "spoofer", f"198.51.100.{number}, 203.0.113.5")
    assert exchange(auth, "spoofer", "198.51.100.99, 203.0.113.5").status_code == 429


def test_s24_honest_exchanges_are_never_counted(auth: Auth) -> None:
    key = auth.api_key("alice")
    most = BY_ADDRESS
    assert {exchange(auth, key, "203.0.113.6").status_code for _ in range(most + 20)} == {200}


@pytest.mark.parametrize("path", ["/user/credentials/hub/access_token", "/user/credentials/hub/api_key"])
def test_s24_wrong_hub_tokens_are_counted(auth: Auth, path: str) -> None:
    headers = {"Authorization": "token ", "X-Forwarded-For": "203.0.113.7" if "api_key" in path else "203.0.113.8"}
    statuses = [auth.post(path, headers=headers).status_code for _ in range(BY_CREDENTIAL + 1)]
    assert statuses[-2:] == [401, 429]


DECISION = {"resource": "/open", "action": {"service": "fence", "method": "read"}}
PART = {"PartNumber": 1, "ETag": "x"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/authz/auth/request", {"requests": [DECISION] * 1001}, 400),
        ("/user/data/download/bulk", {"guids": ["x"] * 1001}, 413),
        ("/user/data/multipart/complete", {"key": "a/b", "uploadId": "x", "parts": [PART] * 10_001}, 400),
        ("/user/data/upload", {"file_name": "x" * 10_000}, 400),
        ("/user/data/upload", {"file_name": "x", "authz": ["/" + "x" * 10_000]}, 400),
        ("/authz/auth/mapping", {"username": "x" * 300}, 400),
        ("/user/admin/user", {"username": "x" * 300}, 400),
        ("/user/admin/user", {"username": "x", "email": "x" * 100_000}, 400),
        ("/user/admin/user", {"username": "x", "tags": {str(number): "x" for number in range(1000)}}, 400),
        ("/authz/role", {"id": "x" * 10_000, "permissions": []}, 400),
        ("/authz/resource", {"name": "x" * 10_000}, 400),
    ],
)
def test_s24_a_body_asks_for_so_much_and_no_more(auth: Auth, path: str, body: Any, status: int) -> None:
    answer = auth.post(path, "root", json=body)
    assert answer.status_code == status, answer.text[:500]
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "path",
    [
        f"/user/data/download/{'x' * 20_000}",
        f"/user/admin/user/{'x' * 20_000}",
        f"/user/credentials/api/{'x' * 20_000}",
        f"/authz/policy/{'x' * 20_000}",
        f"/audit/log?subject={'x' * 20_000}",
        f"/audit/log?{'&'.join(f'subject={number}' for number in range(2000))}",
        f"/authz?service=x&method=y&resource=/{'x/' * 10_000}",
        f"/user/oauth2/authorize?client_id={'x' * 20_000}",
        f"/user/login/{'x' * 20_000}",
    ],
)
def test_s24_an_endless_address_is_no_fault_of_ours(auth: Auth, path: str) -> None:
    assert auth.get(path, "root").status_code < 500


def test_s24_a_body_that_is_too_large_is_not_read(auth: Auth) -> None:
    with socket.create_connection(("127.0.0.1", auth.app.port), 30) as sock:
        size = auth.app.max_request_bytes + 1
        sock.sendall(f"POST /authz/auth/request HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 400")


def test_s24_json_that_is_nested_without_end_is_a_fault_of_the_caller(auth: Auth) -> None:
    for body in (b"[" * 100_000, b'{"requests":' * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900):
        answer = auth.post("/authz/auth/request", "root", data=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400


def test_s24_what_is_sent_cannot_write_a_line_of_the_log(auth: Auth, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "commonshub")
    settle(auth.url, caplog)
    caplog.clear()
    forged = '{"level":"info","user":"root"}'
    auth.get(f"/user/user%0A{forged}")
    auth.get("/user/user", headers={"X-Request-Id": forged, "User-Agent": forged})
    auth.get(f"/user/data/download/x%0D%0A{forged}", "alice")
    auth.get(f"/user/data/download/{'y' * 20_000}", "alice")
    settle(auth.url, caplog)
    written = [JsonLines().format(record) for record in caplog.records]
    assert len(written) >= 4
    for line in written:
        assert "\n" not in line
        assert "\r" not in line
        assert len(line) < 4096 + len(json.loads(line).get("message", ""))
        assert json.loads(line).get("user") != "root"


def test_s24_at_the_hub_too_nobody_chooses_his_own_address() -> None:
    limits = LimitSettings()

    class Address(web.RequestHandler):
        def get(self) -> None:
            self.finish({"ours": address_of(self.request, limits), "tornado's": self.request.remote_ip})

    async def ask() -> dict[str, str]:
        # As JupyterHub makes its server.
        server = HTTPServer(web.Application([("/", Address)]), xheaders=True)
        [sock] = bind_sockets(0, "127.0.0.1")
        server.add_sockets([sock])
        headers = {"X-Real-Ip": "198.51.100.1", "X-Forwarded-For": "198.51.100.2, 203.0.113.9"}
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
        answer = await AsyncHTTPClient().fetch(url, headers=headers)
        server.stop()
        await server.close_all_connections()
        return dict(json.loads(answer.body))

    assert asyncio.run(ask()) == {"ours": "203.0.113.9", "tornado's": "198.51.100.1"}
