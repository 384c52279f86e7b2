"""A stop answers what is running."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tornado import web, websocket

from commonshub.core.app import Route, ServiceApplication
from commonshub.core.errors import PermissionDenied
from commonshub.core.web import BaseHandler

LARGE = b"#" * 2**24
# A wait that nobody lives to see the end of, and one that is long on any machine.
NEVER_S, WITHIN_S = 36_000, 60


class SlowHandler(BaseHandler):
    async def get(self) -> None:
        self.service.events.append("asked")
        await asyncio.sleep(0.3)
        await self.service.may_answer.wait()
        self.service.events.append("answered")
        self.reply_text("late")

    async def post(self) -> None:
        self.reply_text(self.request.body.decode())


class StreamHandler(BaseHandler):
    async def get(self) -> None:
        for _ in range(8):
            self.write(LARGE[: 2**20])
            await self.flush()
            await asyncio.sleep(0.02)


class FailingStreamHandler(BaseHandler):
    async def get(self) -> None:
        self.write("half of it")
        await self.flush()
        raise RuntimeError


class LargeHandler(web.RequestHandler):
    def get(self) -> None:
        self.finish(LARGE)


class StuckHandler(web.RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(1)


class BrokenHandler(web.RequestHandler):
    def initialize(self) -> None:
        raise RuntimeError

    get = web.RequestHandler._unimplemented_method


class RefusingHandler(BaseHandler):
    def prepare(self) -> None:
        raise PermissionDenied("No.")

    get = post = web.RequestHandler._unimplemented_method


class ShortHandler(web.RequestHandler):
    """Promises more than it sends."""

    def get(self) -> None:
        self.set_header("Content-Length", "5")
        self.write("shor")


class SlowShortHandler(web.RequestHandler):
    """Promises more than it sends, and has sent some of it."""

    async def get(self) -> None:
        self.set_header("Content-Length", "5")
        await self.flush()
        raise RuntimeError


@web.stream_request_body
class UploadHandler(BaseHandler):
    received = 0

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)

    async def post(self) -> None:
        await asyncio.sleep(0.1)
        self.reply_text(f"{self.received} bytes")


@web.stream_request_body
class RefusingUploadHandler(RefusingHandler):
    def data_received(self, chunk: bytes) -> None:
        raise AssertionError("nothing of a refused request is read")


@web.stream_request_body
class BrokenUploadHandler(BrokenHandler):
    post = web.RequestHandler._unimplemented_method


@web.stream_request_body
class FailingUploadHandler(UploadHandler):
    def data_received(self, chunk: bytes) -> None:
        raise RuntimeError


class EchoHandler(websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


class SlowApp(ServiceApplication):
    name = "slow"
    uses_database: ClassVar[bool] = False
    events: list[str]
    may_answer: asyncio.Event

    def routes(self) -> list[Route]:
        self.events = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        return [
            (r"/slow", SlowHandler),
            (r"/stream", StreamHandler),
            (r"/stream/failing", FailingStreamHandler),
            (r"/large", LargeHandler),
            (r"/stuck", StuckHandler),
            (r"/broken", BrokenHandler),
            (r"/refusing", RefusingHandler),
            (r"/short", ShortHandler),
            (r"/slow-short", SlowShortHandler),
            (r"/upload", UploadHandler),
            (r"/upload/refusing", RefusingUploadHandler),
            (r"/upload/broken", BrokenUploadHandler),
            (r"/upload/failing", FailingUploadHandler),
            (r"/socket", EchoHandler),
        ]

    async def stop_service(self) -> None:
        self.events.append("stopped")


class Client:
    """One connection, so that a test says what is sent and read when."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, text: str) -> None:
        self.writer.write(text.encode())
        await self.writer.drain()
        await asyncio.sleep(0.1)

    async def get(self, path: str) -> None:
        await self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")

    async def read(self) -> bytes:
        """All until the end of the connection, which is a reset where a request was left unread."""
        received = b""
        with suppress(ConnectionResetError):
            while piece := await asyncio.wait_for(self.reader.read(2**20), 30):
                received += piece
        return received


Test = Callable[[SlowApp, Client], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Test], None]:
    """Run a test with a service and a connection to it."""

    async def with_service(test: Test) -> None:
        app = SlowApp()
        app.config.Commons.data_dir = str(tmp_path)
        app.url = "http://127.0.0.1:0"
        app.load_settings()
        await app.open()
        client = Client(*await asyncio.open_connection("127.0.0.1", app.port))
        try:
            await test(app, client)
        finally:
            client.writer.close()
            with suppress(ConnectionError):
                await client.writer.wait_closed()

    return lambda test: asyncio.run(with_service(test))


def test_a_request_is_answered_before_the_service_stops(run: Callable[[Test], None]) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        await client.get("/slow")
        await app.close()
        assert app.events == ["asked", "answered", "stopped"]
        assert (await client.read()).endswith(b"late")

    run(test)


