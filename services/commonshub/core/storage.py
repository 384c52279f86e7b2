"""S3 as the services use it: presigned URLs for the clients, streams for the verifier.

The bytes of a data object never pass through a handler.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from . import listings, signature
from .credentials import secret
from .errors import BadRequest, NotFound, Unavailable, UpstreamError
from .settings import StorageSettings
from .signature import Deed

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

Method = Literal["GET", "HEAD", "PUT", "POST", "DELETE"]

# Life of the URLs that the services use themselves, at once.
_OWN_TTL_S = 300
_ATTEMPTS = 3
_TIMEOUT_S = 30.0
# A thousand of S3's longest keys, each byte escaped, are half of this.
_MAX_LIST_BYTES = 8 * 2**20
# What stores mean by some of S3's codes for uploads in parts.
_REFUSALS = {
    "EntityTooSmall": "A part other than the last has less than 5 MiB, which the object store refuses",
    "EntityTooLarge": "A part has more than 5 GiB, or all of them more than the object store takes",
    "InvalidPart": "The object store does not have one of the parts, or has it with another ETag",
    "NoSuchUpload": "The object store knows no such upload in parts: it has ended, or was given up",
}


class Readable(Protocol):
    """Bytes to send, a piece at a time."""

    def read(self, count: int = -1, /) -> bytes:
        """The next of them; none at the end."""


class Location(NamedTuple):
    """Where an object's bytes are: ``s3://bucket/key``."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str) -> "Location":
        """Read an ``s3://`` URL.

        Raises
        ------
        BadRequest
            `url` has another scheme, no bucket or no key.
        """
        # Not urlsplit: it cuts at ? and #, which are ordinary characters of a key, and refuses brackets.
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not bucket or not key:
            raise BadRequest(f"{url!r} is not of the form s3://bucket/key.")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Head(NamedTuple):
    """What the store says of an object.

    Parameters
    ----------
    etag, modified
        As the store writes them; they change with the bytes. A store may lack one of them.
    """

    size: int
    etag: str
    modified: str = ""

    @property
    def stamp(self) -> str:
        """What tells these bytes from others that were or will be at the same place."""
        return f"{self.size} {self.etag} {self.modified}"


class Listed(NamedTuple):
    """One object in the list of a bucket."""

    location: Location
    size: int


class Store(NamedTuple):
    """What holds a bucket.

    Parameters
    ----------
    endpoint_url
        Empty for AWS itself.
    credentials_file
        Empty for the usual AWS sources.
    public
        Whether everybody can read the bucket without a signature.
    """

    endpoint_url: str
    region: str
    credentials_file: str
    public: bool = False


def _begins(answer: "BaseHTTPResponse") -> int:
    """First byte of what a store sends; some send a part with status 200."""
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else 0


