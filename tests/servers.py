"""Servers that tests of several parts run."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tornado import httpserver, web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

# Beginning of a jupyterhub_config.py for a hub that is asked directly, with no proxy before it.
HUB_WITHOUT_PROXY = """
from jupyterhub.proxy import Proxy

class NoProxy(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {{}}

c.JupyterHub.proxy_class = NoProxy
"""


@contextmanager
def answering(application: web.Application, sockets: list[socket.socket]) -> Iterator[None]:
    """Let `application` answer on `sockets`, on a thread and event loop of its own."""
    loop = asyncio.new_event_loop()
    server = httpserver.HTTPServer(application)

    async def listen() -> None:
        server.add_sockets(sockets)

    async def close() -> None:
        server.stop()
        await server.close_all_connections()

    loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Router(web.RequestHandler):
    """Hands a request to the service with the longest matching prefix, as the hub's proxy does."""

    async def any_method(self) -> None:
        routes: dict[str, str] = self.application.settings["routes"]
        prefix = max((each for each in routes if self.request.path.startswith(each)), key=len, default=None)
        if prefix is None:
            raise web.HTTPError(404)
        names = ("Authorization", "Content-Type", "Accept", "Range")
        request = HTTPRequest(
            routes[prefix] + self.request.uri,
            method=self.request.method,
            headers={name: self.request.headers[name] for name in names if name in self.request.headers},
            body=self.request.body or (b"" if self.request.method in ("POST", "PUT", "PATCH") else None),
            follow_redirects=False,
            request_timeout=60,
            allow_nonstandard_methods=True,
        )
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        self.set_status(answer.code)
        for name in ("Content-Type", "Location", "Retry-After"):
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        if answer.body and answer.code != 204:
            self.write(answer.body)

    get = post = put = delete = options = any_method
