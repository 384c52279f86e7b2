"""GA4GH passports by DRS 1.5: what they open, for whom, until when, and how a commons says that it takes them."""

import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
import sqlalchemy as sa
from tests.drs_schema import BASE, faults, held
from tests.index_service import PROJECT
from tests.passports import DATASET, OTHER_DATASET, OTHER_PROJECT, SUBJECT, World, world

from commonshub.core import audit, jwks, records
from commonshub.core.errors import BadRequest
from commonshub.core.records import Draft
from commonshub.core.storage import Location, Storage
from commonshub.index.app import IndexApp

__all__ = ["world"]

DATA = b"bytes that a visa opens"


@pytest.fixture
def stored(world: World) -> Callable[..., str]:
    """A record with real bytes and these authz paths; its GUID."""
    app = world.running.app

    def make(*authz: str, **fields: Any) -> str:
        did = f"dg.T/{uuid.uuid4()}"
        location = Location("commons", f"{did}/a.csv")
        url = Storage(app.storage_settings).presign("PUT", location, 60)
        requests.put(url, data=DATA, timeout=60).raise_for_status()
        made = {"size": len(DATA), "hashes": {"md5": "0" * 32}, "urls": [str(location)], "authz": list(authz), **fields}
        app.database.call(records.create, "index", [Draft(did=did, **made)])
        return did

    return make


def post(world: World, path: str, *passports: str, **options: Any) -> requests.Response:
    body = {"passports": list(passports), **options.pop("body", {})}
    return held(requests.post(f"{world.url}{BASE}{path}", json=body, timeout=60, **options))


def test_a_visa_opens_the_bytes(world: World, stored: Callable[..., str]) -> None:
    did = stored(f"{PROJECT}/deeper")
    assert requests.get(f"{world.url}{BASE}/objects/{did}/access/s3", timeout=60).status_code == 401
    answer = post(world, f"/objects/{did}/access/s3", world.broker.passport(world.committee.visa()))
    assert (answer.status_code, faults(answer)) == (200, [])
    assert requests.get(answer.json()["url"], timeout=60).content == DATA
    # Nothing of it is left.
    assert post(world, f"/objects/{did}/access/s3").status_code == 401
    assert requests.get(f"{world.url}{BASE}/objects/{did}/access/s3", timeout=60).status_code == 401


@pytest.mark.parametrize(
    ("authz", "values", "status"),
    [
        ([PROJECT], [DATASET], 200),
        ([PROJECT], [OTHER_DATASET], 403),
        ([PROJECT], [], 403),
        ([PROJECT, OTHER_PROJECT], [DATASET], 403),
        ([PROJECT, OTHER_PROJECT], [DATASET, OTHER_DATASET], 200),
        ([PROJECT, "/open"], [DATASET], 200),
        (["/open"], [], 200),
        ([PROJECT + "x"], [DATASET], 403),
        (["/programs/p"], [DATASET], 403),
        (["no path"], [DATASET], 403),
        ([], [DATASET], 403),
    ],
)
def test_a_record_needs_a_visa_for_each_of_its_paths(
    world: World, stored: Callable[..., str], authz: list[str], values: list[str], status: int
) -> None:
    did = stored(*authz)
    passport = world.broker.passport(*(world.committee.visa({"value": value}) for value in values))
    answer = post(world, f"/objects/{did}/access/s3", passport)
    assert (answer.status_code, faults(answer)) == (status, [])
    # Many are decided as one is.
    body = {"bulk_object_access_ids": [{"bulk_object_id": did, "bulk_access_ids": ["s3"]}]}
    many = post(world, "/objects/access", passport, body=body)
    assert (many.status_code, faults(many), faults(many, 200)) == (status, [], [])


