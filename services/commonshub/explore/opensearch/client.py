"""OpenSearch over HTTP: the few requests that the explorer makes, and what its errors mean."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from commonshub.core.errors import BadRequest, CommonsError, Unavailable, UpstreamError

from ..requests import Away

if TYPE_CHECKING:
    from urllib3 import PoolManager

Document = dict[str, Any]

MAX_REQUEST_BYTES = 32 * 2**20
"""Searches are sent together up to here; OpenSearch takes 100 MB."""
_CONNECT_S = 5.0
# What OpenSearch says of a search that asks for too much at once.
_TOO_LARGE = frozenset({"too_many_clauses", "too_many_nested_clauses", "too_complex_to_determinize_exception"})
_TOO_MANY_BUCKETS = "too_many_buckets_exception"
_BUSY = (429, 502, 503, 504)

log = logging.getLogger(__name__)


class TooManyBuckets(BadRequest):
    """A search would make more buckets than OpenSearch allows."""


class Client:
    """A cluster of OpenSearch. Safe to use from several threads.

    Parameters
    ----------
    url
        Its address.
    timeout_s
        How long it may take to answer.
    credentials_file
        JSON of ``user`` and ``password``; empty for none.
    ca_file
        Certificates of the authorities to trust instead of the system's; empty for these.
    connections
        Requests at the same time.
    """

    def __init__(
        self, url: str, timeout_s: float, credentials_file: str = "", ca_file: str = "", connections: int = 4
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._credentials_file = credentials_file
        self._ca_file = ca_file
        self._connections = connections

    @cached_property
    def _pool(self) -> "PoolManager":
        from urllib3 import PoolManager, Timeout, make_headers

        headers = {"Accept": "application/json"}
        if self._credentials_file:
            try:
                found = json.loads(Path(self._credentials_file).read_text())
                headers |= make_headers(basic_auth=f"{found['user']}:{found['password']}")
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise UpstreamError("The commons cannot read the credentials of its OpenSearch.") from error
        return PoolManager(
            headers=headers, maxsize=self._connections, retries=False, ca_certs=self._ca_file or None,
            timeout=Timeout(connect=_CONNECT_S, read=self.timeout_s + _CONNECT_S),
        )  # fmt: skip

    def close(self) -> None:
        """Let the connections go."""
        self._pool.clear()

    def ask(self, method: str, path: str, body: bytes | Mapping[str, Any] | None = None) -> Document | None:
        """One request; None where there is no such thing.

        Parameters
        ----------
        body
            An object, or lines of JSON.

        Raises
        ------
        Away
            OpenSearch does not answer.
        Unavailable
            It is overloaded.
        UpstreamError
            It refuses.
        """
        from urllib3.exceptions import HTTPError

        lines = isinstance(body, bytes)
        headers = {**self._pool.headers, "Content-Type": "application/x-ndjson" if lines else "application/json"}
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        try:
            answer = self._pool.request(method, self.url + path, body=data, headers=headers)
        except HTTPError as error:
            # Not its text, which may have the address with a password in it.
            raise Away(f"OpenSearch does not answer ({type(error).__name__}); try again later.") from error
        if answer.status == 404:
            return None
        if answer.status in (401, 403):
            raise UpstreamError("OpenSearch refuses the credentials of the commons.")
        try:
            found: Document = orjson.loads(answer.data) if answer.data else {}
        except ValueError as error:
            raise UpstreamError("What answers at the address of OpenSearch is something else.") from error
        if answer.status >= 400:
            raise refusal(answer.status, found.get("error"))
        return found

    def need(self, method: str, path: str, body: bytes | Mapping[str, Any] | None = None) -> Document:
        """One request for what must be there."""
        found = self.ask(method, path, body)
        if found is None:
            raise Away(f"OpenSearch has nothing at {path}.")
        return found

    def search(self, searches: Sequence[tuple[str, Document]]) -> list[Document | CommonsError]:
        """The answers to searches in indexes, in order, or what is wrong with one: it takes too long, say."""
        found: list[Document] = []
        for body in _packed([*self._lines(searches)]):
            found += self.need("POST", "/_msearch", body)["responses"]
        return [self._checked(answer) for answer in found]

    def _checked(self, answer: Document) -> Document | CommonsError:
        if "error" in answer:
            return refusal(answer.get("status", 500), answer["error"])
        if answer["timed_out"]:
            return Unavailable(f"The query took longer than {self.timeout_s:g} s: narrow the filter.")
        return answer

    def _lines(self, searches: Sequence[tuple[str, Document]]) -> Iterator[bytes]:
        for index, body in searches:
            head = {"index": index, "allow_partial_search_results": False}
            yield orjson.dumps(head) + b"\n" + orjson.dumps({**body, "timeout": f"{self.timeout_s:g}s"}) + b"\n"


def _packed(parts: Sequence[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        if waiting and size + len(part) > MAX_REQUEST_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(part)
        size += len(part)
    if waiting:
        yield b"".join(waiting)


def refusal(status: int, error: Any) -> CommonsError:
    """What an error of OpenSearch means here."""
    kinds = set(_kinds(error))
    if kinds & _TOO_LARGE:
        return BadRequest("The filter is too large: name many values in one IN, and shorter patterns.")
    if _TOO_MANY_BUCKETS in kinds:
        return TooManyBuckets("That makes too many buckets: narrow the filter, or choose a larger rangeStep.")
    if "index_not_found_exception" in kinds:
        return Away("The explorer's index is missing in OpenSearch; `commonshub etl run` builds a new one.")
    if status in _BUSY:
        return Unavailable("OpenSearch is overloaded; try again later.")
    log.error("OpenSearch refused: %s", str(error)[:2000])
    return UpstreamError("OpenSearch refused a request of the commons.")


def _kinds(error: Any) -> Iterator[str]:
    """All types of an error and its causes."""
    if isinstance(error, dict):
        if isinstance(error.get("type"), str):
            yield error["type"]
        for each in error.values():
            yield from _kinds(each)
    elif isinstance(error, list):
        for each in error:
            yield from _kinds(each)
