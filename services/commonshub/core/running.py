"""Which requests are running, so that a stop can wait for their answers.

Tornado closes the connections of requests that it has not answered; what runs is known to the application alone. It is
counted between the headers of a request and the last byte of its answer, for handlers of every kind.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import ExitStack
from functools import partial
from typing import Any
from weakref import WeakSet

from tornado import httputil, web
from tornado.iostream import IOStream

_POLL_S = 0.02


class CountingApplication(web.Application):
    """A tornado application that knows whether it is answering somebody."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.running: set[httputil.HTTPServerRequest] = set()
        self.transforms.append(partial(_Ending, self.running))  # type: ignore[arg-type]  # It is only called.
        self._sending: WeakSet[IOStream] = WeakSet()

    @property
    def busy(self) -> bool:
        """Whether a request is running, or an answer still on its way."""
        return bool(self.running) or any(stream.writing() for stream in self._sending)

    async def answered(self) -> None:
        """Wait until no request is running."""
        while self.busy:  # noqa: ASYNC110 - tornado tells nobody that a stream has been written out
            await asyncio.sleep(_POLL_S)

    def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> Any:
        # Gen3's own client joins an origin and a path that both bring a slash.
        if request.path.startswith("//"):
            request.path = "/" + request.path.lstrip("/")
        return _Counted(self, request, super().find_handler(request, **kwargs))

    def log_request(self, handler: web.RequestHandler) -> None:
        """Log an answer, of which some may be on its way still."""
        super().log_request(handler)
        stream: IOStream | None = getattr(handler.request.connection, "stream", None)
        if stream is not None and stream.writing():
            self._sending.add(stream)


class _Counted(httputil.HTTPMessageDelegate):
    """Hands a request to `inner`, and counts it until its answer ends or its client goes before it is complete."""

    def __init__(
        self, application: CountingApplication, request: httputil.HTTPServerRequest, inner: httputil.HTTPMessageDelegate
    ) -> None:
        self._running = application.running
        self._request = request
        self._inner = inner

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> Awaitable[None] | None:
        self._running.add(self._request)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        with ExitStack() as failing:
            # Where no handler is made, nothing will be answered.
            failing.callback(self._running.discard, self._request)
            self._inner.finish()
            failing.pop_all()

    def on_connection_close(self) -> None:
        self._running.discard(self._request)
        self._inner.on_connection_close()


class _Ending(web.OutputTransform):
    """Leaves an answer as it is, and sees its end: also of one that breaks off, which tornado does not log."""

    def __init__(self, running: set[httputil.HTTPServerRequest], request: httputil.HTTPServerRequest) -> None:
        self._running = running
        self._request = request

    def transform_first_chunk(
        self, status_code: int, headers: httputil.HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, httputil.HTTPHeaders, bytes]:
        return status_code, headers, self.transform_chunk(chunk, finishing)

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        if finishing:
            self._running.discard(self._request)
        return chunk
