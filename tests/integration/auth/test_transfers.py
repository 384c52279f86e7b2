"""Temporary access to data: who gets a URL, and what the URL can do."""

import uuid
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.tokens import bearer

from commonshub.core import records
from commonshub.core.storage import Location

ONE, TWO = "/programs/a/projects/one", "/programs/a/projects/two"
BYTES = b"real bytes \x00\xff"


def stored(auth: Auth, **fields: Any) -> records.Record:
    """A record whose bytes lie where they belong."""
    guid = str(uuid.uuid4())
    location = Location("commons", f"{guid}/data.bin")
    url = auth.app.downloads.storage.presign("PUT", location, 60)
    assert requests.put(url, data=BYTES).status_code == 200
    return auth.record(did=guid, urls=[str(location)], size=len(BYTES), file_name="data.bin", **fields)


def download(auth: Auth, guid: str, user: str | None = None, query: str = "") -> requests.Response:
    return auth.get(f"/user/data/download/{guid}{query}", user)


@pytest.mark.parametrize(
    ("authz", "user", "status"),
    [
        ([ONE], "alice", 200),
        ([ONE], "bob", 401),
        ([ONE], None, 401),
        ([ONE, TWO], "alice", 401),
        ([ONE, TWO], "both", 200),
        (["/open"], "nobody", 200),
        (["/open"], None, 200),
        (["/openly"], "alice", 401),
        ([f"{ONE}-more"], "alice", 401),
    ],
)
def test_bytes_are_for_who_may_read_every_path(auth: Auth, authz: list[str], user: str | None, status: int) -> None:
    answer = download(auth, stored(auth, authz=authz).did, user)
    assert answer.status_code == status
    if status == 200:
        assert requests.get(answer.json()["url"]).content == BYTES
    else:
        assert "url" not in answer.json()


@pytest.mark.parametrize(
    ("fields", "user", "status"),
    [
        ({"acl": ["*"]}, None, 200),
        ({"acl": ["*"], "authz": [TWO]}, "alice", 401),
        ({"uploader": "bob"}, "bob", 200),
        ({"uploader": "bob"}, "alice", 401),
        ({"uploader": "bob", "authz": [ONE]}, "bob", 401),
        ({"acl": ["unknown"]}, "alice", 401),
        ({}, "root", 401),
    ],
    ids=str,
)
def test_without_authz_the_acl_or_the_uploader_decides(
    auth: Auth, fields: dict[str, Any], user: str | None, status: int
) -> None:
    assert download(auth, stored(auth, **fields).did, user).status_code == status


def test_public_data_are_served_whatever_stale_token_comes_along(auth: Auth) -> None:
    record = stored(auth, authz=["/open"])
    headers = bearer(auth.access_token("alice", ttl_s=-60))
    assert auth.get(f"/user/data/download/{record.did}", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("urls", "query", "status", "message"),
    [
        ([], "", 404, "Can't find any file locations."),
        ([], "?protocol=s3", 404, "File {did} does not have a location with specified protocol s3."),
        (
            ["https://example.org/x"],
            "?protocol=s3",
            404,
            "File {did} does not have a location with specified protocol s3.",
        ),
        (["s2://b/k"], "", 400, "The specified protocol s2 is not supported"),
        (
            ["s3://commons/{did}/x"],
            "?protocol=s2",
            404,
            "File {did} does not have a location with specified protocol s2.",
        ),
    ],
)
def test_a_missing_location_is_told_in_gen3s_words(
    auth: Auth, urls: list[str], query: str, status: int, message: str
) -> None:
    did = str(uuid.uuid4())
    auth.record(did=did, urls=[url.format(did=did) for url in urls], authz=[ONE])
    answer = download(auth, did, "alice", query)
    assert (answer.status_code, answer.json()["message"]) == (status, message.format(did=did))


