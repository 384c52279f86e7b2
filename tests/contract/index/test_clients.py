"""The index as its official clients drive it: indexclient and Gen3Index, unmodified."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.index_service import PROJECT
from tests.tokens import Bearer

MD5 = "0cc175b9c0f1b6a831c399e269772661"


@pytest.fixture(autouse=True)
def clean_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GEN3SDK_MAX_RETRIES", "1")


@pytest.fixture
def client(url: str, token: Callable[..., str]) -> Any:
    from indexclient.client import IndexClient

    return IndexClient(f"{url}/index", auth=Bearer(url, token("admin")))


@pytest.fixture
def index(url: str, token: Callable[..., str], clean_home: None) -> Any:
    from gen3.auth import Gen3Auth
    from gen3.index import Gen3Index

    return Gen3Index(Gen3Auth(endpoint=url, access_token=token("admin")))


def md5() -> str:
    return uuid.uuid4().hex


def test_status_version_and_prefix(index: Any) -> None:
    assert index.is_healthy()
    assert set(index.get_version()) == {"version", "commit"}
    assert index.get_guids_prefix() == ""
    assert len(set(index.get_valid_guids(3))) == 3


def test_stats_count_records_and_bytes(index: Any) -> None:
    before = index.get_stats()
    index.create_record(hashes={"md5": md5()}, size=11)
    after = index.get_stats()
    assert (after["fileCount"] - before["fileCount"], after["totalFileSize"] - before["totalFileSize"]) == (1, 11)


def test_a_record_comes_back_as_it_was_created(index: Any) -> None:
    given = {
        "hashes": {"md5": md5()},
        "size": 3,
        "did": f"dg.TEST/{uuid.uuid4()}",
        "urls": ["s3://b/a b?c#d"],
        "file_name": "d.csv",
        "metadata": {"k": "v"},
        "baseid": str(uuid.uuid4()),
        "acl": ["a"],
        "urls_metadata": {"s3://b/a b?c#d": {"state": "up"}},
        "version": "1",
        "authz": [PROJECT],
        "description": "text",
        "content_created_date": "2023-03-14T17:02:54",
        "content_updated_date": "2023-03-15T17:02:54",
    }
    made = index.create_record(**given)
    assert {name: made[name] for name in given} == given
    assert index.get_record(given["did"]) == made == index.get(given["did"])


def test_an_asynchronous_create_read_and_update(index: Any) -> None:
    async def loop() -> tuple[dict[str, Any], dict[str, Any]]:
        made = await index.async_create_record(hashes={"md5": md5()}, size=1, authz=[PROJECT], file_name="a")
        await index.async_update_record(made["did"], file_name="b")
        return made, await index.async_get_record(made["did"])

    made, got = asyncio.run(loop())
    assert (got["did"], got["file_name"], got["rev"] != made["rev"]) == (made["did"], "b", True)


def test_asynchronous_reads_of_lists(index: Any) -> None:
    made = index.create_record(hashes={"md5": md5()}, size=1, urls=["s3://async-reads/x"])

    async def loop() -> list[Any]:
        return [
            await index.async_get_records_from_checksum(made["hashes"]["md5"]),
            await index.async_get_records_on_page(limit=2, page=0),
            await index.async_query_urls("async-reads"),
        ]

    by_hash, page, urls = asyncio.run(loop())
    assert [record["did"] for record in by_hash] == [made["did"]]
    assert len(page) == 2
    assert urls == [{"did": made["did"], "urls": ["s3://async-reads/x"]}]


def test_updates_carry_nulls_and_change_the_revision(index: Any) -> None:
    made = index.create_record(hashes={"md5": md5()}, size=1, urls=["s3://b/k"])
    changed = index.update_record(made["did"], urls=["s3://b/k", "s3://b/l"], version="2")
    assert (changed["urls"], changed["version"], changed["description"]) == (["s3://b/k", "s3://b/l"], "2", None)
    assert changed["rev"] != made["rev"]


def test_a_deleted_record_is_gone(index: Any) -> None:
    made = index.create_record(hashes={"md5": md5()}, size=1)
    index.delete_record(made["did"])
    assert index.get_record(made["did"]) is None
    assert index.get(made["did"]) is None


def test_versions_share_a_baseid_and_the_latest_is_found(index: Any) -> None:
    first = index.create_record(hashes={"md5": md5()}, size=1, version="1")
    second = index.create_new_version(first["did"], hashes={"md5": md5()}, size=2)
    assert second["baseid"] == first["baseid"]
    assert [each["did"] for each in index.get_versions(first["did"])] == [first["did"], second["did"]]
    assert index.get_latest_version(first["did"])["did"] == second["did"]
    assert index.get_latest_version(first["did"], has_version=True)["did"] == first["did"]
    assert index.get(first["baseid"])["did"] == second["did"]


def test_a_blank_record_is_filled(index: Any) -> None:
    blank = index.create_blank("admin", file_name="f.txt")
    assert (blank["size"], blank["hashes"], blank["form"], blank["uploader"]) == (None, {}, None, "admin")
    filled = index.update_blank(blank["did"], blank["rev"], {"md5": MD5}, 1, urls=["s3://b/k"], authz=[PROJECT])
    assert (filled["size"], filled["hashes"], filled["urls"], filled["authz"]) == (
        1,
        {"md5": MD5},
        ["s3://b/k"],
        [PROJECT],
    )


def test_many_records_are_read_at_once(index: Any) -> None:
    dids = [index.create_record(hashes={"md5": md5()}, size=n)["did"] for n in range(3)]
    assert [record["did"] for record in index.get_records([*dids, "no such"])] == dids


def test_records_are_found_by_parameters(index: Any) -> None:
    value = md5()
    made = index.create_record(hashes={"md5": value}, size=77, metadata={"state": value}, urls=["s3://urls/1"])
    assert index.get_with_params({"hashes": {"md5": value}, "size": 77, "metadata": {"state": value}}) == made
    assert index.get_with_params({"hashes": {"md5": value}, "size": 78}) is None
    assert index.get_urls(size=77, hashes=f"md5:{value}", guids=[made["did"]])[0] == [
        {"url": "s3://urls/1", "metadata": {}}
    ]
    assert index.query_urls("//urls/") == [{"did": made["did"], "urls": ["s3://urls/1"]}]


def test_all_records_are_paged_through(index: Any, client: Any) -> None:
    made = {index.create_record(hashes={"md5": md5()}, size=1)["did"] for _ in range(5)}
    paged = [record["did"] for record in index.get_all_records(limit=2, paginate=True)]
    assert made <= set(paged)
    assert len(set(paged)) == len(paged)
    assert {each.did for each in client.list(page_size=3)} == set(paged)
    assert len(index.get_records_on_page(limit=2, page=1)) == 2


def test_the_list_filters_of_indexclient(client: Any) -> None:
    value = md5()
    url = f"s3://filters/{value}"
    wanted = client.create(
        hashes={"md5": value}, size=5, urls=[url], metadata={"k": value}, urls_metadata={url: {"state": "done"}}
    )
    client.create(hashes={"md5": md5()}, size=5, metadata={"k": value}, version="9")

    def dids(params: dict[str, Any], negate: dict[str, Any] | None = None) -> list[str]:
        return [each.did for each in client.list_with_params(params=params, negate_params=negate)]

    assert client.get_with_params({"hashes": {"md5": value}, "metadata": {"k": value}, "size": 5}).did == wanted.did
    assert client.get_with_params({"hashes": {"md5": value}, "size": 6}) is None
    assert dids({"hashes": {"md5": value}}) == [wanted.did]
    assert dids({"urls_metadata": {url: {"state": "done"}}}) == [wanted.did]
    assert dids({"metadata": {"k": value}, "size": 5}, {"version": "8"}) != [wanted.did]
    assert dids({"metadata": {"k": value}}, {"urls": ["s3://other"]}) == [wanted.did]


def test_an_alias_leads_to_its_record(client: Any) -> None:
    document = client.create(hashes={"md5": md5()}, size=1)
    alias = f"alias {uuid.uuid4()}"
    assert client.add_alias_for_did(alias, document.did) == {"aliases": [{"value": alias}]}
    assert client.global_get(alias, no_dist=True).to_json()["did"] == document.did
    assert client.get(alias) is None


def test_documents_are_patched_and_deleted(client: Any) -> None:
    from indexclient.client import Document

    document = client.create(hashes={"md5": md5()}, size=1, did=f"dg.T/{uuid.uuid4()}")
    document.file_name = "new"
    document.patch()
    assert client.get(document.did).file_name == "new"
    newer = client.add_version(
        document.did,
        Document(None, None, {"form": "object", "size": 2, "hashes": {"md5": md5()}, "urls": [], "acl": ["a"]}),
    )
    assert client.get_latest_version(document.did).did == newer.did
    assert len(client.list_versions(document.did)) == 2
    assert [each.did for each in client.bulk_request([document.did])] == [document.did]
    document.delete()
    assert client.get(document.did) is None


def test_a_stale_revision_is_a_conflict_with_a_reason(client: Any) -> None:
    document = client.create(hashes={"md5": md5()}, size=1)
    other = client.get(document.did)
    other.patch()
    with pytest.raises(requests.HTTPError, match="revision mismatch") as error:
        document.patch()
    assert error.value.response.status_code == 409


def test_check_status(client: Any) -> None:
    client.check_status()


def test_documents_compare_by_what_they_hold(index: Any, client: Any) -> None:
    record = index.create_record(hashes={"md5": md5()}, size=1, urls=["s3://b/2", "s3://b/1"])
    document = index.get_record_doc(record["did"])
    assert document == client.get(record["did"])
    assert document != client.create(hashes={"md5": md5()}, size=1)
    assert document.to_json() == record
    assert record["did"] in repr(document) or "size=1" in repr(document)


def test_versions_without_a_version_are_skipped_where_asked_for(client: Any) -> None:
    from indexclient.client import Document

    first = client.create(hashes={"md5": md5()}, size=1, version="1")
    second = client.add_version(
        first.did, Document(None, None, {"form": "object", "size": 2, "hashes": {"md5": md5()}, "urls": []})
    )
    assert client.get_latest_version(first.did).did == second.did
    assert client.get_latest_version(first.did, skip_null_versions=True).did == first.did


def test_the_deprecated_alias_is_refused_with_what_to_use_instead(client: Any) -> None:
    with (
        pytest.warns(DeprecationWarning, match="add_alias_for_did"),
        pytest.raises(requests.HTTPError, match="aliases") as error,
    ):
        client.create_alias("name", 1, {"md5": MD5})
    assert error.value.response.status_code == 501


def test_a_list_is_paged_to_its_end(client: Any) -> None:
    value = md5()
    dids = {client.create(hashes={"md5": md5()}, size=1, metadata={"page": value}).did for _ in range(7)}
    paged = [each.did for each in client.list_with_params(page_size=2, params={"metadata": {"page": value}})]
    assert (len(paged), set(paged)) == (7, dids)
    assert len(list(client.list_with_params(limit=3, page_size=2, params={"metadata": {"page": value}}))) == 3


def test_the_client_stumbles_over_itself_only_after_the_answer(index: Any) -> None:
    """It awaits what cannot be awaited once the index has answered well, whatever the index is."""
    made = index.create_record(hashes={"md5": md5()}, size=1)
    with pytest.raises(TypeError, match="await"):
        asyncio.run(index.async_get_with_params({"hash": f"md5:{made['hashes']['md5']}"}))
