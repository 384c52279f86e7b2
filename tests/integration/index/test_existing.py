"""A database that an indexd has made with one table for its records is served as it is."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
import sqlalchemy as sa
from tests import indexd
from tests.index_service import policies
from tests.tokens import bearer

from commonshub.index.app import IndexApp

Ask = Callable[..., requests.Response]
DIDS = [each["did"] for each in indexd.DOCUMENTS]
OLD_TABLES = ["alembic_version", "auth_record", "alias_record", "base_version", "drs_bundle_record", "stats"]


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def before(engine: sa.Engine) -> dict[str, list[Any]]:
    """The old tables before the service has ever run."""
    with engine.begin() as connection:
        indexd.single(connection)
    with engine.begin() as connection:
        return contents(connection)


def contents(connection: sa.Connection) -> dict[str, list[Any]]:
    """All rows, without what PostgreSQL makes of them for this index."""
    order = {"record": "guid"}

    def rows(name: str) -> list[dict[str, Any]]:
        found = connection.execute(sa.text(f"select * from {name} order by {order.get(name, 1)}")).mappings()
        return [{column: value for column, value in row.items() if column != "document"} for row in found]

    return {name: rows(name) for name in ["record", *OLD_TABLES]}


def empty(connection: sa.Connection, schema: str) -> None:
    """Make the table as the one that :func:`indexd.single` makes, in another schema."""
    connection.execute(sa.text(f"create schema {schema}"))
    connection.execute(sa.text(f"create table {schema}.record (like public.record including all)"))
    connection.execute(sa.text(f"alter table {schema}.record drop column document"))


@pytest.fixture(scope="module")
def ask(
    before: dict[str, list[Any]], run_service: Callable[..., Any], token: Callable[..., str]
) -> Callable[..., requests.Response]:
    service = run_service(IndexApp, DatabaseSettings={"index_schema": "public"})
    service.hold(policies())

    def send(method: str, path: str, **options: Any) -> requests.Response:
        headers = bearer(token("admin"))
        return requests.request(method, service.url + path, headers=headers, timeout=30, **options)

    return send


def test_nothing_of_it_is_lost_or_changed(ask: Ask, before: dict[str, list[Any]], engine: sa.Engine) -> None:
    assert ask("GET", "/index/_status").status_code == 200
    with engine.connect() as connection:
        assert contents(connection) == before


@pytest.mark.parametrize("document", indexd.DOCUMENTS, ids=lambda each: each["did"])
def test_each_record_is_read_whole(ask: Ask, document: dict[str, Any]) -> None:
    expected = indexd.whole(document)
    assert ask("GET", f"/index/index/{quote(document['did'])}").json() == expected
    assert ask("POST", "/index/bulk/documents", json=[document["did"]]).json() == [expected]
    aliases = [{"value": alias} for alias in document.get("aliases", [])]
    assert ask("GET", f"/index/index/{quote(document['did'])}/aliases").json() == {"aliases": aliases}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("limit=1000", DIDS),
        ("limit=1000&page=0", DIDS),
        (f"hash=md5:{indexd.MD5}", [DIDS[0], DIDS[1], DIDS[3]]),
        (f"hash=sha256:{indexd.SHA256}", [DIDS[0]]),
        ("acl=null", DIDS[1:]),
        ("authz=null&acl=null", DIDS[2:]),
        ("url=gs://b/a", [DIDS[0]]),
        ("metadata=k:v", [DIDS[0]]),
        ('urls_metadata={"s3://":{"state":"up"}}', [DIDS[0]]),
        ('negate_params={"metadata":{"k":"v"}}', DIDS[1:]),
        ("uploader=bob", [DIDS[2]]),
        (f"size={2**62}", [DIDS[1]]),
    ],
)
def test_lists_hold_the_old_records(ask: Ask, query: str, found: list[str]) -> None:
    records = ask("GET", f"/index/index?{query}").json()["records"]
    assert sorted(each["did"] for each in records) == sorted(found)


def test_aliases_versions_and_totals_are_those_of_the_old_records(ask: Ask) -> None:
    assert ask("GET", "/index/b/alias").json()["did"] == DIDS[0]
    assert [each["did"] for each in ask("GET", f"/index/index/{indexd.BASE}/versions").json().values()] == DIDS[:2]
    assert ask("GET", f"/index/{indexd.BASE}").json()["did"] == DIDS[1]
    assert ask("GET", "/index/_stats").json() == {"fileCount": 5, "totalFileSize": 2**62 + 3}


@pytest.mark.parametrize(
    "document", [each for each in indexd.DOCUMENTS if "size" in each], ids=lambda each: each["did"]
)
def test_old_records_are_objects_of_drs(ask: Ask, document: dict[str, Any]) -> None:
    answer = ask("GET", f"/ga4gh/drs/v1/objects/{quote(document['did'])}")
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["size"]) == (document["did"], document["size"])


def test_a_record_can_be_sent_back_whole_though_it_would_be_refused_today(ask: Ask) -> None:
    path = f"/index/index/{DIDS[1]}"
    record = ask("GET", path).json()
    names = ["urls", "urls_metadata", "acl", "authz", "metadata", "file_name", "version", "uploader", "description"]
    given = {name: record[name] for name in names} | {"file_name": "new"}
    answer = ask("PUT", f"{path}?rev={record['rev']}", json=given)
    assert answer.status_code == 200, answer.text
    changed = ask("GET", path).json()
    assert {**changed, "rev": record["rev"], "updated_date": record["updated_date"]} == {**record, "file_name": "new"}


def test_what_another_program_writes_is_read_at_once(ask: Ask, engine: sa.Engine) -> None:
    path = f"/index/index/{quote(DIDS[0])}"
    assert ask("GET", path).json()["file_name"] != "elsewhere.csv"
    change = sa.text("update record set file_name = 'elsewhere.csv', acl = null, hashes = 'null' where guid = :guid")
    with engine.begin() as connection:
        connection.execute(change, {"guid": DIDS[0]})
    changed = ask("GET", path).json()
    assert (changed["file_name"], changed["acl"], changed["hashes"]) == ("elsewhere.csv", [], {})


def test_an_old_record_is_deleted_and_a_blank_one_filled(ask: Ask) -> None:
    blank = ask("GET", f"/index/index/{DIDS[2]}").json()
    filled = {"size": 1, "hashes": {"md5": indexd.MD5}}
    assert ask("PUT", f"/index/index/blank/{DIDS[2]}?rev={blank['rev']}", json=filled).status_code == 200
    assert ask("DELETE", f"/index/index/{DIDS[3]}?rev=dddd0001").status_code == 200
    assert ask("GET", f"/index/index/{DIDS[3]}").status_code == 404


ODD: dict[str, dict[str, Any]] = {
    "null in JSON": {"hashes": None, "record_metadata": None, "url_metadata": None},
    "nested": {"record_metadata": {"a": {"b": [1, None, "é😀"]}}, "url_metadata": {"s3://b/k": {"n": {"m": 1.5}}}},
    "no object a URL": {"urls": ["s3://b/k", "s3://b/l"], "url_metadata": {"s3://b/k": None, "s3://b/l": "text"}},
    "large": {"record_metadata": {"k": "é😀" * 300_000}, "urls": [f"s3://b/{number}" for number in range(20_000)]},
    "empty texts": {"file_name": "", "version": "", "uploader": "", "form": "", "urls": [""], "authz": [""]},
    "control characters": {"file_name": "a\u2028\x01", "urls": ["s3://b/\n"], "acl": ["\t"]},
    "negative": {"size": -5},
}


@pytest.fixture(scope="module")
def odd(engine: sa.Engine, run_service: Callable[..., Any]) -> str:
    """Address of an index whose records nobody could make today."""
    types = dict.fromkeys(("hashes", "record_metadata", "url_metadata"), sa.JSON())
    rows = [{"guid": guid, "rev": "r", "size": 1, **values} for guid, values in ODD.items()]
    with engine.begin() as connection:
        empty(connection, "odd")
        for row in rows:
            table = sa.table("record", *(sa.column(name, types.get(name)) for name in row), schema="odd")
            connection.execute(sa.insert(table).values(row))
    service = run_service(IndexApp, DatabaseSettings={"index_schema": "odd"})
    service.hold(policies())
    return str(service.url)


@pytest.mark.parametrize("guid", ODD)
def test_an_odd_record_is_read_as_it_is(odd: str, guid: str) -> None:
    record = requests.get(f"{odd}/index/index/{quote(guid)}", timeout=30).json()
    names = {"record_metadata": "metadata", "url_metadata": "urls_metadata"}
    expected = {names.get(name, name): {} if value is None else value for name, value in ODD[guid].items()}
    assert {name: record[name] for name in expected} == expected
    assert requests.get(f"{odd}/index/index?ids={quote(guid)}", timeout=30).json()["records"] == [record]
    assert requests.get(f"{odd}/ga4gh/drs/v1/objects/{quote(guid)}", timeout=30).status_code in (200, 202)


@pytest.mark.parametrize(
    "path",
    [
        *("/index/index?page=0", "/index/index?form=all", "/ga4gh/drs/v1/objects", "/index/urls", "/index/_stats"),
        *("/index/_query/urls/q?include=s3", "/index/_query/urls/metadata/q?key=n&value=1"),
        *(
            '/index/index?urls_metadata={"s3":{}}',
            '/index/index?urls_metadata={"s3":{"n":""}}',
            "/index/index?metadata=k:",
        ),
        '/index/index?negate_params={"metadata":{"k":""},"urls_metadata":{"s3":{"n":""}}}',
    ],
)
def test_an_odd_record_spoils_no_list(odd: str, path: str) -> None:
    answer = requests.get(odd + path, timeout=30)
    assert answer.status_code == 200, answer.text


def test_a_record_without_a_revision_gets_one(engine: sa.Engine, run_service: Callable[..., Any]) -> None:
    with engine.begin() as connection:
        empty(connection, "unrevised")
        connection.execute(sa.text("insert into unrevised.record (guid) values ('x')"))
    service = run_service(IndexApp, DatabaseSettings={"index_schema": "unrevised"})
    assert len(requests.get(f"{service.url}/index/index/x", timeout=30).json()["rev"]) == 8
