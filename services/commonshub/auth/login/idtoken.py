"""ID tokens of OpenID providers: signature and claims (OpenID Connect Core, 3.1.3.7). Pure."""

import hmac
from typing import Any

import jwt

from commonshub.core.errors import AuthenticationRequired

MAX_TOKEN_CHARS = 16384
# Clocks of two organisations differ.
LEEWAY_S = 30


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