def test_one_foreign_url_does_not_spoil_the_others(auth: Auth) -> None:
    record = auth.record(urls=["odd://x/y", "https://example.org/x"], authz=[ONE])
    assert download(auth, record.did, "alice").json() == {"url": "https://example.org/x"}
    assert download(auth, record.did, "alice", "?protocol=http").json() == {"url": "https://example.org/x"}


def test_an_unknown_guid_is_404(auth: Auth) -> None:
    assert download(auth, str(uuid.uuid4()), "alice").status_code == 404
    assert download(auth, "a%00b", "alice").status_code == 404


def test_a_guid_may_have_a_prefix(auth: Auth) -> None:
    guid = f"dg.TEST/{uuid.uuid4()}"
    auth.record(did=guid, urls=[f"s3://commons/{guid}/x"], authz=[ONE])
    for written in (guid, quote(guid, safe="")):
        assert download(auth, written, "alice").status_code == 200


def test_redirect_leads_to_the_bytes(auth: Auth) -> None:
    answer = download(auth, stored(auth, authz=[ONE]).did, "alice", "?redirect")
    assert answer.status_code == 302
    assert requests.get(answer.headers["Location"]).content == BYTES


@pytest.mark.parametrize("expires_in", ["3601", "0", "-1", "soon"])
def test_a_life_beyond_the_limit_is_refused(auth: Auth, expires_in: str) -> None:
    record = stored(auth, authz=[ONE])
    assert download(auth, record.did, "alice", f"?expires_in={expires_in}").status_code == 400


def test_a_life_within_the_limit_is_signed(auth: Auth) -> None:
    answer = download(auth, stored(auth, authz=[ONE]).did, "alice", "?expires_in=60")
    assert "X-Amz-Expires=60" in answer.json()["url"]


@pytest.mark.parametrize(
    "url",
    [
        "s3://commons/{victim}/data.bin",
        "s3://commons/{did}/../{victim}/data.bin",
        "s3://commons/{did}",
        "s3://elsewhere/{did}/data.bin",
        "s3://commons/{did}x/data.bin",
        "s3://commons/{did}//data.bin",
    ],
)
def test_a_record_pointed_at_the_bytes_of_another_gets_no_url(auth: Auth, url: str) -> None:
    victim = stored(auth, authz=[TWO])
    did = str(uuid.uuid4())
    auth.record(did=did, urls=[url.format(did=did, victim=victim.did)], authz=[ONE])
    assert download(auth, did, "alice").status_code == 403


