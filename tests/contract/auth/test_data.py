"""Data as Gen3's clients and test suites have it: downloads, uploads, DRS."""

import hashlib
import uuid
from typing import Any
from urllib.parse import quote

import pytest
import requests
from tests.data_service import BYTES, CLIENT, OPEN, PROJECT, SECRET, DataCommons
from tests.tokens import bearer

DRS = "/ga4gh/drs/v1/objects"
NO_PERMISSION = "You don't have access permission on this file"
NO_LOCATION = "Can't find any file locations."


def without(protocol: str) -> str:
    return f"File {{did}} does not have a location with specified protocol {protocol}."


# -- download ----------------------------------------------------------------


def test_c78_a_download_has_the_bytes(commons: DataCommons) -> None:
    answer = commons.download(commons.stored(authz=[PROJECT]).did, "alice")
    assert answer.status_code == 200
    assert requests.get(answer.json()["url"]).content == BYTES


@pytest.mark.parametrize(
    ("fields", "query", "status", "message"),
    [
        pytest.param({"authz": [SECRET], "urls": ["s3://commons/{did}/x"]}, "", 401, NO_PERMISSION, id="C79"),
        pytest.param({"authz": [SECRET]}, "", 401, NO_PERMISSION, id="C79-permission-comes-before-location"),
        pytest.param(
            {"urls": ["s2://commons/{did}/x"]}, "", 400, "The specified protocol s2 is not supported", id="C80"
        ),
        pytest.param({"urls": ["s3://commons/{did}/x"]}, "?protocol=s2", 404, without("s2"), id="C81"),
        pytest.param({"urls": ["https://example.org/x"]}, "?protocol=s3", 404, without("s3"), id="C82"),
        pytest.param({}, "?protocol=s3", 404, without("s3"), id="C83-with-a-protocol"),
        pytest.param({}, "", 404, NO_LOCATION, id="C83-without"),
    ],
)
def test_what_cannot_be_had_is_told_in_gen3s_words(
    commons: DataCommons, fields: dict[str, Any], query: str, status: int, message: str
) -> None:
    record = commons.record(**{"authz": [PROJECT], **fields})
    answer = commons.download(record.did, "alice", query)
    assert (answer.status_code, answer.json()["message"]) == (status, message.format(did=record.did))
    page = commons.download(record.did, "alice", query, headers={"Accept": "text/html"})
    assert page.status_code == status
    # What Gen3's own suite looks for.
    assert message.format(did=record.did).replace("'", "&#39;") in page.text


def test_c84_a_bulk_answers_for_each(commons: DataCommons) -> None:
    by_acl, by_authz = commons.stored(acl=["*"]), commons.stored(authz=[PROJECT])
    refused, unknown = commons.stored(authz=[SECRET]), str(uuid.uuid4())
    guids = [by_acl.did, by_authz.did, refused.did, unknown]
    answer = commons.post("/user/data/download/bulk", "alice", json={"guids": guids})
    assert answer.status_code == 200
    urls = {each["drs_object_id"]: each["url"] for each in answer.json()["urls"]}
    assert list(urls) == [by_acl.did, by_authz.did]
    assert {requests.get(url).content for url in urls.values()} == {BYTES}
    assert answer.json()["failed_guids"] == [
        {"error_code": 401, "object_ids": [refused.did]},
        {"error_code": 404, "object_ids": [unknown]},
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 400, id="C84-no-guids"),
        pytest.param({"guids": []}, 400, id="C84-an-empty-list"),
        pytest.param({"guids": "x"}, 400, id="C84-no-list"),
        pytest.param({"guids": ["x", 1]}, 400, id="C84-no-text"),
        pytest.param([], 400, id="C84-no-object"),
        pytest.param({"guids": [str(number) for number in range(1001)]}, 413, id="C84-too-many"),
    ],
)
def test_a_bad_bulk_is_refused(commons: DataCommons, body: Any, status: int) -> None:
    assert commons.post("/user/data/download/bulk", "alice", json=body).status_code == status


