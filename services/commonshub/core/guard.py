"""urllib3's connections to stores that an administrator has named: to no address that the operator would not go to.

As in :mod:`.outbound`, the address is judged when the connection is made, and redirects are not followed.
"""

import socket
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from .errors import UpstreamError
from .outbound import is_loopback, reachable
from .settings import StorageSettings


def guarded_pool(settings: StorageSettings, **options: Any) -> PoolManager:
    """A pool for what ``settings.registered`` names; `options` as of urllib3's own.

    Its connections raise :class:`~.errors.UpstreamError` where a host has only addresses that are out of bounds.
    """
    loopback = is_loopback(urlsplit(settings.endpoint_url).hostname or "")
    networks = [ip_network(each, strict=False) for each in settings.registered_networks]

    def addresses(host: str, port: int) -> list[str]:
        found = {str(each[4][0]): None for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        good = [each for each in found if reachable(each, trusted=True, loopback=loopback, networks=networks)]
        if not good:
            raise UpstreamError(f"{host} has no address that this commons goes to.")
        return good

    def connect(connection: HTTPConnection, make: Any) -> socket.socket:
        host = connection._dns_host
        try:
            *others, last = addresses(host, connection.port or connection.default_port)
        except (socket.gaierror, UnicodeError) as error:
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(host, connection, reason) from error
        try:
            for address in others:
                try:
                    connection._dns_host = address
                    return _socket(make())
                except NewConnectionError:
                    continue
            connection._dns_host = last
            return _socket(make())
        finally:
            # TLS and the header Host go by the name.
            connection._dns_host = host

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, super()._new_conn)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self, super()._new_conn)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    pool = PoolManager(**options)
    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool


def _socket(made: Any) -> socket.socket:
    assert isinstance(made, socket.socket)
    return made
