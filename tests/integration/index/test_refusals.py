"""What the index refuses over HTTP, and how it says so."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.records_api import ask, body, made

__all__ = ["ask", "made"]

MD5 = "0cc175b9c0f1b6a831c399e269772661"
UUID = "6f1c2f0e-0d0a-4c6b-9d0f-3f2b8a5f7c11"
ELSEWHERE = "/programs/p/projects/other"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"size": -1}, "size"),
        ({"size": 2**63}, "size"),
        ({"size": True}, "size"),
        ({"size": None}, "size"),
        ({"hashes": {}}, "hashes"),
        ({"hashes": {"md5": MD5.upper()}}, "hashes"),
        ({"hashes": {"md5": MD5, "x": 1}}, "hashes"),
        ({"urls": ["s3://b/k", "s3://b/k"]}, "urls"),
        ({"urls": "s3://b/k"}, "urls"),
        ({"urls": ["nul\0"]}, "urls"),
        ({"urls_metadata": {"s3://b/other": {}}}, "urls_metadata"),
        ({"urls_metadata": {"s3://b/other": 1}}, "urls_metadata"),
        ({"metadata": {"a": {"b": "nul\0"}}}, "metadata"),
        ({"did": "no-guid"}, "did"),
        ({"did": f"blank/{UUID}"}, "did"),
        ({"baseid": "x"}, "baseid"),
        ({"form": "bundle"}, "form"),
        ({"authz": ["relative"]}, "authz"),
        ({"authz": ["/programs/../services"]}, "authz"),
        ({"content_created_date": "yesterday"}, "content_created_date"),
        ({"content_updated_date": "2023-01-01"}, "content_updated_date"),
        ({"content_created_date": "2023-01-02", "content_updated_date": "2023-01-01"}, "content_updated_date"),
        ({"rev": "abc"}, "rev"),
    ],
    ids=str,
)
def test_a_fault_in_a_new_record_is_named(
    ask: Callable[..., requests.Response], change: dict[str, Any], named: str
) -> None:
    answer = ask("POST", "/index/index", "admin", json=body(**change))
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["details"]] == [named]


def test_all_faults_are_named_at_once(ask: Callable[..., requests.Response]) -> None:
    answer = ask("POST", "/index/index", "admin", json={"size": "1", "urls": [], "form": "object", "more": 1})
    assert {each["field"] for each in answer.json()["details"]} == {"size", "hashes", "more"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff"])
@pytest.mark.parametrize("path", ["/index/index", "/index/index/blank"])
def test_a_body_that_is_no_object_is_refused(ask: Callable[..., requests.Response], path: str, content: bytes) -> None:
    assert ask("POST", path, "admin", data=content).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "limit=1025",
        "limit=-1",
        "limit=x",
        "page=-1",
        "page=9223372036854775807",
        "size=x",
        "hash=md5",
        "hash=md5:zz",
        "hash=foo:00",
        f"hash=md5:{MD5}&hash=md5:{'0' * 32}",
        "metadata=k:a&metadata=k:b",
        "metadata=x",
        "urls_metadata=x",
        "urls_metadata=[]",
        'urls_metadata={"a":1}',
        "negate_params={",
        'negate_params={"size":1}',
        'negate_params={"urls":1}',
        'negate_params={"version":1}',
        'negate_params={"metadata":{"k":1}}',
        "ids=a&limit=1",
        "ids=a&start=1",
        "file_name=%00",
        "url=%FF",
    ],
)
def test_a_bad_list_argument_is_refused(ask: Callable[..., requests.Response], query: str) -> None:
    answer = ask("GET", f"/index/index?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/index/urls?size=x",
        "/index/urls?limit=5000",
        "/index/_query/urls/q?strange=1",
        "/index/_query/urls/q?fields=size",
        "/index/_query/urls/q?limit=10001",
        "/index/_query/urls/metadata/q?key=a",
        "/index/_stats?month=1",
        "/index/_stats?month=13&year=2026",
        "/index/_stats?month=0&year=2026",
        "/index/guid/mint?count=10001",
        "/index/guid/mint?count=x",
        "/index/index/%00",
    ],
)
def test_other_bad_arguments_are_refused(ask: Callable[..., requests.Response], path: str) -> None:
    assert ask("GET", path).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"), [([], 200), ({}, 400), ([1], 400), (["x"] * 10_001, 413)], ids=lambda v: str(v)[:9]
)
def test_the_bodies_of_bulk_reads(ask: Callable[..., requests.Response], body: Any, status: int) -> None:
    assert ask("POST", "/index/bulk/documents", json=body).status_code == status


@pytest.mark.parametrize(
    ("field", "value"), [("size", 2), ("hashes", {"md5": MD5}), ("did", UUID), ("form", "container")]
)
def test_what_a_record_is_cannot_be_changed(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]], field: str, value: Any
) -> None:
    record = made()
    answer = ask("PUT", f"/index/index/{record['did']}?rev={record['rev']}", "admin", json={field: value})
    assert answer.status_code == 400
    assert field in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [("PUT", "", 409), ("PUT", "?rev=00000000", 409), ("DELETE", "", 400), ("DELETE", "?rev=00000000", 409)],
)
def test_a_write_needs_the_revision(
    ask: Callable[..., requests.Response],
    made: Callable[..., dict[str, Any]],
    method: str,
    query: str,
    status: int,
) -> None:
    record = made()
    assert ask(method, f"/index/index/{record['did']}{query}", "admin", json={}).status_code == status
    assert ask("GET", f"/index/index/{record['did']}").json() == record


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/index/index/x"),
        ("PUT", "/index/index/x?rev=1"),
        ("DELETE", "/index/index/x?rev=1"),
        ("GET", "/index/index/x/versions"),
        ("GET", "/index/index/x/latest"),
        ("GET", "/index/index/x/aliases"),
        ("GET", "/index/index/x/blob"),
        pytest.param("GET", "/index/x", id="D24-no-such-guid"),
        ("GET", "/mds/metadata/x"),
        ("GET", "/mds/aggregate/info/dg.X"),
    ],
)
def test_what_does_not_exist_is_a_json_404(ask: Callable[..., requests.Response], method: str, path: str) -> None:
    answer = ask(method, path, "admin", json={})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert answer.json()["error"]


def test_a_guid_that_is_taken_is_a_conflict(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    record = made()
    answer = ask("POST", "/index/index", "admin", json=body(did=record["did"]))
    assert answer.status_code == 409
    assert record["did"] in answer.json()["error"]


def test_a_filled_record_is_not_blank(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    record = made()
    path = f"/index/index/blank/{record['did']}?rev={record['rev']}"
    answer = ask("PUT", path, "admin", json={"size": 1, "hashes": {"md5": MD5}})
    assert answer.status_code == 400
    assert answer.json()["error"] == "update api is not supported for non-empty record!"


@pytest.mark.parametrize(
    "fault", [{"hashes": {"md5": "zz"}, "size": 1}, {"size": 1}, {"hashes": {"md5": MD5}, "size": "1"}]
)
def test_what_fills_a_blank_record_is_checked(ask: Callable[..., requests.Response], fault: dict[str, Any]) -> None:
    blank = ask("POST", "/index/index/blank", "admin", json={}).json()
    path = f"/index/index/blank/{blank['did']}?rev={blank['rev']}"
    assert ask("PUT", path, "admin", json=fault).status_code == 400
