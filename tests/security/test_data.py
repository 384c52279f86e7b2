"""What a hostile user may try with presigned URLs, uploads and records."""

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import jwt
import pytest
import requests
from tests.data_service import BYTES, OPEN, PROJECT, SECRET, DataCommons
from tests.servers import answering
from tests.waiting import eventually
from tornado import netutil, web

from commonshub.core import records
from commonshub.core.storage import Location

DRS = "/ga4gh/drs/v1/objects"


def changed(url: str, path: str | None = None, **query: str) -> str:
    """A presigned URL with another path or other arguments."""
    parts = urlsplit(url)
    pairs = {**dict(parse_qsl(parts.query)), **{name.replace("_", "-"): value for name, value in query.items()}}
    return urlunsplit(parts._replace(path=path or parts.path, query=urlencode(pairs)))


# -- S16: a URL does one thing -----------------------------------------------


@pytest.fixture(scope="module")
def signed(commons: DataCommons) -> tuple[str, str]:
    """A download URL, and the path of somebody else's object."""
    own, other = commons.stored(authz=[PROJECT]), commons.stored(authz=[SECRET])
    return commons.download(own.did, "alice").json()["url"], f"/commons/{other.did}/data.bin"


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "HEAD"])
def test_s16_a_download_url_is_good_for_no_other_method(signed: tuple[str, str], method: str) -> None:
    url, _ = signed
    assert requests.request(method, url, data=b"x" if method in ("PUT", "POST") else None).status_code == 403
    assert requests.get(url).content == BYTES


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_s16_an_upload_url_is_good_for_no_other_method(commons: DataCommons, method: str) -> None:
    made = commons.post("/user/data/upload", "alice", json={"file_name": "s16.bin"}).json()
    requests.put(made["url"], data=BYTES).raise_for_status()
    assert requests.request(method, made["url"]).status_code == 403
    assert commons.storage.head(Location("commons", f"{made['guid']}/s16.bin"))


@pytest.mark.parametrize(
    "query",
    [
        {"X_Amz_Expires": "604800"},
        {"X_Amz_Date": "20200101T000000Z"},
        {"X_Amz_Credential": "somebody/20260101/us-east-1/s3/aws4_request"},
        {"X_Amz_SignedHeaders": ""},
        {"X_Amz_Signature": "0" * 64},
        {"versionId": "1"},
        {"uploads": ""},
        {"acl": ""},
        {"list-type": "2"},
        {"response-content-type": "text/html"},
    ],
    ids=lambda query: next(iter(query)),
)
def test_s16_a_changed_url_is_refused(signed: tuple[str, str], query: dict[str, str]) -> None:
    assert requests.get(changed(signed[0], **query)).status_code in (400, 403)


def test_s16_a_signature_is_good_for_no_other_object_and_no_listing(signed: tuple[str, str]) -> None:
    url, other = signed
    for path in (other, "/commons", "/commons/", "/", f"{urlsplit(url).path}/..", f"{urlsplit(url).path}x"):
        assert requests.get(changed(url, path)).status_code in (400, 403)


def test_s16_a_signature_is_good_for_no_other_host(signed: tuple[str, str]) -> None:
    assert requests.get(signed[0], headers={"Host": "storage.example.org"}).status_code == 403


def test_s16_a_url_ends_with_its_time(commons: DataCommons) -> None:
    url = commons.download(commons.stored(authz=[PROJECT]).did, "alice", "?expires_in=1").json()["url"]
    eventually(lambda: requests.get(url).status_code != 200, 30)
    # AWS says 403, the embedded store 400.
    answer = requests.get(url)
    assert answer.status_code in (400, 403)
    assert BYTES not in answer.content


def test_s16_a_part_of_the_bytes_may_be_asked_for(signed: tuple[str, str]) -> None:
    assert requests.get(signed[0], headers={"Range": "bytes=0-3"}).content == BYTES[:4]


