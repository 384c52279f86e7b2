"""Downloads: many callers at once, each with a decision, a URL and a row in the audit trail of his own.

Whatever asks for bytes comes through :class:`Downloads`: ``/user/data/download``, DRS access, bulk forms of both.
Any number of downloads costs two statements in one transaction, which is committed before anybody gets an answer.
Single ones that arrive together share it (:mod:`.batches`).
"""

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa

from . import audit, records
from .access import Asker, lifetime, locate, open_to_all, readable_until
from .batches import Batches
from .database import Database
from .errors import AuthenticationRequired, CommonsError, NotFound, PermissionDenied
from .names import spellings
from .records import Record
from .storage import Storage

# Longest protocol that a row keeps, in characters.
MAX_PROTOCOL = 100

log = logging.getLogger(__name__)

K = TypeVar("K")
Failed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """How a URL is wanted.

    Parameters
    ----------
    protocol
        Scheme of the location to use (the ``access_id`` of DRS); None for the first.
    expires_in
        Seconds that the URL shall live; None for the most that the commons allows.
    force_sign
        Whether a URL is signed even where the record is open to everybody. (An unsigned one works where the store
        itself lets everybody read.)
    """

    protocol: str | None = None
    expires_in: int | None = None
    force_sign: bool = True

    @classmethod
    def read(cls, protocol: str | None, expires_in: int | None, no_force_sign: str) -> "Options":
        """From the arguments that Gen3 has for them."""
        return cls(protocol, expires_in, no_force_sign.lower() != "true")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One download that somebody asks for.

    Parameters
    ----------
    record
        The record, where the caller has just read it.
    path
        Of the request, for the audit trail; empty for ``/user/data/download/<guid>``.
    """

    asker: Asker
    guid: str
    options: Options = field(default_factory=Options)
    record: Record | None = None
    path: str = ""


class Downloads:
    """Hands out the bytes of records.

    Parameters
    ----------
    database
        Holds the records and the audit trail.
    storage
        Signs the URLs.
    guid_prefix
        Prefix of the commons' GUIDs, which callers may leave out or put before.
    """

    def __init__(self, database: Database, storage: Storage, guid_prefix: str = "") -> None:
        self.database = database
        self.storage = storage
        self.guid_prefix = guid_prefix
        self.index_schema = database.settings.index_schema
        self.auth_schema = database.settings.auth_schema
        settings = storage.settings
        self._batches = Batches(self._together, settings.download_batch, settings.download_batches)

    async def url(self, wanted: Wanted) -> str:
        """A URL that gives the bytes of one record for a while.

        Raises
        ------
        BadRequest
            `expires_in` is out of bounds (nothing is read then), or the record's locations are of no scheme that we
            serve.
        AuthenticationRequired, PermissionDenied
            The caller may not have the bytes, or not through this record; see :func:`.access.locate`.
        NotFound
            There is no such record, or it has no such location.
        """
        lifetime(self.storage.settings, wanted.options.expires_in)
        outcome = await self._batches.put(wanted)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def urls(self, wanted: Sequence[Wanted]) -> list[str | Exception]:
        """The URL of each download, or why there is none, in the order given.

        Raises
        ------
        BadRequest
            An `expires_in` is out of bounds; nothing is read then.
        Unavailable
            The database does not answer: then nobody gets a URL.
        """
        for each in wanted:
            lifetime(self.storage.settings, each.options.expires_in)
        outcomes = await self._together(wanted)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, CommonsError):
                log.error("A download failed among others.", exc_info=outcome)
        return outcomes

    async def _together(self, wanted: Sequence[Wanted]) -> list[str | Exception]:
        return await self.database.run(self._answer, wanted)

    def _answer(self, connection: sa.Connection, wanted: Sequence[Wanted]) -> list[str | Exception]:
        unread = {each.guid for each in wanted if each.record is None and "\x00" not in each.guid}
        spelt = {guid: spellings(guid, self.guid_prefix) for guid in unread}
        names = {each for meant in spelt.values() for each in meant}
        found = records.get_many(connection, self.index_schema, names) if names else {}
        said, outcomes = [], []
        for each in wanted:
            meant = spelt.get(each.guid, ())
            record = each.record or next((found[name] for name in meant if name in found), None)
            outcome = self._decide(each, record)
            entry = _entry(each, record, outcome, self.storage.settings.presigned_url_ttl_s)
            said.append((each.asker.identity, each.asker.request_id, entry))
            outcomes.append(outcome)
        audit.write_all(connection, self.auth_schema, said)
        return outcomes

    def _decide(self, wanted: Wanted, record: Record | None) -> str | Exception:
        try:
            return self._sign(wanted, record)
        except Exception as error:  # noqa: BLE001 - a boundary: raised again, or logged, by the request it concerns
            return error

    def _sign(self, wanted: Wanted, record: Record | None) -> str:
        if record is None:
            raise NotFound(f"There is no record with the GUID {wanted.guid}.")
        options, settings = wanted.options, self.storage.settings
        place = locate(wanted.asker, record, options.protocol, settings)
        if isinstance(place, str):
            return place
        public = self.storage.store(place.bucket).public
        if public or (not options.force_sign and open_to_all(wanted.asker.policy, record)):
            return self.storage.address(place)
        ttl_s = lifetime(settings, options.expires_in, _left_s(wanted.asker, record))
        return self.storage.presign("GET", place, ttl_s)


def _left_s(asker: Asker, record: Record) -> float:
    """Seconds for which the right to read `record` lasts: a URL must not outlive the visas that it is given for."""
    if not asker.shown.paths:
        return math.inf
    left_s = (readable_until(asker, record) or 0) - time.time()
    if left_s < 1:
        raise AuthenticationRequired("The visas that open this file have just expired.")
    return left_s


def status_of(error: Exception) -> int:
    """The HTTP status that an error is answered with."""
    return error.status if isinstance(error, CommonsError) else 500


def _entry(wanted: Wanted, record: Record | None, outcome: str | Exception, ttl_s: int) -> audit.Entry:
    """The row that a download leaves; it never holds the URL."""
    decision: audit.Decision = "allowed"
    detail: dict[str, object] = {
        "protocol": wanted.options.protocol and wanted.options.protocol[:MAX_PROTOCOL],
        "expires_in_s": wanted.options.expires_in or ttl_s,
        "authz": record.authz if record else [],
    }
    if wanted.asker.shown.bearers:
        detail["passports"] = list(wanted.asker.shown.bearers)
    if wanted.path:
        detail["path"] = wanted.path[: audit.MAX_SUBJECT]
    if isinstance(outcome, Exception):
        decision = "denied" if isinstance(outcome, AuthenticationRequired | PermissionDenied) else "failed"
        detail["status"] = status_of(outcome)
    return audit.Entry("download", record.did if record else wanted.guid, decision, detail)


def sort_outcomes(outcomes: Iterable[tuple[K, str | Exception]]) -> tuple[list[tuple[K, str]], list[Failed]]:
    """What many downloads brought: the URLs, and the failures by HTTP status as Gen3's bulk answers have them.

    Parameters
    ----------
    outcomes
        What was asked for, and what :meth:`Downloads.urls` said of it.
    """
    urls: list[tuple[K, str]] = []
    failed: dict[int, list[K]] = {}
    for key, outcome in outcomes:
        if isinstance(outcome, Exception):
            failed.setdefault(status_of(outcome), []).append(key)
        else:
            urls.append((key, outcome))
    return urls, [{"error_code": status, "object_ids": keys} for status, keys in sorted(failed.items())]
