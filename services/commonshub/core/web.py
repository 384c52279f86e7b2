"""The HTTP side that all services share: one base handler, one error body, status, version and metrics."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from tornado import web
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream

from .attempts import Attempt, client_address, is_among
from .errors import AuthenticationRequired, BadRequest, CommonsError, TooManyRequests, Unavailable
from .identity import ANONYMOUS, Identity
from .settings import LimitSettings

if TYPE_CHECKING:
    from .app import ServiceApplication

REQUEST_ID = "X-Request-Id"
# A path may be as long as all headers may; the log keeps so much of it.
MAX_LOGGED_CHARS = 1024

access = logging.getLogger("commonshub.access")


def bearer(request: HTTPServerRequest) -> str | None:
    """The bearer token of a request, or None.

    Raises
    ------
    AuthenticationRequired
        There is an ``Authorization`` header of another form. (Clients send ``bearer`` in any case.)
    """
    headers = request.headers.get_list("Authorization")
    if not headers:
        return None
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationRequired("Authentication Error: could not parse authorization header")
    return token.strip()


def address_of(request: HTTPServerRequest, limits: LimitSettings) -> str:
    """Address of the client that sent a request, by the word of the proxies that the operator named.

    Tornado's own (``xheaders``) would rather believe ``X-Real-Ip``, which a client may send as he likes.
    """
    address = getattr(getattr(request.connection, "context", None), "address", None)
    peer = address[0] if isinstance(address, tuple) else request.remote_ip or ""
    forwarded = request.headers.get_list("X-Forwarded-For")
    return client_address(peer, forwarded, limits.proxy_hops, limits.proxy_addresses)


class BaseHandler(web.RequestHandler):
    """Base of every handler: identity, JSON in and out, errors.

    Attributes
    ----------
    identity
        Who is asking; set before the method runs.
    lenient
        On routes that anybody may read, a bad token counts as none.
    """

    lenient: ClassVar[bool] = False
    identity: Identity = ANONYMOUS
    request_id: str = ""

    @property
    def service(self) -> "ServiceApplication":
        """The application that this handler belongs to."""
        app: ServiceApplication = self.application.settings["service"]
        return app

    @property
    def client_address(self) -> str:
        """Address of the client, by the word of the proxies that the operator named."""
        return address_of(self.request, self.service.limits)

    def prepare(self) -> Awaitable[None] | None:
        """Find out who is asking."""
        try:
            self.identity = self.identify()
        except AuthenticationRequired:
            if not self.lenient:
                raise
        return None

    def identify(self) -> Identity:
        """The caller, by bearer token; a switched-off user is nobody."""
        token = bearer(self.request)
        return self.service.identify(token) if token else ANONYMOUS

    def require_user(self) -> str:
        """The name of the signed-in user.

        Raises
        ------
        AuthenticationRequired
            Nobody is signed in.
        """
        if self.identity.username is None:
            raise AuthenticationRequired("Authentication Error: no authorization header provided")
        return self.identity.username

    def set_default_headers(self) -> None:
        """Headers of every answer, errors too."""
        self.request_id = self.request_id or _request_id(self.request)
        self.set_header(REQUEST_ID, self.request_id)
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.clear_header("Server")

    def json(self) -> Any:
        """The request's body as JSON.

        Raises
        ------
        BadRequest
            It is not JSON; the message has the position.
        """
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not JSON: {error}.") from error

    def json_object(self) -> dict[str, Any]:
        """The request's body as a JSON object.

        Raises
        ------
        BadRequest
            It is not JSON, or not an object.
        """
        body = self.json()
        if not isinstance(body, dict):
            raise BadRequest("The body must be a JSON object.")
        return body

    def reply(self, body: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.finish(orjson.dumps(body))

    def reply_text(self, body: str, status: int = 200) -> None:
        """Answer with plain text."""
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(body)

    def integer(self, name: str, default: int | None = None, low: int = 0, high: int | None = None) -> int | None:
        """An integer query argument.

        Raises
        ------
        BadRequest
            It is not an integer, or outside `low` … `high`.
        """
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        try:
            value = int(text)
        except ValueError as error:
            raise BadRequest(f"{name} must be an integer, not {text[:40]!r}.") from error
        if value < low or (high is not None and value > high):
            raise BadRequest(f"{name} must be between {low} and {high}." if high else f"{name} must be at least {low}.")
        return value

    def error_body(self, error: CommonsError) -> Any:
        """The JSON of an error; compatibility routes override it with the shape their clients read."""
        body: dict[str, Any] = {"error": error.message, "message": error.message, "code": error.code}
        if error.details:
            body["details"] = error.details
        return body

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Tell an error. Where the answer has begun it is broken off, so that nobody takes what there is for whole."""
        stream: IOStream | None = getattr(self.request.connection, "stream", None)
        if self._headers_written and stream is not None:
            stream.close()
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Render whatever went wrong; nothing of our own internals is told."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if not isinstance(error, CommonsError):
            error = _foreign(error, status_code, self.request_id)
        self.set_status(error.status)
        if error.status == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        if isinstance(error, TooManyRequests | Unavailable):
            self.set_header("Retry-After", str(error.wait_s))
        self.finish_error(error)

    def finish_error(self, error: CommonsError) -> None:
        """Send an error; services with pages override it."""
        self.set_header("Content-Type", "application/json")
        self.finish(orjson.dumps(self.error_body(error)))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Errors that users are told of are no faults of ours, so they get one line and no traceback."""
        if isinstance(value, CommonsError) and value.status < 500:
            self.service.log.info("%s: %s", type(value).__name__, value.message)
        elif isinstance(value, web.HTTPError) and value.status_code < 500:
            self.service.log.info("HTTPError: %s", value)
        else:
            # Without the query string, which may hold a credential.
            where = f"{self.request.method} {self.request.path} (request {self.request_id})"
            self.service.log.error("%s failed", where, exc_info=(typ, value, tb))

    async def write_blocks(self, blocks: Iterator[bytes]) -> None:
        """Send what takes a while to come by, block by block and as fast as the client takes it."""
        while block := await asyncio.to_thread(next, blocks, b""):
            self.write(block)
            await self.flush()


class StorableHandler(BaseHandler):
    """Base of handlers that look everything they are given up in PostgreSQL, which stores no NUL."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Text of a part of the path or of an argument."""
        text: str = super().decode_argument(value, name)
        # None for a part of the path that may be absent.
        if text and "\0" in text:
            raise BadRequest(f"{name or 'The path'} must not contain NUL.")
        return text


