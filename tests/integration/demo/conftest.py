"""The real auth, index and submission services behind one address."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tornado import httpserver, netutil, web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from commonshub.auth.app import AuthApp
from commonshub.auth.claims import KEY_SCOPES
from commonshub.auth.credentials.issue import issue_key
from commonshub.core.app import ServiceApplication
from commonshub.core.identity import ANONYMOUS
from commonshub.hub import demo
from commonshub.hub.demo.client import Client
from commonshub.index.app import IndexApp
from commonshub.submission.app import SubmissionApp

DEMO = Path(demo.__file__).parent
METHODS = ("GET", "POST", "PUT", "DELETE")


class Route(web.RequestHandler):
    """Pass a request on to the service whose prefix it has, as the hub's proxy does."""

    SUPPORTED_METHODS = METHODS

    def initialize(self, targets: dict[str, str]) -> None:
        self.targets = targets

    async def pass_on(self) -> None:
        target = next(url for prefix, url in self.targets.items() if self.request.path.startswith(prefix))
        kept = {
            name: value for name, value in self.request.headers.items() if name in ("Authorization", "Content-Type")
        }
        request = HTTPRequest(
            target + self.request.uri,
            method=self.request.method,
            headers=kept,
            body=self.request.body or None,
            allow_nonstandard_methods=True,
            request_timeout=60,
        )
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        self.set_status(answer.code)
        if answer.code != 204:
            self.write(answer.body)

    get = post = put = delete = pass_on


@pytest.fixture(scope="module")
def endpoint(run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of a commons with the demo's dictionary and policies, and an administrator's API key."""
    folder = tmp_path_factory.mktemp("demo")
    policies = yaml.safe_load((DEMO / "user.yaml").read_text())
    policies["users"] = {"admin": {"policies": ["administrator"]}}
    (folder / "user.yaml").write_text(yaml.safe_dump(policies))
    traits: dict[str, Any] = {
        "Commons": {"data_dir": str(folder), "dictionary": str(DEMO / "dictionary")},
        "TokenSettings": {"jwks_file": str(folder / "keys" / "jwks.json")},
    }
    applications: list[type[ServiceApplication]] = [AuthApp, IndexApp, SubmissionApp]
    running = [run_service(application, **traits) for application in applications]
    targets = {prefix: each.url for each in running for prefix in each.app.prefixes}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> tuple[httpserver.HTTPServer, int]:
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        server = httpserver.HTTPServer(web.Application([(r"/.*", Route, {"targets": targets})]))
        server.add_sockets(sockets)
        return server, sockets[0].getsockname()[1]

    async def close(server: httpserver.HTTPServer) -> None:
        server.stop()
        await server.close_all_connections()

    server, port = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    auth = running[0].app
    key, _ = auth.database.call(issue_key, auth, ANONYMOUS, "test", "admin", 3600, KEY_SCOPES)
    yield f"http://127.0.0.1:{port}", key
    asyncio.run_coroutine_threadsafe(close(server), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


class Recording(Client):
    """A client that notes what it changes, and can break down before a change."""

    def __init__(self, endpoint: tuple[str, str], breaks_at: int | None = None) -> None:
        super().__init__(endpoint[0], {"api_key": endpoint[1]})
        self.changes: list[str] = []
        self.breaks_at = breaks_at

    def call(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        if method != "GET" and "bulk/documents" not in path:
            if len(self.changes) == self.breaks_at:
                raise BrokenDown
            self.changes.append(f"{method} {path}")
        return super().call(method, path, body, **parameters)


class BrokenDown(BaseException):
    """The loader was killed."""


@pytest.fixture
def client(endpoint: tuple[str, str]) -> Callable[..., Recording]:
    """Make a client: ``client(breaks_at=3)`` breaks down before its fourth change."""

    def make(breaks_at: int | None = None) -> Recording:
        return Recording(endpoint, breaks_at)

    return make
