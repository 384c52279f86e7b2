"""Bundles as the SDK's DRS client makes, lists, reads and deletes them."""

import asyncio
import csv
import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.drs_schema import held
from tests.index_service import PROJECT
from tests.tokens import bearer

from commonshub.core.storage import Location, Storage
from commonshub.index import bundles

# DrsClient calls httpx as older versions of that wanted to be called.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

BASE = "/ga4gh/drs/v1"
HOST = "127.0.0.1:8000"
Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(url: str, token: Callable[..., str]) -> Ask:
    def send(method: str, path: str, user: str | None = None, **options: Any) -> requests.Response:
        headers = bearer(token(user)) if user else {}
        return held(requests.request(method, url + path, headers=headers, timeout=60, **options))

    return send


@pytest.fixture
def made(ask: Ask) -> Callable[..., str]:
    """A record; its GUID."""

    def make(size: int = 1, **fields: Any) -> str:
        body = {"size": size, "hashes": {"md5": uuid.uuid4().hex}, "urls": ["s3://b/k"], "form": "object", **fields}
        answer = ask("POST", "/index/index", "admin", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["did"])

    return make


@pytest.fixture
def bundled(ask: Ask) -> Callable[..., str]:
    """A bundle; its id."""

    def make(*members: str, **fields: Any) -> str:
        answer = ask("POST", "/index/bundle", "admin", json={"bundles": list(members), **fields})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["bundle_id"])

    return make


@pytest.fixture
def drs(url: str, token: Callable[..., str]) -> Any:
    from drsclient.client import DrsClient

    return DrsClient(f"{url}/index", token=token("admin"))


def test_the_client_makes_reads_lists_and_deletes_a_bundle(drs: Any, url: str, made: Callable[..., str]) -> None:
    members = [made(2, file_name="a.txt"), made(3)]
    answer = drs.create(members, name="set", description="d", version="1", aliases=["x"])
    assert answer.status_code == 200
    bundle = answer.json()["bundle_id"]
    found = drs.get(bundle, endpoint="/bundle").json()
    assert (found["name"], found["size"], found["description"], found["version"], found["aliases"]) == (
        "set",
        5,
        "d",
        "1",
        ["x"],
    )
    assert [(each["id"], each["name"]) for each in found["contents"]] == [
        (members[0], "a.txt"),
        (members[1], members[1]),
    ]
    listed = drs.get_all(endpoint="/bundle", limit=1000).json()["records"]
    assert [each["name"] for each in listed if each["id"] == bundle] == ["set"]
    assert drs.delete(bundle).status_code == 200
    assert drs.get(bundle, endpoint="/bundle").status_code == 404


def test_the_client_does_the_same_asynchronously(drs: Any, url: str, made: Callable[..., str]) -> None:
    async def loop() -> list[Any]:
        bundle = (await drs.async_create([made()])).json()["bundle_id"]
        return [
            await drs.async_get(bundle, endpoint="/bundle", expand=True),
            await drs.async_get_all(endpoint="/bundle", limit=1),
            await drs.async_delete(bundle),
        ]

    assert [each.status_code for each in asyncio.run(loop())] == [200, 200, 200]


def test_the_client_gets_the_url_of_an_object(drs: Any, url: str, running: Any, made: Callable[..., str]) -> None:
    did = str(uuid.uuid4())
    place = Location("commons", f"{did}/a.csv")
    requests.put(Storage(running.app.storage_settings).presign("PUT", place, 60), data=b"bytes").raise_for_status()
    made(5, did=did, urls=[str(place)], authz=[PROJECT])
    assert drs.check_status().status_code == 200
    # Objects are beside the index, not below it.
    drs.url = url
    for answer in (drs.download(did, "s3"), asyncio.run(drs.async_download(did, "s3"))):
        assert answer.status_code == 200, answer.text
        assert requests.get(answer.json()["url"], timeout=60).content == b"bytes"


