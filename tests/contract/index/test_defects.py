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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonshub.core import records
from commonshub.core.records import Draft

WRITERS = 8
SHA256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
Ask = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def ask(url: str, token: Callable[..., str]) -> Iterator[Ask]:
    """``ask("POST", "/index/index", json={…})``, by an administrator."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"bearer {token('admin')}"

        def send(method: str, path: str, **options: Any) -> requests.Response:
            return session.request(method, url + path, timeout=60, **options)

        yield send


def body(**values: Any) -> dict[str, Any]:
    return {"form": "object", "size": 1, "urls": [], "hashes": {"md5": uuid.uuid4().hex}, **values}


def make(ask: Ask, **values: Any) -> dict[str, Any]:
    answer = ask("POST", "/index/index", json=body(**values))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = ask("GET", f"/index/index/{answer.json()['did']}").json()
    return document


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
    headers = {"Authorization": f"bearer {token('admin')}"}

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


# -- bad input is the client's fault -------------------------------------------------

GUID = "00000000-0000-4000-8000-0000000000aa"
LISTS = "limit start page ids size file_name version uploader url urls acl authz hash metadata urls_metadata"
READS = {
    "/index/index": [*LISTS.split(), "negate_params", "form"],
    f"/index/index/{GUID}": ["expand"],
    f"/index/index/{GUID}/versions": [],
    f"/index/index/{GUID}/latest": ["has_version"],
    f"/index/index/{GUID}/aliases": [],
    f"/index/index/{GUID}/blob": [],
    f"/index/{GUID}": ["no_dist"],
    "/index/urls": ["size", "hash", "ids", "start", "limit"],
    "/index/_query/urls/q": ["include", "exclude", "versioned", "fields", "limit", "offset"],
    "/index/_query/urls/metadata/q": ["key", "value", "url", "versioned", "fields", "limit", "offset"],
    "/index/_stats": ["month", "year"],
    "/index/_dist": [],
    "/index/guid/mint": ["count"],
    "/index/guid/prefix": [],
    "/index/bundle": ["form", "limit", "page", "start"],
    "/ga4gh/drs/v1/objects": ["form", "limit", "page", "start"],
    "/ga4gh/drs/v1/service-info": [],
    f"/ga4gh/drs/v1/objects/{GUID}": ["expand"],
    f"/ga4gh/drs/v1/objects/{GUID}/access/s3": ["expires_in", "no_force_sign"],
}
WRITES = [
    ("POST", "/index/index"),
    ("POST", f"/index/index/{GUID}"),
    ("PUT", f"/index/index/{GUID}?rev=00000000"),
    ("POST", "/index/index/blank"),
    ("POST", f"/index/index/blank/{GUID}"),
    ("PUT", f"/index/index/blank/{GUID}?rev=00000000"),
    ("PUT", f"/index/index/{GUID}/versions"),
    ("POST", f"/index/index/{GUID}/aliases"),
    ("PUT", f"/index/index/{GUID}/aliases"),
    ("POST", "/index/bulk/documents"),
    *((method, "/index/bulk/records") for method in ("POST", "PUT", "DELETE", "PATCH")),
    ("POST", "/index/bulk/hashes"),
    ("POST", "/index/bundle"),
    ("POST", "/ga4gh/drs/v1/objects"),
    ("OPTIONS", "/ga4gh/drs/v1/objects"),
    ("POST", "/ga4gh/drs/v1/objects/access"),
    ("POST", f"/ga4gh/drs/v1/objects/{GUID}/access/s3"),
]
ARGUMENTS = sorted({name for names in READS.values() for name in names} | {"strange"})
NONSENSE = [
    *("", "x", "-1", "0", "1.5", "9223372036854775807", "9223372036854775808", "1" * 400, "\x00", "٣", "null", "true"),
    *(
        ":",
        "a:",
        ":a",
        "md5:",
        "md5:zz",
        "{",
        "{}",
        "[]",
        "[1]",
        '"a"',
        '{"a":1}',
        '{"a":{"b":1}}',
        "%",
        "'",
        '"',
        "\\",
    ),
    *(
        '{"urls_metadata":1}',
        '{"metadata":[]}',
        '{"urls":[null]}',
        '{"a":{"b":{}}}',
        '{"acl":{}}',
        "[" * 2000,
        "x" * 9000,
    ),
]
FIELDS = [
    *("did", "baseid", "form", "size", "hashes", "urls", "urls_metadata", "acl", "authz", "metadata", "file_name"),
    *("version", "uploader", "description", "content_created_date", "content_updated_date", "aliases", "value"),
    *("create", "update", "delete", "bundles", "bundle_id", "checksums", "checksum", "type", "name"),
    *("bulk_object_ids", "bulk_object_access_ids", "bulk_object_id", "bulk_access_ids", "passports", "md5", "rev"),
]
HUNT = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", autouse=True)
def subject(ask: Ask) -> None:
    """The record that the routes above are about."""
    make(ask, did=GUID, urls=["s3://b/k"])


@pytest.mark.parametrize("path", READS)
def test_no_argument_makes_a_read_fail(ask: Ask, path: str) -> None:
    tried = [(name, value) for name in [*READS[path], "strange"] for value in NONSENSE]
    answers = {each: ask("GET", f"{path}?{urlencode([each])}") for each in tried}
    assert {each: answer.text for each, answer in answers.items() if answer.status_code >= 500} == {}


values = st.one_of(st.sampled_from(NONSENSE), st.text(max_size=60), st.binary(max_size=30))
queries = st.lists(st.tuples(st.sampled_from(ARGUMENTS), values), max_size=5)


@HUNT
@given(path=st.sampled_from([*READS]), query=queries)
def test_no_combination_of_arguments_makes_a_read_fail(ask: Ask, path: str, query: list[tuple[str, Any]]) -> None:
    text = urlencode(query, errors="surrogatepass")
    answer = ask("GET", f"{path}?{text}")
    assert answer.status_code < 500, answer.text


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "\0", "\ud800", "s3://b/k", "/programs", "0" * 32, "0001-01-01T00:00+14:00", 2**63, 1e400]),
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner),
    max_leaves=12,
)


@HUNT
@given(route=st.sampled_from(WRITES), document=documents)
def test_no_body_makes_a_write_fail(ask: Ask, route: tuple[str, str], document: Any) -> None:
    method, path = route
    answer = ask(method, path, data=json.dumps(document))
    assert answer.status_code < 500, answer.text


@HUNT
@given(route=st.sampled_from(WRITES), content=st.binary(max_size=50))
def test_no_bytes_make_a_write_fail(ask: Ask, route: tuple[str, str], content: bytes) -> None:
    method, path = route
    assert ask(method, path, data=content).status_code < 500


@pytest.mark.parametrize(
    "path", ["/index/index/%FF", "/index/%C3%28", "/index/index/a%00b", "/ga4gh/drs/v1/objects/%00", "/index/%E2%82"]
)
def test_a_path_that_is_no_text_is_refused(ask: Ask, path: str) -> None:
    answer = ask("GET", path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/json")


def noise(characters: int) -> str:
    """Text that no index can compress."""
    return "".join(uuid.uuid4().hex for _ in range(characters // 32 + 1))[:characters]


LONG = noise(9000)
FAR = "0001-01-01T00:00:00+14:00"
BAD_VALUES: list[tuple[str, Any]] = [
    ("size", -1),
    ("size", 2**63),
    ("size", 1.5),
    ("size", "1"),
    ("hashes", {"md5": "zz"}),
    ("hashes", {"md5": None}),
    ("hashes", None),
    ("hashes", {"md5": "0" * 32, "other": 1}),
    ("hashes", {"md5": "0" * 32, "other": LONG}),
    ("urls", None),
    ("urls", [None]),
    ("urls", [""]),
    ("urls", ["no URL"]),
    ("urls", ["s3:"]),
    ("urls", ["s3://b/k", "s3://b/k"]),
    ("urls", ["s3://b/\0"]),
    ("urls", ["s3://b/\n"]),
    ("urls", [f"s3://b/{LONG}"]),
    ("authz", None),
    ("authz", ["no path"]),
    ("authz", ["/" + LONG]),
]
BAD_IN_A_RECORD: list[tuple[str, Any]] = [
    *BAD_VALUES,
    ("acl", [LONG]),
    ("file_name", LONG),
    ("version", LONG),
    ("uploader", LONG),
    ("did", LONG + GUID),
    ("baseid", "not a GUID"),
    ("metadata", None),
    ("metadata", []),
    ("metadata", {"k": "\0"}),
    ("urls_metadata", {"s3://b/k": None}),
    ("content_created_date", "yesterday"),
    ("content_created_date", FAR),
    ("content_created_date", "9999-12-31T23:59:59-14:00"),
    ("content_created_date", 7),
]


def label(value: Any) -> str:
    return str(value)[:30].encode("unicode_escape").decode()


@pytest.mark.parametrize(("name", "value"), BAD_IN_A_RECORD, ids=label)
def test_a_bad_value_is_named_when_a_record_is_created(ask: Ask, name: str, value: Any) -> None:
    answer = ask("POST", "/index/index", json=body(**{name: value}))
    assert answer.status_code == 400, answer.text
    assert [each["field"] for each in answer.json()["details"]] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [each for each in BAD_IN_A_RECORD if each[0] not in ("size", "hashes", "did", "baseid")],
    ids=label,
)
def test_a_bad_value_is_named_when_a_record_is_changed(ask: Ask, name: str, value: Any) -> None:
    record = make(ask)
    answer = ask("PUT", f"/index/index/{record['did']}?rev={record['rev']}", json={name: value})
    assert answer.status_code == 400, answer.text
    assert name in [each["field"] for each in answer.json()["details"]]
    assert ask("GET", f"/index/index/{record['did']}").json() == record


@pytest.mark.parametrize(("name", "value"), BAD_VALUES, ids=label)
def test_a_bad_value_is_named_when_a_blank_record_is_filled(ask: Ask, name: str, value: Any) -> None:
    blank = ask("POST", "/index/index/blank", json={}).json()
    filling = {"size": 1, "hashes": {"md5": "0" * 32}, name: value}
    answer = ask("PUT", f"/index/index/blank/{blank['did']}?rev={blank['rev']}", json=filling)
    assert answer.status_code == 400, answer.text
    assert [each["field"] for each in answer.json()["details"]] == [name]


@pytest.mark.parametrize("name", ["file_name", "version", "uploader", "acl", "urls", "baseid"])
def test_the_longest_value_that_is_accepted_can_be_stored(ask: Ask, name: str) -> None:
    longest = noise(2600)
    value = {"acl": [longest], "urls": ["s3:" + longest[3:]], "baseid": noise(476) + GUID}.get(name, longest)
    assert make(ask, did=noise(476) + str(uuid.uuid4()), **{name: value})[name] == value


@pytest.mark.parametrize("name", ["file_name", "version", "uploader", "description", "content_created_date"])
def test_null_empties_what_may_be_empty(ask: Ask, name: str) -> None:
    given = "2023-03-14T17:02:54" if name.endswith("date") else "text"
    record = make(ask, **{name: given})
    nulls = {name: None, "content_updated_date": None} if name.endswith("date") else {name: None}
    answer = ask("PUT", f"/index/index/{record['did']}?rev={record['rev']}", json=nulls)
    assert answer.status_code == 200, answer.text
    assert ask("GET", f"/index/index/{record['did']}").json()[name] is None


@pytest.mark.parametrize(
    "aliases",
    [{}, {"aliases": None}, {"aliases": [{}]}, {"aliases": [{"value": None}]}, {"aliases": [{"value": ""}]},
     {"aliases": [{"value": LONG}]}, {"aliases": [{"value": "\0"}]}, {"aliases": ["a"]},
     {"aliases": [{"value": "a"}, {"value": "a"}]}],
    ids=label,
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_bad_aliases_are_refused(ask: Ask, method: str, aliases: Any) -> None:
    did = make(ask)["did"]
    answer = ask(method, f"/index/index/{did}/aliases", json=aliases)
    assert answer.status_code == 400, answer.text
    assert ask("GET", f"/index/index/{did}/aliases").json() == {"aliases": []}


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


def test_an_error_is_json_whatever_goes_wrong(ask: Ask) -> None:
    answers = [
        ask("POST", "/index/index", data=b"{"),
        ask("PATCH", "/index/index"),
        ask("GET", "/index/nothing/here"),
        ask("POST", "/index/index/blank", data=b""),
    ]
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}
    assert all(answer.json()["error"] for answer in answers)
    assert [answer.status_code for answer in answers] == [400, 405, 404, 400]
