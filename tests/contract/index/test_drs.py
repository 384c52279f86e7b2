"""GA4GH DRS 1.5: every kind of answer is what the published document says.

The cases are those by which Gen3 releases its own.
"""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.drs_schema import faults, schema_faults
from tests.index_service import PROJECT

from commonshub.core import blobs
from commonshub.core.storage import Location, Storage

BASE = "/ga4gh/drs/v1"
DATA = b"bytes of an object"
Ask = Callable[..., requests.Response]
OBJECT = {"size": len(DATA), "hashes": {"md5": "0" * 32}, "form": "object", "file_name": "a.csv"}


@pytest.fixture
def ask(url: str, token: Callable[..., str]) -> Ask:
    def send(method: str, path: str, user: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token(user)}"} if user else {}
        base = "" if path.startswith("/index") else BASE
        return requests.request(method, f"{url}{base}{path}", headers=headers, timeout=60, **options)

    return send


@pytest.fixture
def made(ask: Ask) -> Callable[..., str]:
    """A record; its GUID. ``{did}`` in its URLs stands for that."""

    def make(**fields: Any) -> str:
        did = fields.pop("did", f"dg.T/{uuid.uuid4()}")
        urls = [each.format(did=did) for each in fields.pop("urls", ["s3://commons/{did}/a.csv"])]
        answer = ask("POST", "/index/index", "admin", json={**OBJECT, "did": did, "urls": urls, **fields})
        assert answer.status_code == 200, answer.text
        return did

    return make


@pytest.fixture
def stored(made: Callable[..., str], running: Any) -> Callable[..., str]:
    """A record with real bytes."""

    def make(**fields: Any) -> str:
        did = made(**fields)
        place = Location("commons", f"{did}/a.csv")
        requests.put(Storage(running.app.storage_settings).presign("PUT", place, 60), data=DATA).raise_for_status()
        return did

    return make


@pytest.fixture
def bundled(ask: Ask) -> Callable[..., str]:
    def make(*members: str, **fields: Any) -> str:
        answer = ask("POST", "/index/bundle", "admin", json={"bundles": list(members), **fields})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["bundle_id"])

    return make


@pytest.fixture
def few(running: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """At most so many objects in one request."""
    monkeypatch.setattr(running.app, "max_drs_bulk", 3)
    return 3


def method_of(ask: Ask, did: str) -> dict[str, Any]:
    [method] = ask("GET", f"/objects/{did}").json()["access_methods"]
    return dict(method)


# -- one object ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["GET", "POST"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"authz": [PROJECT], "version": "1", "description": "d"},
        {"authz": ["/open"], "content_created_date": "2023-03-14T17:02:54+01:00"},
        {"hashes": {"md5": "0" * 32, "sha256": "1" * 64, "crc": "2" * 8, "etag": "3" * 32 + "-2"}},
        {"urls": ["s3://b/k", "gs://b/k", "https://example.org/k", "ftp://example.org/k"]},
        {"urls": ["s3://b/k"], "urls_metadata": {"s3://b/k": {"region": 7, "cloud": ["x"], "available": None}}},
        {"urls": []},
        {"size": 0, "file_name": None},
    ],
    ids=lambda fields: ",".join(fields) or "plain",
)
def test_d10_an_object_is_what_drs_says(ask: Ask, made: Callable[..., str], fields: dict[str, Any], how: str) -> None:
    did = made(**{name: value for name, value in fields.items() if value is not None})
    answer = ask(how, f"/objects/{did}", json={} if how == "POST" else None)
    assert (answer.status_code, faults(answer)) == (200, [])
    found = answer.json()
    # What the document says in words alone.
    assert re.fullmatch("drs://[^/]+/[^/]+", found["self_uri"])
    assert all(method["access_id"] and method["access_url"] for method in found.get("access_methods", ()))
    assert found["created_time"].endswith("Z")
    assert found["updated_time"].endswith("Z")
    assert found["form"] == "object"
    assert "contents" not in found


def test_a_bundle_is_what_drs_says(ask: Ask, made: Callable[..., str], bundled: Callable[..., str]) -> None:
    outer = bundled(bundled(made(), version="1", description="d", aliases=["x"]), made())
    for query in ("", "?expand=true", "?expand=True"):
        answer = ask("GET", f"/objects/{outer}{query}")
        assert faults(answer) == []
        found = answer.json()
        assert found["form"] == "bundle"
        assert len(found["contents"]) == 2
        assert ("contents" in found["contents"][0]) is bool(query)


