"""Where this commons sends requests on the word of somebody else's document, and where never."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.servers import answering
from tornado import netutil, web

from commonshub.core.errors import CommonsError, Unavailable, UpstreamError
from commonshub.core.outbound import Outbound, Rejected, check_url, reachable


@pytest.mark.parametrize(
    ("address", "named", "trusted"),
    [
        ("8.8.8.8", True, True),
        ("2600::1", True, True),
        ("10.0.0.1", False, True),
        ("192.168.1.1", False, True),
        ("fd12::1", False, True),
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("::ffff:127.0.0.1", False, False),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
    ],
)
def test_private_addresses_are_for_hosts_that_the_operator_named(address: str, named: bool, trusted: bool) -> None:
    assert reachable(address, trusted=False, loopback=False) is named
    assert reachable(address, trusted=True, loopback=False) is trusted


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        7,
        "provider.example",
        "http://provider.example/",
        "ftp://provider.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user:password@provider.example/",
        "https://provider.example@evil.example/",
        "https://provider.example/#fragment",
        "https:///path",
        "http://127.0.0.1/",
        "https://[::1",
        "https://exa\u2100mple.com/",
    ],
)
def test_only_https_addresses_are_taken(url: Any) -> None:
    with pytest.raises(UpstreamError):
        check_url(url, "provider.example")


def test_plain_http_is_for_this_machine_only() -> None:
    assert check_url("http://127.0.0.1:1/x", "localhost") == "http://127.0.0.1:1/x"
    assert check_url("http://127.0.0.1:1/x") == "http://127.0.0.1:1/x"
    with pytest.raises(UpstreamError):
        check_url("http://provider.example/")


class Answers(web.RequestHandler):
    def get(self, what: str) -> None:
        if what == "redirect":
            self.redirect("/good")
        elif what == "large":
            self.finish('"' + "x" * 5000 + '"')
        elif what == "text":
            self.finish("<html>")
        elif what.isdigit():
            self.set_status(int(what))
        else:
            self.finish({"good": True})


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    with answering(web.Application([(r"/(.*)", Answers)]), sockets):
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"


def fetch(server: str, path: str, trusted: str) -> Any:
    async def ask() -> Any:
        outbound = Outbound(trusted, 5, max_body_bytes=4096)
        try:
            return await outbound.json(server + path)
        finally:
            outbound.close()

    return asyncio.run(ask())


def test_json_is_read(server: str) -> None:
    assert fetch(server, "/good", server) == {"good": True}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/redirect", UpstreamError),
        ("/large", Unavailable),
        ("/text", UpstreamError),
        ("/400", Rejected),
        ("/500", UpstreamError),
        ("/503", Unavailable),
    ],
)
def test_anything_but_json_is_an_error_of_the_server(server: str, path: str, kind: type[CommonsError]) -> None:
    with pytest.raises(CommonsError) as told:
        fetch(server, path, server)
    assert type(told.value) is kind


@pytest.mark.parametrize("url", ["https://a..b/", f"https://{'a' * 64}.example/", "https://[::1"])
def test_a_host_that_cannot_be_is_an_error_of_the_server(url: str) -> None:
    with pytest.raises(UpstreamError):
        fetch(url, "", "https://provider.example")


def test_a_name_that_resolves_to_this_machine_is_not_gone_to(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(self: Any, host: str, port: int, family: Any = socket.AF_UNSPEC) -> list[tuple[int, Any]]:
        return [(socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(netutil.DefaultLoopResolver, "resolve", resolve)
    for trusted in ("https://provider.example", "https://rebound.example"):
        with pytest.raises(UpstreamError, match="no address"):
            fetch("https://rebound.example:" + server.rpartition(":")[2], "/good", trusted)
