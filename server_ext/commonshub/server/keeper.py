"""Keeps a valid API key of the commons in a file for as long as a workspace's server runs.

The server's hub token is exchanged for an API key that ends with this server, and again in good time before that key
ends. The file is what Gen3's tools read (``{"api_key", "key_id"}``), so the unmodified ``Gen3Auth()`` works in
notebooks. A tool reads the file once and may live on for long: renewing prolongs the key, so what was read earlier
stays good for its own life, and it is renewed at a fraction of that, not at its end. An exchange also tells the commons
that this server still runs, so there is one every few hours in any case.

The commons may restart at any time: a failure is recorded, told once, and tried again with growing delays.
"""

import asyncio
import base64
import json
import logging
import os
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

EXCHANGE_PATH = "/user/credentials/hub/api_key"
_MAX_TOLD_CHARS = 200


class ExchangeFailed(Exception):
    """The commons gave no key.

    Parameters
    ----------
    refused
        It will not, so there is no hurry to ask again.
    """

    def __init__(self, message: str, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True)
class Key:
    """An API key and its validity, in seconds since 1970."""

    api_key: str = field(repr=False)
    key_id: str
    issued: float
    expires: float


@dataclass
class Status:
    """What the keeper is doing.

    Attributes
    ----------
    state
        ``waiting`` for a first key, ``ready``, or ``stopped``.
    expires
        End of the key in the file, in seconds since 1970.
    failures
        Failed exchanges in a row.
    error
        The latest failure.
    """

    state: str = "waiting"
    expires: float | None = None
    failures: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Pace:
    """When to exchange again.

    Attributes
    ----------
    renew_at, renew_max_s
        Fraction of a key's life, and seconds, after the shorter of which it is renewed.
    retry_min_s, retry_max_s
        Shortest and longest delay after failures, in seconds.
    """

    renew_at: float = 0.5
    renew_max_s: float = 6 * 3600
    retry_min_s: float = 1.0
    retry_max_s: float = 60.0

    def after_success(self, key: Key, now: float) -> float:
        """Seconds until the renewal of a fresh key."""
        after_s = min((key.expires - key.issued) * self.renew_at, self.renew_max_s)
        return max(self.retry_min_s, key.issued + after_s - now)

    def after_failure(self, failures: int, refused: bool) -> float:
        """Seconds until the next attempt, before jitter."""
        if refused:
            return self.retry_max_s
        return min(self.retry_max_s, self.retry_min_s * 2.0 ** min(failures - 1, 16))


class Keeper:
    """The task that exchanges, writes and renews.

    Parameters
    ----------
    origin
        ``scheme://host[:port]`` of the commons.
    hub_token
        This server's own token; never logged.
    file
        Where the key goes, with mode 0600.
    """

    def __init__(self, origin: str, hub_token: str, file: Path, pace: Pace, log: logging.Logger) -> None:
        self.origin = origin
        self.file = file
        self.status = Status()
        self._hub_token = hub_token
        self._pace = pace
        self._log = log
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._task = asyncio.create_task(self._keep(), name="commonshub-key")

    async def stop(self) -> None:
        """Stop, and remove the key, which dies with the server anyway."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.status.state = "stopped"
        await asyncio.to_thread(self.file.unlink, missing_ok=True)

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            delay_s = await self._round()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    async def _round(self) -> float:
        """One exchange; returns the seconds until the next."""
        try:
            key = await exchange(self.origin, self._hub_token)
            await asyncio.to_thread(write_key, self.file, key)
        except Exception as error:  # noqa: BLE001  the boundary: nothing may end the task or trouble the server
            return self._failed(error)
        if self.status.failures or self.status.state != "ready":
            self._log.info("commonshub: signed in to %s; Gen3 tools find the key at %s", self.origin, self.file)
        self.status = Status("ready", key.expires)
        return self._pace.after_success(key, time.time())

    def _failed(self, error: Exception) -> float:
        text = str(error) if isinstance(error, ExchangeFailed) else f"{type(error).__name__}: {error}"
        if text != self.status.error:
            self._log.warning("commonshub: no key from %s yet, trying again: %s", self.origin, text)
        self.status.failures += 1
        self.status.error = text
        refused = isinstance(error, ExchangeFailed) and error.refused
        return self._pace.after_failure(self.status.failures, refused) * random.uniform(0.8, 1.2)  # noqa: S311  jitter


async def exchange(origin: str, hub_token: str, timeout_s: float = 30) -> Key:
    """A fresh API key for a hub token.

    Raises
    ------
    ExchangeFailed
        The commons answered something else than a key.
    OSError
        It did not answer.
    """
    request = HTTPRequest(
        origin + EXCHANGE_PATH,
        method="POST",
        body="{}",
        headers={"Authorization": f"token {hub_token}", "Content-Type": "application/json"},
        request_timeout=timeout_s,
        connect_timeout=timeout_s,
        follow_redirects=False,
    )
    answer = await AsyncHTTPClient().fetch(request, raise_error=False)
    if answer.code == 599:
        raise ExchangeFailed("the commons does not answer")
    document = _object(answer.body)
    if answer.code != 200:
        said = str(document.get("message") or document.get("error") or answer.reason)[:_MAX_TOLD_CHARS]
        raise ExchangeFailed(f"{answer.code} {said}", refused=answer.code in (400, 401, 403, 404))
    return key_of(document)


def key_of(document: Mapping[str, Any]) -> Key:
    """The key in an answer; its own claims say how long it is valid.

    Raises
    ------
    ExchangeFailed
        There is none.
    """
    api_key, key_id = document.get("api_key"), document.get("key_id")
    if not isinstance(api_key, str) or not isinstance(key_id, str):
        raise ExchangeFailed("the answer holds no API key")
    try:
        part = api_key.split(".")[1]
        claims = _object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        expires = float(claims["exp"])
        return Key(api_key, key_id, float(claims.get("iat", time.time())), expires)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ExchangeFailed("the answer's API key is not a token") from error


def write_key(file: Path, key: Key) -> None:
    """Replace the file at once; nobody but the owner can ever read it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # NamedTemporaryFile creates with mode 0600 and a name that nobody can foresee.
    with NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.", delete=False) as fresh:
        try:
            json.dump({"api_key": key.api_key, "key_id": key.key_id}, fresh)
            fresh.flush()
            os.fsync(fresh.fileno())
            os.replace(fresh.name, file)
        finally:
            # There is nothing left to remove where it has taken the file's place.
            Path(fresh.name).unlink(missing_ok=True)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
