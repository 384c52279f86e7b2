"""Known complaints about indexd, and faults found in it: none of them is here. One test, or row of a table, each."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import requests
import sqlalchemy as sa
from tests.index_service import Ask, ask, body, label, make
from tests.tokens import bearer

from commonshub.core import records
from commonshub.core.records import Draft

__all__ = ["ask"]

WRITERS = 8
SHA256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(database_url)
    yield made
    made.dispose()


# -- writers at the same time --------------------------------------------------------


def race(url: str, token: str, method: str, path: str, bodies: list[Any]) -> list[int]:
    """Statuses of requests that are sent at the same moment, each from a thread and a connection of its own."""
    start = threading.Barrier(len(bodies))

    def send(content: Any) -> int:
        with requests.Session() as session:
            session.headers["Authorization"] = f"bearer {token}"
            session.get(f"{url}/index/_status", timeout=60)
            start.wait(60)
            return session.request(method, url + path, json=content, timeout=60).status_code

    with ThreadPoolExecutor(len(bodies)) as threads:
        return sorted(threads.map(send, bodies))


@pytest.mark.parametrize("turn", range(5))
def test_one_of_many_updates_from_the_same_revision_wins(
    ask: Ask, url: str, token: Callable[..., str], turn: int
) -> None:
    record = make(ask)
    path = f"/index/index/{record['did']}?rev={record['rev']}"
    names = [f"writer {number}" for number in range(WRITERS)]
    statuses = race(url, token("admin"), "PUT", path, [{"file_name": name} for name in names])
    assert statuses == [200, *[409] * (WRITERS - 1)]
    assert ask("GET", f"/index/index/{record['did']}").json()["file_name"] in names


def test_one_of_many_deletions_of_the_same_revision_wins(ask: Ask, url: str, token: Callable[..., str]) -> None:
    record = make(ask)
    path = f"/index/index/{record['did']}?rev={record['rev']}"
    statuses = race(url, token("admin"), "DELETE", path, [None] * WRITERS)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {404, 409}


def test_a_blank_record_is_filled_once(ask: Ask, url: str, token: Callable[..., str]) -> None:
    blank = ask("POST", "/index/index/blank", json={}).json()
    path = f"/index/index/blank/{blank['did']}?rev={blank['rev']}"
    fillings = [{"size": number, "hashes": {"md5": uuid.uuid4().hex}} for number in range(WRITERS)]
    statuses = race(url, token("admin"), "PUT", path, fillings)
    assert statuses.count(200) == 1
    filled = ask("GET", f"/index/index/{blank['did']}").json()
    assert fillings[filled["size"]]["hashes"] == filled["hashes"]


def test_one_of_many_records_with_the_same_guid_is_created(ask: Ask, url: str, token: Callable[..., str]) -> None:
    did = str(uuid.uuid4())
    statuses = race(url, token("admin"), "POST", "/index/index", [body(did=did) for _ in range(WRITERS)])
    assert statuses == [200, *[409] * (WRITERS - 1)]


def test_one_of_many_records_gets_an_alias(ask: Ask, url: str, token: Callable[..., str]) -> None:
    dids = [make(ask)["did"] for _ in range(WRITERS)]
    alias = f"wanted {uuid.uuid4()}"
    start = threading.Barrier(WRITERS)
    headers = bearer(token("admin"))

    def take(did: str) -> int:
        start.wait(60)
        path = f"{url}/index/index/{did}/aliases"
        return requests.post(path, json={"aliases": [{"value": alias}]}, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(WRITERS) as threads:
        statuses = dict(zip(dids, threads.map(take, dids), strict=True))
    assert sorted(statuses.values()) == [200, *[409] * (WRITERS - 1)]
    winner = next(did for did, status in statuses.items() if status == 200)
    assert ask("GET", f"/index/{quote(alias)}").json()["did"] == winner


def test_creates_do_not_wait_for_each_other(ask: Ask, engine: sa.Engine) -> None:
    """There is no row, such as this month's totals, that all of them change."""
    with engine.connect() as first, engine.connect() as second:
        second.execute(sa.text("set lock_timeout = '5s'"))
        records.create(first, "index", [Draft(size=1)])
        records.create(second, "index", [Draft(size=1)])
        second.rollback()
        first.rollback()


# -- limits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/index/bulk/documents", ["x"] * 10_001, 413),
        ("POST", "/ga4gh/drs/v1/objects", {"bulk_object_ids": ["x"] * 1001}, 413),
        ("OPTIONS", "/ga4gh/drs/v1/objects", {"bulk_object_ids": ["x"] * 1001}, 413),
        (
            "POST",
            "/ga4gh/drs/v1/objects/access",
            {"bulk_object_access_ids": [{"bulk_object_id": str(n), "bulk_access_ids": ["s3"]} for n in range(1001)]},
            413,
        ),
        ("GET", "/index/guid/mint?count=10001", None, 400),
        ("GET", "/index/index?limit=1025", None, 400),
        ("GET", "/index/index?ids=" + ",".join("x" * 9 for _ in range(1025)), None, 400),
        ("GET", "/index/urls?limit=1025", None, 400),
    ],
    ids=label,
)
def test_limits_that_are_announced_are_enforced(ask: Ask, method: str, path: str, content: Any, status: int) -> None:
    assert ask(method, path, json=content).status_code == status


# -- what filters find ---------------------------------------------------------------------


def found(ask: Ask, query: str) -> set[str]:
    answer = ask("GET", f"/index/index?{query}")
    assert answer.status_code == 200, answer.text
    return {each["did"] for each in answer.json()["records"]}


