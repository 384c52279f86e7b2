"""What tokens say, how long they live, and what users may be called."""

from typing import Any

import pytest

from commonshub.auth.claims import KEY_SCOPES, SESSION_SCOPES, Account, Minter, key_scopes, lifetime
from commonshub.auth.names import username
from commonshub.core.errors import BadRequest

MINTER = Minter("https://commons.example/user", "gen3")
ALICE = Account(7, "alice", admin=True)


def test_an_access_token_has_gen3s_claims() -> None:
    claims = MINTER.access(ALICE, 1200)
    assert claims.keys() == {"pur", "iss", "aud", "sub", "azp", "scope", "iat", "exp", "jti", "context"}
    assert (claims["sub"], claims["azp"], claims["exp"] - claims["iat"]) == ("7", "", 1200)
    assert claims["context"] == {"user": {"name": "alice", "is_admin": True}}


@pytest.mark.parametrize(
    ("scopes", "told"),
    [({"openid", "data"}, {"name": "alice"}), ({"openid", "user"}, {"name": "alice", "is_admin": True})],
    ids=str,
)
def test_only_with_the_scope_user_a_token_says_who_administrates(scopes: Any, told: Any) -> None:
    assert MINTER.access(ALICE, 60, scopes)["context"] == {"user": told}
    assert MINTER.identity(ALICE, 60, scopes, "app", {})["context"] == {"user": told}


def test_an_api_key_says_nothing_of_the_user_but_his_number() -> None:
    claims = MINTER.api_key(ALICE, 60)
    assert (claims["pur"], claims["sub"]) == ("api_key", "7")
    assert "context" not in claims


def test_no_two_tokens_are_the_same() -> None:
    assert MINTER.access(ALICE, 60)["jti"] != MINTER.access(ALICE, 60)["jti"]


@pytest.mark.parametrize(
    ("caller", "body", "expected"),
    [
        (SESSION_SCOPES, {}, KEY_SCOPES),
        ({"openid", "user", "credentials"}, {}, {"openid", "user"}),
        ({"user", "credentials"}, {"scope": ["data", "user"]}, {"openid", "user"}),
        (SESSION_SCOPES, {"scope": []}, {"openid"}),
    ],
    ids=str,
)
def test_a_key_never_has_more_scopes_than_its_maker_or_than_asked(caller: Any, body: Any, expected: Any) -> None:
    assert key_scopes(caller, body) == expected


@pytest.mark.parametrize(
    ("limit", "asked", "remaining", "expected"),
    [(100, None, None, 100), (100, 50, None, 50), (100, None, 30.7, 30), (100, 30, 30.7, 30), (100, 100, 1000, 100)],
)
def test_a_life_is_bounded(limit: int, asked: int | None, remaining: float | None, expected: int) -> None:
    assert lifetime(limit, asked, remaining) == expected


@pytest.mark.parametrize(("limit", "asked", "remaining"), [(100, 101, None), (100, 31, 30.7)])
def test_a_longer_life_is_refused_rather_than_cut(limit: int, asked: int, remaining: float | None) -> None:
    with pytest.raises(BadRequest):
        lifetime(limit, asked, remaining)


@pytest.mark.parametrize(
    ("given", "name"),
    [("alice", "alice"), ("Alice@Example.ORG", "alice@example.org"), ("josé", "josé"), ("o'b", "o'b")],
)
def test_a_name_is_taken_in_lower_case(given: str, name: str) -> None:
    assert username(given) == name


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a/b", "a\\b", "a\x00", "a\n", "a%2f", "*", "x" * 256, "ａｌｉｃｅ", "jose\u0301", "a\u202eb", "ﬁ"],
    ids=ascii,
)
def test_a_name_that_could_be_taken_for_another_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        username(name)