@pytest.mark.parametrize("said", ["size", "md5", "both"])
def test_s16_an_upload_that_was_described_takes_no_other_bytes(commons: DataCommons, said: str) -> None:
    full = {"size": len(BYTES), "md5": hashlib.md5(BYTES).hexdigest()}
    described = {name: value for name, value in full.items() if said in (name, "both")}
    made = commons.post("/user/data/upload", "alice", json={"file_name": "x.bin", **described}).json()
    again = commons.get(f"/user/data/upload/{made['guid']}?file_name=x.bin&{urlencode(described)}", "alice").json()
    for answer in (made, again):
        url, headers = answer["url"], answer["headers"]
        assert requests.put(url, data=BYTES[:-1] + (b"!" if said == "md5" else b""), headers=headers).status_code >= 400
        assert requests.put(url, data=BYTES + b"more").status_code >= 400
        assert requests.put(url, data=BYTES, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "described",
    [{"size": -1}, {"size": "1"}, {"size": True}, {"size": 5 * 2**30 + 1}, {"md5": "x"}, {"md5": "0" * 31}, {"md5": 0}],
    ids=str,
)
def test_s16_a_malformed_description_is_refused(commons: DataCommons, described: dict[str, Any]) -> None:
    assert commons.post("/user/data/upload", "alice", json={"file_name": "x", **described}).status_code == 400


# -- S17: uploads belong to their uploader -----------------------------------


def start(commons: DataCommons, user: str, **body: Any) -> dict[str, Any]:
    made = commons.post("/user/data/multipart/init", user, json={"file_name": "x.bin", **body}).json()
    return {"key": f"{made['guid']}/x.bin", "uploadId": made["uploadId"]}


@pytest.mark.parametrize("user", ["bob", "root", "writer"])
def test_s17_nobody_else_may_write_the_bytes_of_an_upload(commons: DataCommons, user: str) -> None:
    guid = commons.post("/user/data/upload", "alice", json={"file_name": "x.bin"}).json()["guid"]
    running = start(commons, "alice")
    answers = [
        commons.get(f"/user/data/upload/{guid}", user),
        commons.post("/user/data/upload", user, json={"file_name": "x.bin", "guid": guid}),
        commons.post("/user/data/upload", user, json={"file_name": "x.bin", "guid": guid, "authz": [PROJECT]}),
        commons.post("/user/data/multipart/init", user, json={"file_name": "x.bin", "guid": guid}),
        commons.post("/user/data/multipart/upload", user, json={**running, "partNumber": 1}),
        commons.post(
            "/user/data/multipart/complete", user, json={**running, "parts": [{"PartNumber": 1, "ETag": "x"}]}
        ),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert not any({"url", "presigned_url", "uploadId"} & answer.json().keys() for answer in answers)


def test_s17_only_the_registered_key_of_the_own_upload_is_signed(commons: DataCommons) -> None:
    victim, running = start(commons, "bob"), start(commons, "alice")
    guid, other = running["key"].split("/")[0], commons.stored(authz=[SECRET]).did
    keys = [victim["key"], f"{guid}/y.bin", f"{guid}/../{victim['key']}", guid, f"{other}/data.bin", "x", "/", "../x"]
    for key in keys:
        answer = commons.post("/user/data/multipart/upload", "alice", json={**running, "key": key, "partNumber": 1})
        assert answer.status_code == 401, key
    elsewhere = {**running, "bucket": "elsewhere", "partNumber": 1}
    assert commons.post("/user/data/multipart/upload", "alice", json=elsewhere).status_code == 403


def test_s17_the_identifier_of_a_foreign_upload_leads_nowhere(commons: DataCommons) -> None:
    victim, running = start(commons, "bob"), start(commons, "alice")
    mixed = {**running, "uploadId": victim["uploadId"]}
    url = commons.post("/user/data/multipart/upload", "alice", json={**mixed, "partNumber": 1}).json()["presigned_url"]
    assert requests.put(url, data=b"x").status_code >= 400
    parts = {"parts": [{"PartNumber": 1, "ETag": "x"}]}
    assert commons.post("/user/data/multipart/complete", "alice", json={**mixed, **parts}).status_code == 400


@pytest.mark.parametrize("number", [0, 10_001, -1, "1", 1.5, None, True, [1], 2**70])
def test_s17_a_part_has_a_number_from_one_to_ten_thousand(commons: DataCommons, number: Any) -> None:
    body = {**start(commons, "alice"), "partNumber": number}
    assert commons.post("/user/data/multipart/upload", "alice", json=body).status_code == 400


def test_s17_verified_bytes_are_not_overwritten(commons: DataCommons) -> None:
    guid = commons.upload("alice", file_name="x.bin")
    running = {"key": f"{guid}/x.bin", "uploadId": "x"}
    parts = {"parts": [{"PartNumber": 1, "ETag": "x"}]}
    answers = [
        commons.get(f"/user/data/upload/{guid}?file_name=x.bin", "alice"),
        commons.get(f"/user/data/upload/{guid}?file_name=y.bin", "alice"),
        commons.post("/user/data/upload", "alice", json={"file_name": "x.bin", "guid": guid}),
        commons.post("/user/data/multipart/init", "alice", json={"file_name": "x.bin", "guid": guid}),
        commons.post("/user/data/multipart/upload", "alice", json={**running, "partNumber": 1}),
        commons.post("/user/data/multipart/complete", "alice", json={**running, **parts}),
    ]
    assert {answer.status_code for answer in answers} == {409}


# -- S18: the key is what was meant ------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["a/b", "a?b", "a#b", "100%", "%2e%2e%2fx", "a b+c&d=e", "\u202etxt.exe", "👍", "ü", "a\\b", "...", "-", "x" * 255],
)
def test_s18_the_key_is_exactly_the_file_name(commons: DataCommons, name: str) -> None:
    made = commons.post("/user/data/upload", "alice", json={"file_name": name}).json()
    requests.put(made["url"], data=BYTES).raise_for_status()
    assert commons.verified(made["guid"])["urls"] == [f"s3://commons/{made['guid']}/{name}"]
    assert requests.get(commons.download(made["guid"], "alice").json()["url"]).content == BYTES


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "a/./b", "/x", "a//b", "x/", "..", ".", "", "a\0b", "a\r\nb", "\x7f", "x" * 2048]
)
def test_s18_a_name_that_means_another_place_is_refused(commons: DataCommons, name: str) -> None:
    for path in ("upload", "multipart/init"):
        assert commons.post(f"/user/data/{path}", "alice", json={"file_name": name}).status_code == 400
    guid = commons.post("/user/data/upload", "alice", json={"file_name": "x"}).json()["guid"]
    again = commons.get(f"/user/data/upload/{guid}", "alice", params={"file_name": name})
    if name and "\0" not in name:
        assert again.status_code == 400
    else:
        assert again.status_code == 200
        # An empty name is none, and a NUL of the query is a blank before we see it.
        assert urlsplit(again.json()["url"]).path in (f"/commons/{guid}/{guid}", f"/commons/{guid}/a%20b")


