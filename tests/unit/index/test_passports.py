"""Passports and visas: what they must be, and what they open."""

import base64
import contextlib
import json
import math
import re
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.index_service import PROJECT
from tests.passports import (
    DATASET,
    OTHER_DATASET,
    OTHER_PROJECT,
    SUBJECT,
    Issuer,
    new_world,
    signed_with_the_public_key,
    unsigned,
)
from traitlets.config import Config

from commonshub.core.errors import AuthenticationRequired, BadRequest
from commonshub.core.jwks import signing_key
from commonshub.index.passports import visas
from commonshub.index.passports.clearinghouse import Clearinghouse
from commonshub.index.passports.settings import PassportSettings, parse_brokers, parse_visa_issuers
from commonshub.index.passports.visas import Person

WORLD = new_world()
for _issuer in WORLD.issuers:
    _issuer.jwks_uri = f"{_issuer.iss.rstrip('/')}/jwks"
BROKERS = parse_brokers(WORLD.settings["brokers"])
ISSUERS = parse_visa_issuers(WORLD.settings["visa_issuers"], BROKERS)
BROKER, COMMITTEE, STRANGER, LINKER = WORLD.broker, WORLD.committee, WORLD.stranger, WORLD.linker
HOUR = 3600
HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "passports.md"


def now() -> int:
    return int(time.time())


def passport(token: str) -> visas.Passport:
    broker = BROKERS[visas.outline(token, "The passport").issuer]
    return visas.read_passport(token, signing_key(token, BROKER.jwks), broker)


def visa(token: str) -> visas.Visa:
    issuer = visas.signer(visas.outline(token, "The visa"), ISSUERS)
    signer = next(each for each in WORLD.issuers if each.iss == issuer.issuer)
    return visas.read_visa(token, signing_key(token, signer.jwks), issuer, time.time())


def opened(*tokens: str) -> dict[str, float]:
    """What the visas of a good passport open; those that are not valid count for nothing."""
    read = []
    for token in tokens:
        with contextlib.suppress(AuthenticationRequired):
            read.append(visa(token))
    return visas.opened(passport(BROKER.passport(*tokens)), read)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BROKER.passport(),
        lambda: BROKER.passport(typ="application/vnd.ga4gh.passport+JWT"),
        lambda: BROKER.passport(aud="commons"),
        lambda: BROKER.passport(aud=["other", "commons"]),
        lambda: BROKER.passport(exp=now() - 5),
        lambda: BROKER.passport(jti=None),
    ],
    ids=range(6),
)
def test_a_good_passport_is_taken(make: Callable[[], str]) -> None:
    assert passport(make()) == (Person(BROKER.iss, SUBJECT), [])


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "a.b.c",
        lambda: "é.\0.x",
        lambda: unsigned(BROKER, {"ga4gh_passport_v1": []}),
        lambda: signed_with_the_public_key(BROKER, {"ga4gh_passport_v1": []}),
        lambda: BROKER.passport(typ="JWT"),
        lambda: BROKER.passport(typ="vnd.ga4gh.visa+jwt"),
        lambda: BROKER.passport(exp=now() - HOUR),
        lambda: BROKER.passport(exp=None),
        lambda: BROKER.passport(exp="later"),
        lambda: BROKER.passport(exp=1e300),
        lambda: BROKER.passport(exp=True),
        lambda: BROKER.passport(iat=now() + HOUR),
        lambda: BROKER.passport(iat=None),
        lambda: BROKER.passport(nbf=now() + HOUR),
        lambda: BROKER.passport(sub=None),
        lambda: BROKER.passport(sub=""),
        lambda: BROKER.passport(aud="other"),
        lambda: BROKER.passport(aud=[]),
        lambda: BROKER.passport(aud=7),
        lambda: BROKER.passport(ga4gh_passport_v1=None),
        lambda: BROKER.passport(ga4gh_passport_v1="x"),
        lambda: BROKER.passport(ga4gh_passport_v1=[[]]),
        lambda: BROKER.sign({"ga4gh_passport_v1": []}, typ=visas.PASSPORT_TYPE, kid="other"),
        lambda: BROKER.passport()[:-4] + "AAAA",
    ],
    ids=range(25),
)
def test_any_other_passport_is_refused(make: Callable[[], str]) -> None:
    token = make()
    with pytest.raises(AuthenticationRequired):
        passport(token)


def is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


@given(
    st.text().filter(lambda text: text.count(".") != 2)
    | st.binary()
    .filter(lambda data: not is_object(data))
    .map(lambda data: base64.urlsafe_b64encode(data).decode() + ".e30.")
)
def test_whatever_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(AuthenticationRequired):
        visas.outline(token, "It")


def test_garbage_in_garbage_in_garbage_is_refused() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 40_000).rstrip(b"=").decode()
    header = base64.urlsafe_b64encode(b'{"alg":"RS256"}').rstrip(b"=").decode()
    for token in (f"{header}.{nested}.AA", f"{nested}.{nested}.AA"):
        with pytest.raises(AuthenticationRequired):
            visas.outline(token, "It")


