"""The hub's REST API, as services ask it, and what they remember of its answers for a short time."""

import hashlib
import time
from collections import OrderedDict
from typing import Any, Generic, TypeVar

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from .errors import AuthenticationRequired, PermissionDenied, Unavailable

MAX_TOKEN_CHARS = 512
_CACHE_SIZE = 4096

T = TypeVar("T")


class HubApi:
    """Asks the hub.

    Parameters
    ----------
    url
        Address of the API as this service reaches it.
    timeout_s
        Time that the hub gets to answer, in seconds.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._http = AsyncHTTPClient(force_instance=True, max_clients=32)

    def close(self) -> None:
        """Give all connections back."""
        self._http.close()

    async def ask(
        self,
        path: str,
        token: str,
        body: str | None = None,
        accept: str = "application/json",
        method: str | None = None,
        timeout_s: float | None = None,
    ) -> HTTPResponse:
        """The hub's answer, whatever its status below 500: to a GET, with `body` to a POST, or by `method`.

        Raises
        ------
        Unavailable
            The hub does not answer, or answers that it cannot.
        """
        if not self.url:
            raise Unavailable("This service was not told where its hub is (Commons.hub_api_url).")
        request = HTTPRequest(
            f"{self.url}/{path}",
            method=method or ("GET" if body is None else "POST"),
            headers={"Authorization": f"token {token}", "Accept": accept},
            body=body,
            follow_redirects=False,
            connect_timeout=self.timeout_s,
            request_timeout=timeout_s or self.timeout_s,
        )
        try:
            answer = await self._http.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise Unavailable("The hub cannot be reached just now; try again in a few seconds.") from error
        if answer.code >= 500:
            raise Unavailable("The hub does not answer properly just now; try again in a few seconds.")
        return answer


class Remembered(Generic[T]):
    """What the hub said of tokens, for `ttl_s` seconds. Only good answers belong here: a token may be valid the next
    moment. Tokens themselves are not kept.
    """

    def __init__(self, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._known: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def get(self, token: str) -> T | None:
        """What is remembered of `token`.

        Raises
        ------
        AuthenticationRequired
            No token of the hub looks like this.
        """
        if not 0 < len(token) <= MAX_TOKEN_CHARS:
            raise AuthenticationRequired("Authentication Error: this is not a hub token.")
        until, value = self._known.get(_digest(token), (0.0, None))
        return value if time.monotonic() < until else None

    def put(self, token: str, value: T) -> None:
        """Remember an answer, and forget the oldest where there are very many."""
        self._known[_digest(token)] = (time.monotonic() + self.ttl_s, value)
        if len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)

    def forget(self, token: str) -> None:
        """Ask anew the next time."""
        self._known.pop(_digest(token), None)


def read_owner(model: Any, service: str) -> tuple[str, frozenset[str]]:
    """Name and expanded scopes of a token's owner, in the answer of the hub's ``GET /user``.

    Parameters
    ----------
    service
        Name at the hub of the service that asks; the token must have been given access to it.

    Raises
    ------
    PermissionDenied
        The token belongs to no user, or was not given access to the service.
    """
    name, scopes = model.get("name"), frozenset(model.get("scopes") or ())
    if model.get("kind") != "user" or not isinstance(name, str):
        raise PermissionDenied("This hub token belongs to a service, not to a user.")
    if not scopes & {"access:services", f"access:services!service={service}"}:
        raise PermissionDenied(
            f"This account may not use the service {service} (access:services!service={service}); "
            "ask an administrator of the hub."
        )
    return name, scopes


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
