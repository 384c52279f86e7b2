"""Filters, permissions, DRS objects and measurements: what is decided without a database."""

import hashlib
import threading
from datetime import datetime
from itertools import accumulate
from typing import Any

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.access import access_ids
from commonshub.core.errors import BadRequest
from commonshub.core.identity import Identity
from commonshub.core.names import spellings
from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.core.records import Record
from commonshub.index import drs, filters, ledger, permissions
from commonshub.index.ledger import Measurement
from commonshub.index.measure import Stopped, measure

SITE = drs.Site("commons.example.org", "https://commons.example.org/user", drs.CLOUDS)


def record(**values: Any) -> Record:
    blank: dict[str, Any] = dict.fromkeys(Record._fields)
    blank |= {name: [] for name in ("urls", "acl", "authz", "aliases")}
    blank |= {name: {} for name in ("urls_metadata", "hashes", "metadata")}
    return Record(**(blank | {"did": "d"} | values))


@pytest.mark.parametrize(
    ("hashes", "told"),
    [
        ({"md5": "a", "crc": "b"}, [("crc32c", "b"), ("md5", "a")]),
        ({"crc32c": "c"}, [("crc32c", "c")]),
        ({"crc32c": "c", "crc": "b"}, [("crc32c", "b")]),
        ({"sha256": "d", "own": "e"}, [("own", "e"), ("sha256", "d")]),
    ],
)
def test_a_hash_has_the_name_that_drs_knows(hashes: dict[str, str], told: list[tuple[str, str]]) -> None:
    assert [(each["type"], each["checksum"]) for each in drs.checksums(hashes)] == told


def test_a_hash_is_found_by_the_name_that_drs_knows() -> None:
    assert filters.hashes({"hash": ["crc32c:89abcdef"]}) == filters.hashes({"hash": ["crc:89abcdef"]})
    with pytest.raises(BadRequest, match="crc"):
        filters.hashes({"hash": ["crc32c:89abcdeg"]})


names = st.sampled_from(
    "ids size hash metadata urls_metadata negate_params acl authz limit start page form".split(" ")  # noqa: SIM905
)


@given(st.dictionaries(names, st.lists(st.text(), min_size=1, max_size=2), max_size=4))
def test_any_arguments_are_either_understood_or_refused(arguments: dict[str, list[str]]) -> None:
    try:
        filters.record_filter(arguments, 1024)
    except BadRequest as error:
        assert error.message  # noqa: PT017 -- either outcome is right, any other error is not


def test_a_filter_without_arguments_lists_a_hundred() -> None:
    assert filters.record_filter({}, 1024) == filters.Filter(limit=100)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("Yes", True), ("t", True), ("false", False), ("", False)])
def test_flags(text: str, value: bool) -> None:
    assert filters.flag({"versioned": [text]}, "versioned") is value


@pytest.mark.parametrize("text", ["١", "1e3", " 1", "1" * 5000, "-0", "+1", ""])
def test_only_plain_digits_are_numbers(text: str) -> None:
    with pytest.raises(BadRequest, match="size"):
        filters.integer({"size": [text]}, "size", None)


@pytest.mark.parametrize("zeros", [20, 5000])
def test_leading_zeros_lead_past_no_bound(zeros: int) -> None:
    with pytest.raises(BadRequest, match="count must be between 0 and 1000"):
        filters.integer({"count": ["0" * zeros + "2000000"]}, "count", 1, 1000)


def snapshot(*granted: tuple[str, str]) -> Snapshot:
    policies = {
        str(place): Policy(
            str(place), frozenset({Permission("indexd", method)}), frozenset({tuple(path[1:].split("/"))})
        )
        for place, (method, path) in enumerate(granted)
    }
    return Snapshot(policies=policies, users={"u": User(policies=tuple(map(Binding, policies)))})


@pytest.mark.parametrize(
    ("granted", "authz", "allowed"),
    [
        ([("update", "/programs/p")], ["/programs/p/projects/q"], True),
        ([("update", "/programs/p")], ["/programs/p", "/programs/q"], False),
        ([("create", "/programs/p")], ["/programs/p"], False),
        ([("update", "/services/indexd/admin")], ["/anything"], True),
        ([("update", "/services/indexd/admin")], [], True),
        ([("update", "/services/indexd")], [], True),
        ([("update", "/services/indexd/bundles")], [], False),
        ([("update", "/programs")], [], True),
        ([("update", "/programs/p")], [], False),
        ([("file_upload", "/data_file")], [], False),
        ([("update", "/programs")], ["programs/p"], False),
        ([("update", "/services/indexd/admin")], ["programs/p"], True),
        ([], [], False),
    ],
)
def test_who_may_update(granted: list[tuple[str, str]], authz: list[str], allowed: bool) -> None:
    assert permissions.allows(snapshot(*granted), Identity("u"), "update", authz) is allowed


