"""Signed tokens of a commons: RS256 JWTs with Gen3's claims.

The auth service signs with private keys that only it can read; every service verifies with the public ones, read from
a JWKS file that is read again when it changes. No service asks another to verify a token.

Claims (Gen3's): ``pur`` purpose (``access``, ``api_key``, ``refresh``, ``id``), ``iss``, ``aud`` list, ``sub`` user id
as text, ``azp`` client, ``scope`` list, ``iat``/``exp``/``jti``, ``context.user.name``. Ours besides: ``sid``, what the
token was derived from (the ``jti`` of an API key, the session of a workspace or a browser).
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

from .errors import AuthenticationRequired
from .identity import Identity

ALGORITHM = "RS256"
MAX_TOKEN_CHARS = 8192
LEEWAY_S = 5
_CACHE_SIZE = 4096

Claims = Mapping[str, Any]


class KeySet:
    """Public keys by ``kid``, read from a JWKS file and read again when it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = -1.0
        self._keys: dict[str, jwt.PyJWK] = {}

    def refresh(self) -> bool:
        """Read the file again if it has changed; whether it had."""
        try:
            stamp = self.path.stat().st_mtime
        except FileNotFoundError:
            stamp = -1.0
        if stamp == self._stamp:
            return False
        keys = json.loads(self.path.read_text())["keys"] if stamp >= 0 else []
        self._keys = {key["kid"]: jwt.PyJWK(key) for key in keys if "kid" in key}
        self._stamp = stamp
        return True

    def get(self, kid: str) -> jwt.PyJWK | None:
        """The key named `kid`, or None."""
        return self._keys.get(kid)


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
        if len(token) > MAX_TOKEN_CHARS:
            raise AuthenticationRequired("Authentication Error: the token is too long.")
        # A withdrawn key must not live on in what was verified with it.
        if self.keys.refresh():
            self._seen.clear()
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._seen.get(digest)
        if claims is None or claims["exp"] <= time.time() - LEEWAY_S:
            claims = self._decode(token)
            self._seen[digest] = claims
            if len(self._seen) > _CACHE_SIZE:
                self._seen.popitem(last=False)
        if claims.get("pur") != purpose:
            raise AuthenticationRequired(f"Authentication Error: this is not an {purpose} token.")
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
                audience=self.audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "jti", "pur"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise AuthenticationRequired("Authentication Error: Signature has expired") from error
        except jwt.PyJWTError as error:
            raise AuthenticationRequired(f"Authentication Error: {error}") from error
        return claims


def identity_of(claims: Claims, token: str | None = None) -> Identity:
    """The caller that a verified access token stands for."""
    user = (claims.get("context") or {}).get("user") or {}
    return Identity(
        username=user.get("name"),
        client=claims.get("azp") or None,
        scopes=frozenset(claims.get("scope") or ()),
        token_id=claims["jti"],
        session=claims.get("sid"),
        token=token,
    )
