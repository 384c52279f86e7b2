"""Downloads as Gen3's clients and test suites have them."""

import uuid
from typing import Any

import pytest
import requests
from tests.data_service import BYTES, CLIENT, OPEN, PROJECT, SECRET, DataCommons
from tests.tokens import bearer

DRS = "/ga4gh/drs/v1/objects"
NO_PERMISSION = "You don't have access permission on this file"
NO_LOCATION = "Can't find any file locations."


def without(protocol: str) -> str:
    return f"File {{did}} does not have a location with specified protocol {protocol}."


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
