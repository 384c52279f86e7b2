"""GA4GH DRS over the records of an index, with real bytes behind them."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.drs_schema import faults
from tests.statements import noted
from tests.stored import put_blank, put_records

from commonshub.core import records
from commonshub.core.records import Draft
from commonshub.core.storage import Location, Storage

SCHEMA = "index"
BASE = "/ga4gh/drs/v1"
DATA = b"bytes of an object"
PROJECT = "/programs/p/projects/q"


@pytest.fixture
def stored(running: Any) -> Callable[..., records.Record]:
    """A record whose first URL has real bytes."""
    storage = Storage(running.app.storage_settings)

    def make(*more: str, **values: Any) -> records.Record:
        did = f"dg.T/{uuid.uuid4()}"
        location = Location("commons", f"{did}/a b.csv")
        requests.put(storage.presign("PUT", location, 60), data=DATA).raise_for_status()
        draft = Draft(
            did=did,
            size=len(DATA),
            hashes={"md5": "0" * 32},
            file_name="a b.csv",
            urls=[str(location), *more],
            **values,
        )
        [record] = running.app.database.call(put_records, SCHEMA, [draft])
        return record

    return make


def test_an_object_tells_what_its_record_says(url: str, stored: Callable[..., records.Record]) -> None:
    record = stored(authz=[PROJECT], version="3", description="d")
    answer = requests.get(f"{url}{BASE}/objects/{record.did}")
    assert faults(answer) == []
    found = answer.json()
    assert (found["id"], found["name"], found["size"], found["form"]) == (record.did, "a b.csv", len(DATA), "object")
    assert found["self_uri"] == f"drs://127.0.0.1:8000/{record.did.replace('/', '%2F')}"
    assert (found["mime_type"], found["version"], found["description"]) == ("text/csv", "3", "d")
    assert found["access_methods"][0]["authorizations"]["supported_types"] == ["BearerAuth"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_object_is_found_however_its_id_is_written(
    url: str, stored: Callable[..., records.Record], method: str, slash: str
) -> None:
    record = stored()
    for name in (record.did, record.did.replace("/", "%2F"), record.baseid):
        answer = requests.request(method, f"{url}{BASE}/objects/{name}{slash}")
        assert answer.json()["id"] == record.did


def test_access_ids_are_unique_and_each_opens_its_own_location(
    url: str, stored: Callable[..., records.Record], running: Any
) -> None:
    record = stored("https://example.org/a", "https://example.org/b", acl=["*"])
    methods = requests.get(f"{url}{BASE}/objects/{record.did}").json()["access_methods"]
    assert [each["access_id"] for each in methods] == ["s3", "https", "https-2"]
    for method in methods[1:]:
        answer = requests.get(f"{url}{BASE}/objects/{record.did}/access/{method['access_id']}")
        assert answer.json() == {"url": method["access_url"]["url"]}


def test_a_signed_url_gives_the_bytes(
    url: str, stored: Callable[..., records.Record], token: Callable[..., str]
) -> None:
    record = stored(authz=[PROJECT])
    answer = requests.get(
        f"{url}{BASE}/objects/{record.did}/access/s3", headers={"Authorization": f"Bearer {token('member')}"}
    )
    assert answer.status_code == 200
    assert requests.get(answer.json()["url"]).content == DATA


@pytest.mark.parametrize(
    ("values", "user", "status"),
    [
        ({"authz": [PROJECT]}, None, 401),
        ({"authz": [PROJECT]}, "uploader", 401),
        ({"authz": [PROJECT]}, "member", 200),
        ({"authz": [PROJECT, "/programs/x"]}, "member", 401),
        ({"authz": ["/open"]}, None, 200),
        ({"authz": [PROJECT], "acl": ["*"]}, None, 401),
        ({"acl": ["*"]}, None, 200),
        ({}, None, 401),
        ({"uploader": "member"}, "member", 200),
    ],
)
def test_who_gets_a_signed_url(
    url: str,
    stored: Callable[..., records.Record],
    token: Callable[..., str],
    values: dict[str, Any],
    user: str | None,
    status: int,
) -> None:
    record = stored(**values)
    headers = {"Authorization": f"Bearer {token(user)}"} if user else {}
    answer = requests.get(f"{url}{BASE}/objects/{record.did}/access/s3", headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["status_code"] == status


def test_an_open_object_says_so(url: str, stored: Callable[..., records.Record]) -> None:
    record = stored(authz=["/open"])
    found = requests.options(f"{url}{BASE}/objects/{record.did}").json()
    assert (found["drs_object_id"], found["supported_types"], found["bearer_auth_issuers"]) == (
        record.did,
        ["None"],
        [],
    )


def test_a_record_with_a_malformed_path_is_told_of_and_kept(url: str, stored: Callable[..., records.Record]) -> None:
    record = stored(authz=["no/path/"], urls_metadata={})
    answer = requests.get(f"{url}{BASE}/objects/{record.did}")
    assert answer.json()["access_methods"][0]["authorizations"]["supported_types"] == ["BearerAuth"]
    assert requests.get(f"{url}{BASE}/objects/{record.did}/access/s3").status_code == 401


@pytest.mark.parametrize("tail", ["", "/access/s3"])
def test_what_does_not_exist_is_a_404_in_the_shape_of_drs(url: str, tail: str) -> None:
    answer = requests.get(f"{url}{BASE}/objects/nowhere{tail}")
    assert answer.status_code == answer.json()["status_code"] == 404
    assert answer.json()["msg"]


@pytest.mark.parametrize("access_id", ["gs", "s3-2", "s3-0", "%20"])
def test_an_access_id_that_the_object_lacks_is_a_404(
    url: str, stored: Callable[..., records.Record], access_id: str
) -> None:
    assert requests.get(f"{url}{BASE}/objects/{stored(acl=['*']).did}/access/{access_id}").status_code == 404


def test_a_signed_url_costs_two_statements(url: str, stored: Callable[..., records.Record], running: Any) -> None:
    path = f"{url}{BASE}/objects/{stored(acl=['*']).did}/access/s3"
    with noted(running.app.database.engine) as statements:
        assert requests.get(path).status_code == 200
    # The worker that looks for uploads works beside.
    verbs = [each.text.split()[0].lower() for each in statements if "blob" not in each.text]
    assert verbs == ["select", "insert"]


def test_a_record_cannot_hand_out_the_upload_of_another(
    url: str, stored: Callable[..., records.Record], running: Any
) -> None:
    victim = stored(authz=[PROJECT])
    draft = Draft(size=1, hashes={"md5": "0" * 32}, urls=victim.urls, acl=["*"])
    [thief] = running.app.database.call(put_records, SCHEMA, [draft])
    assert requests.get(f"{url}{BASE}/objects/{thief.did}/access/s3").status_code == 403


def test_passports_are_refused_rather_than_ignored(url: str, stored: Callable[..., records.Record]) -> None:
    path = f"{url}{BASE}/objects/{stored(acl=['*']).did}/access/s3"
    assert requests.post(path, json={"passports": ["x"]}).status_code == 400
    assert requests.post(path, json={}).status_code == 200


def test_bytes_that_are_to_come_are_accepted_not_found(url: str, running: Any) -> None:
    record = running.app.database.call(put_blank, SCHEMA, uploader="u", file_name="f", authz=[], bucket="commons")
    answer = requests.get(f"{url}{BASE}/objects/{record.did}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    assert requests.get(f"{url}{BASE}/objects/{record.did}/access/s3").status_code == 404


def test_many_objects_are_told_apart_from_what_is_missing(url: str, stored: Callable[..., records.Record]) -> None:
    dids = [stored().did for _ in range(3)]
    answer = requests.post(f"{url}{BASE}/objects", json={"bulk_object_ids": [*dids, "nowhere"]}).json()
    assert answer["summary"] == {"requested": 4, "resolved": 3, "unresolved": 1}
    assert answer["unresolved_drs_objects"] == [{"error_code": 404, "object_ids": ["nowhere"]}]
    assert [each["id"] for each in answer["resolved_drs_objects"]] == dids
    told = requests.options(f"{url}{BASE}/objects", json={"bulk_object_ids": dids}).json()
    assert [each["drs_object_id"] for each in told["resolved_drs_objects"]] == dids


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"bulk_object_ids": "x"}, 400), ([], 400), ({"bulk_object_ids": ["x"] * 1001}, 413)],
    ids=lambda value: str(value)[:24],
)
def test_bad_bulk_requests(url: str, body: Any, status: int) -> None:
    answer = requests.post(f"{url}{BASE}/objects", json=body)
    assert answer.status_code == answer.json()["status_code"] == status


def test_service_info(url: str, stored: Callable[..., records.Record]) -> None:
    stored()
    info = requests.get(f"{url}{BASE}/service-info").json()
    assert info["type"] == {"group": "org.ga4gh", "artifact": "drs", "version": "1.5.0"}
    assert info["drs"]["objectCount"] > 0
    assert info["maxBulkRequestLength"] == info["drs"]["maxBulkRequestLength"] == 1000
    assert {"id", "name", "organization", "version"} <= info.keys()
