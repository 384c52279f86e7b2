"""Public keys of others, who sign JWTs that this commons takes: an OpenID provider, an issuer of GA4GH passports.

Vocabulary
----------
JWK set
    What such an issuer publishes at an address that is known beforehand (RFC 7517). Where a token says its keys are
    (``jku``, ``x5u``, ``jwk``) never counts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import jwt

from .errors import AuthenticationRequired, UpstreamError

ALGORITHMS = ("RS256", "ES256")
# How soon an issuer may be asked for its keys again, in seconds.
KEYS_AGAIN_S = 30

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]


class UnknownKey(AuthenticationRequired):
    """The token was signed by a key that its issuer did not publish, or not yet when its keys were read."""


def signing_key(token: str, jwks: Mapping[str, Any], what: str = "The token") -> jwt.PyJWK:
    """The key of a JWK set that signed a token, by what the token says.

    Parameters
    ----------
    what
        What the token is, for messages.

    Raises
    ------
    AuthenticationRequired
        The token is malformed, or was signed in a way that is not accepted.
    UnknownKey
        The key is not in the set.
    UpstreamError
        The key cannot be read.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise AuthenticationRequired(f"{what} is not valid: it is no signed token.") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise AuthenticationRequired(f"{what} is not valid: it is not signed as it must be.")
    kind = {"RS256": "RSA", "ES256": "EC"}[algorithm]
    usable = [key for key in _keys(jwks) if key.get("kty") == kind and key.get("use", "sig") == "sig"]
    found = [key for key in usable if key.get("kid") == kid] if kid is not None else usable
    if len(found) != 1:
        raise UnknownKey(f"{what} is not valid: it was not signed with a key of its issuer.")
    try:
        return jwt.PyJWK(dict(found[0]), algorithm=algorithm)
    except (jwt.PyJWTError, ValueError) as error:
        raise UpstreamError(f"{what}: its issuer publishes a key that cannot be read.") from error


def _keys(jwks: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    keys = jwks.get("keys")
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []


# What could not be had is asked for again after so many seconds: whoever asks on and on floods nobody.
FAILED_AGAIN_S = 1.0


class Document:
    """A document that is fetched when it is needed and too old; all who wait for it wait for the same answer.

    Parameters
    ----------
    lasts_s
        How long it counts, in seconds.
    """

    def __init__(self, fetch: Fetch, lasts_s: float) -> None:
        self._fetch = fetch
        self._lasts_s = lasts_s
        self._task: asyncio.Future[Mapping[str, Any]] | None = None
        self._at = 0.0

    async def get(self, again_s: float | None = None) -> Mapping[str, Any]:
        """The document; a fresh one if `again_s` is given and this one is older than so many seconds."""
        task, oldest_s = self._task, self._lasts_s if again_s is None else again_s
        if task is not None and task.done() and task.exception():
            oldest_s = min(oldest_s, FAILED_AGAIN_S)
        if task is None or (task.done() and time.monotonic() - self._at >= oldest_s):
            self._at = time.monotonic()
            self._task = task = asyncio.ensure_future(self._fetch())
        return await asyncio.shield(task)


class Keys:
    """The keys of one issuer.

    Parameters
    ----------
    fetch
        Gives the issuer's JWK set.
    lasts_s
        How long a set counts, in seconds.
    what
        What the issuer signs, for messages.
    """

    def __init__(self, fetch: Fetch, lasts_s: float, what: str) -> None:
        self._document = Document(fetch, lasts_s)
        self._what = what

    async def key(self, token: str) -> jwt.PyJWK:
        """The key that signed a token.

        Raises
        ------
        AuthenticationRequired
            As :func:`signing_key`.
        UpstreamError, Unavailable
            The set cannot be had.
        """
        try:
            return signing_key(token, await self._document.get(), self._what)
        except UnknownKey:
            # It may be new. What anybody can make us do must not become a flood at the issuer.
            return signing_key(token, await self._document.get(KEYS_AGAIN_S), self._what)
