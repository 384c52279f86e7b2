"""A small commons over real HTTP whose storage fails on demand, for transfers only.

What a transfer does when connections break, URLs expire or ranges are ignored cannot be asked of the real storage, so
this one answers as the contract says and misbehaves when told to.
"""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.servers import answering
from tornado import netutil, web

from commonshub.client import Commons


def access_token(origin: str, life_s: float = 1200, **claims: Any) -> str:
    body = {"iss": f"{origin}/user", "pur": "access", "exp": time.time() + life_s, **claims}
    part = base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
    return f"e30.{part}.c2ln"


@dataclass
class Fake:
    """State of the small commons."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Each storage request takes the first fault off this list: "cut:<n>" closes after n bytes, a number is a status.
    faults: list[str] = field(default_factory=list)
    ranges: bool = True
    partial_status: int = 206
    storage_requests: list[dict[str, str]] = field(default_factory=list)
    exchanges: list[tuple[str, str, Any]] = field(default_factory=list)
    # Paths that were refused, in turn.
    refused: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    token_life_s: float = 1200
    verify_after: int = 2  # polls
    refusals: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def add(self, guid: str, content: bytes, name: str = "file.bin", **changes: Any) -> str:
        self.objects[guid] = content
        self.records[guid] = {
            "did": guid,
            "file_name": name,
            "size": len(content),
            "hashes": {"md5": hashlib.md5(content).hexdigest(), "sha256": hashlib.sha256(content).hexdigest()},
            "authz": ["/programs/a/projects/b"],
            "urls": [f"s3://bucket/{guid}"],
            **changes,
        }
        return guid


class Handler(web.RequestHandler):
    @property
    def fake(self) -> Fake:
        return self.application.settings["fake"]  # type: ignore[no-any-return]

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish({"message": str(kwargs["exc_info"][1].log_message or self._reason)})


class Api(Handler):
    """What needs a token."""

    def prepare(self) -> None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.fake.tokens:
            raise web.HTTPError(401, "no valid token")
        if self.request.path in self.fake.refusals:
            self.fake.refused.append(self.request.path)
            status, body = self.fake.refusals[self.request.path]
            self.set_status(status)
            self.finish(body)


class Exchange(Handler):
    def post(self, kind: str) -> None:
        body = json.loads(self.request.body or b"{}")
        self.fake.exchanges.append((kind, self.request.headers.get("Authorization", ""), body))
        if "refuse" in json.dumps(self.fake.exchanges[-1]):
            raise web.HTTPError(401, "This key has been revoked.")
        token = access_token(self.fake.url, self.fake.token_life_s, jti=str(len(self.fake.exchanges)))
        self.fake.tokens.add(token)
        self.finish({"access_token": token})


class User(Api):
    def get(self) -> None:
        self.finish(
            {
                "username": "alice",
                "email": "a@b",
                "is_admin": False,
                "authz": {"/programs/a": [{"method": "read", "service": "*"}]},
            }
        )


class Documents(Api):
    def post(self) -> None:
        wanted = json.loads(self.request.body)
        self.finish(json.dumps([self.fake.records[guid] for guid in wanted if guid in self.fake.records]))


class Record(Api):
    def get(self, guid: str) -> None:
        record = self.fake.records.get(guid)
        if record is None:
            raise web.HTTPError(404, f"There is no record {guid}.")
        if record.get("size") is None and guid in self.fake.objects:
            self.fake.verify_after -= 1
            if self.fake.verify_after < 0:
                self.fake.add(guid, self.fake.objects[guid], self.fake.names[guid])
        self.finish(self.fake.records[guid])


class Ticket(Api):
    def get(self, kind: str, guid: str) -> None:
        self.finish({"url": f"{self.fake.url}/storage/{guid}?X-Amz-Signature=secret"})

    def post(self, *_: str) -> None:
        name = json.loads(self.request.body)["file_name"]
        guid = f"new-{len(self.fake.records)}"
        self.fake.records[guid] = {"did": guid, "file_name": name, "size": None, "hashes": {}, "authz": []}
        self.fake.names[guid] = name
        self.set_status(201)
        self.finish({"guid": guid, "url": f"{self.fake.url}/storage/{guid}?X-Amz-Signature=secret"})


class Storage(Handler):
    def prepare(self) -> None:
        self.fake.storage_requests.append({"method": self.request.method or "", **self.request.headers})

    def fault(self) -> str:
        return self.fake.faults.pop(0) if self.fake.faults else ""

    async def get(self, guid: str) -> None:
        fault = self.fault()
        if fault.isdigit():
            raise web.HTTPError(int(fault), "no")
        content = self.fake.objects[guid]
        start = end = None
        asked = self.request.headers.get("Range")
        if asked and self.fake.ranges:
            low, _, high = asked.removeprefix("bytes=").partition("-")
            start, end = int(low), int(high) + 1 if high else len(content)
            if start >= len(content):
                raise web.HTTPError(416, "no")
            self.set_status(self.fake.partial_status)
            self.set_header("Content-Range", f"bytes {start}-{min(end, len(content)) - 1}/{len(content)}")
        part = content[start:end]
        self.set_header("Content-Length", str(len(part)))
        if fault.startswith("cut:"):
            self.write(part[: int(fault[4:])])
            await self.flush()
            self.request.connection.stream.close()  # type: ignore[union-attr]
            return
        self.finish(part)

    def put(self, guid: str) -> None:
        fault = self.fault()
        if fault.isdigit():
            raise web.HTTPError(int(fault), "no")
        self.fake.objects[guid] = self.request.body[::-1] if fault == "garble" else self.request.body
        self.finish()


class Anything(Api):
    def get(self) -> None:
        raise web.HTTPError(404, "There is nothing here.")

    post = put = get


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake()
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    fake.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    routes: list[Any] = [
        (r"/user/credentials/(hub|api)/access_token", Exchange),
        (r"/user/user", User),
        (r"/user/data/(download|upload)/(.+)", Ticket),
        (r"/user/data/upload", Ticket),
        (r"/index/bulk/documents", Documents),
        (r"/index/index/(.+)", Record),
        (r"/index/(.+)", Record),
        (r"/storage/(.+)", Storage),
        (r"/.*", Anything),
    ]
    with answering(web.Application(routes, fake=fake, log_function=lambda _: None), sockets):
        yield fake


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long between attempts."""
    monkeypatch.setattr("commonshub.client.session.RETRY_DELAYS_S", (0.01, 0.02))
    monkeypatch.setattr("commonshub.client.session.RESTART_DELAYS_S", (0.01, 0.02, 0.02, 0.02))
    monkeypatch.setattr("commonshub.client.download.DELAY_S", 0.01)
    monkeypatch.setattr("commonshub.client.upload.DELAY_S", 0.01)
    monkeypatch.setattr("commonshub.client.upload.POLL_MIN_S", 0.01)


@pytest.fixture
def commons(fake: Fake, quick: None) -> Iterator[Commons]:
    with Commons(fake.url, hub_token="hub-token") as commons:
        yield commons


@pytest.fixture
def make_token() -> Callable[..., str]:
    return access_token