class CredentialHandler(BaseHandler):
    """Base of handlers that take a credential, or start a sign-in: who fails too often has to wait.

    Attributes
    ----------
    failures
        Statuses that count as a failed attempt.
    """

    failures: ClassVar[frozenset[int]] = frozenset({401, 403})

    def prepare(self) -> Awaitable[None] | None:
        """Refuse, before anything is computed, who has failed too often."""
        address = self.client_address
        self.attempt = Attempt(address, self.claimed(), is_among(address, self.service.limits.proxy_addresses))
        self.service.attempts.check(self.attempt, time.monotonic())
        return super().prepare()

    def claimed(self) -> str:
        """The credential of this request; a handler that reads a name from it returns that."""
        # The end of a body: that of a token is what no other has.
        return self.request.headers.get("Authorization") or self.request.body[-4096:].decode(errors="replace")

    def on_finish(self) -> None:
        """Count a failure."""
        if self.get_status() in self.failures:
            self.service.attempts.failed(self.attempt, time.monotonic())


def _request_id(request: HTTPServerRequest) -> str:
    given = request.headers.get(REQUEST_ID, "")
    return given if 0 < len(given) <= 64 and given.isascii() and given.isprintable() else uuid.uuid4().hex


def _foreign(error: BaseException | None, status: int, request_id: str) -> CommonsError:
    """A :class:`CommonsError` for tornado's own errors and for our bugs."""
    if isinstance(error, web.HTTPError) and status < 500:
        told = CommonsError(error.log_message or error.reason or _reason(status))
    else:
        told = CommonsError(f"internal server error (request {request_id})")
    told.status = status
    told.code = "internal_error" if status >= 500 else "http_error"
    return told


def _reason(status: int) -> str:
    from http import HTTPStatus

    return HTTPStatus(status).phrase


class StatusHandler(BaseHandler):
    """``/_status``: 200 ``Healthy`` when the service can do its work."""

    lenient = True

    async def get(self) -> None:
        await self.service.check_health()
        self.reply_text("Healthy")


class VersionHandler(BaseHandler):
    """``/_version``."""

    lenient = True

    def get(self) -> None:
        self.reply({"version": version("commonshub"), "commit": "", **self.more()})

    def more(self) -> dict[str, Any]:
        """What else there is to tell."""
        return {}


class MetricsHandler(BaseHandler):
    """``/metrics`` in Prometheus' text format."""

    lenient = True

    def get(self) -> None:
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(generate_latest())


class NotFoundHandler(BaseHandler):
    """Every path that no route matches."""

    lenient = True

    def prepare(self) -> None:
        from .errors import NotFound

        raise NotFound(f"There is nothing at {self.request.path}.")


def log_request(handler: web.RequestHandler) -> None:
    """One JSON line an answered request; query strings are left out, since they may hold credentials."""
    identity = getattr(handler, "identity", ANONYMOUS)
    access.info(
        {
            "request_id": getattr(handler, "request_id", ""),
            "method": handler.request.method,
            "path": handler.request.path[:MAX_LOGGED_CHARS],
            "status": handler.get_status(),
            "ms": round(1000 * handler.request.request_time(), 2),
            "user": identity.username,
            "client": identity.client,
        }
    )