def test_a_client_acts_within_its_own_rights_too() -> None:
    assert not permissions.allows(
        snapshot(("update", "/programs")), Identity("u", client="c"), "update", ["/programs/p"]
    )


@pytest.mark.parametrize(
    ("prefix", "name", "spelt"),
    [("", "x", ["x"]), ("dg.X/", "x", ["x", "dg.X/x"]), ("dg.X/", "dg.X/x", ["dg.X/x", "x"])],
)
def test_spellings_of_a_guid(prefix: str, name: str, spelt: list[str]) -> None:
    assert spellings(name, prefix) == spelt


@given(st.lists(st.sampled_from(["s3://b/k", "https://h/p", "gs://b/k", "plain text", "s3://[", "://"])))
def test_access_ids_are_unique(urls: list[str]) -> None:
    distinct = list(dict.fromkeys(urls))
    found = access_ids(distinct)
    assert list(found.values()) == distinct


@pytest.mark.parametrize(
    ("dates", "created", "updated"),
    [
        ({}, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ({"created_date": datetime(2026, 1, 1)}, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        (
            {"created_date": datetime(2026, 1, 1), "content_created_date": datetime(2020, 1, 1, 1, 2, 3, 4)},
            "2020-01-01T01:02:03.000004Z",
            "2026-01-01T00:00:00Z",
        ),
    ],
)
def test_times_of_an_object_are_always_valid(dates: dict[str, Any], created: str, updated: str) -> None:
    found = drs.drs_object(record(size=1, **dates), SITE, public=False)
    assert (found["created_time"], found["updated_time"]) == (created, updated)


@pytest.mark.parametrize(
    ("told", "cloud", "region", "available"),
    [
        ({}, "gcp", "", True),
        ({"cloud": "own", "region": "eu", "available": "false"}, "own", "eu", False),
        ({"available": False}, "gcp", "", False),
        ({"available": "True"}, "gcp", "", True),
        ("no object", "gcp", "", True),
    ],
)
def test_metadata_of_a_url_describe_its_access_method(told: Any, cloud: str, region: str, available: bool) -> None:
    url = "gs://b/k"
    [method] = drs.drs_object(record(size=1, urls=[url], urls_metadata={url: told}), SITE, False)["access_methods"]
    assert (method["cloud"], method["region"], method["available"]) == (cloud, region, available)


@given(st.lists(st.binary(max_size=100)))
def test_a_stream_is_measured_whole(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    told: list[int] = []
    found = measure(chunks, threading.Event(), told.append)
    assert found.size == len(data)
    assert found.hashes == {
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "crc": f"{google_crc32c.value(data):08x}",
    }
    assert told == list(accumulate(map(len, chunks)))


def test_the_crc_is_castagnolis() -> None:
    # The check value of CRC-32C, as catalogues of such codes give it.
    assert measure([b"1234", b"56789"], threading.Event()).hashes["crc"] == "e3069283"


def test_measuring_ends_when_the_service_stops() -> None:
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Stopped):
        measure([b"x"], stopping)


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        ({}, False),
        ({"size": 1}, False),
        ({"size": 2}, True),
        ({"hashes": {"md5": "b"}}, True),
        ({"hashes": {"sha1": "b"}}, False),
    ],
)
def test_a_record_is_compared_with_its_bytes(said: dict[str, Any], differs: bool) -> None:
    assert bool(ledger.difference(record(**said), Measurement(1, {"md5": "a"}))) is differs


entries = st.fixed_dictionaries({"bulk_object_id": st.text(), "bulk_access_ids": st.lists(st.text(), max_size=3)})


@given(st.dictionaries(st.just("bulk_object_access_ids"), st.lists(entries | st.text() | st.none()) | st.text()))
def test_any_request_for_urls_is_either_understood_or_refused(body: dict[str, Any]) -> None:
    try:
        asked = drs.bulk_access_ids(body)
    except BadRequest:
        return
    given = body["bulk_object_access_ids"]
    assert set(asked) == {(each["bulk_object_id"], name) for each in given for name in each["bulk_access_ids"]}
    assert len(asked) == len(set(asked)) > 0
