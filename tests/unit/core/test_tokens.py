"""Verifying tokens by a JWKS file that changes."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.core.errors import AuthenticationRequired
from commonshub.core.tokens import KeySet, Verifier, identity_of

ISSUER = "http://127.0.0.1/user"


@pytest.fixture(scope="module")
def pairs() -> dict[str, rsa.RSAPrivateKey]:
    return {kid: rsa.generate_private_key(public_exponent=65537, key_size=2048) for kid in ("old", "new")}


@pytest.fixture
def publish(pairs: dict[str, Any], tmp_path: Path) -> Callable[..., Path]:
    """Write a JWKS with the named keys, each time with a later moment of change."""
    path = tmp_path / "jwks.json"
    moments = iter(range(1_000_000_000, 1_000_000_100))

    def write(*kids: str) -> Path:
        keys = [
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(pairs[kid].public_key())), "kid": kid, "alg": "RS256"}
            for kid in kids
        ]
        path.write_text(json.dumps({"keys": keys}))
        moment = next(moments)
        os.utime(path, (moment, moment))
        return path

    return write


@pytest.fixture
def signed(pairs: dict[str, Any]) -> Callable[[str], str]:
    def sign(kid: str) -> str:
        now = int(time.time())
        claims = {"pur": "access", "iss": ISSUER, "aud": ["gen3"], "iat": now, "exp": now + 60, "jti": kid}
        return jwt.encode(claims, pairs[kid], algorithm="RS256", headers={"kid": kid})

    return sign


def test_after_a_rotation_both_keys_are_good(publish: Any, signed: Any) -> None:
    verifier = Verifier(KeySet(publish("old")), ISSUER, "gen3")
    assert verifier.verify(signed("old"))["jti"] == "old"
    publish("new", "old")
    assert [verifier.verify(signed(kid))["jti"] for kid in ("old", "new")] == ["old", "new"]


def test_a_withdrawn_key_is_refused_at_once_even_for_a_token_seen_before(publish: Any, signed: Any) -> None:
    verifier = Verifier(KeySet(publish("old")), ISSUER, "gen3")
    token = signed("old")
    verifier.verify(token)
    publish("new")
    with pytest.raises(AuthenticationRequired, match="not signed by this commons"):
        verifier.verify(token)


def test_without_a_key_file_every_token_is_refused(signed: Any, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationRequired):
        Verifier(KeySet(tmp_path / "none.json"), ISSUER, "gen3").verify(signed("old"))


def test_a_file_that_is_no_key_set_leaves_the_earlier_keys_in_force(publish: Any, signed: Any) -> None:
    path = publish("old")
    verifier = Verifier(KeySet(path), ISSUER, "gen3")
    token = signed("old")
    verifier.verify(token)
    for content in ("", "{", "[]", '{"keys": 1}', '{"keys": [{"kid": "x", "kty": "RSA"}]}'):
        path.write_text(content)
        assert verifier.verify(token)["jti"] == "old"
    publish("new")
    with pytest.raises(AuthenticationRequired):
        verifier.verify(token)


def test_two_changes_within_one_moment_are_told_apart(publish: Any, signed: Any) -> None:
    path = publish("old")
    verifier = Verifier(KeySet(path), ISSUER, "gen3")
    verifier.verify(signed("old"))
    moment = path.stat().st_mtime_ns
    fresh = path.with_name("fresh.json")
    fresh.write_text(publish("new").read_text())
    os.utime(fresh, ns=(moment, moment))
    fresh.rename(path)
    assert verifier.verify(signed("new"))["jti"] == "new"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("pur", "iss", "aud", "exp", "iat", "nbf", "jti", "sub", "azp", "scope", "sid", "context")


@settings(max_examples=200, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=4))
def test_no_claim_of_any_kind_breaks_the_verifier(pairs: Any, tmp_path_factory: Any, changes: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    if not path.exists():
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(pairs["old"].public_key()))
        path.write_text(json.dumps({"keys": [{**key, "kid": "old"}]}))
    now = int(time.time())
    claims = {"pur": "access", "iss": ISSUER, "aud": ["gen3"], "iat": now, "exp": now + 60, "jti": "x", **changes}
    payload = json.dumps(claims).encode()
    token = jwt.api_jws.encode(payload, pairs["old"], algorithm="RS256", headers={"kid": "old"})
    try:
        identity = identity_of(Verifier(KeySet(path), ISSUER, "gen3").verify(token))
    except AuthenticationRequired:
        return
    assert identity.username is None or isinstance(identity.username, str)
    assert all(isinstance(scope, str) for scope in identity.scopes)
    hash(identity)
