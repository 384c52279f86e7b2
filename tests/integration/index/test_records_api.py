"""How records behave over HTTP."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.index_service import PROJECT
from tests.records_api import ask, body, made
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.core import records
from commonshub.core.errors import NotFound
from commonshub.index import store
from commonshub.index.handlers import VersionsHandler

__all__ = ["ask", "made"]

MD5 = "0cc175b9c0f1b6a831c399e269772661"
UUID = "6f1c2f0e-0d0a-4c6b-9d0f-3f2b8a5f7c11"
ELSEWHERE = "/programs/p/projects/other"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    "path",
    [
        "/index/index/{did}",
        "/index/index/{quoted}",
        "/index/{did}",
        "/index/index/{did}/latest",
        "/index/index/{baseid}",
        "/index/{baseid}",
    ],
)
def test_a_record_is_found_with_slashes_in_its_guid_and_after_it(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]], path: str, slash: str
) -> None:
    record = made(did=f"dg.T/a/{uuid.uuid4()}")
    quoted = record["did"].replace("/", "%2F")
    assert ask("GET", path.format(**record, quoted=quoted) + slash).json() == record


@pytest.mark.parametrize(
    "path",
    [
        *("/index/index", "/index/urls", "/index/_query/urls/q", "/index/guid/mint", "/index/guid/prefix"),
        *("/index/_stats", "/index/_dist", "/index/_status", "/index/_version", "/index/bundle"),
        *("/ga4gh/drs/v1/objects", "/ga4gh/drs/v1/service-info", "/mds/metadata", "/mds/version"),
    ],
)
def test_a_route_answers_with_and_without_a_slash(ask: Callable[..., requests.Response], path: str) -> None:
    for each in (path, path + "/"):
        assert ask("GET", each, allow_redirects=False).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("size=4711", ["one", "two"]),
        ("size=4711&limit=1", ["one"]),
        ("size=4711&limit=0", []),
        ("size=4711&limit=1&page=1", ["two"]),
        ("size=4711&start={one}", ["two"]),
        ("size=4711&file_name=one", ["one"]),
        ("size=4711&version=2", ["two"]),
        ("size=4711&uploader=u1", ["one"]),
        ("size=4711&url=s3://l/one", ["one"]),
        ("size=4711&urls=s3://l/one&url=s3://l/both", ["one"]),
        ("size=4711&url=s3://l/both", ["one", "two"]),
        ("size=4711&acl=a,b", ["two"]),
        ("size=4711&acl=a", ["one", "two"]),
        ("size=4711&acl=null", []),
        ("size=4711&authz=null", ["one"]),
        ("size=4711&authz=/programs/p", ["two"]),
        ("size=4711&metadata=k:one", ["one"]),
        ("size=4711&metadata=k:", ["one", "two"]),
        ("size=4711&metadata=k:one&metadata=k:", ["one"]),
        ("size=4711&metadata=k:&metadata=k:one", ["one"]),
        ("size=4711&metadata=other:", []),
        ('size=4711&urls_metadata={{"//l/one":{{}}}}', ["one"]),
        ('size=4711&urls_metadata={{"//l":{{"s":""}}}}', ["one"]),
        ('size=4711&urls_metadata={{"//l":{{"s":"up"}}}}', ["one"]),
        ('size=4711&urls_metadata={{"//l":{{"s":"down"}}}}', []),
        ("hash=sha1:{sha1}", ["one"]),
        ("hash=sha1:{sha1}&hash=md5:{md5}", ["one"]),
        ("ids={two},{one},missing", ["one", "two"]),
        ('size=4711&negate_params={{"version":"1"}}', ["two"]),
        ('size=4711&negate_params={{"file_name":"one"}}', ["two"]),
        ('size=4711&negate_params={{"urls":["s3://l/one"]}}', ["two"]),
        ('size=4711&negate_params={{"acl":["b"]}}', ["one"]),
        ('size=4711&negate_params={{"authz":["x"]}}', ["two"]),
        ('size=4711&negate_params={{"metadata":{{"k":""}}}}', []),
        ('size=4711&negate_params={{"metadata":{{"k":"one"}}}}', ["two"]),
        ('size=4711&negate_params={{"urls_metadata":{{"//l":{{"s":"up"}}}}}}', ["two"]),
        ("size=4711&form=all", ["one", "two"]),
        ("size=4711&form=bundle", []),
    ],
)
def test_list_filters(
    ask: Callable[..., requests.Response], listed: dict[str, str], query: str, found: list[str]
) -> None:
    answer = ask("GET", f"/index/index?{query.format(**listed)}").json()
    assert [each["file_name"] for each in answer["records"]] == found
    assert {"ids", "limit", "start", "page", "size", "hashes", "metadata", "urls_metadata"} <= answer.keys()


@pytest.fixture(scope="module")
def listed(url: str, token: Callable[..., str]) -> dict[str, str]:
    """Two records to be filtered, in order of GUID and of date."""
    one, two = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2))
    sha1, md5 = uuid.uuid4().hex + "0" * 8, uuid.uuid4().hex
    first = body(did=one, size=4711, file_name="one", version="1", uploader="u1", acl=["a"], metadata={"k": "one"})
    first |= {"urls": ["s3://l/one", "s3://l/both"], "urls_metadata": {"s3://l/one": {"s": "up"}}}
    first |= {"hashes": {"sha1": sha1, "md5": md5}}
    second = body(did=two, size=4711, file_name="two", version="2", acl=["a", "b"], authz=["/programs/p"])
    second |= {"urls": ["s3://l/both"], "metadata": {"k": "two"}}
    for each in (first, second):
        answer = requests.post(f"{url}/index/index", json=each, headers=bearer(token("admin")))
        assert answer.status_code == 200, answer.text
    return {"one": one, "two": two, "sha1": sha1, "md5": md5}


def test_metadata_of_removed_urls_go_with_them(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    record = made(urls=["s3://b/1", "s3://b/2"], urls_metadata={"s3://b/1": {"a": "b"}, "s3://b/2": {"c": "d"}})
    ask("PUT", f"/index/index/{record['did']}?rev={record['rev']}", "admin", json={"urls": ["s3://b/2"]})
    assert ask("GET", f"/index/index/{record['did']}").json()["urls_metadata"] == {"s3://b/2": {"c": "d"}}


def test_dates_with_an_offset_are_kept_as_utc(made: Callable[..., dict[str, Any]]) -> None:
    record = made(content_created_date="2023-03-14T17:02:54+02:00")
    assert record["content_created_date"] == record["content_updated_date"] == "2023-03-14T15:02:54"


def test_all_versions_get_the_same_grants(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    first = made(acl=["old"])
    second = ask("POST", f"/index/index/{first['did']}", "admin", json=body()).json()
    answer = ask("PUT", f"/index/index/{first['did']}/versions", "admin", json={"authz": [PROJECT], "acl": []})
    assert [each["did"] for each in answer.json()] == [first["did"], second["did"]]
    versions = ask("GET", f"/index/index/{second['did']}/versions").json()
    assert [versions[place]["authz"] for place in ("0", "1")] == [[PROJECT], [PROJECT]]
    assert versions["0"]["acl"] == ["old"]


def test_grants_of_versions_that_changed_after_they_were_decided_about_stay(
    running: Any,
    ask: Callable[..., requests.Response],
    made: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = made(authz=[PROJECT])
    ask("POST", f"/index/index/{first['did']}", "admin", json=body(authz=[PROJECT]))
    decide = VersionsHandler.require

    def late(self: VersionsHandler, *asked: Any) -> None:
        decide(self, *asked)
        moved = {"authz": [ELSEWHERE]}
        running.app.database.call(records.update, running.app.schema, first["did"], None, moved)

    monkeypatch.setattr(VersionsHandler, "require", late)
    answer = ask("PUT", f"/index/index/{first['did']}/versions", "member", json={"acl": [], "authz": [PROJECT]})
    assert (answer.status_code, first["did"] in answer.json()["error"]) == (409, True)
    versions = ask("GET", f"/index/index/{first['did']}/versions").json()
    assert [versions[place]["authz"] for place in ("0", "1")] == [[ELSEWHERE], [PROJECT]]


@pytest.mark.parametrize(("given", "authz", "acl"), [({}, [PROJECT], ["a"]), ({"authz": [ELSEWHERE]}, [ELSEWHERE], [])])
def test_a_blank_version_carries_the_grants_over_unless_new_ones_are_given(
    ask: Callable[..., requests.Response],
    made: Callable[..., dict[str, Any]],
    given: dict[str, Any],
    authz: list[str],
    acl: list[str],
) -> None:
    record = made(authz=[PROJECT], acl=["a"])
    answer = ask("POST", f"/index/index/blank/{record['did']}", "admin", json={"uploader": "u", **given})
    assert answer.status_code == 201
    version = ask("GET", f"/index/index/{answer.json()['did']}").json()
    assert (version["baseid"], version["authz"], version["acl"]) == (record["baseid"], authz, acl)


def test_aliases_are_added_replaced_and_removed(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    path = f"/index/index/{made()['did']}/aliases"
    names = [f"{word}/{uuid.uuid4()}" for word in ("a", "b", "c")]

    def values(*aliases: str) -> dict[str, Any]:
        return {"aliases": [{"value": alias} for alias in aliases]}

    assert ask("POST", path, "admin", json=values(names[0])).json() == values(names[0])
    assert ask("POST", path, "admin", json=values(names[1])).json() == values(*names[:2])
    assert ask("DELETE", f"{path}/{names[0]}", "admin").status_code == 200
    assert ask("GET", path).json() == values(names[1])
    assert ask("PUT", path, "admin", json=values(names[2])).json() == values(names[2])
    assert ask("GET", f"/index/{names[2]}").status_code == 200
    assert ask("DELETE", path, "admin").status_code == 200
    assert ask("GET", path).json() == values()


def test_an_alias_belongs_to_one_record(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    alias = {"aliases": [{"value": f"taken {uuid.uuid4()}"}]}
    first, second = made(), made()
    assert ask("POST", f"/index/index/{first['did']}/aliases", "admin", json=alias).status_code == 200
    assert ask("POST", f"/index/index/{second['did']}/aliases", "admin", json=alias).status_code == 409
    assert ask("POST", f"/index/index/{first['did']}/aliases", "admin", json=alias).status_code == 409


def test_a_record_that_is_being_deleted_gets_no_alias(running: Any, made: Callable[..., dict[str, Any]]) -> None:
    database, did = running.app.database, made()["did"]
    waiting = sa.text("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%alias%'")
    with ThreadPoolExecutor(1) as threads:
        with database.engine.begin() as deleting:
            records.delete_many(deleting, "index", [did])
            giving = threads.submit(database.call, store.set_aliases, "index", did, lambda held: [*held, "late"])
            eventually(lambda: database.call(lambda connection: connection.execute(waiting).scalar_one()))
        with pytest.raises(NotFound):
            giving.result()


def test_urls_are_found_by_their_metadata(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    value = uuid.uuid4().hex
    record = made(urls=["s3://m/1", "s3://m/2"], urls_metadata={"s3://m/1": {"state": value}})
    answer = ask("GET", f"/index/_query/urls/metadata/q?key=state&value={value}&url=//m/")
    assert answer.json() == [{"did": record["did"], "urls": ["s3://m/1"], "rev": record["rev"]}]


@pytest.mark.parametrize(
    ("query", "found"), [("exclude=//x/1", ["s3://q/1"]), ("versioned=true", []), ("versioned=false&limit=0", [])]
)
def test_the_query_of_urls(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]], query: str, found: list[str]
) -> None:
    made(urls=["s3://q/1"])
    answer = ask("GET", f"/index/_query/urls/q?include=//q/&fields=urls&{query}").json()
    assert [url for each in answer[:1] for url in each["urls"]] == found


def test_stats_of_a_month_count_what_was_made_until_its_end(
    ask: Callable[..., requests.Response], made: Callable[..., dict[str, Any]]
) -> None:
    made()
    assert ask("GET", "/index/_stats?month=12&year=2099").json() == ask("GET", "/index/_stats").json()
    assert ask("GET", "/index/_stats?month=12&year=1999").json() == {"fileCount": 0, "totalFileSize": 0}


def test_the_deprecated_alias_route_says_what_to_use(ask: Callable[..., requests.Response]) -> None:
    answer = ask("PUT", "/index/alias/name", "admin", json={})
    assert answer.status_code == 501
    assert "/aliases" in answer.json()["error"]