def test_a_manifest_of_nested_bundles_is_ingested(
    url: str, token: Callable[..., str], made: Callable[..., str], ask: Ask, tmp_path: Path, monkeypatch: Any
) -> None:
    from gen3.tools.bundle.ingest_manifest import ingest_bundle_manifest

    # Where it writes its output.
    (tmp_path / "tests" / "outputs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    outer = str(uuid.uuid4())
    with (tmp_path / "manifest.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["bundle_name", "ids", "GUID"])
        writer.writerow(["inner", f"[{made()} {made()}]", str(uuid.uuid4())])
        writer.writerow(["outer", f"[inner {made()}]", outer])
    ingest_bundle_manifest(f"{url}/index", str(tmp_path / "manifest.tsv"), token=token("admin"))
    found = ask("GET", f"{BASE}/objects/{outer}?expand=true").json()
    assert [len(each.get("contents", [])) for each in found["contents"]] == [2, 0]


def test_size_and_checksum_follow_from_the_members(ask: Ask, made: Callable[..., str], bundled: Any) -> None:
    digests = [uuid.uuid4().hex for _ in range(2)]
    members = [made(4, hashes={"md5": digests[0], "crc": "0" * 8}), made(5, hashes={"md5": digests[1]})]
    found = ask("GET", f"{BASE}/objects/{bundled(*members)}").json()
    joined = hashlib.md5("".join(sorted(digests)).encode()).hexdigest()
    assert (found["size"], found["checksums"]) == (9, [{"type": "md5", "checksum": joined}])
    given = {"size": 0, "checksums": [{"type": "sha1", "checksum": "0" * 40}]}
    found = ask("GET", f"{BASE}/objects/{bundled(*members, **given)}").json()
    assert {name: found[name] for name in given} == given


@pytest.mark.parametrize("expand", ["true", "True"])
def test_a_nested_bundle_is_expanded_on_request(ask: Ask, made: Any, bundled: Any, expand: str) -> None:
    leaf = made(file_name="leaf")
    inner = bundled(leaf, name="inner")
    outer = bundled(inner, leaf)
    inside = [{"id": leaf, "name": "leaf", "drs_uri": [f"drs://{HOST}/{leaf}"]}]
    plain = [{"id": inner, "name": "inner", "drs_uri": [f"drs://{HOST}/{inner}"]}, *inside]
    assert ask("GET", f"{BASE}/objects/{outer}").json()["contents"] == plain
    whole = [{**plain[0], "contents": inside}, *inside]
    assert ask("GET", f"{BASE}/objects/{outer}?expand={expand}").json()["contents"] == whole
    assert ask("POST", f"{BASE}/objects/{outer}", json={"expand": True}).json()["contents"] == whole
    bulk = ask("POST", f"{BASE}/objects?expand={expand}", json={"bulk_object_ids": [outer]}).json()
    assert bulk["resolved_drs_object"][0]["contents"] == whole


def test_contents_are_told_as_they_are_now(ask: Ask, made: Any, bundled: Any) -> None:
    changing, vanishing, inner = made(file_name="before"), made(file_name="gone"), bundled(made(), name="part")
    bundle = bundled(changing, vanishing, inner)
    for did, method, body in ((changing, "PUT", {"file_name": "after"}), (vanishing, "DELETE", None)):
        rev = ask("GET", f"/index/index/{did}").json()["rev"]
        assert ask(method, f"/index/index/{did}?rev={rev}", "admin", json=body).status_code == 200
    assert ask("DELETE", f"/index/bundle/{inner}", "admin").status_code == 200
    found = ask("GET", f"{BASE}/objects/{bundle}?expand=true").json()
    assert [(each["name"], "drs_uri" in each) for each in found["contents"]] == [
        ("after", True),
        ("gone", False),
        ("part", False),
    ]
    assert found["size"] == 3


def test_a_bundle_cannot_come_to_hold_itself(ask: Ask, made: Any, bundled: Any) -> None:
    inner = bundled(made())
    outer = bundled(bundled(inner))
    assert ask("DELETE", f"/index/bundle/{inner}", "admin").status_code == 200
    answer = ask("POST", "/index/bundle", "admin", json={"bundle_id": inner, "bundles": [outer]})
    assert (answer.status_code, "itself" in answer.json()["error"]) == (400, True)


def test_bundles_nest_only_so_deep(ask: Ask, made: Any, bundled: Any) -> None:
    bundle = made()
    for _ in range(32):
        bundle = bundled(bundle)
    assert ask("GET", f"{BASE}/objects/{bundle}?expand=true").status_code == 200
    assert ask("POST", "/index/bundle", "admin", json={"bundles": [bundle]}).status_code == 400


def test_an_expansion_too_large_for_one_answer_is_refused(
    ask: Ask, made: Any, bundled: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each level holds the one below twice, so what is stored grows by two and what is listed doubles.
    level = bundled(made())
    for _ in range(6):
        level = bundled(bundled(level), bundled(level))
    monkeypatch.setattr(running.app, "max_bundle_entries", 100)
    assert ask("GET", f"{BASE}/objects/{level}").status_code == 200
    assert ask("GET", f"{BASE}/objects/{level}?expand=true").status_code == 413


def test_bundles_that_would_fill_the_memory_are_not_even_read(
    ask: Ask, made: Any, bundled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = uuid.uuid4().hex
    inner = [bundled(made(), name=name) for _ in range(3)]
    outer = bundled(*inner)
    monkeypatch.setattr(bundles, "MAX_READ_BYTES", 60)
    # A single one is as large as it may be, and what it holds is told by name.
    found = ask("GET", f"{BASE}/objects/{outer}")
    assert [each["name"] for each in found.json()["contents"]] == [name] * 3
    assert ask("GET", f"{BASE}/objects/{outer}?expand=true").status_code == 413
    assert ask("POST", f"{BASE}/objects", json={"bulk_object_ids": inner[:1]}).status_code == 200
    assert ask("POST", f"{BASE}/objects", json={"bulk_object_ids": inner}).status_code == 413
    assert ask("GET", f"{BASE}/objects?form=bundle&file_name={name}").status_code == 413
    assert len(ask("GET", f"/index/bundle?file_name={name}").json()["records"]) == 3


def test_many_bundles_share_what_one_answer_may_hold(
    ask: Ask, made: Any, bundled: Any, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = uuid.uuid4().hex
    ids = [bundled(made(), made(), name=name) for _ in range(3)]
    for most, status in ((6, 200), (5, 413)):
        monkeypatch.setattr(running.app, "max_bundle_entries", most)
        assert ask("POST", f"{BASE}/objects", json={"bulk_object_ids": ids, "expand": True}).status_code == status
        assert ask("GET", f"{BASE}/objects?form=bundle&name={name}&file_name={name}").status_code == status


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 400, "bundles"),
        ({"bundles": []}, 400, "bundles"),
        ({"bundles": "x"}, 400, "bundles"),
        ({"bundles": [1]}, 400, "bundles"),
        ({"bundles": ["{did}", "{did}"]}, 400, "bundles"),
        ({"bundles": ["nowhere"]}, 404, "nowhere"),
        ({"bundles": ["{blank}"]}, 400, "{blank}"),
        ({"bundles": ["{did}"], "bundle_id": "{did}"}, 400, "itself"),
        ({"bundles": ["{did}"], "bundle_id": "{other}"}, 409, "{other}"),
        ({"bundles": ["{did}"], "bundle_id": "{bundle}"}, 409, "{bundle}"),
        ({"bundles": ["{did}"], "bundle_id": "no uuid"}, 400, "bundle_id"),
        ({"bundles": ["{did}"], "size": -1}, 400, "size"),
        ({"bundles": ["{did}"], "size": 2**63}, 400, "size"),
        ({"bundles": ["{did}"], "checksums": [{"type": "md5", "checksum": "zz"}]}, 400, "checksums"),
        ({"bundles": ["{did}"], "checksums": [{"type": ["md5"], "checksum": 1}]}, 400, "checksums"),
        ({"bundles": ["{did}"], "checksums": {"md5": "0" * 32}}, 400, "checksums"),
        ({"bundles": ["{did}"], "aliases": [1]}, 400, "aliases"),
        ({"bundles": ["{did}"], "name": "a\0b"}, 400, "name"),
        ({"bundles": ["{did}"], "more": 1}, 400, "more"),
        ([], 400, "object"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_faulty_bundle_is_refused_by_what_is_wrong(
    ask: Ask, made: Any, bundled: Any, body: Any, status: int, told: str
) -> None:
    did = made()
    blank = ask("POST", "/index/index/blank", "admin", json={}).json()["did"]
    known = {"did": did, "other": made(), "bundle": bundled(did), "blank": blank}
    before = ask("GET", "/index/bundle?limit=1000").json()["records"]

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        return value.format(**known) if isinstance(value, str) else value

    answer = ask("POST", "/index/bundle", "admin", json=filled(body))
    assert (answer.status_code, filled(told) in answer.json()["error"]) == (status, True), answer.text
    assert ask("GET", "/index/bundle?limit=1000").json()["records"] == before


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("member", 403), ("admin", 200)])
def test_who_may_make_and_delete_bundles(ask: Ask, made: Any, bundled: Any, user: str | None, status: int) -> None:
    bundle = bundled(made())
    assert ask("POST", "/index/bundle", user, json={"bundles": [bundle]}).status_code == status
    assert ask("DELETE", f"/index/bundle/{bundle}", user).status_code == status


def test_lists_hold_records_bundles_or_both(ask: Ask, made: Any, bundled: Any) -> None:
    record = made(version="listed")
    bundle = bundled(record, version="listed", name="n")

    def ids(query: str) -> list[str]:
        answer = ask("GET", f"/index/index?version=listed&{query}")
        assert answer.status_code == 200, answer.text
        return [each.get("did") or each["id"] for each in answer.json()["records"]]

    assert ids("") == ids("form=object") == [record]
    assert ids("form=bundle") == [bundle]
    assert ids("form=all") == sorted([record, bundle])
    assert ids("form=all&page=0") == [record, bundle]
    assert ids("form=all&limit=1&page=1") == [bundle]
    assert ids(f"form=all&start={min(record, bundle)}") == [max(record, bundle)]
    assert ids("form=all&authz=null") == [record]
    assert ids("form=bundle&file_name=n") == [bundle]
    assert ids("form=all&limit=0") == []


@pytest.mark.parametrize("path", ["/index/index/{}", "/index/{}"])
def test_a_bundle_is_read_where_records_are(ask: Ask, made: Any, bundled: Any, path: str) -> None:
    record = made(file_name="f")
    bundle = bundled(record, name="n")
    found = ask("GET", path.format(bundle)).json()
    assert (found["id"], found["form"], found["size"], found["aliases"]) == (bundle, "bundle", 1, "[]")
    assert [each["name"] for each in found["bundle_data"]] == ["f"]


def test_a_bundle_that_indexd_wrote_is_served(ask: Ask, made: Any, running: Any) -> None:
    record, bundle = made(file_name="now"), str(uuid.uuid4())
    row = {
        "id": bundle,
        "checksum": json.dumps([{"type": "md5", "checksum": "0" * 32}]),
        "data": json.dumps([{"id": record, "name": "then", "drs_uri": "drs://x:y", "contents": []}]),
    }
    insert = sa.text(
        "insert into index.drs_bundle_record (bundle_id, name, created_time, updated_time, checksum, size, bundle_data,"
        " description, version, aliases)"
        " values (:id, 'old', '2020-01-02', '2020-01-02', :checksum, 7, :data, '', '', '[]')"
    )
    with running.app.database.engine.begin() as connection:
        connection.execute(insert, row)
    found = ask("GET", f"{BASE}/objects/{bundle}").json()
    assert (found["created_time"], found["size"]) == ("2020-01-02T00:00:00Z", 7)
    assert [each["name"] for each in found["contents"]] == ["now"]
