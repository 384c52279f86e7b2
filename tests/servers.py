"""Servers that tests of several parts run."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tornado import httpserver, web

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
