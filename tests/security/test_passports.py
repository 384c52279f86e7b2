"""S28: passports and visas that somebody made up, stole, bent or blew up."""

import base64
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.drs_schema import BASE
from tests.index_service import PROJECT
from tests.passports import DATASET, SOURCE, Issuer, World, new_ec, signed_with_the_public_key, unsigned, world

from commonshub.core import jwks, records
from commonshub.core.records import Draft

__all__ = ["world"]

GRANT = {"type": "ControlledAccessGrants", "value": DATASET, "source": SOURCE, "by": "dac", "asserted": 1}


@pytest.fixture
def closed(world: World) -> str:
    """A record that a good visa opens."""
    did = str(uuid.uuid4())
    fields: dict[str, Any] = {"size": 1, "hashes": {"md5": "0" * 32}, "urls": [f"s3://commons/{did}/x"]}
    world.running.app.database.call(records.create, "index", [Draft(did=did, authz=[PROJECT], **fields)])
    return did


@pytest.fixture(autouse=True)
def _unasked(world: World) -> None:
    for issuer in world.issuers:
        issuer.asked.clear()


def show(world: World, did: str, *passports: str) -> requests.Response:
    url = f"{world.url}{BASE}/objects/{did}/access/s3"
    return requests.post(url, json={"passports": list(passports)}, timeout=60)


def test_s28_the_good_passport_opens(world: World, closed: str) -> None:
    assert show(world, closed, world.broker.passport(world.committee.visa())).status_code == 200


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda w: unsigned(w.broker, {"ga4gh_passport_v1": []}), id="alg none"),
        pytest.param(lambda w: signed_with_the_public_key(w.broker, {"ga4gh_passport_v1": []}), id="HS256"),
        pytest.param(lambda w: w.unknown.passport(w.committee.visa()), id="unknown issuer"),
        pytest.param(lambda w: w.committee.passport(w.committee.visa()), id="an issuer of visas alone"),
        pytest.param(lambda w: w.broker.passport(w.committee.visa(), typ="JWT"), id="wrong typ"),
        pytest.param(lambda w: w.broker.passport(w.committee.visa(), typ="at+jwt"), id="an access token"),
        pytest.param(lambda w: w.broker.passport(w.committee.visa(), exp=1), id="expired"),
        pytest.param(lambda w: w.broker.passport(w.committee.visa(), aud="other-commons"), id="for another commons"),
        pytest.param(lambda w: w.committee.visa(), id="a visa alone"),
        pytest.param(lambda w: Issuer(w.broker.iss, new_ec(), w.broker.kid).passport(w.committee.visa()), id="own key"),
        pytest.param(lambda w: "..", id="dots"),
        pytest.param(lambda w: "[" * 60_000, id="garbage"),
        pytest.param(
            lambda w: ".".join(base64.urlsafe_b64encode(b"[" * 10_000).decode() for _ in range(3)), id="nested garbage"
        ),
    ],
)
def test_s28_a_passport_that_is_not_valid_refuses_the_request(
    world: World, closed: str, make: Callable[[World], str]
) -> None:
    for passports in ([make(world)], [world.broker.passport(world.committee.visa()), make(world)]):
        answer = show(world, closed, *passports)
        assert (answer.status_code, "url" in answer.json()) == (401, False)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda w: unsigned(w.committee, {"ga4gh_visa_v1": GRANT}), id="alg none"),
        pytest.param(lambda w: signed_with_the_public_key(w.committee, {"ga4gh_visa_v1": GRANT}), id="HS256"),
        pytest.param(lambda w: w.unknown.visa(), id="unknown issuer"),
        pytest.param(lambda w: w.committee.visa(claims={"exp": int(time.time()) - 3600}), id="expired"),
        pytest.param(lambda w: w.committee.visa(claims={"sub": "somebody else"}), id="another subject"),
        pytest.param(lambda w: w.stranger.visa(), id="the same name at another issuer"),
        pytest.param(lambda w: w.committee.visa({"source": "https://self.example"}), id="another source"),
        pytest.param(lambda w: w.committee.visa(headers={"typ": "vnd.ga4gh.passport+jwt"}), id="wrong typ"),
        pytest.param(
            lambda w: w.committee.visa({"conditions": [[{"type": "X", "value": "const:y"}]]}), id="conditions"
        ),
        pytest.param(lambda w: Issuer(w.committee.iss, new_ec(), w.committee.kid).visa(), id="own key"),
        pytest.param(lambda w: w.broker.passport(w.committee.visa()), id="a passport in a passport"),
        pytest.param(lambda w: "x", id="garbage"),
    ],
)
def test_s28_a_visa_that_is_not_valid_opens_nothing_inside_a_valid_passport(
    world: World, closed: str, make: Callable[[World], str]
) -> None:
    answer = show(world, closed, world.broker.passport(make(world)))
    assert (answer.status_code, "url" in answer.json()) == (403, False)