def test_one_of_several_hashes_finds_a_record(ask: Ask) -> None:
    record = make(ask, hashes={"md5": uuid.uuid4().hex, "sha256": SHA256})
    assert record["did"] in found(ask, f"hash=md5:{record['hashes']['md5']}")
    assert record["did"] in found(ask, f"hash=sha256:{SHA256}")


@pytest.mark.parametrize("name", ["url", "urls"])
def test_both_names_of_the_filter_by_url_work(ask: Ask, name: str) -> None:
    location = f"s3://defects/{uuid.uuid4()}"
    record = make(ask, urls=[location])
    assert found(ask, urlencode({name: location})) == {record["did"]}


def test_ids_find_records_where_guids_have_no_prefix(ask: Ask) -> None:
    dids = {make(ask)["did"], make(ask, did=f"dg.X/{uuid.uuid4()}")["did"]}
    assert found(ask, urlencode({"ids": ",".join(dids)})) == dids


INJECTED = ["' or true --", "%", "_", '"', "\\", "'); drop table index.record; --", "{x}", "%s", "%(x)s", ":x"]


@pytest.mark.parametrize("text", INJECTED)
def test_values_are_never_read_as_sql(ask: Ask, text: str) -> None:
    mark = uuid.uuid4().hex
    location = f"s3://b/{mark}"
    record = make(ask, urls=[location], urls_metadata={location: {"k": "v"}}, uploader=mark)
    for negated, hits in [
        ({"urls_metadata": {location: {text: ""}}}, {record["did"]}),
        ({"urls_metadata": {text: {"k": text}}}, {record["did"]}),
        ({"urls_metadata": {location: {"k": "v"}}}, set()),
        ({"metadata": {text: text}}, {record["did"]}),
        ({"urls": [text]}, {record["did"]}),
    ]:
        assert found(ask, urlencode({"uploader": mark, "negate_params": json.dumps(negated)})) == hits, negated
    assert found(ask, urlencode({"uploader": mark, "urls_metadata": json.dumps({text: {text: text}})})) == set()
    assert found(ask, urlencode({"uploader": text})) == set()


def test_pages_by_date_hold_every_record_once_though_dates_are_equal(ask: Ask, engine: sa.Engine) -> None:
    mark = uuid.uuid4().hex
    table = records.tables("index").record
    with engine.begin() as connection:
        made = {each.did for each in records.create(connection, "index", [Draft(size=1, uploader=mark)] * 25)}
        same = sa.update(table).where(table.c.uploader == mark).values(updated_date=sa.func.now())
        connection.execute(same)
    pages = [
        [each["did"] for each in ask("GET", f"/index/index?uploader={mark}&limit=4&page={page}").json()["records"]]
        for page in range(8)
    ]
    seen = [did for page in pages for did in page]
    assert (len(seen), set(seen)) == (25, made)
    assert pages[7] == []


def test_what_is_stored_as_a_number_or_object_comes_back_as_it_was(ask: Ask) -> None:
    metadata = {"flag": False, "number": 3, "nested": {"a": [1, None]}}
    assert make(ask, metadata=metadata)["metadata"] == metadata


def test_the_order_of_urls_is_kept(ask: Ask) -> None:
    urls = [f"s3://b/{name}" for name in "zaymb"]
    assert make(ask, urls=urls)["urls"] == urls


def test_a_baseid_is_no_guid_but_leads_to_the_newest_version(ask: Ask) -> None:
    first = make(ask)
    second = ask("POST", f"/index/index/{first['did']}", json=body()).json()
    for path in ("/index/index/", "/index/", "/ga4gh/drs/v1/objects/"):
        answer = ask("GET", path + first["baseid"]).json()
        assert answer.get("did", answer.get("id")) == second["did"]


def test_a_size_of_nothing_is_a_filter_too(ask: Ask) -> None:
    empty, full = (make(ask, size=size, urls=[f"s3://sizes/{size}"])["did"] for size in (0, 1))
    answer = ask("GET", f"/index/urls?size=0&ids={empty},{full}")
    assert [each["url"] for each in answer.json()["urls"]] == ["s3://sizes/0"]


def test_a_password_opens_nothing(url: str) -> None:
    for method, path in [("POST", "/index/index"), ("POST", "/index/index/blank"), ("DELETE", "/index/bundle/x")]:
        answer = requests.request(method, url + path, auth=("gateway", "password"), json=body(), timeout=60)
        assert (answer.status_code, "error" in answer.json()) == (401, True)


@pytest.mark.parametrize("authz", ["/programs", {"/programs": 1}, [1], None])
def test_the_paths_of_a_blank_record_are_a_list(ask: Ask, authz: Any) -> None:
    record = make(ask)
    for path in ("/index/index/blank", f"/index/index/blank/{record['did']}"):
        answer = ask("POST", path, json={"authz": authz})
        assert (answer.status_code, "authz" in answer.json()["error"]) == (400, True)


def test_an_error_is_json_whatever_goes_wrong(ask: Ask) -> None:
    answers = [
        ask("POST", "/index/index", data=b"{"),
        ask("PATCH", "/index/index"),
        ask("GET", "/index/nothing/here"),
        ask("POST", "/index/index/blank", data=b""),
        ask("GET", "/index/guid/mint?count=x"),
    ]
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}
    assert all(answer.json()["error"] for answer in answers)
    assert [answer.status_code for answer in answers] == [400, 405, 404, 400, 400]
