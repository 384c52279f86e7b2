"""ID tokens of OpenID providers: signature and claims (OpenID Connect Core, 3.1.3.7). Pure."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from commonshub.core.errors import AuthenticationRequired, UpstreamError

ALGORITHMS = ("RS256", "ES256")
MAX_TOKEN_CHARS = 16384
# Clocks of two organisations differ.
LEEWAY_S = 30

Document = Mapping[str, Any]


class UnknownKey(AuthenticationRequired):
    """The token was signed by a key that the provider did not publish, or not yet when its keys were read."""


def signing_key(token: str, jwks: Document) -> jwt.PyJWK:
    """The provider's key that signed a token.

    Raises
    ------
    AuthenticationRequired
        The token is malformed, or was signed in a way that is not accepted.
    UnknownKey
        The key is not among the published ones.
    """
    try:
        header = jwt.get_unverified_header(token) if len(token) <= MAX_TOKEN_CHARS else {}
    except jwt.PyJWTError as error:
        raise AuthenticationRequired("The provider's answer is not valid: it holds no ID token.") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise AuthenticationRequired("The provider's answer is not valid: it is not signed as it must be.")
    kind = {"RS256": "RSA", "ES256": "EC"}[algorithm]
    usable = [key for key in _keys(jwks) if key.get("kty") == kind and key.get("use", "sig") == "sig"]
    found = [key for key in usable if key.get("kid") == kid] if kid is not None else usable
    if len(found) != 1:
        raise UnknownKey("The provider's answer is not valid: it was not signed with a key of the provider.")
    try:
        return jwt.PyJWK(dict(found[0]), algorithm=algorithm)
    except (jwt.PyJWTError, ValueError) as error:
        raise UpstreamError("The provider publishes a key that cannot be read.") from error


def verify(token: str, key: jwt.PyJWK, *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of an ID token that was issued to this commons, for the sign-in with this nonce.

    Raises
    ------
    AuthenticationRequired
        It was not, has expired, or lacks a claim.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm_name],
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "nonce"]},
        )
    except jwt.PyJWTError as error:
        raise AuthenticationRequired(f"The provider's answer is not valid: {error}.") from error
    audience = claims["aud"]
    several = isinstance(audience, list) and len(audience) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise AuthenticationRequired("The provider's answer is not valid: it is for another program.")
    if not isinstance(claims["nonce"], str) or not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
        raise AuthenticationRequired("The provider's answer is not valid: it belongs to another sign-in.")
    return claims


def _keys(jwks: Document) -> Sequence[Mapping[str, Any]]:
    keys = jwks.get("keys")
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