@pytest.mark.parametrize("expand", [False, True])
def test_a_body_can_ask_for_everything_below(
    ask: Ask, made: Callable[..., str], bundled: Callable[..., str], expand: bool
) -> None:
    outer = bundled(bundled(made()))
    single = ask("POST", f"/objects/{outer}", json={"expand": expand})
    many = ask("POST", "/objects", json={"bulk_object_ids": [outer], "expand": expand})
    asked = ask("POST", f"/objects?expand={expand}", json={"bulk_object_ids": [outer]})
    assert [faults(answer) for answer in (single, many, asked)] == [[], [], []]
    found = [single.json(), *(answer.json()["resolved_drs_object"][0] for answer in (many, asked))]
    assert [("contents" in each["contents"][0]) for each in found] == [expand] * 3


@pytest.mark.parametrize(
    "spelling",
    ["{did}", "{encoded}", "{compact}", "{compact_encoded}", "{baseid}", "{did}/"],
)
@pytest.mark.parametrize(("how", "tail"), [("GET", ""), ("OPTIONS", ""), ("GET", "/access/s3"), ("POST", "/access/s3")])
def test_d25_an_object_is_found_by_every_form_of_its_id(
    ask: Ask, stored: Callable[..., str], spelling: str, how: str, tail: str
) -> None:
    did = stored(authz=["/open"])
    name = spelling.format(
        did=did,
        encoded=did.replace("/", "%2F"),
        compact=did.replace("/", ":"),
        compact_encoded=did.replace("/", "%3A"),
        baseid=ask("GET", f"/index/index/{did}").json()["baseid"],
    )
    path = f"/objects/{name.rstrip('/')}{tail}" + ("/" if name.endswith("/") else "")
    answer = ask(how, path)
    assert (answer.status_code, faults(answer)) == (200, []), answer.text
    if tail:
        assert requests.get(answer.json()["url"], timeout=60).content == DATA
    else:
        assert answer.json()["id" if how == "GET" else "drs_object_id"] == did


def test_d22_its_own_uri_leads_back_to_the_object(ask: Ask, made: Callable[..., str]) -> None:
    did = made()
    uri = ask("GET", f"/objects/{did}").json()["self_uri"]
    parts = re.fullmatch(r"drs://([^/]+)/([^/]+)", uri)
    assert parts
    assert parts[1] == "127.0.0.1:8000"
    assert ask("GET", f"/objects/{parts[2]}").json()["id"] == did


@pytest.mark.parametrize(
    ("scheme", "cloud"), [("gs", "gcp"), ("az", "azure"), ("https", None), ("s3", None), ("unknown", None)]
)
def test_d01_the_cloud_follows_from_the_scheme(
    ask: Ask, made: Callable[..., str], scheme: str, cloud: str | None
) -> None:
    # The store of this commons is not Amazon's.
    method = method_of(ask, made(urls=[f"{scheme}://b/k"]))
    assert (method["type"], method["access_id"], method.get("cloud")) == (scheme, scheme, cloud)


def test_d02_d05_what_the_metadata_of_a_url_say_goes_before_what_follows(ask: Ask, made: Callable[..., str]) -> None:
    told = {"cloud": "own", "region": "eu-1", "available": False}
    method = method_of(ask, made(urls=["s3://b/k"], urls_metadata={"s3://b/k": told}))
    assert {name: method[name] for name in told} == told


def test_d04_bytes_are_available_where_nothing_is_said(ask: Ask, made: Callable[..., str]) -> None:
    assert method_of(ask, made())["available"] is True


@pytest.mark.parametrize(
    ("bucket", "region"), [("commons", ""), ("elsewhere", "eu-central-1"), ("amazon", "us-east-1"), ("strange", "")]
)
def test_d03_a_bucket_of_this_commons_tells_the_region(
    ask: Ask, made: Callable[..., str], running: Any, monkeypatch: pytest.MonkeyPatch, bucket: str, region: str
) -> None:
    stores = {"elsewhere": {"region": "eu-central-1"}, "amazon": {"endpoint_url": ""}}
    monkeypatch.setattr(running.app.storage_settings, "stores", stores)
    assert method_of(ask, made(urls=[f"s3://{bucket}/k"]))["region"] == region


@pytest.mark.parametrize(
    ("authz", "supported", "issuers"),
    [([PROJECT], ["BearerAuth"], 1), (["/open"], ["None"], 0), ([], ["BearerAuth"], 1)],
    ids=["D06-protected", "D07-open", "D06-nobodys"],
)
def test_d08_authorizations_say_who_must_show_a_token(
    ask: Ask, made: Callable[..., str], authz: list[str], supported: list[str], issuers: int
) -> None:
    did = made(authz=authz)
    answer = ask("OPTIONS", f"/objects/{did}")
    assert faults(answer) == []
    found = answer.json()
    assert (found["supported_types"], len(found["bearer_auth_issuers"])) == (supported, issuers)
    assert method_of(ask, did)["authorizations"] == found


