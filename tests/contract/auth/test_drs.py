"""Data by DRS as Gen3's clients and test suites have them."""

import uuid
from typing import Any
from urllib.parse import quote

import pytest
import requests
from tests.data_service import BYTES, OPEN, PROJECT, SECRET, DataCommons

DRS = "/ga4gh/drs/v1/objects"
NO_PERMISSION = "You don't have access permission on this file"
NO_LOCATION = "Can't find any file locations."


def access(commons: DataCommons, guid: str, access_id: str = "/s3", user: str | None = "alice", **options: Any) -> Any:
    return commons.get(f"{DRS}/{guid}/access{access_id}", user, **options)


@pytest.mark.parametrize(
    ("access_id", "user", "status"),
    [
        pytest.param("/s3", "alice", 200, id="C102"),
        pytest.param("/s3/", "alice", 200, id="C102-with-a-slash"),
        pytest.param("/s3?expires_in=60", "alice", 200, id="C102-with-a-query"),
        pytest.param("/s3", None, 401, id="C102-nobody"),
        pytest.param("/s2", "alice", 404, id="C102-an-unknown-access-id"),
        pytest.param("", "alice", 400, id="C102-no-access-id"),
        pytest.param("/", "alice", 400, id="C102-no-access-id-but-a-slash"),
    ],
)
@pytest.mark.parametrize("spelling", ["raw", "encoded"])
def test_access_to_an_object(
    commons: DataCommons, spelling: str, access_id: str, user: str | None, status: int
) -> None:
    guid = f"dg.TEST/{uuid.uuid4()}"
    commons.stored(did=guid, authz=[PROJECT])
    written = quote(guid, safe="") if spelling == "encoded" else guid
    answer = access(commons, written, access_id, user)
    assert answer.status_code == status
    if status == 200:
        assert requests.get(answer.json()["url"]).content == BYTES
        assert commons.post(f"{DRS}/{written}/access{access_id}", user).status_code == 200
    else:
        assert answer.json()["status_code"] == status


def urls_of(commons: DataCommons, *asked: tuple[str, list[str]], user: str | None = "alice") -> Any:
    body = [{"bulk_object_id": guid, "bulk_access_ids": names} for guid, names in asked]
    return commons.post(f"{DRS}/access", user, json={"bulk_object_access_ids": body})


def test_c103_the_urls_of_many_objects(commons: DataCommons) -> None:
    guids = [commons.stored(authz=[PROJECT]).did for _ in range(2)]
    answer = urls_of(commons, *((guid, ["s3"]) for guid in guids))
    assert answer.status_code == 200
    assert answer.json()["summary"] == {"requested": 2, "resolved": 2, "unresolved": 0}
    assert answer.json()["unresolved_drs_objects"] == []
    resolved = answer.json()["resolved_drs_object_access_urls"]
    assert [(each["drs_object_id"], each["drs_access_id"]) for each in resolved] == [(guid, "s3") for guid in guids]
    assert {requests.get(each["url"]).content for each in resolved} == {BYTES}


def test_c103_some_of_many(commons: DataCommons) -> None:
    guid = commons.stored(authz=[PROJECT]).did
    answer = urls_of(commons, (guid, ["s3"]), ("fake", ["s3"]))
    assert answer.status_code == 200
    assert answer.json()["summary"] == {"requested": 2, "resolved": 1, "unresolved": 1}
    assert answer.json()["unresolved_drs_objects"] == [{"error_code": 404, "object_ids": ["fake"]}]


def test_c103_none_of_many_has_the_status_of_most(commons: DataCommons) -> None:
    refused = [commons.stored(authz=[SECRET]).did for _ in range(2)]
    answer = urls_of(commons, *((guid, ["s3"]) for guid in refused), ("fake", ["s3"]))
    assert answer.status_code == 401
    assert answer.json()["unresolved_drs_objects"] == [
        {"error_code": 401, "object_ids": refused},
        {"error_code": 404, "object_ids": ["fake"]},
    ]


def test_c103_one_location_of_an_object_may_fail(commons: DataCommons) -> None:
    guid = commons.stored(authz=[PROJECT]).did
    answer = urls_of(commons, (guid, ["s3", "gs"])).json()
    assert answer["summary"] == {"requested": 2, "resolved": 1, "unresolved": 1}
    assert answer["unresolved_drs_objects"] == [{"error_code": 404, "object_ids": [guid]}]