@pytest.mark.parametrize("header", ["jku", "x5u"])
def test_s28_where_a_token_says_its_keys_are_is_never_asked(world: World, closed: str, header: str) -> None:
    """The address is that of a server which would know the key."""
    thief = Issuer(world.committee.iss, world.unknown.key, world.unknown.kid)
    forger = Issuer(world.broker.iss, world.unknown.key, world.unknown.kid)
    where = {header: world.unknown.jwks_uri}
    assert show(world, closed, world.broker.passport(thief.visa(headers=where))).status_code == 403
    assert (
        show(world, closed, forger.sign({"ga4gh_passport_v1": []}, typ="vnd.ga4gh.passport+jwt", **where)).ok is False
    )
    for address in ("http://169.254.169.254/latest", "file:///etc/passwd", "http://127.0.0.1:1/"):
        visa = world.committee.visa(headers={header: address})
        # A visa that leads elsewhere is passed over; `x5u` is nothing that anybody looks at.
        assert show(world, closed, world.broker.passport(visa)).status_code == (403 if header == "jku" else 200)
    assert world.unknown.asked == []


def test_s28_the_address_of_the_settings_may_be_named(world: World, closed: str) -> None:
    visa = world.committee.visa(headers={"jku": world.committee.jwks_uri})
    assert show(world, closed, world.broker.passport(visa)).status_code == 200


def test_s28_too_much_is_refused_before_it_is_looked_at(world: World, closed: str) -> None:
    many = world.broker.passport(*(["x"] * 1000))
    large = world.broker.passport("x" * 2**20)
    good = world.broker.passport(world.committee.visa())
    for passports, limit in (([many], "max_visas"), ([large], "max_passport_bytes"), ([good] * 5, "max_passports")):
        answer = show(world, closed, *passports)
        assert answer.status_code == 400
        assert limit in answer.json()["msg"]


def test_s28_an_issuer_changes_its_keys_and_is_not_asked_all_the_time(
    world: World, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert show(world, closed, world.broker.passport(world.committee.visa())).status_code == 200
    world.committee.asked.clear()
    old = world.committee.visa()
    world.committee.rotate()
    for _ in range(5):
        assert show(world, closed, world.broker.passport(world.committee.visa())).status_code == 403
    # Not once, as it had just been asked.
    assert world.committee.asked == []
    monkeypatch.setattr(jwks, "KEYS_AGAIN_S", 0)
    assert show(world, closed, world.broker.passport(world.committee.visa())).status_code == 200
    assert world.committee.asked == ["jwks"]
    # What the withdrawn key signed is worth nothing.
    assert show(world, closed, world.broker.passport(old)).status_code == 403


def test_s28_an_issuer_that_is_down_is_not_asked_by_everybody(
    world: World, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "KEYS_AGAIN_S", 0)
    monkeypatch.setattr(jwks, "FAILED_AGAIN_S", 60)
    monkeypatch.setattr(world.stranger, "down", True)
    world.stranger.rotate()
    world.stranger.asked.clear()
    passport = world.broker.passport(world.stranger.visa())
    assert [show(world, closed, passport).status_code for _ in range(5)] == [503] * 5
    assert world.stranger.asked == ["jwks"]
    monkeypatch.setattr(world.stranger, "down", False)
    monkeypatch.setattr(jwks, "FAILED_AGAIN_S", 0)
    # Nobody there grants anything, which is only known once it is asked again.
    assert show(world, closed, passport).status_code == 403


def test_s28_passports_that_are_not_valid_are_counted(world: World, closed: str) -> None:
    forged = Issuer(world.broker.iss, new_ec(), world.broker.kid).passport()
    statuses = [show(world, closed, forged).status_code for _ in range(12)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert show(world, closed, world.broker.passport(world.committee.visa())).status_code == 200


def test_s28_a_passport_is_no_bearer_token_and_writes_nothing(world: World, closed: str) -> None:
    passport = world.broker.passport(world.committee.visa())
    headers = {"Authorization": f"Bearer {passport}"}
    url = f"{world.url}/index/index/{closed}"
    rev = requests.get(url, timeout=60).json()["rev"]
    body = {"file_name": "x", "passports": [passport]}
    answers = [
        requests.get(f"{world.url}{BASE}/objects/{closed}/access/s3", headers=headers, timeout=60),
        requests.put(f"{url}?rev={rev}", headers=headers, json=body, timeout=60),
        requests.put(f"{url}?rev={rev}", json=body, timeout=60),
        requests.delete(f"{url}?rev={rev}", headers=headers, timeout=60),
    ]
    assert all(400 <= answer.status_code < 404 for answer in answers)
    assert requests.get(url, timeout=60).json()["rev"] == rev
