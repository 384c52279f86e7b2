"""The other services, as the portal asks them: over HTTP, with the visitor's own token or with none."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from commonshub.core.errors import AuthenticationRequired, PermissionDenied, Unavailable, UpstreamError

from .model import NodeView, read

MAX_ANSWER_BYTES = 64 * 2**20
CACHED_TOKENS = 1024
RENEW_BEFORE_S = 60


class Gateway:
    """Connection to the services of one commons.

    Parameters
    ----------
    url
        Scheme, host and port where the services answer.
    timeout_s
        Time that one of them gets to answer, in seconds.
    dictionary_ttl_s
        Time for which the dictionary is not asked for again, in seconds.
    """

    def __init__(self, url: str, timeout_s: float, dictionary_ttl_s: float) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self.dictionary_ttl_s = dictionary_ttl_s
        self._http = AsyncHTTPClient(force_instance=True, max_clients=64, max_body_size=MAX_ANSWER_BYTES)
        self._tokens: OrderedDict[bytes, tuple[float, dict[str, Any]]] = OrderedDict()
        self._nodes: dict[str, NodeView] = {}
        self._nodes_until = 0.0
        self._asking = asyncio.Lock()

    def close(self) -> None:
        """Give all connections back."""
        self._http.close()

    async def call(
        self, method: str, path: str, *, authorization: str | None = None, body: Any = None, **query: str
    ) -> Any:
        """JSON of a service's answer.

        Raises
        ------
        AuthenticationRequired, PermissionDenied
            The service wants a (better) sign-in, or does not let this visitor.
        Unavailable
            It gave no answer.
        UpstreamError
            It answered with another error, or with something that is not JSON.
        """
        headers = {"Accept": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = HTTPRequest(
            f"{self.url}{path}" + (f"?{urlencode(query)}" if query else ""),
            method=method,
            headers=headers,
            body=None if body is None else orjson.dumps(body),
            allow_nonstandard_methods=True,
            follow_redirects=False,
            connect_timeout=self.timeout_s,
            request_timeout=self.timeout_s,
        )
        try:
            answer = await self._http.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise Unavailable(f"No answer from {path}.") from error
        if answer.code == 401 and authorization:
            self._withdraw(authorization)
        return _content(answer, path)

    async def exchange(self, hub_token: str) -> dict[str, Any]:
        """A short-lived access token for a hub token: ``access_token``, ``expires_in``, ``username``.

        Raises
        ------
        AuthenticationRequired
            The hub token is not valid any more.
        Unavailable, UpstreamError
            The auth service cannot be asked.
        """
        key = hashlib.sha256(hub_token.encode()).digest()
        end, answer = self._tokens.get(key, (0.0, {}))
        left = end - time.monotonic()
        if left > RENEW_BEFORE_S:
            return {**answer, "expires_in": int(left)}
        answer = await self.call(
            "POST", "/user/credentials/hub/access_token", authorization=f"token {hub_token}", body={}
        )
        self._tokens[key] = (time.monotonic() + float(answer["expires_in"]), answer)
        if len(self._tokens) > CACHED_TOKENS:
            self._tokens.popitem(last=False)
        return dict(answer)

    def forget(self, hub_token: str) -> None:
        """Drop the access token that was got for a hub token."""
        self._tokens.pop(hashlib.sha256(hub_token.encode()).digest(), None)

    def _withdraw(self, authorization: str) -> None:
        """Drop the access token that a service refused: it may be revoked, and the hub token good for another."""
        refused = [
            key for key, (_, answer) in self._tokens.items() if authorization == f"bearer {answer['access_token']}"
        ]
        for key in refused:
            del self._tokens[key]

    async def nodes(self) -> dict[str, NodeView]:
        """The node types of the dictionary.

        Raises
        ------
        Unavailable, UpstreamError
            The submission service cannot be asked, and never could be before.
        """
        async with self._asking:
            if time.monotonic() < self._nodes_until:
                return self._nodes
            try:
                self._nodes = read(await self.call("GET", "/api/v0/submission/_dictionary/_all"))
                self._nodes_until = time.monotonic() + self.dictionary_ttl_s
            except (Unavailable, UpstreamError):
                if not self._nodes:
                    raise
            return self._nodes


def _content(answer: HTTPResponse, path: str) -> Any:
    if answer.code == 401:
        raise AuthenticationRequired(f"A sign-in is needed for {path}.")
    if answer.code == 403:
        raise PermissionDenied(f"You have no permission for {path}.")
    if answer.code in (502, 503, 504):
        raise Unavailable(f"The service behind {path} does not answer.")
    if answer.code >= 300:
        raise UpstreamError(f"{path} answered {answer.code}.")
    if answer.code == 204:
        return None
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(f"{path} answered something that is not JSON.") from error


def counts_of(answer: Any) -> dict[str, dict[str, int]]:
    """Counts by project_id and node type; whatever is not a count is passed over."""
    if not isinstance(answer, Mapping):
        return {}
    return {
        str(project): {str(node): count for node, count in counts.items() if isinstance(count, int)}
        for project, counts in answer.items()
        if isinstance(counts, Mapping)
    }