def test_a_download_url_does_nothing_else(auth: Auth) -> None:
    record, other = stored(auth, authz=[ONE]), stored(auth, authz=[TWO])
    url = download(auth, record.did, "alice").json()["url"]
    parts = urlsplit(url)
    elsewhere = urlunsplit(parts._replace(path=parts.path.replace(record.did, other.did)))
    assert requests.put(url, data=b"x").status_code == 403
    assert requests.delete(url).status_code == 403
    assert requests.get(elsewhere).status_code == 403
    assert requests.get(url.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999")).status_code == 403
    assert requests.get(url).content == BYTES


def test_every_decision_is_audited_without_the_url(auth: Auth) -> None:
    record = stored(auth, authz=[ONE])
    before = len(auth.audited())
    download(auth, record.did, "alice")
    download(auth, record.did, "bob")
    download(auth, record.did)
    download(auth, "no-such-guid", "alice")
    rows = auth.audited()[before:]
    assert [(row.username, row.subject, row.decision) for row in rows] == [
        ("alice", record.did, "allowed"),
        ("bob", record.did, "denied"),
        (None, record.did, "denied"),
        ("alice", "no-such-guid", "failed"),
    ]
    assert "X-Amz" not in str(rows)


def upload(auth: Auth, user: str | None, **body: Any) -> requests.Response:
    return auth.post("/user/data/upload", user, json={"file_name": "new.bin", **body})


def test_an_upload_makes_a_blank_record_of_the_uploader(auth: Auth) -> None:
    answer = upload(auth, "alice")
    assert answer.status_code == 201
    guid, url = answer.json()["guid"], answer.json()["url"]
    assert requests.put(url, data=BYTES).status_code == 200
    record = auth.app.database.call(records.get, "index", guid)
    assert record is not None
    assert (record.uploader, record.authz, record.blank) == ("alice", [], True)
    stored_bytes = auth.app.downloads.storage.stream(Location("commons", f"{guid}/new.bin"))
    assert b"".join(stored_bytes) == BYTES
    assert auth.audited()[-1].subject == guid


@pytest.mark.parametrize(
    "file_name", ["sub/folder.txt", "ü € 日本.txt", "a?b#c%20d.txt", "\u202ertl.txt", "👍.txt", "a b+c&d=e.txt"]
)
def test_the_key_is_exactly_the_file_name(auth: Auth, file_name: str) -> None:
    answer = upload(auth, "alice", file_name=file_name).json()
    assert requests.put(answer["url"], data=BYTES).status_code == 200
    assert auth.app.downloads.storage.head(Location("commons", f"{answer['guid']}/{file_name}"))


@pytest.mark.parametrize(
    "body",
    [
        {"file_name": name}
        for name in ("", "../x", "a/../../x", "/etc/passwd", "a//b", "a\x00b", "a\nb", "x" * 2000, ".", None, 7)
    ]
    + [
        {"authz": "x"},
        {"authz": [1]},
        {"authz": ["relative"]},
        {"authz": ["/a/../b"]},
        {"expires_in": 3601},
        {"expires_in": True},
        {"expires_in": "60"},
        {"protocol": "gs"},
        {"bucket": 1},
        {"guid": []},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_a_malformed_upload_is_400_and_makes_nothing(auth: Auth, body: dict[str, Any]) -> None:
    def count(connection: sa.Connection) -> int:
        table = records.tables("index").record
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()

    before = auth.app.database.call(count)
    assert upload(auth, "alice", **body).status_code == 400
    assert auth.app.database.call(count) == before


@pytest.mark.parametrize(
    ("user", "body", "status"),
    [
        (None, {}, 401),
        ("nobody", {}, 403),
        ("writer", {}, 403),
        ("writer", {"authz": [ONE]}, 201),
        ("writer", {"authz": [ONE, TWO]}, 403),
        ("alice", {"authz": [ONE]}, 403),
        ("alice", {"bucket": "elsewhere"}, 403),
        ("alice", {"bucket": "commons"}, 201),
    ],
    ids=str,
)
def test_uploads_are_for_who_may_write_there(auth: Auth, user: str | None, body: dict[str, Any], status: int) -> None:
    answer = upload(auth, user, **body)
    assert answer.status_code == status
    assert ("url" in answer.json()) == (status == 201)


@pytest.mark.parametrize(
    ("user", "status"), [("alice", 200), ("bob", 401), ("writer", 401), ("root", 401), (None, 401)]
)
def test_an_upload_is_renewed_by_its_uploader_alone(auth: Auth, user: str | None, status: int) -> None:
    guid = upload(auth, "alice").json()["guid"]
    assert auth.get(f"/user/data/upload/{guid}?file_name=again.bin", user).status_code == status
    if user:
        assert upload(auth, user, guid=guid).status_code == {200: 201}.get(status, status)


@pytest.mark.parametrize(("user", "status"), [("writer", 200), ("root", 200), ("alice", 401)])
def test_the_bytes_of_a_projects_record_are_replaced_by_its_writers(auth: Auth, user: str, status: int) -> None:
    record = auth.record(authz=[ONE])
    assert auth.get(f"/user/data/upload/{record.did}", user).status_code == status


def test_verified_bytes_are_not_overwritten(auth: Auth) -> None:
    guid = upload(auth, "alice").json()["guid"]
    blob = records.tables("index").blob
    auth.app.database.call(lambda c: c.execute(blob.update().where(blob.c.guid == guid).values(state="verified")))
    assert auth.get(f"/user/data/upload/{guid}", "alice").status_code == 409


def test_an_upload_to_an_unknown_guid_is_404(auth: Auth) -> None:
    assert upload(auth, "alice", guid=str(uuid.uuid4())).status_code == 404
    assert auth.get(f"/user/data/upload/{uuid.uuid4()}", "alice").status_code == 404


@pytest.mark.parametrize(("user", "status"), [("alice", 204), ("bob", 403), ("root", 403), (None, 401)])
def test_an_upload_is_deleted_by_its_uploader(auth: Auth, user: str | None, status: int) -> None:
    made = upload(auth, "alice").json()
    requests.put(made["url"], data=BYTES)
    assert auth.request("DELETE", f"/user/data/{made['guid']}", user).status_code == status
    gone = status == 204
    assert (auth.app.database.call(records.get, "index", made["guid"]) is None) == gone
    assert (auth.app.downloads.storage.head(Location("commons", f"{made['guid']}/new.bin")) is None) == gone


def test_deleting_a_record_spares_bytes_that_are_not_its_own(auth: Auth) -> None:
    victim = stored(auth, authz=[TWO])
    record = auth.record(urls=victim.urls, authz=[ONE])
    assert auth.request("DELETE", f"/user/data/{record.did}", "writer").status_code == 204
    assert auth.app.downloads.storage.head(Location.parse(victim.urls[0]))


def test_a_record_stays_where_the_store_fails_to_delete_its_bytes(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    record = stored(auth, authz=[ONE])
    with monkeypatch.context() as patch:
        patch.setattr(auth.app.storage_settings, "endpoint_url", "http://127.0.0.1:1")
        assert auth.request("DELETE", f"/user/data/{record.did}", "writer").status_code == 503
    assert auth.audited()[-1].decision == "failed"
    assert auth.app.database.call(records.get, "index", record.did) == record
    assert auth.request("DELETE", f"/user/data/{record.did}", "writer").status_code == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "upload"),
        ("GET", "upload/x"),
        ("DELETE", "x"),
        ("POST", "multipart/init"),
        ("POST", "multipart/upload"),
        ("POST", "multipart/complete"),
    ],
)
def test_a_token_without_the_scope_data_changes_nothing(auth: Auth, method: str, path: str) -> None:
    headers = {"Authorization": f"bearer {auth.access_token('alice', frozenset({'openid', 'user'}))}"}
    answer = auth.request(method, f"/user/data/{path}", headers=headers, json={"file_name": "x"})
    assert (answer.status_code, answer.json()["message"]) == (403, "This token lacks the scope data.")


def test_the_buckets_are_for_who_is_signed_in(auth: Auth) -> None:
    assert auth.get("/user/data/buckets").status_code == 401
    assert "commons" in auth.get("/user/data/buckets", "nobody").json()["S3_BUCKETS"]


PARTS = [b"a" * (5 * 2**20), b"b" * 1000]


def start(auth: Auth, user: str = "alice", **body: Any) -> dict[str, Any]:
    answer = auth.post("/user/data/multipart/init", user, json={"file_name": "big/file.bin", **body})
    assert answer.status_code == 201
    made = answer.json()
    return {"key": f"{made['guid']}/big/file.bin", "uploadId": made["uploadId"]}


def part(auth: Auth, running: dict[str, Any], number: Any, user: str | None = "alice") -> requests.Response:
    return auth.post("/user/data/multipart/upload", user, json={**running, "partNumber": number})


def complete(auth: Auth, running: dict[str, Any], parts: Any, user: str | None = "alice") -> requests.Response:
    return auth.post("/user/data/multipart/complete", user, json={**running, "parts": parts})


def test_a_large_file_arrives_in_parts(auth: Auth) -> None:
    running = start(auth)
    sent = []
    for number, data in enumerate(PARTS, 1):
        answer = requests.put(part(auth, running, number).json()["presigned_url"], data=data)
        assert answer.status_code == 200
        sent.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
    answer = complete(auth, running, sent[::-1])
    assert (answer.status_code, answer.json()) == (200, {"message": "OK"})
    assert b"".join(auth.app.downloads.storage.stream(Location("commons", running["key"]))) == b"".join(PARTS)


def test_parts_that_the_store_does_not_have_are_refused(auth: Auth) -> None:
    running = start(auth)
    requests.put(part(auth, running, 1).json()["presigned_url"], data=PARTS[1])
    assert complete(auth, running, [{"PartNumber": 1, "ETag": '"fake"'}]).status_code == 400
    assert auth.app.downloads.storage.head(Location("commons", running["key"])) is None


@pytest.mark.parametrize(
    ("promise", "told"),
    [
        ({"size": 6 * 2**30}, None),
        ({"size": 10_000 * 5 * 2**30}, None),
        ({"size": 10_000 * 5 * 2**30 + 1}, "1 to 10000 parts"),
        ({"size": -1}, "5 MiB to 5 GiB"),
        ({"size": "1"}, "size must be"),
        ({"md5": "0" * 32}, "md5 cannot be promised"),
    ],
    ids=str,
)
def test_what_no_parts_could_make_is_refused_at_once(auth: Auth, promise: dict[str, Any], told: str | None) -> None:
    answer = auth.post("/user/data/multipart/init", "alice", json={"file_name": "big", **promise})
    assert answer.status_code == (400 if told else 201), answer.text
    assert (told or "uploadId") in answer.text


@pytest.mark.parametrize("number", [0, -1, 10_001, "1", None, True, 1.5])
def test_a_part_has_a_number_from_one_to_ten_thousand(auth: Auth, number: Any) -> None:
    assert part(auth, start(auth), number).status_code == 400


@pytest.mark.parametrize(
    "parts",
    [None, [], {}, [1], [{"PartNumber": 1}], [{"PartNumber": 1, "ETag": "x"}] * 2, [{"PartNumber": 0, "ETag": "x"}]],
)
def test_a_malformed_list_of_parts_is_400(auth: Auth, parts: Any) -> None:
    assert complete(auth, start(auth), parts).status_code == 400


@pytest.mark.parametrize("user", ["bob", "root", None])
def test_parts_are_for_the_uploader_alone(auth: Auth, user: str | None) -> None:
    running = start(auth)
    assert part(auth, running, 1, user).status_code == 401
    assert complete(auth, running, [{"PartNumber": 1, "ETag": "x"}], user).status_code == 401


def test_only_the_registered_key_is_signed(auth: Auth) -> None:
    victim, running = start(auth, "bob"), start(auth)
    guid = running["key"].split("/")[0]
    for key in (victim["key"], f"{guid}/other.bin", f"{guid}/../{victim['key']}", guid, "x", "/"):
        assert part(auth, {**running, "key": key}, 1).status_code == 401
    assert part(auth, {**running, "bucket": "elsewhere"}, 1).status_code == 403
    for key in ("", 1, None, "a\x00b"):
        assert part(auth, {**running, "key": key}, 1).status_code == 400


def test_the_identifier_of_a_foreign_upload_leads_nowhere(auth: Auth) -> None:
    victim, running = start(auth, "bob"), start(auth)
    mixed = {**running, "uploadId": victim["uploadId"]}
    assert requests.put(part(auth, mixed, 1).json()["presigned_url"], data=b"x").status_code >= 400
    assert complete(auth, mixed, [{"PartNumber": 1, "ETag": "x"}]).status_code == 400


def test_who_may_not_upload_starts_no_parts(auth: Auth) -> None:
    body = {"file_name": "x"}
    assert auth.post("/user/data/multipart/init", "nobody", json=body).status_code == 403
    assert auth.post("/user/data/multipart/init", "alice", json={"guid": "unknown", **body}).status_code == 404


def test_a_new_upload_has_the_prefix_of_the_commons(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.app.uploads, "guid_prefix", "dg.TEST/")
    answer = auth.post("/user/data/upload", "alice", json={"file_name": "prefixed.txt"}).json()
    assert answer["guid"].startswith("dg.TEST/")
    assert requests.put(answer["url"], data=BYTES).status_code == 200
