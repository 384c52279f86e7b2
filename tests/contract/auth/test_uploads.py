"""Uploads, at once and in parts, as Gen3's clients and test suites have them."""

import hashlib
import uuid
from typing import Any

import pytest
import requests
from tests.data_service import BYTES, PROJECT, SECRET, DataCommons

DRS = "/ga4gh/drs/v1/objects"
NO_PERMISSION = "You don't have access permission on this file"
NO_LOCATION = "Can't find any file locations."


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
