"""Takes passports: asks their issuers for keys, and for nothing else. What it is shown, it keeps nowhere."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jwt

from commonshub.core.access import Shown
from commonshub.core.errors import AuthenticationRequired, BadRequest, Unavailable, UpstreamError
from commonshub.core.jwks import Keys
from commonshub.core.outbound import Outbound
from commonshub.core.paths import Path, ancestors, parse_path

from . import visas
from .settings import Broker, PassportSettings, VisaIssuer, parse_brokers, parse_visa_issuers
from .visas import Passport, Visa

# So much of a person's name is kept in the audit trail, in characters.
MAX_BEARER_CHARS = 256

log = logging.getLogger(__name__)


class Signed(NamedTuple):
    """A visa that is still unread, whose it says it is, and the key to see by."""

    token: str
    issuer: VisaIssuer
    key: jwt.PyJWK


@dataclass(frozen=True, slots=True)
class Faults:
    """Why visas of one request count for nothing.

    Attributes
    ----------
    lacking
        What they lack, and how many of them.
    unreachable
        Addresses that gave no keys, and why.
    """

    lacking: Counter[str] = field(default_factory=Counter)
    unreachable: dict[str, UpstreamError | Unavailable] = field(default_factory=dict)


class Clearinghouse:
    """Takes passports, as GA4GH calls who does.

    Parameters
    ----------
    settings
        Whose passports and visas are taken.

    Raises
    ------
    BadRequest
        A setting is wrong, or there is nobody to trust.
    """

    def __init__(self, settings: PassportSettings) -> None:
        self._settings = settings
        self._brokers = parse_brokers(settings.brokers)
        self._issuers = parse_visa_issuers(settings.visa_issuers, self._brokers)
        if not self._brokers or not self._issuers:
            raise BadRequest(
                "PassportSettings.enabled needs PassportSettings.brokers and PassportSettings.visa_issuers."
            )
        self._openers = _openers(self._issuers.values())
        self._outbound: list[Outbound] = []
        # By address: who signs passports and visas is asked once for both.
        trusted: list[Broker | VisaIssuer] = [*self._issuers.values(), *self._brokers.values()]
        addresses = {each.jwks_uri: each.issuer for each in trusted}
        self._keys = {address: self._keys_at(address, issuer) for address, issuer in addresses.items()}

    def close(self) -> None:
        """Give all connections back."""
        for http in self._outbound:
            http.close()

    @property
    def visa_issuers(self) -> list[str]:
        """``iss`` of all visas that can open something."""
        return [name for name, issuer in self._issuers.items() if issuer.grants]

    def issuers_for(self, paths: Sequence[str]) -> list[str]:
        """``iss`` of the visas that can open data with all these authz paths; empty where no visas can."""
        opening = [self._issuers_for(path) for path in paths]
        if not all(opening):
            return []
        return [name for name in self._issuers if any(name in names for names in opening)]

    def _issuers_for(self, path: str) -> set[str]:
        try:
            above = ancestors(parse_path(path))
        except BadRequest:
            # A record of an older index may name what is no path.
            return set()
        return {name for each in above for name in self._openers.get(each, ())}

    async def shown(self, given: Any) -> Shown:
        """What the passports of a request open.

        Raises
        ------
        BadRequest
            They are no list of texts, or beyond a limit.
        AuthenticationRequired
            One of them is not valid.
        UpstreamError, Unavailable
            The keys of an issuer cannot be had, and nothing else opens anything.
        """
        tokens = visas.read_bounded(given, self._settings)
        passports = [await self._passport(token) for token in tokens]
        if sum(len(each.visas) for each in passports) > self._settings.max_visas:
            raise BadRequest(
                f"passports: at most {self._settings.max_visas} visas are taken (PassportSettings.max_visas)."
            )
        paths: dict[str, float] = {}
        faults = Faults()
        for passport in passports:
            signed = [await self._signed(token, faults) for token in passport.visas]
            # Many signatures take a while.
            found = await asyncio.to_thread(_read, [each for each in signed if each], faults)
            for path, end in visas.opened(passport, found).items():
                paths[path] = max(paths.get(path, 0.0), end)
        for lack, count in faults.lacking.items():
            log.info("%d visas of a request count for nothing: %s", count, lack)
        if faults.unreachable and not paths:
            raise next(iter(faults.unreachable.values()))
        return Shown(paths, [_bearer(each) for each in passports])

    async def _passport(self, token: str) -> Passport:
        told = visas.outline(token, "The passport")
        broker = self._brokers.get(told.issuer)
        if broker is None:
            raise AuthenticationRequired("The passport is not valid: this commons does not know its issuer.")
        return visas.read_passport(token, await self._keys[broker.jwks_uri].key(token), broker)

    async def _signed(self, token: str, faults: Faults) -> Signed | None:
        """A visa that could count."""
        try:
            issuer = visas.signer(visas.outline(token, "The visa"), self._issuers)
        except AuthenticationRequired as error:
            faults.lacking[error.message] += 1
            return None
        # An issuer that does not answer is asked once a request, however many visas it has signed.
        if issuer.jwks_uri in faults.unreachable:
            return None
        try:
            return Signed(token, issuer, await self._keys[issuer.jwks_uri].key(token))
        except AuthenticationRequired as error:
            faults.lacking[error.message] += 1
        except (UpstreamError, Unavailable) as error:
            log.warning("The keys of %s cannot be had: %s", issuer.issuer, error.message)
            faults.unreachable[issuer.jwks_uri] = error
        return None

    def _keys_at(self, address: str, issuer: str) -> Keys:
        http = Outbound(address, self._settings.timeout_s, name=issuer)
        self._outbound.append(http)

        async def fetch() -> Mapping[str, Any]:
            document = await http.json(address)
            return document if isinstance(document, dict) else {}

        return Keys(fetch, self._settings.keys_s, "The passport")


def _read(signed: Sequence[Signed], faults: Faults) -> list[Visa]:
    """The visas that count."""
    found = []
    for token, issuer, key in signed:
        try:
            found.append(visas.read_visa(token, key, issuer, time.time()))
        except AuthenticationRequired as error:
            faults.lacking[error.message] += 1
    return found


def _openers(issuers: Iterable[VisaIssuer]) -> dict[Path, list[str]]:
    """Whose visas open each path that some are bound to."""
    found: dict[Path, list[str]] = {}
    for issuer in issuers:
        for path in {parse_path(path) for paths in issuer.grants.values() for path in paths}:
            found.setdefault(path, []).append(issuer.issuer)
    return found


def _bearer(passport: Passport) -> str:
    return f"{passport.person.sub} {passport.person.iss}"[:MAX_BEARER_CHARS]
