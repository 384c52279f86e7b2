"""Who may sign in by what a provider says of him, and under which name."""

from typing import Any

import pytest
from tests.openid_service import most_groups

from commonshub.auth.login.person import person
from commonshub.auth.login.providers import Provider, parse_providers
from commonshub.core.errors import AuthenticationRequired, BadRequest

GOOD = {"sub": "1", "email": "Alice@Example.org", "email_verified": True, "preferred_username": "Alice"}


def provider(**settings: Any) -> Provider:
    return Provider("test", "https://provider.example", "commons", **settings)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "alice@example.org"),
        ({"name_claim": "preferred_username"}, "alice"),
        ({"name_claim": "preferred_username", "name_prefix": "uni-"}, "uni-alice"),
        ({"email_domains": ("EXAMPLE.org",)}, "alice@example.org"),
        ({"required_claims": {"sub": ["1", "2"]}}, "alice@example.org"),
        ({"required_claims": {"email_verified": True}}, "alice@example.org"),
    ],
)
def test_the_name_is_the_claim_in_lower_case(settings: dict[str, Any], name: str) -> None:
    assert person(provider(**settings), GOOD).name == name


@pytest.mark.parametrize(
    ("settings", "claims"),
    [
        ({}, {"sub": ""}),
        ({}, {"sub": 7}),
        ({}, {"sub": "x" * 300}),
        ({}, {"email": None}),
        ({}, {"email": ["a@example.org"]}),
        ({}, {"email": "a@b@c"}),
        ({}, {"email_verified": False}),
        ({}, {"email_verified": "no"}),
        ({"name_claim": "nickname"}, {}),
        ({"name_claim": "preferred_username"}, {"preferred_username": ["alice"]}),
        ({"name_claim": "preferred_username"}, {"preferred_username": "al ice"}),
        ({"name_claim": "preferred_username"}, {"preferred_username": "alice,bob"}),
        ({"name_claim": "preferred_username"}, {"preferred_username": "../alice"}),
        ({"name_claim": "preferred_username"}, {"preferred_username": "alice\n"}),
        ({"name_claim": "preferred_username"}, {"preferred_username": "ａlice"}),
        ({"name_claim": "preferred_username"}, {"preferred_username": "аlice"}),
        ({"name_claim": "preferred_username"}, {"preferred_username": "a" * 65}),
        ({"email_domains": ("ample.org",)}, {}),
        ({"email_domains": ("example.org",)}, {"email": "alice@example.org.evil.example"}),
        ({"required_claims": {"role": "scientist"}}, {}),
        ({"required_claims": {"role": "scientist"}}, {"role": "not a scientist"}),
    ],
    ids=str,
)
def test_whoever_is_not_proven_to_be_somebody_does_not_get_in(settings: dict[str, Any], claims: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationRequired):
        person(provider(**settings), {**GOOD, **claims})


def test_denied_names_are_denied_in_whatever_case_they_come() -> None:
    with pytest.raises(AuthenticationRequired):
        person(provider(), GOOD, deny_names="^alice@")
    assert person(provider(), GOOD, deny_names="^bob@").name == "alice@example.org"


def test_an_unverified_address_is_not_kept() -> None:
    claims = {**GOOD, "email_verified": False}
    assert person(provider(name_claim="preferred_username"), claims).email == ""
    assert person(provider(trust_emails=True), claims).email == "alice@example.org"


@pytest.mark.parametrize(
    ("told", "groups"),
    [
        (["b", "a", "a"], ("a", "b")),
        (["a", "with blank", "", 7, None, "x" * 200], ("a",)),
        ("a", ()),
        (None, ()),
    ],
)
def test_only_groups_that_the_hub_can_have_are_kept(told: Any, groups: tuple[str, ...]) -> None:
    assert person(provider(groups_claim="groups"), {**GOOD, "groups": told}).groups == groups


def test_more_groups_than_a_sign_in_can_carry_are_refused_by_name_of_the_cause() -> None:
    most = most_groups()
    assert person(provider(groups_claim="groups"), {**GOOD, "groups": most}).groups == tuple(most)
    with pytest.raises(AuthenticationRequired, match=r"33 groups.*4096"):
        person(provider(groups_claim="groups"), {**GOOD, "groups": [*most, "x"]})


SETTINGS = {"issuer": "https://provider.example", "client_id": "commons"}


def test_settings_are_read_with_their_defaults() -> None:
    [read] = parse_providers({"uni": {**SETTINGS, "scopes": ["openid", "groups"]}}).values()
    assert (read.idp, read.label, read.scopes, read.name_claim) == ("uni", "uni", ("openid", "groups"), "email")


@pytest.mark.parametrize(
    ("idp", "settings", "word"),
    [
        ("Uni", SETTINGS, "name"),
        ("assertion", SETTINGS, "name"),
        ("jupyterhub", SETTINGS, "name"),
        ("uni", "https://provider.example", "map"),
        ("uni", {"client_id": "commons"}, "issuer"),
        ("uni", {"issuer": "https://provider.example"}, "client_id"),
        ("uni", {**SETTINGS, "issuer": "http://provider.example"}, "issuer"),
        ("uni", {**SETTINGS, "issuer": "https://user@provider.example"}, "issuer"),
        ("uni", {**SETTINGS, "issuer": "https://[::1"}, "issuer"),
        ("uni", {**SETTINGS, "isuer": "x"}, "isuer"),
        ("uni", {**SETTINGS, "hidden": "yes"}, "hidden"),
        ("uni", {**SETTINGS, "scopes": "openid"}, "scopes"),
        ("uni", {**SETTINGS, "required_claims": ["role"]}, "required_claims"),
        ("uni", {**SETTINGS, "client_secret_file": "/nowhere/secret"}, "client_secret_file"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(idp: str, settings: Any, word: str) -> None:
    with pytest.raises(BadRequest, match=f"(?s)SignInSettings.providers.*{word}"):
        parse_providers({idp: settings})
