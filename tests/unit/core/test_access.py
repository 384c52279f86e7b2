"""Which bytes a record stands for, and who may have them."""

from collections.abc import Iterable
from typing import Any

import pytest

from commonshub.core.access import Asker, may_delete, may_read, may_write, reaches
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.policy import Binding, Client, Permission, Policy, Snapshot, User, parse_path
from commonshub.core.records import Record
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Location

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
    empty = dict.fromkeys(Record.__dataclass_fields__)
    lists = {name: [] for name in ("urls", "acl", "authz", "aliases")}
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
    assert reaches(record(authz=["/programs/a/projects/x"]), Location(bucket, key), settings) == reached


def test_a_record_of_no_project_reaches_no_projects_bucket() -> None:
    settings = StorageSettings(bucket_resources={"s3://project": ["/programs/a"]})
    assert not reaches(record(uploader="x"), Location("project", "file"), settings)


def test_a_token_narrowed_to_something_else_has_what_is_open_to_everybody() -> None:
    narrow = asker("reader", scopes=["user"])
    assert not may_read(narrow, record(authz=["/programs/a"]))
    assert not may_read(asker("x", scopes=["user"]), record(uploader="x"))
    assert may_read(narrow, record(acl=["*"]))
