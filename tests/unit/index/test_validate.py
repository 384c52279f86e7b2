"""Bodies about records."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import TooLarge, ValidationFailed
from commonshub.core.records import UPDATABLE, Draft, Record
from commonshub.index import validate

UUID = "7108e09d-5e00-406f-b3f8-7b52dfa642ce"
MD5 = "0cc175b9c0f1b6a831c399e269772661"
RECORD = Record(
    did="d", baseid="b", rev="r", form="object", size=1, file_name=None, version=None, uploader=None,
    urls=["s3://b/1", "s3://b/2"], urls_metadata={"s3://b/1": {"a": "1"}}, acl=[], authz=[], hashes={"md5": MD5},
    metadata={}, created_date=None, updated_date=None, description=None,
    content_created_date=datetime(2023, 1, 2), content_updated_date=datetime(2023, 1, 3), aliases=[],
)  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*sorted(UPDATABLE), "did", "baseid", "size", "hashes", "form", "strange"])
bodies = json_values | st.dictionaries(fields, json_values, max_size=6)


@pytest.mark.parametrize(
    "check",
    [
        validate.draft,
        lambda body: validate.changes(body, RECORD),
        validate.blank,
        validate.measured,
        validate.grants,
        validate.aliases,
        lambda body: validate.guids(body, 2),
    ],
    ids=["draft", "changes", "blank", "measured", "grants", "aliases", "guids"],
)
@given(body=bodies)
def test_any_json_is_either_understood_or_refused(check: Any, body: Any) -> None:
    try:
        check(body)
    except (ValidationFailed, TooLarge) as error:
        assert error.message  # noqa: PT017 -- either outcome is right, any other error is not


@given(body=st.dictionaries(fields, json_values, max_size=6))
def test_what_is_understood_as_a_change_can_be_stored(body: dict[str, Any]) -> None:
    try:
        changes = validate.changes(body, RECORD)
    except ValidationFailed:
        return
    assert changes.keys() <= UPDATABLE
    assert "\0" not in str(changes).replace("\\x00", "\0")


def test_a_draft_holds_what_was_given() -> None:
    body = {"form": "object", "size": 0, "hashes": {"md5": MD5, "blake3": "x"}, "urls": ["s3:any text"], "acl": ["a"]}
    assert asdict(validate.draft(body)) == asdict(Draft(**body))


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({}, {}),
        ({"version": None}, {"version": None}),
        ({"urls": ["s3://b/2"]}, {"urls": ["s3://b/2"], "urls_metadata": {}}),
        ({"content_created_date": "2023-01-01T00:00:00"}, {"content_created_date": datetime(2023, 1, 1)}),
        (
            {"content_created_date": None, "content_updated_date": None},
            {"content_created_date": None, "content_updated_date": None},
        ),
    ],
)
def test_changes(body: dict[str, Any], changes: dict[str, Any]) -> None:
    assert validate.changes(body, RECORD) == changes


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content_created_date": "2024-01-01"}, "content_updated_date"),
        ({"content_created_date": None}, "content_updated_date"),
        ({"urls_metadata": {"s3://b/3": {}}}, "urls_metadata"),
        ({"urls": [], "urls_metadata": {"s3://b/1": {}}}, "urls_metadata"),
        ({"size": 2}, "size"),
    ],
)
def test_a_change_is_checked_against_the_record(body: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as error:
        validate.changes(body, RECORD)
    assert [each["field"] for each in error.value.details] == [field]


@pytest.mark.parametrize(
    ("kind", "digest"),
    [("md5", MD5), ("sha1", "a" * 40), ("sha256", "0" * 64), ("sha512", "f" * 128), ("crc", "0a1b2c3d"),
     ("etag", MD5), ("etag", MD5 + "-12")],
)  # fmt: skip
def test_known_hashes(kind: str, digest: str) -> None:
    assert validate.measured({"size": 0, "hashes": {kind: digest}})["hashes"] == {kind: digest}
    with pytest.raises(ValidationFailed, match=kind):
        validate.measured({"size": 0, "hashes": {kind: digest + "g"}})


@pytest.mark.parametrize("did", [UUID, UUID.upper(), f"dg.X/{UUID}", f"with blank/{UUID}", f"access/{UUID}"])
def test_guids_may_have_any_prefix(did: str) -> None:
    body = {"form": "object", "size": 0, "hashes": {"md5": MD5}, "urls": [], "did": did}
    assert validate.draft(body).did == did


@pytest.mark.parametrize(
    "did", [f"{each}{UUID}" for each in ("/", "blank/", "./", "../", "a/../", "a/./b/", "a/aliases/", "a/access/")]
)
def test_a_guid_that_no_path_would_reach_is_refused(did: str) -> None:
    with pytest.raises(ValidationFailed, match="did must not begin with"):
        validate.draft({"form": "object", "size": 0, "hashes": {"md5": MD5}, "urls": [], "did": did})


@pytest.mark.parametrize("did", ["", "x", f"{UUID}/x", f"a\n{UUID}", "x" * 500 + UUID])
def test_what_is_no_guid_is_refused(did: str) -> None:
    with pytest.raises(ValidationFailed, match="did must be a UUID"):
        validate.draft({"form": "object", "size": 0, "hashes": {"md5": MD5}, "urls": [], "did": did})


@pytest.mark.parametrize(("depth", "fits"), [(62, True), (64, False), (5000, False)])
def test_metadata_may_be_nested_so_far(depth: int, fits: bool) -> None:
    deep: Any = "text"
    for _ in range(depth):
        deep = [deep]
    try:
        validate.changes({"metadata": {"k": deep}}, RECORD)
    except ValidationFailed as error:
        assert not fits
        assert "levels" in error.message  # noqa: PT017
    else:
        assert fits