class Storage:
    """The S3-compatible object stores of a commons.

    Parameters
    ----------
    timeout_s
        How long a store may be silent, in seconds.
    attempts
        How often a request is sent again that a store did not answer.
    """

    def __init__(self, settings: StorageSettings, timeout_s: float = _TIMEOUT_S, attempts: int = _ATTEMPTS) -> None:
        self.settings = settings
        self._timeout_s = timeout_s
        self._attempts = attempts

    @property
    def buckets(self) -> set[str]:
        """Buckets of this commons: no URL is signed for any other."""
        return {self.settings.upload_bucket, *self.settings.buckets, *self.settings.stores}

    def store(self, bucket: str) -> Store:
        """Where `bucket` is."""
        own = Store(self.settings.endpoint_url, self.settings.region, self.settings.credentials_file)
        return own._replace(**self.settings.stores.get(bucket, {}))

    @cached_property
    def _pool(self) -> "PoolManager":
        from urllib3 import PoolManager, Retry

        return PoolManager(retries=Retry(self._attempts, backoff_factor=0.2), timeout=self._timeout_s, maxsize=8)

    @cached_property
    def _guarded_pool(self) -> "PoolManager":
        from urllib3 import Retry

        from .guard import guarded_pool

        retries = Retry(self._attempts, redirect=False, backoff_factor=0.2)
        return guarded_pool(self.settings, retries=retries, timeout=self._timeout_s, maxsize=8)

    def _pool_of(self, bucket: str) -> "PoolManager":
        """Connections to what holds a bucket; those to a store that the operator has not named are guarded."""
        return self._guarded_pool if bucket in self.settings.registered else self._pool

    def address(self, location: Location) -> str:
        """The unsigned URL of an object: by path at an endpoint of ours, by host name at AWS."""
        key = quote(location.key, safe="/-_.~")
        store = self.store(location.bucket)
        if store.endpoint_url:
            return f"{store.endpoint_url.rstrip('/')}/{location.bucket}/{key}"
        return f"https://{location.bucket}.s3.{store.region}.amazonaws.com/{key}"

    def presign(
        self,
        method: Method,
        location: Location,
        ttl_s: int,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """A URL that does exactly one thing with one object for `ttl_s` seconds.

        Signing is local computation: no request is made.

        Parameters
        ----------
        query, headers
            Further parameters of S3's API, such as ``partNumber``, and headers, such as ``Content-MD5``, that the
            request must have exactly.

        Raises
        ------
        NotFound
            The bucket is none of this commons'.
        """
        if location.bucket not in self.buckets:
            raise NotFound(f"This commons has no access to bucket {location.bucket!r}.")
        store = self.store(location.bucket)
        deed = Deed(method, self.address(location), query or {}, headers or {})
        return signature.presign(deed, secret(store.credentials_file), store.region, ttl_s, datetime.now(UTC))

    def _own_url(self, method: Method, location: Location, query: Mapping[str, str] | None) -> str:
        """A URL that the services use themselves; a public bucket may know none of our keys, and needs none."""
        if method in ("GET", "HEAD") and location.bucket in self.buckets and self.store(location.bucket).public:
            return f"{self.address(location)}?{urlencode(query)}" if query else self.address(location)
        return self.presign(method, location, _OWN_TTL_S, query)

    @contextmanager
    def _request(
        self, method: Method, location: Location, query: Mapping[str, str] | None = None, start: int = 0
    ) -> Iterator["BaseHTTPResponse | None"]:
        """The store's answer, or None where there is no such object.

        Parameters
        ----------
        start
            First byte that is wanted.

        Raises
        ------
        Unavailable
            The store does not answer, breaks off, or is not well.
        UpstreamError
            It refuses. (A store that may not tell what there is answers a HEAD with 403 where there is nothing.)
        """
        from urllib3.exceptions import HTTPError

        url = self._own_url(method, location, query)
        none = (403, 404) if method in ("HEAD", "GET") else (404,)
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            pool = self._pool_of(location.bucket)
            answer = pool.request(method, url, preload_content=False, decode_content=False, headers=headers)
            try:
                if answer.status in none:
                    yield None
                elif answer.status in (200, 204, 206) and _begins(answer) == start:
                    yield answer
                else:
                    kind = Unavailable if answer.status >= 500 else UpstreamError
                    raise kind(f"The object store answered {answer.status} to {method} {location}.")
            finally:
                answer.close()
                answer.release_conn()
        except HTTPError as error:
            raise Unavailable(f"The object store broke off at {method} {location}: {type(error).__name__}.") from error

    def head(self, location: Location) -> Head | None:
        """Size and ETag of an object, or None where there is none."""
        with self._request("HEAD", location) as answer:
            if answer is None:
                return None
            found = answer.headers
            return Head(
                listings.size_of(found.get("Content-Length"), location),
                found.get("ETag", ""),
                found.get("Last-Modified", ""),
            )

    def stream(self, location: Location, chunk_bytes: int = 2**20, start: int = 0) -> Iterator[bytes]:
        """The bytes of an object in order, from byte `start` on, a chunk at a time.

        Raises
        ------
        NotFound
            There is no such object.
        """
        with self._request("GET", location, start=start) as answer:
            if answer is None:
                raise NotFound(f"There is no object at {location}.")
            yield from answer.stream(chunk_bytes, decode_content=False)

    def listing(self, bucket: str, page: int = 1000, prefix: str = "") -> Iterator[list[Listed]]:
        """The objects of a bucket whose keys begin with `prefix`, in pages of at most `page` in the order of keys.

        Raises
        ------
        NotFound
            There is no such bucket, or none that the commons may list.
        UpstreamError
            The store gives a list that cannot be read.
        """
        token = ""
        while True:
            query = {"list-type": "2", "max-keys": str(page), "encoding-type": "url"}
            query |= {"prefix": prefix} if prefix else {}
            query |= {"continuation-token": token} if token else {}
            found, token = listings.objects(bucket, self.describe(bucket, query))
            yield [Listed(Location(bucket, key), size) for key, size in found]
            if not token:
                return

    def describe(self, bucket: str, query: Mapping[str, str]) -> bytes:
        """What the store says of a bucket, in XML.

        Raises
        ------
        NotFound
            There is no such bucket, or none that the commons may list.
        """
        with self._request("GET", Location(bucket, ""), query) as answer:
            if answer is None:
                raise NotFound(f"The bucket {bucket!r} does not exist, or the commons may not list it.")
            return answer.read(_MAX_LIST_BYTES)

    def probe(self, bucket: str) -> None:
        """Raise unless a bucket is there, and the commons may list it; of a public one, unless its store answers.

        Raises
        ------
        NotFound
            There is no such bucket, or none that the commons may list.
        UpstreamError
            What answers is no store, refuses, or is where this commons does not go.
        Unavailable
            Nothing answers.
        """
        if not self.store(bucket).public:
            next(self.listing(bucket, page=1))
            return
        from urllib3.exceptions import HTTPError

        url = self.address(Location(bucket, ""))
        try:
            status = self._pool_of(bucket).request("HEAD", url).status
        except HTTPError as error:
            raise Unavailable(f"The object store broke off at HEAD {url}: {type(error).__name__}.") from error
        if status == 404:
            raise NotFound(f"The bucket {bucket!r} does not exist.")
        # Whose objects everybody may read may not be asked for itself; stores refuse that in several ways.
        if not (status == 200 or 400 <= status < 500):
            raise UpstreamError(f"The object store answered {status} to HEAD {url}.")

    def post(self, location: Location, body: bytes = b"", **query: str) -> bytes:
        """Speak S3's protocol of uploads in parts about one object; the answer's XML.

        Parameters
        ----------
        query
            ``uploads`` begins an upload, ``uploadId`` ends one.

        Raises
        ------
        BadRequest
            The store refuses; the message has its code.
        Unavailable
            The store does not answer, or fails.
        """
        answer = self._send("POST", location, body, {}, query)
        # The store may find a fault when it has begun to answer 200: then the fault is in the body.
        fault = re.search(rb"<Error>.*?<Code>(\w+)</Code>", answer.data, re.DOTALL)
        if answer.status >= 500:
            raise Unavailable(f"The object store answered {answer.status} to POST {location}.")
        if answer.status >= 400 or fault:
            code = fault[1].decode() if fault else str(answer.status)
            told = _REFUSALS.get(code, "The object store refuses this upload in parts")
            raise BadRequest(f"{told} ({code}).")
        return answer.data

    def put(self, location: Location, body: Readable, size: int, **query: str) -> str:
        """Store an object, or a part of one, of up to 5 GiB; its ETag.

        Parameters
        ----------
        size
            How many bytes `body` gives.

        Raises
        ------
        Unavailable
            The store does not answer, or refuses.
        """
        answer = self._send("PUT", location, body, {"Content-Length": str(size)}, query)
        if answer.status >= 300:
            raise Unavailable(f"The object store answered {answer.status} to PUT {location}.")
        return answer.headers.get("ETag", "")

    def _send(
        self,
        method: Method,
        location: Location,
        body: "bytes | Readable",
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> "BaseHTTPResponse":
        """The answer to one request with a body, which is sent once only."""
        from urllib3.exceptions import HTTPError

        url, pool = self.presign(method, location, _OWN_TTL_S, query), self._pool_of(location.bucket)
        try:
            return pool.request(method, url, body=body, headers=headers, retries=False)  # type: ignore[arg-type]
        except HTTPError as error:
            raise Unavailable(f"The object store broke off at {method} {location}: {type(error).__name__}.") from error

    def delete(self, location: Location, **query: str) -> None:
        """Delete an object; with ``uploadId`` what there is of an upload in parts. No error where there is none."""
        with self._request("DELETE", location, query):
            pass