def test_a_visa_opens_what_it_is_bound_to_until_it_ends() -> None:
    end = now() + 100
    found = opened(COMMITTEE.visa(claims={"exp": end}), COMMITTEE.visa({"value": OTHER_DATASET}, {"exp": end + 50}))
    assert found == {PROJECT: end, OTHER_PROJECT: end + 50}


def test_of_two_visas_for_the_same_the_later_end_counts() -> None:
    end = now() + 100
    assert opened(*[COMMITTEE.visa(claims={"exp": end + more}) for more in (0, 50, 20)]) == {PROJECT: end + 50}


@pytest.mark.parametrize(
    "headers",
    [{}, {"typ": "JWT"}, {"typ": "at+jwt"}, {"jku": COMMITTEE.jwks_uri}, {"jwk": WORLD.unknown.jwks["keys"][0]}],
    ids=["none", "JWT", "at+jwt", "jku", "jwk"],
)
def test_a_visa_may_have_other_headers(headers: dict[str, Any]) -> None:
    assert opened(COMMITTEE.visa(headers=headers)).keys() == {PROJECT}


@pytest.mark.parametrize(
    "make",
    [
        lambda: WORLD.unknown.visa(),
        lambda: Issuer(COMMITTEE.iss, WORLD.unknown.key, COMMITTEE.kid).visa(),
        lambda: unsigned(COMMITTEE, {"ga4gh_visa_v1": {"type": visas.GRANT}}),
        lambda: signed_with_the_public_key(COMMITTEE, {"ga4gh_visa_v1": {"type": visas.GRANT}}),
        lambda: COMMITTEE.visa(claims={"exp": now() - HOUR}),
        lambda: COMMITTEE.visa(claims={"iat": now() + HOUR}),
        lambda: COMMITTEE.visa(claims={"sub": "somebody else"}),
        lambda: COMMITTEE.visa(claims={"iss": COMMITTEE.iss + "/"}),
        lambda: COMMITTEE.visa(claims={"aud": "commons"}),
        lambda: COMMITTEE.visa(claims={"scope": "openid", "iat": now() - 2 * HOUR}),
        lambda: COMMITTEE.visa(claims={"ga4gh_visa_v1": None}),
        lambda: COMMITTEE.visa(claims={"ga4gh_visa_v1": [visas.GRANT]}),
        lambda: COMMITTEE.visa({"type": "ResearcherStatus"}),
        lambda: COMMITTEE.visa({"type": [visas.GRANT]}),
        lambda: COMMITTEE.visa({"value": DATASET.upper()}),
        lambda: COMMITTEE.visa({"value": DATASET + "/"}),
        lambda: COMMITTEE.visa({"value": [DATASET]}),
        lambda: COMMITTEE.visa({"value": None}),
        lambda: COMMITTEE.visa({"source": "https://elsewhere.example"}),
        lambda: COMMITTEE.visa({"source": None}),
        lambda: COMMITTEE.visa({"by": None}),
        lambda: COMMITTEE.visa({"asserted": None}),
        lambda: COMMITTEE.visa({"asserted": True}),
        lambda: COMMITTEE.visa({"asserted": now() + HOUR}),
        lambda: COMMITTEE.visa({"conditions": [[{"type": "ResearcherStatus", "value": "const:x"}]]}),
        lambda: COMMITTEE.visa(headers={"typ": visas.PASSPORT_TYPE}),
        lambda: COMMITTEE.visa(headers={"jku": "https://evil.example/jwks"}),
        lambda: COMMITTEE.visa(headers={"jku": COMMITTEE.jwks_uri + "?"}),
        lambda: COMMITTEE.visa(headers={"jku": 7}),
        lambda: COMMITTEE.visa(headers={"kid": "other"}),
        lambda: STRANGER.visa(),
        lambda: LINKER.visa(),
        lambda: BROKER.visa(),
        lambda: "x",
    ],
    ids=range(34),
)
def test_any_other_visa_opens_nothing(make: Callable[[], str]) -> None:
    assert opened(make()) == {}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ASSERTED = ("type", "value", "source", "by", "asserted", "conditions", "more")
CLAIMED = ("iss", "sub", "iat", "exp", "nbf", "aud", "scope", "ga4gh_visa_v1", "more")


@given(
    st.dictionaries(st.sampled_from(ASSERTED), anything, max_size=2),
    st.dictionaries(st.sampled_from(CLAIMED), anything, max_size=2),
    st.sampled_from([visas.GRANT, visas.LINKS]),
)
def test_whatever_an_issuer_asserts_opens_what_it_is_bound_to_or_nothing(
    assertion: dict[str, Any], claims: dict[str, Any], kind: str
) -> None:
    for issuer in (COMMITTEE, LINKER):
        # PyJWT does not sign for an issuer that is no text.
        kept = {name: value for name, value in claims.items() if name != "iss" or isinstance(value, str)}
        assert opened(issuer.visa({"type": kind} | assertion, kept)).keys() <= {PROJECT, OTHER_PROJECT}


def test_empty_conditions_are_none() -> None:
    assert opened(COMMITTEE.visa({"conditions": []})).keys() == {PROJECT}