@pytest.mark.parametrize(
    ("fields", "user", "status"),
    [
        pytest.param({"authz": [PROJECT]}, None, 401, id="C85-nobody"),
        pytest.param({"uploader": "alice"}, None, 401, id="C85-nobody-is-no-uploader"),
        pytest.param({"acl": ["*"]}, None, 200, id="C86-public-acl"),
        pytest.param({"authz": [OPEN]}, None, 200, id="C86-public-authz"),
        pytest.param({"authz": [OPEN]}, "eve", 200, id="C86-public-authz-signed-in"),
        pytest.param({"authz": [SECRET], "acl": ["*"]}, "alice", 401, id="C87"),
        pytest.param({"uploader": "alice"}, "alice", 200, id="C88-match"),
        pytest.param({"uploader": "alice"}, "bob", 401, id="C88-mismatch"),
        pytest.param({"uploader": "alice", "authz": [SECRET]}, "alice", 401, id="C88-authz-wins"),
    ],
)
def test_who_may_download(commons: DataCommons, fields: dict[str, Any], user: str | None, status: int) -> None:
    record = commons.stored(**fields)
    answer = commons.download(record.did, user)
    assert (answer.status_code, "url" in answer.json()) == (status, status == 200)
    # One rule for all doors: bulk and DRS say the same.
    bulk = commons.post("/user/data/download/bulk", user, json={"guids": [record.did]}).json()
    assert [each["error_code"] for each in bulk["failed_guids"]] == ([] if status == 200 else [status])
    assert commons.get(f"{DRS}/{record.did}/access/s3", user).status_code == status


@pytest.mark.parametrize(("token", "status"), [("stale", 200), ("forged", 200)])
def test_c86_public_data_are_served_whatever_token_comes_along(commons: DataCommons, token: str, status: int) -> None:
    text = commons.token("alice", ttl_s=-60) if token == "stale" else "x.y.z"
    record = commons.stored(authz=[OPEN])
    assert commons.download(record.did, headers=bearer(text)).status_code == status