# -- S19: nothing is fetched for anybody -------------------------------------


class Spy(web.RequestHandler):
    def any_method(self) -> None:
        self.application.settings["seen"].append((self.request.method, dict(self.request.headers)))

    get = head = put = post = delete = any_method


@pytest.fixture(scope="module")
def spy() -> Iterator[tuple[str, list[Any]]]:
    """Address of a server, and what it was asked."""
    seen: list[Any] = []
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    with answering(web.Application([(r"/.*", Spy)], seen=seen, log_function=lambda _: None), sockets):
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}", seen


def test_s19_an_indexed_url_is_handed_out_and_never_fetched(commons: DataCommons, spy: tuple[str, list[Any]]) -> None:
    address, seen = spy
    url = f"{address}/latest/meta-data"
    record = commons.record(authz=[PROJECT], urls=[url], size=1, hashes={"md5": "0" * 32})
    assert commons.download(record.did, "alice").json() == {"url": url}
    assert commons.get(f"{DRS}/{record.did}/access/http", "alice").json() == {"url": url}
    bulk = commons.post("/user/data/download/bulk", "alice", json={"guids": [record.did]}).json()
    assert bulk["urls"] == [{"drs_object_id": record.did, "url": url}]
    redirect = commons.download(record.did, "alice", "?redirect")
    assert (redirect.status_code, redirect.headers["Location"]) == (302, url)
    assert commons.get(f"{DRS}/{record.did}").status_code == 200
    assert commons.get(f"/user/data/upload/{record.did}", "writer").status_code == 200
    assert commons.request("DELETE", f"/user/data/{record.did}", "writer").status_code == 204
    assert seen == []


def test_s19_the_token_of_the_caller_is_in_no_url(commons: DataCommons) -> None:
    answer = commons.download(commons.stored(authz=[PROJECT]).did, "alice", "?redirect")
    token = answer.request.headers["Authorization"].split()[1]
    assert token not in answer.headers["Location"]
    assert {"Authorization", "Set-Cookie"} & answer.headers.keys() == set()


@pytest.mark.parametrize("url", ["https://x.example/\r\nSet-Cookie: a=b", "https://x.example/\x01", "ftp://x\t/"])
def test_s19_a_url_cannot_write_headers(commons: DataCommons, url: str) -> None:
    answer = commons.download(commons.record(authz=[PROJECT], urls=[url]).did, "alice", "?redirect")
    assert answer.status_code == 400
    assert not {"Location", "Set-Cookie"} & answer.headers.keys()