@pytest.mark.parametrize("spread", [False, True])
def test_passports_of_one_request_add_up(world: World, stored: Callable[..., str], spread: bool) -> None:
    visas = [world.committee.visa({"value": value}) for value in (DATASET, OTHER_DATASET)]
    passports = [world.broker.passport(each) for each in visas] if spread else [world.broker.passport(*visas)]
    dids = [stored(PROJECT), stored(OTHER_PROJECT), stored(PROJECT, OTHER_PROJECT), stored("/programs/x")]
    body = {"bulk_object_access_ids": [{"bulk_object_id": did, "bulk_access_ids": ["s3"]} for did in dids]}
    answer = post(world, "/objects/access", *passports, body=body)
    assert (answer.status_code, faults(answer)) == (200, [])
    found = answer.json()
    assert [each["drs_object_id"] for each in found["resolved_drs_object_access_urls"]] == dids[:3]
    assert found["unresolved_drs_objects"] == [{"error_code": 403, "object_ids": dids[3:]}]


def test_visas_of_other_issuers_count_by_a_link(world: World, stored: Callable[..., str]) -> None:
    did = stored(PROJECT)
    people = [(SUBJECT, world.broker.iss), ("own-7", world.stranger.iss)]
    link = world.linker.linking(*(f"{quote(sub, safe='')},{quote(iss, safe='')}" for sub, iss in people))
    visa = world.stranger.visa(claims={"sub": "own-7"})
    for visas, status in (([visa], 403), ([visa, link], 200)):
        assert post(world, f"/objects/{did}/access/s3", world.broker.passport(*visas)).status_code == status


def test_a_url_ends_with_the_visa_that_it_is_given_for(world: World, stored: Callable[..., str]) -> None:
    did = stored(PROJECT)
    passport = world.broker.passport(world.committee.visa(claims={"exp": int(time.time()) + 120}))
    url = post(world, f"/objects/{did}/access/s3", passport).json()["url"]
    assert 60 < int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0]) <= 120
    answers = [post(world, f"/objects/{did}/access/s3?expires_in={seconds}", passport) for seconds in (30, 600)]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert "expires_in" in answers[1].json()["msg"]


def test_what_an_object_is_needs_no_passport_but_takes_one(world: World, stored: Callable[..., str]) -> None:
    did = stored(PROJECT)
    good, bad = world.broker.passport(world.committee.visa()), world.unknown.passport()
    for path, body in ((f"/objects/{did}", {}), ("/objects", {"bulk_object_ids": [did]})):
        for passports, status in (([], 200), ([good], 200), ([bad], 401), (["x"], 401)):
            answer = post(world, path, *passports, body=body)
            assert (answer.status_code, faults(answer)) == (status, [])


def test_a_commons_says_whose_visas_open_what(world: World, stored: Callable[..., str]) -> None:
    both, second = [world.committee.iss, world.stranger.iss], [world.committee.iss]
    told = {
        stored(PROJECT): (["BearerAuth", "PassportAuth"], both),
        stored(OTHER_PROJECT): (["BearerAuth", "PassportAuth"], second),
        stored(PROJECT, "/open"): (["BearerAuth", "PassportAuth"], both),
        stored("/open"): (["None"], []),
        stored("/programs/x"): (["BearerAuth"], []),
        stored(PROJECT, "/programs/x"): (["BearerAuth"], []),
        stored("no path"): (["BearerAuth"], []),
        stored(): (["BearerAuth"], []),
    }
    for did, (types, issuers) in told.items():
        answer = requests.options(f"{world.url}{BASE}/objects/{did}", timeout=60)
        assert faults(answer) == []
        found = answer.json()
        assert (found["supported_types"], found["passport_auth_issuers"]) == (types, issuers)
        [method] = requests.get(f"{world.url}{BASE}/objects/{did}", timeout=60).json()["access_methods"]
        assert method["authorizations"] == found
    many = requests.options(f"{world.url}{BASE}/objects", json={"bulk_object_ids": list(told)}, timeout=60)
    assert faults(many) == []
    found = {each["drs_object_id"]: each["supported_types"] for each in many.json()["resolved_drs_object"]}
    assert found == {did: types for did, (types, _) in told.items()}