def test_c86_a_public_bucket_needs_no_signature(commons: DataCommons, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = commons.auth.storage_settings
    monkeypatch.setattr(settings, "stores", {"open": {"endpoint_url": "https://s3.example.org", "public": True}})
    monkeypatch.setattr(settings, "bucket_resources", {"s3://open": [PROJECT]})
    record = commons.record(authz=[PROJECT], urls=["s3://open/a/b c"])
    assert commons.download(record.did, "alice").json() == {"url": "https://s3.example.org/open/a/b%20c"}
    assert commons.download(record.did).status_code == 401


def test_c86_no_force_sign_leaves_the_signature_of_public_data_out(commons: DataCommons) -> None:
    public, controlled = commons.stored(acl=["*"]), commons.stored(authz=[PROJECT])
    plain = commons.download(public.did, "alice", "?no_force_sign=true").json()["url"]
    assert plain.endswith(f"/commons/{public.did}/data.bin")
    assert "X-Amz-Signature" in commons.download(public.did, "alice").json()["url"]
    assert "X-Amz-Signature" in commons.download(controlled.did, "alice", "?no_force_sign=true").json()["url"]


def test_c89_a_client_alone_downloads_where_that_is_switched_on(
    commons: DataCommons, monkeypatch: pytest.MonkeyPatch
) -> None:
    controlled, other, public = (commons.stored(authz=[path]).did for path in (PROJECT, SECRET, OPEN))
    headers = bearer(commons.token(None, CLIENT))

    def statuses() -> list[int]:
        return [commons.download(guid, headers=headers).status_code for guid in (controlled, other, public)]

    assert statuses() == [403, 403, 200]
    monkeypatch.setattr(commons.auth.storage_settings, "client_credentials_download", True)
    assert statuses() == [200, 401, 200]


@pytest.mark.parametrize(
    ("user", "status"), [pytest.param("alice", 200, id="C89-both-may"), pytest.param("eve", 401, id="C89-only-one-may")]
)
def test_a_client_acting_for_a_user_may_what_both_may(commons: DataCommons, user: str, status: int) -> None:
    headers = bearer(commons.token(user, CLIENT))
    assert commons.download(commons.stored(authz=[PROJECT]).did, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("buckets", "status"),
    [
        pytest.param(["project-data"], 200, id="C90-exact"),
        pytest.param(["project-.*"], 404, id="C90-a-pattern-is-only-a-name"),
        pytest.param(["project-data-2"], 404, id="C90-another"),
    ],
)
def test_buckets_are_named(
    commons: DataCommons, monkeypatch: pytest.MonkeyPatch, buckets: list[str], status: int
) -> None:
    monkeypatch.setattr(commons.auth.storage_settings, "buckets", buckets)
    monkeypatch.setattr(commons.auth.storage_settings, "bucket_resources", {"s3://project-data": ["*"]})
    record = commons.record(authz=[PROJECT], urls=["s3://project-data/a"])
    assert commons.download(record.did, "alice").status_code == status


@pytest.mark.parametrize(
    ("expires_in", "status"),
    [
        pytest.param("1", 200, id="C92-least"),
        pytest.param("3600", 200, id="C92-most"),
        pytest.param("3601", 400, id="C92-more"),
        pytest.param("0", 400, id="C92-zero"),
        pytest.param("-1", 400, id="C92-negative"),
        pytest.param("soon", 400, id="C92-a-word"),
        pytest.param("1.5", 400, id="C92-a-fraction"),
    ],
)
def test_how_long_a_url_lives(commons: DataCommons, expires_in: str, status: int) -> None:
    record = commons.stored(authz=[PROJECT])
    query = f"?expires_in={expires_in}"
    for answer in (
        commons.download(record.did, "alice", query),
        commons.get(f"{DRS}/{record.did}/access/s3{query}", "alice"),
    ):
        assert answer.status_code == status
        assert status != 200 or f"X-Amz-Expires={expires_in}&" in answer.json()["url"]
    # Before the record is read: who may not have it, and what does not exist, is not told apart then.
    refused = 400 if status == 400 else 404
    assert commons.download("unknown", "alice", query).status_code == refused
    bulk = commons.post(f"/user/data/download/bulk{query}", "alice", json={"guids": [record.did]})
    assert bulk.status_code == status


def test_c107_each_door_leaves_its_address_in_the_trail(commons: DataCommons) -> None:
    guid = commons.stored(authz=[PROJECT]).did
    doors = [f"/user/data/download/{guid}", "/user/data/download/bulk", f"{DRS}/{guid}/access/s3", f"{DRS}/access"]
    commons.get(doors[0], "alice")
    commons.post(doors[1], "alice", json={"guids": [guid]})
    commons.get(doors[2], "alice")
    urls_of(commons, (guid, ["s3"]))
    told = commons.get(f"/audit/log/presigned_url?guid={guid}", "root")
    assert [row["request_url"] for row in told.json()["data"]] == doors


# -- upload ------------------------------------------------------------------


def test_c93_an_upload_becomes_the_projects(commons: DataCommons) -> None:
    made = commons.post("/user/data/upload", "alice", json={"file_name": "c93.bin"}).json()
    guid = made["guid"]
    assert commons.download(guid, "alice").status_code == 404
    refused = commons.link("alice", guid)
    assert (refused["success"], refused["code"]) == (False, 400)
    assert commons.get(f"/index/index/{guid}").json()["authz"] == []
    requests.put(made["url"], data=BYTES).raise_for_status()
    known = commons.verified(guid)
    assert (known["size"], known["hashes"]["md5"]) == (len(BYTES), hashlib.md5(BYTES).hexdigest())
    assert [commons.download(guid, user).status_code for user in ("alice", "bob")] == [200, 401]
    assert commons.link("alice", guid)["success"], "the node was refused"
    answer = commons.download(guid, "bob")
    assert requests.get(answer.json()["url"]).content == BYTES


@pytest.mark.parametrize("path", [pytest.param("upload", id="C94"), pytest.param("multipart/init", id="C94-parts")])
def test_who_may_not_upload_gets_no_url(commons: DataCommons, path: str) -> None:
    answer = commons.post(f"/user/data/{path}", "eve", json={"file_name": "x"})
    assert answer.status_code == 403
    assert not {"url", "guid", "uploadId"} & answer.json().keys()


def test_c95_the_same_file_twice_is_two_objects(commons: DataCommons) -> None:
    guids = [commons.upload("alice", b"the same bytes") for _ in range(2)]
    assert guids[0] != guids[1]
    assert [commons.link("alice", guid)["success"] for guid in guids] == [True, True]


@pytest.mark.parametrize("named", ["dg.T/", ""])
def test_data_are_found_with_and_without_the_prefix_of_guids(
    commons: DataCommons, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    for each in (commons.auth.downloads, commons.auth.uploads):
        monkeypatch.setattr(each, "guid_prefix", "dg.T/")
    guid = commons.post("/user/data/upload", "bob", json={"file_name": "a.bin"}).json()["guid"]
    assert guid.startswith("dg.T/")
    asked = named + guid.removeprefix("dg.T/")
    url = commons.get(f"/user/data/upload/{asked}?file_name=b.bin", "bob").json()["url"]
    requests.put(url, data=BYTES, timeout=60).raise_for_status()
    assert commons.verified(guid)["urls"] == [f"s3://commons/{guid}/b.bin"]
    url = commons.download(asked, "bob").json()["url"]
    assert requests.get(url, timeout=60).content == BYTES
    assert commons.request("DELETE", f"/user/data/{asked}", "bob").status_code == 204
    assert commons.get(f"/index/index/{guid}").status_code == 404


def test_c96_an_upload_is_deleted_by_its_uploader_alone(commons: DataCommons) -> None:
    guid = commons.upload("alice")
    rev = commons.get(f"/index/index/{guid}").json()["rev"]
    assert commons.request("DELETE", f"/index/index/{guid}?rev={rev}", "bob").status_code == 403
    assert commons.request("DELETE", f"/user/data/{guid}", "bob").status_code == 403
    assert commons.download(guid, "alice").status_code == 200
    assert commons.request("DELETE", f"/user/data/{guid}", "alice").status_code == 204
    refused = commons.link("alice", guid, file_size=len(BYTES))
    assert (refused["success"], refused["code"]) == (False, 400)
    assert commons.download(guid, "alice").status_code == 404


PARTS = [b"a" * (5 * 2**20), b"b" * (2 * 2**20)]


def start(commons: DataCommons, **body: Any) -> dict[str, str]:
    answer = commons.post("/user/data/multipart/init", "alice", json={"file_name": "big.bin", **body})
    assert answer.status_code == 201, answer.text
    return {"key": f"{answer.json()['guid']}/big.bin", "uploadId": answer.json()["uploadId"]}


def send(commons: DataCommons, running: dict[str, str]) -> list[dict[str, Any]]:
    sent = []
    for number, part in enumerate(PARTS, 1):
        body = {**running, "partNumber": number}
        url = commons.post("/user/data/multipart/upload", "alice", json=body).json()["presigned_url"]
        sent.append({"PartNumber": number, "ETag": requests.put(url, data=part).headers["ETag"]})
    return sent


@pytest.mark.parametrize("again", [pytest.param(False, id="C97-new"), pytest.param(True, id="C97-an-existing-guid")])
def test_a_large_file_arrives_in_parts(commons: DataCommons, again: bool) -> None:
    first = commons.post("/user/data/upload", "alice", json={"file_name": "x"}).json()["guid"] if again else None
    running = start(commons, **({"guid": first} if first else {}))
    parts = send(commons, running)
    answer = commons.post("/user/data/multipart/complete", "alice", json={**running, "parts": parts})
    assert (answer.status_code, answer.json()) == (200, {"message": "OK"})
    guid = running["key"].split("/")[0]
    assert first in (None, guid)
    assert commons.verified(guid)["size"] == sum(map(len, PARTS))
    assert requests.get(commons.download(guid, "alice").json()["url"]).content == b"".join(PARTS)


def test_c97_parts_that_the_store_has_not_are_refused(commons: DataCommons) -> None:
    running = start(commons)
    parts = [{**part, "ETag": '"fake"'} for part in send(commons, running)]
    answer = commons.post("/user/data/multipart/complete", "alice", json={**running, "parts": parts})
    assert answer.status_code == 400
    assert commons.download(running["key"].split("/")[0], "alice").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"guid": "unknown"}, 404, id="C97-an-unknown-guid"),
        pytest.param({"bucket": "commons"}, 201, id="C97-the-bucket-of-uploads"),
        pytest.param({"bucket": "elsewhere"}, 403, id="C97-another-bucket"),
    ],
)
def test_where_parts_may_go(commons: DataCommons, body: dict[str, Any], status: int) -> None:
    for path in ("multipart/init", "upload"):
        answer = commons.post(f"/user/data/{path}", "alice", json={"file_name": "x", **body})
        assert answer.status_code == status


