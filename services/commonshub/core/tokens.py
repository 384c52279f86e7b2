"""Signed tokens of a commons: RS256 JWTs with Gen3's claims.

The auth service signs with private keys that only it can read; every service verifies with the public ones, read from
a JWKS file that is read again when it changes. No service asks another to verify a token.

Claims (Gen3's): ``pur`` purpose (``access``, ``api_key``, ``refresh``, ``id``), ``iss``, ``aud`` list, ``sub`` user id
as text, ``azp`` client, ``scope`` list, ``iat``/``exp``/``jti``, ``context.user.name``. Ours besides: ``sid``, what the
token was derived from (the ``jti`` of an API key, the session of a workspace or a browser).
"""

import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

from .errors import AuthenticationRequired
from .files import Stamp, stamp
from .identity import Identity, account_mark

ALGORITHM = "RS256"
MAX_TOKEN_CHARS = 8192
# How far the clocks of the machines of a commons may be apart, in seconds: a token may be from so near a future.
CLOCK_SKEW_S = 60
# How much longer than its life a token is taken, in seconds.
LEEWAY_S = 5
_CACHE_SIZE = 4096

Claims = Mapping[str, Any]

log = logging.getLogger(__name__)


class KeySet:
    """Public keys by ``kid``, read from a JWKS file and read again when it changes.

    Only the file decides when it is read: a token with an unknown ``kid`` costs nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: Stamp | None = None
        self._keys: dict[str, jwt.PyJWK] = {}

    def refresh(self) -> bool:
        """Read the file again if it has changed; whether it had.

        A file that is no JWK set leaves the earlier keys in force, and a line in the log. No file means no key.
        """
        found = stamp(self.path)
        if found == self._stamp:
            return False
        self._stamp = found
        try:
            self._keys = _read(self.path) if found else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.error("%s is no JWK set; the earlier keys stay in force: %s", self.path, error)
            return False
        return True

    def get(self, kid: str) -> jwt.PyJWK | None:
        """The key named `kid`, or None."""
        return self._keys.get(kid)


def _read(path: Path) -> dict[str, jwt.PyJWK]:
    keys = json.loads(path.read_text())["keys"]
    return {key["kid"]: jwt.PyJWK(key, ALGORITHM) for key in keys if "kid" in key and key.get("kty") == "RSA"}


class Verifier:
    """Checks tokens of this commons.

    Parameters
    ----------
    keys
        Public keys.
    issuer
        ``iss`` that tokens must carry.
    audience
        One of the ``aud`` values that tokens must carry.
    """

    def __init__(self, keys: KeySet, issuer: str, audience: str) -> None:
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
        self._seen: OrderedDict[bytes, Claims] = OrderedDict()

    def verify(self, token: str, purpose: str = "access") -> Claims:
        """Claims of a valid token.

        The algorithm is pinned and the key is found by ``kid`` in our own set only; ``jku``, ``x5u`` and ``jwk``
        headers are never read.

        Raises
        ------
        AuthenticationRequired
            The token is malformed, expired, of another purpose, or not ours.
        """
        claims = self.read(token)
        if self.audience not in _audiences(claims):
            raise AuthenticationRequired("Authentication Error: this token is for somebody else.")
        if claims["exp"] <= time.time() - LEEWAY_S:
            raise AuthenticationRequired("Authentication Error: Signature has expired")
        if claims["pur"] != purpose:
            raise AuthenticationRequired(f"Authentication Error: this is not an {purpose} token.")
        return claims

    def read(self, token: str) -> Claims:
        """Claims of a token that this commons signed: for whatever purpose and audience, expired or not.

        Raises
        ------
        AuthenticationRequired
            The token is malformed, or not ours.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise AuthenticationRequired("Authentication Error: the token is too long.")
        # A withdrawn key must not live on in what was verified with it.
        if self.keys.refresh():
            self._seen.clear()
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._seen.get(digest)
        if claims is None:
            claims = self._seen[digest] = self._decode(token)
            if len(self._seen) > _CACHE_SIZE:
                self._seen.popitem(last=False)
        return claims

    def _decode(self, token: str) -> Claims:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self.keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise AuthenticationRequired("Authentication Error: the token was not signed by this commons.")
            claims: Claims = jwt.decode(
                token,
                key.key,
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                leeway=CLOCK_SKEW_S,
                options={
                    "require": ["exp", "iat", "iss", "aud", "jti", "pur"],
                    "verify_exp": False,
                    "verify_aud": False,
                },
            )
        except jwt.PyJWTError as error:
            raise AuthenticationRequired(f"Authentication Error: {error}") from error
        except (ValueError, OverflowError, RecursionError) as error:
            # Numbers beyond all bounds, and lists in lists in lists: no token of anybody's.
            raise AuthenticationRequired("Authentication Error: the token is malformed.") from error
        if not well_formed(claims):
            raise AuthenticationRequired("Authentication Error: a claim of the token is malformed.")
        return claims


def well_formed(claims: Claims) -> bool:
    """Whether every claim that decides something is of its kind, so that no reader has to ask again."""
    context = claims.get("context") or {}
    user = (context.get("user") or {}) if isinstance(context, Mapping) else None
    scope = claims.get("scope") or []
    texts = [claims["jti"], claims["pur"], claims.get("azp"), claims.get("sid"), claims.get("sub")]
    return (
        isinstance(user, Mapping)
        and all(text is None or isinstance(text, str) for text in (*texts, user.get("name")))
        and all(isinstance(each, str) for each in _audiences(claims))
        and isinstance(scope, list)
        and all(isinstance(each, str) for each in scope)
        and all(isinstance(claims[name], int) and not isinstance(claims[name], bool) for name in ("exp", "iat"))
    )


def _audiences(claims: Claims) -> list[Any]:
    audience = claims["aud"]
    return audience if isinstance(audience, list) else [audience]


def identity_of(claims: Claims, token: str | None = None) -> Identity:
    """The caller that a verified access token stands for."""
    user = (claims.get("context") or {}).get("user") or {}
    return Identity(
        username=user.get("name"),
        client=claims.get("azp") or None,
        scopes=frozenset(claims.get("scope") or ()),
        token_id=claims["jti"],
        session=claims.get("sid"),
        account=claims.get("sub") or None,
        token=token,
    )


def marks_of(claims: Claims) -> tuple[str, ...]:
    """What a token may have been revoked by: itself, what it came from, its user."""
    marks = (claims["jti"], claims.get("sid"), account_mark(claims["sub"]) if "sub" in claims else None)
    return tuple(each for each in marks if each)