def test_a_bundle_needs_no_authorization_and_has_no_bytes(ask: Ask, made: Any, bundled: Any) -> None:
    bundle = bundled(made())
    answer = ask("OPTIONS", f"/objects/{bundle}")
    assert (faults(answer), answer.json()["supported_types"]) == ([], ["None"])
    answer = ask("GET", f"/objects/{bundle}/access/s3", "admin")
    assert (answer.status_code, faults(answer)) == (404, [])


# -- bytes of one object ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_access_is_what_drs_says(ask: Ask, stored: Callable[..., str], how: str) -> None:
    did = stored(authz=[PROJECT])
    answer = ask(how, f"/objects/{did}/access/s3", "member")
    assert (answer.status_code, faults(answer)) == (200, [])
    assert requests.get(answer.json()["url"], timeout=60).content == DATA


@pytest.mark.parametrize(
    ("how", "path", "user", "status"),
    [
        ("GET", "/objects/nowhere", None, 404),
        ("POST", "/objects/nowhere", None, 404),
        pytest.param("OPTIONS", "/objects/nowhere", None, 404, id="D09-options-of-nothing"),
        ("GET", "/objects/dg.T:nowhere", None, 404),
        ("GET", "/objects/nowhere/access/s3", "member", 404),
        ("GET", "/objects/{did}/access/gs", "member", 404),
        ("GET", "/objects/{did}/access", "member", 400),
        ("GET", "/objects/{did}/access/s3", None, 401),
        ("GET", "/objects/{did}/access/s3", "uploader", 401),
        ("GET", "/objects/{did}/access/az", "member", 400),
        ("GET", "/objects/a%00b", None, 400),
        ("GET", "/objects?limit=x", None, 400),
        ("GET", "/objects?limit=1025", None, 400),
        ("GET", "/nowhere", None, 404),
    ],
)
def test_an_error_is_what_drs_says(
    ask: Ask, made: Callable[..., str], how: str, path: str, user: str | None, status: int
) -> None:
    did = made(authz=[PROJECT], urls=["s3://commons/{did}/a.csv", "az://b/k"])
    answer = ask(how, path.format(did=did), user, json={} if how == "POST" else None)
    assert answer.status_code == status, answer.text
    if path != "/nowhere":
        # The list is Gen3's.
        wrong = schema_faults("Error", answer.json()) if path.startswith("/objects?") else faults(answer)
        assert (wrong, answer.json()["status_code"]) == ([], status)
        assert answer.json()["msg"]


@pytest.mark.parametrize("body", [{"expand": "yes"}, [], 7, "{"], ids=str)
def test_a_malformed_body_is_refused(ask: Ask, made: Callable[..., str], body: Any) -> None:
    options = {"data": body} if isinstance(body, str) else {"json": body}
    answer = ask("POST", f"/objects/{made()}", **options)
    assert (answer.status_code, faults(answer)) == (400, [])


def test_bytes_on_their_way_are_answered_by_when_to_come_back(ask: Ask, running: Any) -> None:
    record = running.app.database.call(
        blobs.create_blank, "index", uploader="u", file_name="f", authz=[], bucket="commons"
    )
    for how in ("GET", "POST"):
        answer = ask(how, f"/objects/{record.did}")
        assert (answer.status_code, faults(answer), schema_faults("Error", answer.json())) == (202, [], [])
        assert answer.headers["Retry-After"].isdigit()


# -- many objects -------------------------------------------------------------------------------------------------


def test_d11_d12_many_objects_are_told_of_at_once(ask: Ask, made: Any, bundled: Any) -> None:
    first, second = made(), made(authz=["/open"])
    bundle = bundled(first)
    asked = [first, second.replace("/", ":"), bundle, "nowhere", first]
    answer = ask("POST", "/objects", json={"bulk_object_ids": asked})
    assert (answer.status_code, faults(answer)) == (200, [])
    assert [each["id"] for each in answer.json()["resolved_drs_object"]] == [first, second, bundle]
    assert answer.json()["summary"] == {"requested": 4, "resolved": 3, "unresolved": 1}
    assert answer.json()["unresolved_drs_objects"] == [{"error_code": 404, "object_ids": ["nowhere"]}]


def test_d14_d15_authorizations_of_many_are_told_object_by_object(ask: Ask, made: Any, bundled: Any) -> None:
    closed, opened = made(authz=[PROJECT]), made(authz=["/open"])
    bundle = bundled(closed)
    answer = ask("OPTIONS", "/objects", json={"bulk_object_ids": [closed, opened, bundle, "nowhere"]})
    assert (answer.status_code, faults(answer)) == (200, [])
    told = {each["drs_object_id"]: each["supported_types"] for each in answer.json()["resolved_drs_object"]}
    assert told == {closed: ["BearerAuth"], opened: ["None"], bundle: ["None"]}
    assert answer.json()["unresolved_drs_objects"] == [{"error_code": 404, "object_ids": ["nowhere"]}]


