"""ID tokens: only those that a provider signed for this commons and this sign-in."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from commonshub.auth.login import idtoken
from commonshub.core.errors import AuthenticationRequired, UpstreamError
from commonshub.core.jwks import signing_key

ISSUER = "https://provider.example"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def public(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more}


JWKS = {"keys": [public(RSA_KEY, "one"), public(EC_KEY, "two", use="sig"), public(OTHER_KEY, "secret", use="enc")]}


def sign(key: Any = RSA_KEY, alg: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
    now = int(time.time())
    body = {"iss": ISSUER, "aud": "commons", "sub": "1", "iat": now, "exp": now + 3600, "nonce": "n"}
    kept = {name: value for name, value in {**body, **claims}.items() if value is not None}
    return jwt.encode(kept, key, algorithm=alg, headers={"kid": kid} if kid else {})


def check(token: str, jwks: dict[str, Any] = JWKS) -> dict[str, Any]:
    key = signing_key(token, jwks)
    return idtoken.verify(token, key, issuer=ISSUER, client_id="commons", nonce="n")


@pytest.mark.parametrize(
    "make",
    [
        lambda: sign(),
        lambda: sign(EC_KEY, "ES256", "two"),
        lambda: sign(kid=None),
        lambda: sign(aud=["commons"], azp="commons"),
        lambda: sign(aud=["commons", "other"], azp="commons"),
    ],
    ids=["RS256", "ES256", "no kid", "one audience", "several audiences"],
)
def test_a_good_token_is_taken(make: Callable[[], str]) -> None:
    assert check(make())["sub"] == "1"


def test_clocks_may_differ_a_little() -> None:
    assert check(sign(exp=int(time.time()) - 5))["sub"] == "1"


def signed_with_the_public_key() -> str:
    """HS256 over the provider's public key as text: PyJWT itself would refuse to make it."""
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "one"}, {"iss": ISSUER, "aud": "commons", "sub": "1", "nonce": "n"})
    )
    mac = hmac.new(pem, header + b"." + body, hashlib.sha256).digest()
    return b".".join([header, body, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "a.b",
        lambda: "x" * 20000,
        lambda: jwt.encode({"iss": ISSUER, "aud": "commons", "sub": "1", "nonce": "n"}, None, algorithm="none"),
        lambda: signed_with_the_public_key(),
        lambda: sign(alg="RS512"),
        lambda: sign(OTHER_KEY),
        lambda: sign(OTHER_KEY, kid="secret"),
        lambda: sign(kid="../one"),
        lambda: sign(EC_KEY, "ES256", "one"),
        lambda: sign(iss="https://provider.example/"),
        lambda: sign(iss=None),
        lambda: sign(aud="other"),
        lambda: sign(aud=None),
        lambda: sign(aud=["commons", "other"]),
        lambda: sign(azp="other"),
        lambda: sign(exp=1),
        lambda: sign(exp=None),
        lambda: sign(iat=None),
        lambda: sign(iat=int(time.time()) + 600),
        lambda: sign(sub=None),
        lambda: sign(nonce=None),
        lambda: sign(nonce="m"),
        lambda: sign(nonce=1),
        lambda: sign(nbf=int(time.time()) + 600),
    ],
    ids=range(25),
)
def test_any_other_token_is_refused(make: Callable[[], str]) -> None:
    # Made when the test runs, which may be long after it was collected.
    token = make()
    with pytest.raises(AuthenticationRequired):
        check(token)


@pytest.mark.parametrize("jwks", [{}, {"keys": "none"}, {"keys": [1, None]}, {"keys": []}])
def test_a_provider_without_keys_signs_nobody_in(jwks: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationRequired):
        check(sign(), jwks)


def test_a_key_that_cannot_be_read_is_the_provider_s_fault() -> None:
    with pytest.raises(UpstreamError):
        check(sign(), {"keys": [{"kty": "RSA", "kid": "one", "n": "?", "e": "AQAB"}]})


def test_a_key_in_the_token_itself_is_never_used() -> None:
    now = int(time.time())
    body = {"iss": ISSUER, "aud": "commons", "sub": "1", "iat": now, "exp": now + 60, "nonce": "n"}
    headers = {"kid": "one", "jwk": public(OTHER_KEY, "one"), "jku": "https://evil.example/jwks"}
    with pytest.raises(AuthenticationRequired):
        check(jwt.encode(body, OTHER_KEY, algorithm="RS256", headers=headers))