def test_service_info_says_whose_visas_are_taken(world: World) -> None:
    answer = requests.get(f"{world.url}{BASE}/service-info", timeout=60)
    assert faults(answer) == []
    told = answer.json()["drs"]["authorizations"]
    assert told["supported_types"] == ["None", "BearerAuth", "PassportAuth"]
    assert told["passport_auth_issuers"] == [world.committee.iss, world.stranger.iss]


@pytest.mark.parametrize("path", ["/objects/{did}", "/objects/{did}/access/s3", "/objects", "/objects/access"])
@pytest.mark.parametrize("passports", ["x", None, 7, {}, [1], [None], ["x"] * 5], ids=str)
def test_malformed_passports_are_a_bad_request(
    world: World, stored: Callable[..., str], path: str, passports: Any
) -> None:
    did = stored("/open")
    many = {
        "bulk_object_ids": [did],
        "bulk_object_access_ids": [{"bulk_object_id": did, "bulk_access_ids": ["s3"]}],
    }
    answer = post(world, path.format(did=did), body={**many, "passports": passports})
    assert (answer.status_code, faults(answer)) == (400, [])
    assert "passports" in answer.json()["msg"]


def test_a_passport_and_a_token_are_one_too_many(
    world: World, stored: Callable[..., str], token: Callable[..., str]
) -> None:
    did = stored(PROJECT)
    passport = world.broker.passport(world.committee.visa())
    for scheme in (f"Bearer {token('member')}", f"Bearer {passport}", "Basic eDp5"):
        answer = post(world, f"/objects/{did}/access/s3", passport, headers={"Authorization": scheme})
        assert (answer.status_code, faults(answer)) == (400, [])


def test_the_trail_tells_whom_a_passport_was_about(world: World, stored: Callable[..., str]) -> None:
    did = stored(PROJECT)
    passport = world.broker.passport(world.committee.visa())
    post(world, f"/objects/{did}/access/s3", passport)
    post(world, f"/objects/{did}/access/s3", world.broker.passport())
    table = audit.table("auth")
    query = sa.select(table).where(table.c.subject == did).order_by(table.c.id)
    rows = world.running.app.database.call(lambda connection: connection.execute(query).all())
    assert [(row.decision, row.username, row.detail["passports"]) for row in rows] == [
        ("allowed", None, [f"{SUBJECT} {world.broker.iss}"]),
        ("denied", None, [f"{SUBJECT} {world.broker.iss}"]),
    ]
    assert passport[:40] not in str(rows)


def test_an_issuer_that_is_down_closes_only_what_it_alone_opens(
    world: World, stored: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/objects/{stored(PROJECT)}/access/s3"
    monkeypatch.setattr(jwks, "KEYS_AGAIN_S", 0)
    monkeypatch.setattr(jwks, "FAILED_AGAIN_S", 0)
    world.stranger.rotate()
    visa = world.stranger.visa()
    monkeypatch.setattr(world.stranger, "down", True)
    answer = post(world, path, world.broker.passport(visa))
    assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (503, True)
    # Once a request, however many visas it has signed.
    before = len(world.stranger.asked)
    assert post(world, path, world.broker.passport(*[world.stranger.visa() for _ in range(20)])).status_code == 503
    assert len(world.stranger.asked) == before + 1
    assert post(world, path, world.broker.passport(visa, world.committee.visa())).status_code == 200
    monkeypatch.setattr(world.stranger, "down", False)
    # It knows no such person.
    assert post(world, path, world.broker.passport(visa)).status_code == 403


@pytest.mark.parametrize(
    "settings", [{}, {"brokers": {"https://x.example": {"jwks_uri": "http://x.example/keys"}}}], ids=["none", "http"]
)
def test_a_commons_that_trusts_nobody_or_wrongly_does_not_start(
    run_service: Callable[..., Any], settings: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest, match=r"PassportSettings\.brokers"):
        run_service(IndexApp, PassportSettings={"enabled": True, **settings})
