"""What a reverse proxy may say, and what nobody may."""

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.tokens import KeySet
from commonshub.hub.assertion import Assertions, Once, Refused, check_groups, check_name, check_secret, single

ISSUER = "http://127.0.0.1:8000/user"
SECRET = "s" * 40


@pytest.fixture
def assertions(jwks_file: Path) -> Assertions:
    return Assertions(KeySet(jwks_file), ISSUER, "hub")


@pytest.fixture
def sign(signing_key: rsa.RSAPrivateKey) -> Callable[..., str]:
    def make(headers: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(time.time())
        body = {"iss": ISSUER, "aud": "hub", "sub": "alice", "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
        body = {name: value for name, value in {**body, **claims}.items() if value is not None}
        return jwt.encode(body, signing_key, algorithm="RS256", headers={"kid": "test", **(headers or {})})

    return make


def test_a_fresh_assertion_names_user_and_groups(assertions: Assertions, sign: Callable[..., str]) -> None:
    assert assertions.subject(sign(groups=["lab", "admins", "lab"])) == ("alice", ("admins", "lab"))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        pytest.param({"exp": int(time.time()) + 3600}, id="for too long"),
        pytest.param({"iat": int(time.time()) + 7200, "exp": int(time.time()) + 7230}, id="of later"),
        {"iss": "http://elsewhere/user"},
        {"aud": "gen3"},
        {"aud": None},
        {"jti": None},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "Alice"},
        {"sub": "alice, bob"},
        {"groups": "admins"},
        {"groups": ["a b"]},
        {"groups": [7]},
        {"groups": [f"g{number}" for number in range(501)]},
    ],
    ids=str,
)
def test_an_assertion_that_proves_less_is_refused(
    assertions: Assertions, sign: Callable[..., str], claims: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        assertions.subject(sign(**claims))


@pytest.mark.parametrize("kid", ["other", "../../etc/passwd", "' or 1=1", "", None, 7])
def test_only_keys_of_the_own_set_count(assertions: Assertions, sign: Callable[..., str], kid: Any) -> None:
    head, body, signature = sign().split(".")
    header = jwt.utils.base64url_encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": kid}).encode()).decode()
    with pytest.raises(Refused):
        assertions.subject(f"{header}.{body}.{signature}")
    assert head != header


def test_a_foreign_key_cannot_sign(assertions: Assertions) -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    body = {
        "iss": ISSUER,
        "aud": "hub",
        "sub": "alice",
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
        "jti": "x",
    }
    with pytest.raises(Refused):
        assertions.subject(jwt.encode(body, foreign, algorithm="RS256", headers={"kid": "test"}))


def test_neither_no_signature_nor_the_public_key_as_a_secret_is_enough(
    assertions: Assertions, sign: Callable[..., str], signing_key: rsa.RSAPrivateKey
) -> None:
    import base64
    import hashlib
    import hmac

    _, body, _ = sign().split(".")

    def encoded(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    none = encoded(b'{"alg":"none","kid":"test"}')
    pem = signing_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    symmetric = encoded(b'{"alg":"HS256","kid":"test"}')
    forged = encoded(hmac.new(pem, f"{symmetric}.{body}".encode(), hashlib.sha256).digest())
    for token in (f"{none}.{body}.", f"{symmetric}.{body}.{forged}", "x" * 2**20, "", "a.b.c"):
        with pytest.raises(Refused):
            assertions.subject(token)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "alice ",
        "Alice",
        "ａｌｉｃｅ",
        "alice, bob",
        "alice,bob",
        "../x/y",
        "a/b",
        "a!b",
        "a\nb",
        "a\0b",
        "é",
        "x" * 65,
        None,
        5,
        "-a",
        ".a",
    ],
)
def test_what_is_not_one_users_name_is_refused(name: Any) -> None:
    with pytest.raises(Refused):
        check_name(name)


@pytest.mark.parametrize("name", ["alice", "alice@example.org", "a.b-c_d+e", "0", "x" * 64])
def test_ordinary_names_are_taken(name: str) -> None:
    assert check_name(name) == name


@given(st.text())
def test_a_name_that_is_taken_is_its_own_normal_form(text: str) -> None:
    try:
        name = check_name(text)
    except Refused:
        return
    assert name == text == text.lower() == text.strip()
    assert name.isascii()


def test_groups_come_sorted_and_once() -> None:
    assert check_groups(["b", "a", "b"]) == ("a", "b")


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Remote-User", "alice"), ("X-Remote-User", "bob")],
        [("X-Remote-User", "alice"), ("X_Remote_User", "bob")],
        [("X_Remote_User", "bob")],
        [("x-remote_user", "bob")],
    ],
)
def test_a_second_or_similar_header_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(Refused):
        single(headers, "X-Remote-User")


def test_a_header_is_found_in_any_case_and_may_be_absent() -> None:
    assert single([("x-remote-user", "alice")], "X-Remote-User") == "alice"
    assert single([("Host", "x")], "X-Remote-User") is None


@pytest.mark.parametrize(
    ("given_secret", "secrets"),
    [
        (None, [SECRET]),
        ("", [SECRET]),
        ("t" * 40, [SECRET]),
        (SECRET, []),
        ("short", ["short"]),
        (SECRET[:-1], [SECRET]),
    ],
)
def test_a_wrong_or_weak_secret_proves_nothing(given_secret: str | None, secrets: list[str]) -> None:
    with pytest.raises(Refused):
        check_secret(given_secret, secrets)


def test_either_of_two_secrets_proves_the_proxy() -> None:
    check_secret(SECRET, ["o" * 40, SECRET])


def test_an_assertion_serves_once(assertions: Assertions, sign: Callable[..., str]) -> None:
    token = sign()
    assertions.subject(token)
    with pytest.raises(Refused, match="used before"):
        assertions.subject(token)
    assert assertions.subject(sign()).name == "alice"


def test_what_was_used_is_remembered_until_it_has_expired() -> None:
    once = Once(most=2)
    once.use("a", until=10, now=0)
    once.use("b", until=20, now=0)
    for name in ("a", "c"):
        with pytest.raises(Refused):
            once.use(name, until=30, now=9)
    once.use("c", until=30, now=10)
    with pytest.raises(Refused, match="used before"):
        once.use("c", until=30, now=11)


@pytest.mark.parametrize("purpose", ["access", "id", "api_key", None, ""])
def test_another_token_of_the_same_issuer_is_no_assertion(
    assertions: Assertions, sign: Callable[..., str], purpose: Any
) -> None:
    body = {"pur": purpose} if purpose is not None else {"pur": ["assertion"]}
    with pytest.raises(Refused, match="purpose"):
        assertions.subject(sign(**body))
