"""Which bytes a record stands for, and who may have them."""

import math
from collections.abc import Iterable
from typing import Any

import pytest
from traitlets import TraitError

from commonshub.core.access import (
    Asker,
    Shown,
    closed_paths,
    lifetime,
    locate,
    may_delete,
    may_read,
    may_write,
    owns,
    reaches,
    readable_until,
)
from commonshub.core.blobs import location_of
from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, PermissionDenied
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Binding, Client, Permission, Policy, Snapshot, User, parse_path
from commonshub.core.records import Record
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Location, Storage

GUID = "dg.TEST/1f3d8a66-0c7c-4a5c-9d42-0b6a8b7f2c11"
READ = frozenset({Permission("fence", "read-storage")})
WRITE = frozenset({Permission("fence", "write-storage")})
WORLD = Snapshot(
    policies={
        "readers": Policy("readers", READ, frozenset({parse_path("/programs/a")})),
        "writers": Policy("writers", WRITE, frozenset({parse_path("/programs/a")})),
    },
    users={
        "reader": User((Binding("readers"),)),
        "writer": User((Binding("writers"),)),
        "gone": User((Binding("readers"),), active=False),
    },
    clients={"app": Client((Binding("readers"),))},
    projects={"old": parse_path("/programs/a/projects/old")},
)


def record(**fields: Any) -> Record:
    empty = dict.fromkeys(Record._fields)
    lists: dict[str, Any] = {name: [] for name in ("urls", "acl", "authz", "aliases")}
    maps: dict[str, Any] = {name: {} for name in ("urls_metadata", "hashes", "metadata")}
    return Record(**{**empty, **lists, **maps, "did": GUID, **fields})


def asker(name: str | None, client: str | None = None, scopes: Iterable[str] = ("data",)) -> Asker:
    return Asker(WORLD, Identity(name, client, frozenset(scopes)) if name or client else ANONYMOUS)


@pytest.mark.parametrize(
    ("fields", "who", "allowed"),
    [
        ({"authz": ["/programs/a/projects/x"]}, ("reader", None), True),
        ({"authz": ["/programs/a/projects/x"]}, ("reader", "app"), True),
        ({"authz": ["/programs/a/projects/x"]}, ("writer", "app"), False),
        ({"authz": ["/programs/a/projects/x"]}, (None, "app"), True),
        ({"authz": ["/programs/a", "/programs/b"]}, ("reader", None), False),
        ({"authz": ["/programs/a"]}, ("gone", None), False),
        ({"acl": ["old"]}, ("reader", None), True),
        ({"acl": ["new", "old"]}, ("reader", None), True),
        ({"acl": ["new"]}, ("reader", None), False),
        ({"acl": ["old"]}, ("writer", None), False),
        ({"acl": ["old"]}, ("gone", None), False),
        ({"acl": ["old"]}, (None, None), False),
        ({"acl": ["old"], "uploader": "x"}, ("reader", None), False),
        ({"acl": ["old"], "uploader": "x"}, ("x", None), True),
        ({"uploader": "x"}, ("x", "app"), False),
        ({"acl": ["*"]}, (None, None), True),
        ({}, ("reader", None), False),
    ],
    ids=str,
)
def test_who_may_read(fields: dict[str, Any], who: tuple[str | None, str | None], allowed: bool) -> None:
    assert may_read(asker(*who), record(**fields)) == allowed


@pytest.mark.parametrize("may", [may_write, may_delete])
def test_everybodys_data_are_nobodys_to_change(may: Any) -> None:
    assert not may(asker("writer"), record(acl=["*"]))
    assert not may(asker(None), record(acl=["*"]))


def test_reading_is_not_writing() -> None:
    kept = record(authz=["/programs/a"])
    assert (may_write(asker("reader"), kept), may_write(asker("writer"), kept)) == (False, True)
    assert not may_delete(asker("writer"), kept)


@pytest.mark.parametrize(
    ("bucket", "key", "reached"),
    [
        ("commons", f"{GUID}/file", True),
        ("commons", f"{GUID}/deep/file", True),
        ("commons", f"{GUID}", False),
        ("commons", f"{GUID}/", False),
        ("commons", f"{GUID}x/file", False),
        ("commons", f"{GUID}/../other/file", False),
        ("commons", f"{GUID}/./file", False),
        ("commons", f"/{GUID}/file", False),
        ("commons", "other/file", False),
        ("project", "a/file", True),
        ("project", "ab/file", False),
        ("project", "b/file", False),
        ("project", "a/secret/file", False),
        ("project", "a/../b/file", False),
        ("public", "anything", True),
        ("unknown", f"{GUID}/file", False),
    ],
)
def test_what_a_record_reaches(bucket: str, key: str, reached: bool) -> None:
    tied = {
        "s3://project/a": ["/programs/a"],
        "s3://project/a/secret/": ["/programs/a/projects/secret"],
        "s3://project/b": ["/programs/b"],
        "s3://public": ["*"],
    }
    settings = StorageSettings(upload_bucket="commons", bucket_resources=tied)
    kept, place = record(authz=["/programs/a/projects/x"]), Location(bucket, key)
    assert reaches(kept, place, settings) == reached
    # What every record may point to is no record's own.
    assert owns(kept, place, settings) == (reached and bucket != "public")