def test_a_visa_that_is_an_access_token_counts_for_an_hour() -> None:
    assert opened(COMMITTEE.visa(claims={"scope": "openid", "iat": now() - HOUR // 2})).keys() == {PROJECT}


def named(issuer: Issuer, subject: str) -> str:
    return f"{quote(subject, safe='')},{quote(issuer.iss, safe='')}"


OTHER_NAME = "a;b,c"


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ([(LINKER, "x", [(BROKER, SUBJECT), (STRANGER, OTHER_NAME)])], True),
        ([(LINKER, "x", [(BROKER, SUBJECT)]), (LINKER, "x", [(STRANGER, OTHER_NAME)])], True),
        ([(LINKER, "x", [(STRANGER, OTHER_NAME)])], False),
        ([(LINKER, "x", [(BROKER, SUBJECT)]), (LINKER, "y", [(STRANGER, OTHER_NAME)])], False),
        ([(LINKER, "x", [(BROKER, "somebody else"), (STRANGER, OTHER_NAME)])], False),
        # Whose word on names does not count.
        ([(STRANGER, OTHER_NAME, [(BROKER, SUBJECT)])], False),
        ([(WORLD.unknown, "x", [(BROKER, SUBJECT), (STRANGER, OTHER_NAME)])], False),
    ],
    ids=range(7),
)
def test_names_of_other_issuers_count_where_they_are_linked(links: Any, found: bool) -> None:
    tokens = [
        signer.linking(*(named(*person) for person in people), claims={"sub": subject})
        for signer, subject, people in links
    ]
    assert bool(opened(STRANGER.visa(claims={"sub": OTHER_NAME}), *tokens)) is found


@pytest.mark.parametrize("value", ["", ";", "x", "a,b,c", ",,"])
def test_a_malformed_link_links_nobody(value: str) -> None:
    assert opened(STRANGER.visa(claims={"sub": OTHER_NAME}), LINKER.linking(value)) == {}


def test_a_link_ends_with_its_visa() -> None:
    end = now() + 60
    link = LINKER.linking(named(BROKER, SUBJECT), named(STRANGER, "s"), claims={"exp": end})
    assert opened(STRANGER.visa(claims={"sub": "s"}), link) == {PROJECT: end}


people = st.builds(Person, st.sampled_from("ab"), st.sampled_from("xyz"))


@given(st.lists(st.tuples(st.frozensets(people, min_size=1), st.integers(1, 9))))
def test_links_reach_as_far_as_the_best_way_lasts(links: list[tuple[frozenset[Person], int]]) -> None:
    start = Person("a", "x")
    made = [visas.Visa(names, names, "", end, ISSUERS[LINKER.iss]) for names, end in links]
    reached = visas._reached(start, made)
    # The same by leaving out what has ended: somebody is reached until the last moment at which he is.
    for moment in range(1, 10):
        known, before = {start}, 0
        while len(known) > before:
            before = len(known)
            known |= {name for names, end in links if end >= moment and not names.isdisjoint(known) for name in names}
        assert {name for name, end in reached.items() if end >= moment} == known
    assert reached[start] == math.inf


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x", "list"),
        (None, "list"),
        ({}, "list"),
        ([1], "list"),
        ([["x"]], "list"),
        (["x"] * 5, "max_passports"),
        (["x" * 70_000], r"passports\[0\].*max_passport_bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_passports_beyond_a_limit_are_not_looked_at(given: Any, told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        visas.read_bounded(given, PassportSettings())


def one(**fields: Any) -> dict[str, Any]:
    return {"https://issuer.example": {"jwks_uri": "https://issuer.example/jwks", **fields}}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "brokers"),
        ({"brokers": one()}, "visa_issuers"),
        ({"brokers": one(jwks_uri="http://issuer.example/jwks")}, "jwks_uri"),
        ({"brokers": one(jwks_uri="")}, "jwks_uri"),
        ({"brokers": one(other="x")}, "other"),
        ({"brokers": {"https://issuer.example": "x"}}, "issuer.example"),
        ({"visa_issuers": one()}, "sources"),
        ({"visa_issuers": one(sources="x")}, "sources"),
        ({"visa_issuers": one(sources=["x"], grants=["x"])}, "grants"),
        ({"visa_issuers": one(sources=["x"], grants={"x": "/programs/a"})}, "grants"),
        ({"visa_issuers": one(sources=["x"], grants={"x": ["programs"]})}, "grants.*resource path"),
        ({"visa_issuers": one(sources=["x"], subjects_of="https://other.example")}, "subjects_of"),
        ({"visa_issuers": one(sources=["x"], links="yes")}, "links"),
    ],
    ids=range(13),
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        Clearinghouse(PassportSettings(config=Config(PassportSettings=settings)))


def test_the_settings_of_the_documentation_are_taken() -> None:
    [block] = re.findall(r"^ *```python\n(.*?)^ *```", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)
    config = Config()
    exec(textwrap.dedent(block), {"c": config})
    settings = PassportSettings(config=config)
    assert settings.enabled
    assert Clearinghouse(settings).issuers_for(["/programs/P/projects/one"]) == ["https://permissions.example.org"]