# -- S20: a record reaches its own bytes only --------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "s3://commons/{victim}/data.bin",
        "s3://commons/{did}/../{victim}/data.bin",
        "s3://commons/{did}/./../{victim}/data.bin",
        "s3://commons/{did}%2F..%2F{victim}/data.bin",
        "s3://commons//{victim}/data.bin",
        "s3://commons/{did}",
        "s3://commons/{did}/",
        "s3://commons/{did}x/data.bin",
        "s3://elsewhere/{did}/data.bin",
        "s3://project/two/data.bin",
        "s3://project/one/../two/data.bin",
        "s3://project/one-more/data.bin",
        "s3://project/data.bin",
        "s3://project",
        "S3://commons/{victim}/data.bin",
    ],
)
def test_s20_a_record_pointed_at_foreign_bytes_gets_no_url(
    commons: DataCommons, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    tied = {"s3://project/one": [PROJECT], "s3://project/two": [SECRET], "s3://project/one-more": [SECRET]}
    for app in (commons.auth, commons.index):
        monkeypatch.setattr(app.storage_settings, "buckets", ["project"])
        monkeypatch.setattr(app.storage_settings, "bucket_resources", tied)
    victim = commons.stored(authz=[SECRET])
    did = str(uuid.uuid4())
    text = url.format(did=did, victim=victim.did)
    commons.record(did=did, urls=[text], authz=[PROJECT], size=1, hashes={"md5": "0" * 32})
    scheme = text.partition("://")[0].lower()
    answers = [
        commons.download(did, "alice"),
        commons.download(did, "alice", "?protocol=s3"),
        commons.download(did, "alice", "?no_force_sign=true"),
        commons.get(f"{DRS}/{did}/access/{scheme}", "alice"),
    ]
    assert {answer.status_code for answer in answers} <= {400, 403}
    assert not any("url" in answer.json() for answer in answers)
    bulk = commons.post("/user/data/download/bulk", "alice", json={"guids": [did]}).json()
    assert bulk["urls"] == []
    assert commons.request("DELETE", f"/user/data/{did}", "writer").status_code == 204
    assert commons.storage.head(Location("commons", f"{victim.did}/data.bin"))


def test_s20_a_record_below_another_does_not_reach_its_files(commons: DataCommons) -> None:
    """A file in a folder that is named like a GUID: ``<victim>/<UUID>/data.bin``."""
    folder = str(uuid.uuid4())
    victim = commons.upload("bob", file_name=f"{folder}/data.bin")
    did = f"{victim}/{folder}"
    commons.record(did=did, authz=[PROJECT], urls=[f"s3://commons/{did}/data.bin"], size=1, hashes={"md5": "0" * 32})
    assert commons.download(did, "alice").status_code == 403
    assert commons.get(f"{DRS}/{did}/access/s3", "alice").status_code == 403
    again = commons.get(f"/user/data/upload/{did}?file_name=data.bin", "writer")
    parts = commons.post("/user/data/multipart/init", "writer", json={"file_name": "data.bin", "guid": did})
    assert (again.status_code, parts.status_code) == (400, 400)
    assert commons.request("DELETE", f"/user/data/{did}", "writer").status_code == 204
    assert requests.get(commons.download(victim, "bob").json()["url"]).content == BYTES


def test_s20_a_tied_bucket_is_reached(commons: DataCommons, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commons.auth.storage_settings, "buckets", ["project"])
    monkeypatch.setattr(commons.auth.storage_settings, "bucket_resources", {"s3://project/one/": [PROJECT]})
    record = commons.record(authz=[PROJECT], urls=["s3://project/one/data.bin"])
    assert "/project/one/data.bin?" in commons.download(record.did, "alice").json()["url"]


# -- S21: what answers tell --------------------------------------------------


def test_s21_existence_is_no_secret_and_permission_is_told_before_anything_else(commons: DataCommons) -> None:
    """The index is public, so 404 for what is not there and 401 for what is not yours tell nothing more."""
    kept, unknown = commons.record(authz=[SECRET], urls=["odd://x"]).did, str(uuid.uuid4())
    for user in (None, "eve"):
        assert commons.download(unknown, user).status_code == 404
        answers = [commons.download(kept, user, query) for query in ("", "?protocol=s3", "?protocol=s2")]
        assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


def test_s21_a_signed_url_names_nobody(commons: DataCommons) -> None:
    assert "alice" not in commons.download(commons.stored(authz=[PROJECT]).did, "alice").json()["url"]


def test_s21_the_buckets_are_for_who_is_signed_in(commons: DataCommons) -> None:
    assert commons.get("/user/data/buckets").status_code == 401
    told = commons.get("/user/data/buckets", "eve").json()["S3_BUCKETS"]
    assert set(told) == {"commons"}
    assert set(told["commons"]) <= {"region", "endpoint_url"}


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_s21_a_fault_of_ours_tells_nothing_of_us(
    commons: DataCommons, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    guid = commons.stored(authz=[PROJECT]).did
    monkeypatch.setattr(commons.auth.downloads, "auth_schema", "nowhere")
    answer = commons.download(guid, "alice", headers={"Accept": accept})
    assert answer.status_code == 500
    assert not any(word in answer.text for word in ("nowhere", "Traceback", "psycopg2", "insert", "X-Amz", "alice"))


# -- S24: bounds -------------------------------------------------------------


def test_s24_bulk_requests_are_bounded(commons: DataCommons) -> None:
    many = [str(number) for number in range(1001)]
    assert commons.post("/user/data/download/bulk", json={"guids": many}).status_code == 413
    entries = [{"bulk_object_id": each, "bulk_access_ids": ["s3"]} for each in many]
    assert commons.post(f"{DRS}/access", json={"bulk_object_access_ids": entries}).status_code == 413
    one = [{"bulk_object_id": "x", "bulk_access_ids": many}]
    assert commons.post(f"{DRS}/access", json={"bulk_object_access_ids": one}).status_code == 413


# -- S26: errors are text ----------------------------------------------------


@pytest.mark.parametrize(
    "accept", ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "*/*", "", "nonsense;q=x"]
)
def test_s26_what_a_caller_sends_comes_back_as_text(commons: DataCommons, accept: str) -> None:
    attack = "<script>alert(1)</script>\"'"
    record = commons.record(authz=[OPEN], urls=["https://x.example/"])
    for path, query in ((quote(attack, safe=""), ""), (record.did, f"?protocol={quote(attack)}")):
        answer = commons.download(path, None, query, headers={"Accept": accept})
        assert answer.status_code == 404
        if answer.headers["Content-Type"].startswith("text/html"):
            assert accept.startswith("text/html")
            assert "<script" not in answer.text
        else:
            assert not accept.startswith("text/html")
            assert answer.headers["Content-Type"].startswith("application/json")
            assert attack in answer.json()["message"]


def test_s26_pages_run_nothing(commons: DataCommons) -> None:
    answer = requests.get(
        f"http://127.0.0.1:{commons.auth.port}/user/data/download/x", headers={"Accept": "text/html"}, timeout=30
    )
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_s26_a_hostile_guid_of_a_record_is_a_name(commons: DataCommons) -> None:
    did = "'; drop table index.record; --"
    made = commons.record(did=did, authz=[OPEN])
    assert commons.download(quote(did, safe="")).json()["message"] == "Can't find any file locations."
    assert commons.auth.database.call(records.get, "index", did) == made


# -- S28: passports ----------------------------------------------------------


def test_s28_where_no_passports_are_taken_nobody_looks_into_one(
    commons: DataCommons, spy: tuple[str, list[Any]]
) -> None:
    """Not even its header, which may name an address of keys."""
    address, seen = spy
    before = len(seen)
    headers = {"jku": f"{address}/keys", "kid": "x", "alg": "HS256"}
    passport = jwt.encode({"iss": address, "sub": "alice", "ga4gh_passport_v1": []}, "x" * 32, headers=headers)
    for fields in ({"authz": [PROJECT]}, {"authz": [OPEN]}):
        guid = commons.stored(**fields).did
        single = commons.post(f"{DRS}/{guid}/access/s3", json={"passports": [passport]})
        entry = {"bulk_object_id": guid, "bulk_access_ids": ["s3"]}
        bulk = commons.post(f"{DRS}/access", json={"passports": [passport], "bulk_object_access_ids": [entry]})
        bearer = commons.get(
            f"{DRS}/{commons.stored(authz=[PROJECT]).did}/access/s3", headers={"Authorization": f"Bearer {passport}"}
        )
        assert [each.status_code for each in (single, bulk, bearer)] == [400, 400, 401]
    assert seen[before:] == []
