"""A small HTTP load generator: keep-alive connections, one request in flight on each.

Used in place of an installed tool so that floors and figures of one run always come from the same client.
"""

import asyncio
import http.client
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


async def _connection(host: str, port: int, requests: "itertools.cycle[bytes]", end: float) -> tuple[int, int]:
    reader, writer = await asyncio.open_connection(host, port)
    done = failed = 0
    while time.perf_counter() < end:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        done += 1
        failed += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    return done, failed


@dataclass(frozen=True)
class Call:
    """One request; a GET where there is no body."""

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self, host: str) -> bytes:
        headers = {"Host": host, **self.headers}
        if self.body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


async def _run(url: str, calls: Sequence[Call], connections: int, seconds: float) -> tuple[float, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    raw = [call.raw(parts.netloc) for call in calls]
    start = time.perf_counter()
    results = await asyncio.gather(
        *(
            _connection(parts.hostname, parts.port, itertools.cycle(raw[offset::connections] or raw), start + seconds)
            for offset in range(connections)
        )
    )
    elapsed = time.perf_counter() - start
    return sum(done for done, _ in results) / elapsed, sum(failed for _, failed in results)


def requests_per_second(url: str, calls: Sequence[str | Call], connections: int = 16, seconds: float = 4) -> float:
    """Rate of successful `calls` in turn; a path alone is a GET.

    Raises
    ------
    RuntimeError
        An answer was not 200: then the rate would mean nothing.
    """
    full = [Call(call) if isinstance(call, str) else call for call in calls]
    asyncio.run(_run(url, full, connections, 0.5))
    rate, failed = asyncio.run(_run(url, full, connections, seconds))
    if failed:
        raise RuntimeError(f"{failed} answers of {url} were not 200.")
    return rate


class Client:
    """One connection, and nothing besides HTTP: what a client does with an answer is not the service's time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def answer(self, call: Call) -> tuple[int, bytes]:
        """Status and body of the answer."""
        headers = {**call.headers, **({"Content-Type": "application/json"} if call.body else {})}
        self._connection.request("POST" if call.body else "GET", call.path, call.body or None, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def send(self, call: Call) -> bytes:
        """The body of the answer.

        Raises
        ------
        RuntimeError
            It is not 200.
        """
        status, body = self.answer(call)
        if status != 200:
            raise RuntimeError(f"{call.path} was answered with {status}: {body[:300]!r}")
        return body