def test_a_request_whose_body_is_on_its_way_is_answered(run: Callable[[Test], None]) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        await client.send("POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo")
        closing = asyncio.create_task(app.close())
        await client.send("dy")
        await closing
        assert (await client.read()).endswith(b"body")

    run(test)


@pytest.mark.parametrize(("path", "size"), [("/large", len(LARGE)), ("/stream", 2**23)])
def test_an_answer_that_is_on_its_way_arrives_whole(run: Callable[[Test], None], path: str, size: int) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        await client.get(path)
        closing = asyncio.create_task(app.close())
        await asyncio.sleep(0.1)
        assert not closing.done()
        assert (await client.read()).count(b"#") == size
        await closing

    run(test)


def test_a_connection_that_asks_on_and_on_is_told_to_close(run: Callable[[Test], None]) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        app.may_answer.clear()
        await client.get("/slow")
        closing = asyncio.create_task(app.close())
        await client.get("/slow")
        # What came before a reset is lost to who reads only then.
        reading = asyncio.create_task(client.read())
        await client.get("/slow")
        app.may_answer.set()
        await closing
        assert (await reading).count(b"late") == 2

    run(test)


def test_a_connection_that_asks_nothing_holds_nothing_up(run: Callable[[Test], None]) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        app.stop_timeout_s = NEVER_S
        await asyncio.wait_for(app.close(), WITHIN_S)
        assert await client.read() == b""

    run(test)


def test_a_request_that_does_not_end_is_cut(run: Callable[[Test], None], caplog: pytest.LogCaptureFixture) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        app.stop_timeout_s = 0
        await client.get("/stuck")
        await app.close()
        assert "still running" in caplog.text
        assert await client.read() == b""

    run(test)


@pytest.mark.parametrize(
    "sent",
    [
        "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PUT /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n",
        "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo",
        "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo",
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody",
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbo",
        "nonsense\r\n\r\n",
    ],
)
def test_nothing_runs_for_a_client_that_is_gone(run: Callable[[Test], None], sent: str) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        await client.send(sent)
        client.writer.close()
        await asyncio.sleep(0.4)
        application: Any = app._application
        assert not application.running
        assert not application.busy
        await app.close()

    run(test)


ASKED = {
    "HEAD": "HEAD /large HTTP/1.1",
    "a method that there is not": "PUT /large HTTP/1.1",
    "refused": "GET /refusing HTTP/1.1",
    "refused, with a body": "POST /refusing HTTP/1.1\r\nContent-Length: 4",
    "refused before its body is read": "POST /upload/refusing HTTP/1.1\r\nContent-Length: 4",
    "no handler": "POST /upload/broken HTTP/1.1\r\nContent-Length: 4",
    "a fault while its body is read": "POST /upload/failing HTTP/1.1\r\nContent-Length: 4",
    "a body that is read in parts": "POST /upload HTTP/1.1\r\nContent-Length: 4",
    "too large": "POST /upload HTTP/1.1\r\nContent-Length: 9999999999",
    "no chunk": "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked",
    "an answer that is too short": "GET /short HTTP/1.1",
    "an answer that breaks off": "GET /slow-short HTTP/1.1",
}


@pytest.mark.parametrize("head", ASKED.values(), ids=ASKED)
def test_nothing_runs_once_a_request_has_ended_in_whatever_way(run: Callable[[Test], None], head: str) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        await client.send(f"{head}\r\nHost: localhost\r\n\r\nbody\r\n")
        await asyncio.sleep(0.3)
        application: Any = app._application
        assert not application.running
        assert not application.busy
        await app.close()

    run(test)


def test_a_body_that_is_read_in_parts_is_answered(run: Callable[[Test], None]) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        await client.send("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo")
        closing = asyncio.create_task(app.close())
        await client.send("dy")
        await closing
        assert (await client.read()).endswith(b"4 bytes")

    run(test)


def test_an_open_websocket_is_no_request_that_is_waited_for(run: Callable[[Test], None]) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        socket = await websocket.websocket_connect(f"ws://127.0.0.1:{app.port}/socket")
        await socket.write_message("x")
        assert await socket.read_message() == "x"
        application: Any = app._application
        assert not application.running
        assert not application.busy
        app.stop_timeout_s = NEVER_S
        await asyncio.wait_for(app.close(), WITHIN_S)
        socket.close()
        await socket.read_message()

    run(test)


def test_an_answer_that_fails_midway_is_broken_off(run: Callable[[Test], None]) -> None:
    async def test(app: SlowApp, client: Client) -> None:
        await client.get("/stream/failing")
        answer = await client.read()
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"half of it" in answer
        assert not answer.endswith(b"0\r\n\r\n")
        await app.close()

    run(test)