def access(*dids: str) -> dict[str, Any]:
    return {"bulk_object_access_ids": [{"bulk_object_id": did, "bulk_access_ids": ["s3"]} for did in dids]}


def test_d17_d19_urls_of_many_are_given_to_whom_they_are_due(ask: Ask, stored: Callable[..., str]) -> None:
    mine, closed, opened = stored(authz=[PROJECT]), stored(authz=["/programs/x"]), stored(authz=["/open"])
    answer = ask("POST", "/objects/access", "member", json=access(mine, closed, opened.replace("/", ":"), "nowhere"))
    assert (answer.status_code, faults(answer)) == (200, [])
    found = answer.json()
    assert found["summary"] == {"requested": 4, "resolved": 2, "unresolved": 2}
    assert {each["error_code"]: each["object_ids"] for each in found["unresolved_drs_objects"]} == {
        401: [closed],
        404: ["nowhere"],
    }
    for each in found["resolved_drs_object_access_urls"]:
        assert requests.get(each["url"], timeout=60).content == DATA


def test_where_no_url_is_due_the_answer_says_why(ask: Ask, stored: Callable[..., str]) -> None:
    answer = ask("POST", "/objects/access", json=access(stored(authz=[PROJECT])))
    assert (answer.status_code, faults(answer), faults(answer, 200)) == (401, [], [])


@pytest.mark.parametrize(
    ("how", "path", "body"),
    [
        ("POST", "/objects", {"bulk_object_ids": ["a", "b", "c", "d"]}),
        ("OPTIONS", "/objects", {"bulk_object_ids": ["a", "b", "c", "d"]}),
        ("POST", "/objects/access", access("a", "b", "c", "d")),
    ],
    ids=["D13-objects", "D16-authorizations", "D18-urls"],
)
def test_more_than_is_announced_is_refused(ask: Ask, few: int, how: str, path: str, body: dict[str, Any]) -> None:
    assert ask("GET", "/service-info").json()["maxBulkRequestLength"] == few
    answer = ask(how, path, "member", json=body)
    assert (answer.status_code, faults(answer)) == (413, [])
    fewer = {name: value[:few] for name, value in body.items()}
    assert ask(how, path, "member", json=fewer).status_code != 413


@pytest.mark.parametrize("form", ["object", "bundle", "all", ""])
def test_objects_and_bundles_are_listed(ask: Ask, made: Any, bundled: Any, form: str) -> None:
    name = uuid.uuid4().hex
    found = [made(file_name=name) for _ in range(3)]
    bundles = [bundled(*found, name=name) for _ in range(2)]
    # Bytes on their way are no object yet.
    ask("POST", "/index/index/blank", "admin", json={"file_name": name})
    query = f"/objects?limit=2&file_name={name}&form={form}"
    listed: list[dict[str, Any]] = []
    while page := ask("GET", query + (f"&start={listed[-1]['id']}" if listed else "")).json()["drs_objects"]:
        listed += page
    assert [each for document in listed for each in schema_faults("DrsObject", document)] == []
    expected = {"object": found, "bundle": bundles}.get(form, [*found, *bundles])
    assert [each["id"] for each in listed] == sorted(expected)


def test_d20_d21_service_info_counts_what_there_is(ask: Ask, made: Callable[..., str]) -> None:
    before = ask("GET", "/service-info").json()
    made(size=11)
    answer = ask("GET", "/service-info")
    after = answer.json()
    assert faults(answer) == []
    assert after["type"] == {"group": "org.ga4gh", "artifact": "drs", "version": "1.5.0"}
    grown = {name: after["drs"][name] - before["drs"][name] for name in ("objectCount", "totalObjectSize")}
    assert grown == {"objectCount": 1, "totalObjectSize": 11}


def test_the_validation_itself_finds_faults() -> None:
    assert schema_faults("DrsObject", {"id": "x"})
    assert schema_faults("Authorizations", {"supported_types": ["Other"]})
    assert schema_faults("Error", {"msg": "m", "own": 1}) == ["own is no field of DRS"]
    checksums = [{"checksum": "0", "type": "md5"}]
    named = {"id": "x", "self_uri": "drs://h/x", "size": 1, "checksums": checksums}
    assert schema_faults("DrsObject", named | {"created_time": "2024-01-01T00:00:00Z"}) == []
    assert schema_faults("DrsObject", named | {"created_time": "yesterday"})


def test_an_answer_that_the_document_does_not_have_is_a_fault(ask: Ask) -> None:
    answer = ask("GET", "/objects/nowhere")
    assert faults(answer) == []
    assert faults(answer, 418) == ["get /objects/{object_id}: the document has no 418"]
    assert faults(answer, 200)
