"""HTTP with a commons: tokens added and renewed, short outages ridden out, errors told in words.

A commons restarts a part of itself within a minute, so requests that change nothing are repeated that long while the
commons itself answers that a part is away (`RESTART_DELAYS_S`), and for some seconds while nothing answers at all
(`RETRY_DELAYS_S`). Requests that change something are sent once.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import httpx

from .credentials import AccessToken, Source
from .errors import CommonsError, NotFound, NotPermitted, Refused, SignInFailed, Unreachable

RETRY_DELAYS_S = (0.2, 0.5, 1, 2, 4, 8)
RESTART_DELAYS_S = (*RETRY_DELAYS_S, 8, 8, 8, 8, 8, 8)
TOLD_AFTER_S = 4  # a user is told why nothing happens
RENEW_BEFORE_S = 60
_log = logging.getLogger("commonshub")
_PASSING = frozenset({502, 503, 504})
_MAX_TOLD_CHARS = 500


class Session:
    """Requests to one commons on behalf of one user; safe to share between threads.

    Parameters
    ----------
    source
        Where access tokens come from.
    timeout_s
        Longest silence from the commons, in seconds.
    """

    def __init__(self, source: Source, timeout_s: float = 60) -> None:
        self.source = source
        self.origin = source.origin
        agent = f"commonshub/{version('commonshub')}"
        self._http = httpx.Client(base_url=self.origin, timeout=timeout_s, headers={"User-Agent": agent})
        # Presigned URLs lead to other hosts, which must never see our token.
        self.storage = httpx.Client(timeout=timeout_s, headers={"User-Agent": agent, "Accept-Encoding": "identity"})
        self._token: AccessToken | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give all connections back."""
        self._http.close()
        self.storage.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON at a path."""
        return self.request("GET", path, params=params).json()

    def read(self, path: str, body: Any) -> Any:
        """The JSON that a POST answers which changes nothing, such as a query."""
        return self.request("POST", path, json=body, changes=False).json()

    def download_url(self, guid: str) -> str:
        """A fresh presigned URL for the bytes of an object; it is a credential and must not be shown."""
        return str(self.get(f"/user/data/download/{quote(guid, safe='/:')}")["url"])

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        changes: bool | None = None,
        refused: bool = True,
    ) -> httpx.Response:
        """One request with the user's token, which is renewed before it expires and once when it is refused.

        Parameters
        ----------
        changes
            Whether it changes something; by default all but GET does. What changes something is never repeated.
        refused
            Whether a 400 raises; a caller that reads the faults from the body says False.

        Raises
        ------
        SignInFailed, NotPermitted, NotFound, Refused, Unreachable
            As the answer says.
        """
        changes = method != "GET" if changes is None else changes
        token = self.token()
        answer = self._send(method, path, token, changes, params, json)
        if answer.status_code == 401:
            token = self.token(instead_of=token)
            answer = self._send(method, path, token, changes, params, json)
        if answer.is_success or (answer.status_code == 400 and not refused):
            return answer
        raise told(answer)

    def token(self, instead_of: AccessToken | None = None) -> AccessToken:
        """A token that is valid for a while yet.

        Parameters
        ----------
        instead_of
            A token that was refused; if another thread has renewed it already, no exchange is made.
        """
        with self._lock:
            current = self._token
            if current is None or current is instead_of or current.expires - RENEW_BEFORE_S <= time.time():
                self._token = current = self.source.fetch(self._exchange)
            return current

    def _exchange(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._patiently("POST", path, headers=headers, json=body)
        if answer.status_code in (400, 401, 403):
            raise SignInFailed(
                f"{self.origin} does not accept {self.source.description}: {_message(answer)} "
                "In a workspace, restart the server (File > Hub Control Panel); elsewhere, create a new API key."
            )
        if not answer.is_success:
            raise told(answer)
        document = _json(answer)
        return document if isinstance(document, dict) else {}

    def _send(
        self, method: str, path: str, token: AccessToken, changes: bool, params: Any, json: Any
    ) -> httpx.Response:
        options = {"params": params, "json": json, "headers": {"Authorization": f"bearer {token.value}"}}
        if changes:
            with _reachable(self.origin):
                return self._http.request(method, path, **options)
        return self._patiently(method, path, **options)

    def _patiently(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request that may be sent again without harm."""
        for attempt in range(len(RESTART_DELAYS_S)):
            try:
                answer = self._http.request(method, path, **options)
            except httpx.TransportError:
                if attempt >= len(RETRY_DELAYS_S):
                    break
            else:
                if answer.status_code not in _PASSING:
                    return answer
            self._wait(RESTART_DELAYS_S[attempt])
        with _reachable(self.origin):
            return self._http.request(method, path, **options)

    def _wait(self, delay_s: float) -> None:
        if delay_s == TOLD_AFTER_S:
            _log.warning("A part of %s is restarting; waiting up to a minute for it.", self.origin)
        time.sleep(delay_s)


@contextmanager
def _reachable(origin: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise Unreachable(
            f"{origin} does not answer ({type(error).__name__}). It may be restarting: try again in a minute."
        ) from error


def told(answer: httpx.Response) -> CommonsError:
    """The error that stands for an answer."""
    status, message = answer.status_code, _message(answer)
    if status in (401, 403):
        return NotPermitted(
            f"You are not allowed to do this: {message} "
            "whoami() shows what you may do; ask the commons' data access committee for more."
        )
    if status == 404:
        return NotFound(message)
    if status == 413:
        return Refused(f"{message} Send it in smaller parts.", status)
    if status in _PASSING:
        return Unreachable(f"A part of the commons is not running just now ({status}). Try again in a minute.")
    if status >= 500:
        return Refused(f"The commons failed: {message} Tell its operators if it happens again.", status)
    if 300 <= status < 400:
        return Refused(f"{answer.url.host} sent us elsewhere. Is this really the address of a commons?", status)
    return Refused(message, status, _json(answer))


def _message(answer: httpx.Response) -> str:
    """What the commons says about an error, in one sentence."""
    body = _json(answer)
    text = ""
    if isinstance(body, dict):
        text = next((str(body[key]) for key in ("message", "error", "msg") if body.get(key)), "")
    text = text or f"{answer.status_code} {answer.reason_phrase}"
    text = text[:_MAX_TOLD_CHARS].strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