def test_c98_consent_codes_become_paths_of_the_record(commons: DataCommons) -> None:
    guid = commons.upload("alice", uuid.uuid4().bytes)
    assert commons.link("alice", guid, consent_codes=["HMB", "GRU"])["success"]
    known = commons.get(f"/index/index/{guid}").json()
    assert sorted(known["authz"]) == ["/consents/GRU", "/consents/HMB", PROJECT]
    assert commons.download(guid, "alice").status_code == 401


def test_c99_what_no_metadata_link_is_its_uploaders(commons: DataCommons) -> None:
    guid = commons.upload("alice", uuid.uuid4().bytes)
    known = commons.get(f"/index/index/{guid}").json()
    assert (known["uploader"], known["authz"], known["acl"]) == ("alice", [], [])
    assert [commons.download(guid, user).status_code for user in ("alice", "bob", "root", None)] == [200, 401, 401, 401]
    listed = commons.get("/index/index?uploader=alice&authz=null&acl=null").json()["records"]
    assert guid in [each["did"] for each in listed]


def test_c100_the_requests_of_the_command_line_client_work(commons: DataCommons) -> None:
    """The sequence of gen3-client's upload-single, download-single and the retry that deletes first."""
    headers = {"Authorization": f"Bearer {commons.token('alice')}", "Content-Type": "application/json"}
    made = commons.post("/user/data/upload", headers=headers, json={"file_name": "a b.bin"}).json()
    again = commons.get(f"/user/data/upload/{made['guid']}?file_name=a+b.bin", headers=headers)
    assert requests.put(again.json()["url"], data=BYTES).status_code == 200
    commons.verified(made["guid"])
    record = commons.get(f"/index/index/{made['guid']}", headers=headers).json()
    assert (record["file_name"], record["size"], len(record["urls"])) == ("a b.bin", len(BYTES), 1)
    url = commons.download(made["guid"], headers=headers, query="?protocol=s3").json()["url"]
    rest = requests.get(url, headers={"Range": "bytes=4-"})
    assert (rest.headers["Content-Range"], rest.content) == (f"bytes 4-{len(BYTES) - 1}/{len(BYTES)}", BYTES[4:])
    assert commons.request("DELETE", f"/user/data/{made['guid']}", headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("user", "body", "status"),
    [
        pytest.param("writer", {"authz": [PROJECT]}, 201, id="C101-create-and-write-storage"),
        pytest.param("creator", {"authz": [PROJECT]}, 403, id="C101-create-alone"),
        pytest.param("alice", {"authz": [PROJECT]}, 403, id="C101-the-right-to-upload-is-not-enough"),
        pytest.param("writer", {"authz": [PROJECT, SECRET]}, 403, id="C101-every-path-counts"),
    ],
)
def test_an_upload_into_a_project(commons: DataCommons, user: str, body: dict[str, Any], status: int) -> None:
    answer = commons.post("/user/data/upload", user, json={"file_name": "x", **body})
    assert answer.status_code == status
    if status == 201:
        record = commons.get(f"/index/index/{answer.json()['guid']}").json()
        assert (record["authz"], record["uploader"]) == ([PROJECT], None)


def test_c101_public_data_are_nobodys_to_replace(commons: DataCommons) -> None:
    public = commons.stored(acl=["*"])
    for user in ("alice", "root"):
        assert commons.get(f"/user/data/upload/{public.did}", user).status_code == 401
        assert commons.post("/user/data/upload", user, json={"file_name": "x", "guid": public.did}).status_code == 401


# -- DRS ---------------------------------------------------------------------


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