@pytest.mark.parametrize(
    ("did", "reached"),
    [
        ("1f3d8a66-0c7c-4a5c-9d42-0b6a8b7f2c11", True),
        ("ark:/13030/1f3d8a66-0c7c-4a5c-9d42-0b6a8b7f2c11", True),
        (f"{GUID}/2f3d8a66-0c7c-4a5c-9d42-0b6a8b7f2c11", False),
        (f"{GUID}/folder/2f3d8a66-0c7c-4a5c-9d42-0b6a8b7f2c11", False),
        (f"{GUID}x/2f3d8a66-0c7c-4a5c-9d42-0b6a8b7f2c11", True),
        (f"../commons/{GUID}", False),
        (f"x/../{GUID}", False),
        (f"./{GUID}", False),
        (f"x//{GUID}", False),
    ],
)
def test_a_record_below_another_has_no_folder_of_its_own(did: str, reached: bool) -> None:
    settings = StorageSettings(upload_bucket="commons")
    assert reaches(record(did=did), Location("commons", f"{did}/file"), settings) == reached
    if reached:
        assert location_of("commons", did, "file").key == f"{did}/file"
    else:
        with pytest.raises(BadRequest, match="another record"):
            location_of("commons", did, "file")


def test_a_record_of_no_project_reaches_no_projects_bucket() -> None:
    settings = StorageSettings(bucket_resources={"s3://project": ["/programs/a"]})
    assert not reaches(record(uploader="x"), Location("project", "file"), settings)


def test_a_token_narrowed_to_something_else_has_what_is_open_to_everybody() -> None:
    narrow = asker("reader", scopes=["user"])
    assert not may_read(narrow, record(authz=["/programs/a"]))
    assert not may_read(asker("x", scopes=["user"]), record(uploader="x"))
    assert may_read(narrow, record(acl=["*"]))


@pytest.mark.parametrize(
    ("switched_on", "fields", "refusal"),
    [
        (False, {"authz": ["/programs/a"]}, PermissionDenied),
        (False, {"authz": ["/programs/b"]}, PermissionDenied),
        (False, {"uploader": "app"}, PermissionDenied),
        (False, {"acl": ["*"]}, None),
        (True, {"authz": ["/programs/a"]}, None),
        (True, {"authz": ["/programs/b"]}, AuthenticationRequired),
        (True, {"uploader": "app"}, AuthenticationRequired),
        (True, {"acl": ["*"]}, None),
    ],
    ids=str,
)
def test_a_client_alone_has_what_the_switch_says(
    switched_on: bool, fields: dict[str, Any], refusal: type[CommonsError] | None
) -> None:
    settings = StorageSettings(client_credentials_download=switched_on)
    kept = record(urls=["https://x.example/"], **fields)
    if refusal is None:
        assert locate(asker(None, "app"), kept, None, settings) == "https://x.example/"
    else:
        with pytest.raises(refusal):
            locate(asker(None, "app"), kept, None, settings)


def test_buckets_lie_where_their_settings_say() -> None:
    stores = {"far": {"endpoint_url": "https://far.example/", "region": "eu"}, "aws": {"endpoint_url": ""}}
    storage = Storage(StorageSettings(endpoint_url="http://here", buckets=["more"], stores=stores))
    assert storage.buckets == {"commons", "more", "far", "aws"}
    assert {name: storage.address(Location(name, "a b")) for name in storage.buckets} == {
        "commons": "http://here/commons/a%20b",
        "more": "http://here/more/a%20b",
        "far": "https://far.example/far/a%20b",
        "aws": "https://aws.s3.us-east-1.amazonaws.com/a%20b",
    }
    assert storage.store("far") == ("https://far.example/", "eu", "", False)


@pytest.mark.parametrize(
    "stores", [{"b": {"endpoint": "x"}}, {"b": {"region": 1}}, {"b": "https://x"}, {"b": {"public": "yes"}}]
)
def test_what_a_store_cannot_have_is_told_at_the_start(stores: Any) -> None:
    with pytest.raises(TraitError, match="bucket 'b' may have endpoint_url"):
        StorageSettings(stores=stores)


OPEN_WORLD = Snapshot(
    policies={"open": Policy("open", READ, frozenset({parse_path("/open")}))}, groups={"anonymous": ("open",)}
)


@pytest.mark.parametrize(
    ("authz", "until"),
    [
        (["/programs/a"], 10.0),
        (["/programs/a/projects/x"], 20.0),
        (["/programs/a", "/programs/b"], 5.0),
        (["/programs/a", "/open"], 10.0),
        (["/open"], math.inf),
        (["/programs/ab"], None),
        (["/programs"], None),
        (["/programs/a", "/programs/c"], None),
        (["/programs/a", "no path"], None),
        ([], None),
    ],
)
def test_visas_let_read_until_the_first_that_is_needed_ends(authz: list[str], until: float | None) -> None:
    shown = Shown({"/programs/a": 10.0, "/programs/a/projects/x": 20.0, "/programs/b": 5.0})
    visitor = Asker(OPEN_WORLD, ANONYMOUS, shown=shown)
    found = record(authz=authz)
    assert readable_until(visitor, found) == until
    assert may_read(visitor, found) is (until is not None)
    assert not may_write(visitor, found)
    assert not may_delete(visitor, found)


def test_what_is_not_open_to_everybody_is_closed() -> None:
    found = record(authz=["/programs/a", "/open", "/open/x", "no path"])
    assert closed_paths(OPEN_WORLD, found) == ["/programs/a", "no path"]


def test_a_url_lives_no_longer_than_the_right_to_it() -> None:
    settings = StorageSettings()
    assert [lifetime(settings, asked, 60.5) for asked in (None, 30, 60)] == [60, 30, 60]
    with pytest.raises(BadRequest, match="60 seconds"):
        lifetime(settings, 61, 60.5)
