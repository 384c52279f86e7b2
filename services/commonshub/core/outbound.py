"""Requests to servers that somebody else's document names: an identity provider's endpoints, another commons.

Vocabulary
----------
trusted host
    A host that the operator wrote into the configuration. It may be inside his own network.
named host
    A host that only a document names. It must have a public address.

Either way the address is judged when the connection is made, not when the name is read, so a name that resolves to
something else the second time gains nothing. Nobody is ever sent to a link-local address, where clouds keep their
credentials. Redirects are not followed, answers are bounded in size and time.
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import orjson
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.netutil import DefaultLoopResolver, Resolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from .errors import CommonsError, Unavailable, UpstreamError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Also where clouds answer with the credentials of a machine, in a range that is otherwise private.
_METADATA = (ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200"))


class Rejected(UpstreamError):
    """The server understood the request and said no (a status of 400 to 499)."""


class Forbidden(OSError):
    """The host has only addresses that this commons does not go to."""


def reachable(address: str, *, trusted: bool, loopback: bool, networks: Iterable[Network] = ()) -> bool:
    """Whether a connection may be made to an address.

    Parameters
    ----------
    trusted
        The operator named the host: private addresses are fine.
    loopback
        The operator named a host on this machine: so are loopback addresses.
    networks
        The operator named these themselves: all of their addresses are fine.
    """
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if any(ip in network for network in networks):
        return True
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA:
        return False
    if ip.is_loopback:
        return loopback
    return ip.is_global or trusted


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: Any, trusted_host: str | None = None) -> str:
    """`url`, if it is one that requests with secrets may go to.

    Parameters
    ----------
    trusted_host
        The host that the operator named; None: `url` itself is his.

    Raises
    ------
    UpstreamError
        It is not https (plain http is for an operator's own machine only), or has a user, a password or a fragment.
    """
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname or ""
    except ValueError as error:
        raise _not_https(url) from error
    plain = parts.scheme == "http" and is_loopback(host) and (trusted_host is None or is_loopback(trusted_host))
    if not host or "@" in parts.netloc or parts.fragment or not (parts.scheme == "https" or plain):
        raise _not_https(url)
    return str(url)


def _not_https(url: Any) -> UpstreamError:
    return UpstreamError(f"{str(url)[:200]!r} is not an https address.")


class _GuardedResolver(Resolver):
    def initialize(self, trusted_host: str) -> None:
        self._trusted_host = trusted_host
        self._resolver = DefaultLoopResolver()

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        found = await self._resolver.resolve(host, port, family)
        trusted, loopback = host == self._trusted_host, is_loopback(self._trusted_host)
        good = [each for each in found if reachable(each[1][0], trusted=trusted, loopback=loopback)]
        if not good:
            raise Forbidden(f"{host} has no address that this commons goes to")
        return good


class Outbound:
    """A client for one operator-named server and what its documents name.

    Parameters
    ----------
    server
        URL of the server, as the operator wrote it.
    timeout_s
        Time that an answer may take, in seconds.
    max_body_bytes
        Largest answer that is read, in bytes.
    name
        What people know the server as; default: its host.
    """

    def __init__(self, server: str, timeout_s: float, max_body_bytes: int = 2**20, name: str = "") -> None:
        self.host = urlsplit(server).hostname or ""
        self.name = name or self.host
        self._timeout_s = timeout_s
        self._http = SimpleAsyncHTTPClient(
            force_instance=True,
            resolver=_GuardedResolver(trusted_host=self.host),
            max_clients=16,
            max_body_size=max_body_bytes,
            max_buffer_size=2 * max_body_bytes,
        )

    def close(self) -> None:
        """Give all connections back."""
        self._http.close()

    async def json(self, url: str, **options: Any) -> Any:
        """The JSON that `url` answers with; `options` as of tornado's ``HTTPRequest``.

        Raises
        ------
        UpstreamError
            The URL is none to go to, or the answer is no success (:class:`Rejected` says which) or no JSON.
        Unavailable
            There is no answer, or one that says to try again later, or that is too large: tornado tells it like a
            connection that was lost.
        """
        headers = {"Accept": "application/json", **options.pop("headers", {})}
        request = HTTPRequest(
            check_url(url, self.host),
            headers=headers,
            follow_redirects=False,
            connect_timeout=self._timeout_s,
            request_timeout=self._timeout_s,
            **options,
        )
        try:
            answer: HTTPResponse = await self._http.fetch(request)
            return orjson.loads(answer.body)
        except HTTPClientError as error:
            raise self._failed(error) from error
        except Forbidden as error:
            raise UpstreamError(f"{self.name}: {error}.") from error
        except OSError as error:
            raise Unavailable(f"{self.name} cannot be reached just now.") from error
        except orjson.JSONDecodeError as error:
            raise UpstreamError(f"{self.name} gave an answer that is not JSON.") from error
        except UnicodeError as error:
            # A host that no name server can be asked for, such as `a..b`.
            raise UpstreamError(f"{str(url)[:200]!r} is not an address.") from error

    def _failed(self, error: HTTPClientError) -> CommonsError:
        if error.code in (429, 502, 503, 504, 599):
            return Unavailable(f"{self.name} does not answer properly just now.")
        kind = Rejected if 400 <= error.code < 500 else UpstreamError
        return kind(f"{self.name} answered with status {error.code}.")
