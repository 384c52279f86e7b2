"""Bad input is the client's fault: no argument, body or value makes the index fail, and each fault is named."""

import json
import random
import uuid
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.index_service import Ask, ask, body, label, make

__all__ = ["ask"]

SHA256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"

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
    *("0" * 20 + "9" * 20, "0" * 5000),
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


WHOLE: dict[str, Any] = {
    **dict.fromkeys(("file_name", "version", "uploader", "description", "content_created_date", "form"), "@"),
    **dict.fromkeys(("did", "baseid"), f"@{GUID}"),
    "acl": ["@"],
    "authz": ["/@"],
    "urls": ["s3://b/@"],
    "hashes": {"md5": "0" * 32, "@": "@"},
    "metadata": {"@": ["@"]},
    "urls_metadata": {"s3://b/@": {"@": "@"}},
}
UNSTORABLE = ["\\u0000", "\\ud800", "\\udc00\\ud800", "\\ud800" + "x" * 3000]


def texts(value: Any) -> int:
    """How many texts in a JSON value are marked."""
    return json.dumps(value).count("@")


@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, value in WHOLE.items() for place in range(texts(value))]
)
@pytest.mark.parametrize("text", UNSTORABLE, ids=["nul", "surrogate", "reversed", "long"])
def test_text_that_cannot_be_stored_is_refused_wherever_it_is(ask: Ask, name: str, place: int, text: str) -> None:
    """Sent as JSON writes it: a NUL, and halves of surrogate pairs, which are no characters."""
    parts = json.dumps(WHOLE[name]).split("@")
    spoilt = "x".join(parts[: place + 1]) + text + "x".join(parts[place + 1 :])
    sound = json.dumps(body(urls=["s3://b/x"])).replace('"s3://b/x"', '"s3://b/x", "s3://b/y"')
    answer = ask("POST", "/index/index", data=f'{sound[:-1]}, "{name}": {spoilt}}}')
    assert answer.status_code == 400, answer.text
    assert name in answer.text or "JSON" in answer.json()["error"]


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("-0", 200),
        (str(2**63 - 1), 200),
        *(
            (each, 400)
            for each in (str(2**63), str(2**64), "9" * 500, "-1", "1e3", "-0.0", "1e400", "NaN", "-Infinity")
        ),
    ],
    ids=label,
)
def test_a_size_is_a_number_that_fits(ask: Ask, number: str, status: int) -> None:
    answer = ask("POST", "/index/index", data=json.dumps(body(size="@")).replace('"@"', number))
    assert answer.status_code == status, answer.text


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


@pytest.mark.parametrize("did", ["dg.T/a%2Fb/{}", "100% sure/{}", "é ü/{}", "a//b/{}", "a?b#c/{}", "x/latest/{}", "{}"])
@pytest.mark.parametrize("safe", ["", "/"])
def test_a_guid_may_hold_what_a_path_writes_otherwise(ask: Ask, did: str, safe: str) -> None:
    made = ask("POST", "/index/index", json=body(did=did.format(uuid.uuid4()))).json()
    name = quote(made["did"], safe=safe)
    record = ask("GET", f"/index/index/{name}").json()
    assert record["did"] == made["did"]
    assert ask("GET", f"/index/{name}/").json() == record
    assert ask("GET", f"/ga4gh/drs/v1/objects/{name}").json()["id"] == made["did"]
    assert ask("DELETE", f"/index/index/{name}?rev={made['rev']}").status_code == 200


# Tests are named after some of it, and have the same names each time.
RANDOM = random.Random(1)


def noise(characters: int) -> str:
    """Text that no index can compress."""
    return RANDOM.randbytes(characters // 2 + 1).hex()[:characters]


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