ENTRY = {"bulk_object_id": "x", "bulk_access_ids": ["s3"]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 400, id="C103-nothing"),
        pytest.param([], 400, id="C103-no-object"),
        pytest.param({"bulk_object_access_ids": []}, 400, id="C103-an-empty-list"),
        pytest.param({"bulk_object_access_ids": ["x"]}, 400, id="C103-a-bare-id"),
        pytest.param({"bulk_object_access_ids": [{**ENTRY, "bulk_access_ids": []}]}, 400, id="C103-no-access-id"),
        pytest.param({"bulk_object_access_ids": [{**ENTRY, "bulk_access_ids": [1]}]}, 400, id="C103-a-number"),
        pytest.param({"bulk_object_access_ids": [{**ENTRY, "bulk_object_id": "\0"}]}, 400, id="C103-a-nul"),
        pytest.param({"bulk_object_access_ids": [ENTRY], "passports": ["x"]}, 400, id="C103-a-passport-and-a-token"),
        pytest.param(
            {"bulk_object_access_ids": [{**ENTRY, "bulk_object_id": str(n)} for n in range(1001)]}, 413, id="C103-many"
        ),
    ],
)
def test_bad_requests_for_many_urls(commons: DataCommons, body: Any, status: int) -> None:
    answer = commons.post(f"{DRS}/access", "alice", json=body)
    assert (answer.status_code, answer.json()["status_code"]) == (status, status)


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        pytest.param({"authz": [PROJECT]}, ["BearerAuth"], id="C104-protected"),
        pytest.param({"authz": [OPEN]}, ["None"], id="C104-open-authz"),
        pytest.param({"acl": ["*"]}, ["None"], id="C104-open-acl"),
    ],
)
def test_an_object_says_how_it_is_had(commons: DataCommons, fields: dict[str, Any], types: list[str]) -> None:
    guid = commons.stored(**fields).did
    for method in commons.get(f"{DRS}/{guid}").json()["access_methods"]:
        assert method["authorizations"]["supported_types"] == types
    told = commons.request("OPTIONS", f"{DRS}/{guid}").json()
    assert (told["drs_object_id"], told["supported_types"]) == (guid, types)


def test_c104_options_of_many_and_of_none(commons: DataCommons) -> None:
    guid = commons.stored(authz=[PROJECT]).did
    assert commons.request("OPTIONS", f"{DRS}/unknown").status_code == 404
    told = commons.request("OPTIONS", DRS, json={"bulk_object_ids": [guid, "unknown"]}).json()
    assert told["summary"] == {"requested": 2, "resolved": 1, "unresolved": 1}
    many = {"bulk_object_ids": [str(number) for number in range(1001)]}
    assert commons.request("OPTIONS", DRS, json=many).status_code == 413
    info = commons.get("/ga4gh/drs/v1/service-info").json()
    assert info["drs"]["maxBulkRequestLength"] == info["maxBulkRequestLength"] == 1000


@pytest.mark.parametrize("user", [pytest.param("alice", id="C105-with-a-token"), pytest.param(None, id="C105-without")])
def test_passports_are_refused_for_all_data(commons: DataCommons, user: str | None) -> None:
    for fields in ({"authz": [PROJECT]}, {"acl": ["*"]}):
        guid = commons.stored(**fields).did
        answer = commons.post(f"{DRS}/{guid}/access/s3", user, json={"passports": ["x.y.z"]})
        assert (answer.status_code, "url" in answer.json()) == (400, False)
        body = {"passports": ["x.y.z"], "bulk_object_access_ids": [{"bulk_object_id": guid, "bulk_access_ids": ["s3"]}]}
        assert commons.post(f"{DRS}/access", user, json=body).status_code == 400


def test_c107_each_door_leaves_its_address_in_the_trail(commons: DataCommons) -> None:
    guid = commons.stored(authz=[PROJECT]).did
    doors = [f"/user/data/download/{guid}", "/user/data/download/bulk", f"{DRS}/{guid}/access/s3", f"{DRS}/access"]
    commons.get(doors[0], "alice")
    commons.post(doors[1], "alice", json={"guids": [guid]})
    commons.get(doors[2], "alice")
    urls_of(commons, (guid, ["s3"]))
    told = commons.get(f"/audit/log/presigned_url?guid={guid}", "root")
    assert [row["request_url"] for row in told.json()["data"]] == doors
