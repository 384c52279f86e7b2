"""HTTP of what object stores tell: ``/index/events``."""

import hmac
from functools import lru_cache
from pathlib import Path

from commonshub.core.errors import AuthenticationRequired, NotFound, TooLarge, UpstreamError
from commonshub.core.files import Stamp, stamp
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.web import CredentialHandler

from . import events, ledger
from .handlers import IndexHandler

MIN_SECRET_CHARS = 16


@lru_cache(maxsize=4)
def _stored(file: Path, _stamp: Stamp | None) -> tuple[bytes, ...]:
    return tuple(line for line in file.read_bytes().split() if len(line) >= MIN_SECRET_CHARS)


def secrets_in(file: str) -> tuple[bytes, ...]:
    """The secrets in a file, one a line, read anew when it has changed: to rotate, have both for a while.

    Raises
    ------
    UpstreamError
        There is no such file, or no secret of :data:`MIN_SECRET_CHARS` characters in it.
    """
    try:
        found = _stored(Path(file), stamp(Path(file)))
    except OSError as error:
        raise UpstreamError("The file that IndexApp.event_secret_file names cannot be read.") from error
    if not found:
        raise UpstreamError(
            f"IndexApp.event_secret_file names a file without a secret of {MIN_SECRET_CHARS} characters."
        )
    return found


class EventsHandler(CredentialHandler, IndexHandler):
    """``POST /index/events``: an object was written, so its upload is looked at now."""

    def prepare(self) -> None:
        """Let nobody in who does not have the secret, before anything of the body is looked at."""
        if not self.index.event_secret_file:
            raise NotFound("This commons takes no events of buckets: IndexApp.event_secret_file is not set.")
        super().prepare()
        scheme, _, given = self.claimed().partition(" ")
        told = given.strip().encode() if scheme.lower() == "bearer" else b""
        good = [hmac.compare_digest(told, secret) for secret in secrets_in(self.index.event_secret_file)]
        if not any(good):
            raise AuthenticationRequired("Send the commons' secret for events as Authorization: Bearer <secret>.")
        if len(self.request.body) > self.index.max_event_bytes:
            raise TooLarge(f"Send at most {self.index.max_event_bytes} bytes of events at once.")

    def identify(self) -> Identity:
        """Nobody: the secret is the store's, and no token."""
        return ANONYMOUS

    def claimed(self) -> str:
        """The secret that was sent."""
        headers = self.request.headers.get_list("Authorization")
        return headers[0] if len(headers) == 1 else ""

    async def post(self) -> None:
        found = events.read(self.json())
        hastened = await self.sql(ledger.hasten, found.written) if found.written else 0
        self.reply({"events": found.total, "hastened": hastened, "ignored": found.total - hastened})
