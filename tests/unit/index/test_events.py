"""What is read from events of buckets."""

import contextlib
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.errors import BadRequest
from commonshub.core.storage import Location
from commonshub.index import events


def s3(key: str, name: str = "ObjectCreated:Put", bucket: str = "b") -> dict[str, Any]:
    return {"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1, "eTag": "x"}}}


EVENTBRIDGE = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "b"}, "object": {"key": "g/a+b %20", "size": 1}, "reason": "PutObject"},
}
PUBSUB = {
    "message": {"attributes": {"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "g/a+b %20"}, "data": ""},
    "subscription": "projects/p/subscriptions/s",
}


@pytest.mark.parametrize(
    ("body", "written", "total"),
    [
        ({"Records": []}, [], 0),
        ({"Records": [s3("g/a+b%2520")]}, ["g/a b%20"], 1),
        (
            {"EventName": "s3:ObjectCreated:Put", "Key": "b/g", "Records": [s3("g%2Fx", "s3:ObjectCreated:Put")]},
            ["g/x"],
            1,
        ),
        ({"Records": [s3("x", "ObjectCreated:CompleteMultipartUpload"), s3("x"), s3("y")]}, ["x", "y"], 3),
        ({"Records": [s3("x", "ObjectRemoved:Delete"), s3("%FF"), s3("a%00b"), s3("")]}, [], 4),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}, [], 0),
        (EVENTBRIDGE, ["g/a+b %20"], 1),
        ({**EVENTBRIDGE, "detail-type": "Object Deleted"}, [], 1),
        (PUBSUB, ["g/a+b %20"], 1),
    ],
    ids=lambda value: str(value)[:50],
)
def test_the_places_where_objects_were_written_are_read(body: Any, written: list[str], total: int) -> None:
    assert events.read(body) == ([Location("b", key) for key in written], total)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "JSON object"),
        ({}, "lacks Records"),
        ({"Records": {}}, "Records must be a list"),
        ({"Records": [s3("x"), {}]}, r"Records\[1\].eventName"),
        ({"Records": [None]}, r"Records\[0\].eventName"),
        ({"Records": [{**s3("x"), "s3": []}]}, r"Records\[0\].s3.bucket.name"),
        ({"Records": [s3(7)]}, r"Records\[0\].s3.object.key"),  # type: ignore[arg-type]
        ({"detail": {}}, "detail-type"),
        ({"detail-type": "Object Created", "detail": {"bucket": {"name": "b"}}}, "detail.object.key"),
        ({"message": {}}, "message.attributes.eventType"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_missing_is_named(body: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        events.read(body)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.sampled_from([quote, quote_plus]))
def test_any_key_comes_back_from_how_it_is_written(key: str, write: Any) -> None:
    assert events.read({"Records": [s3(write(key))]}).written == [Location("b", key)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Records", "s3", "bucket", "name", "detail", "message", "attributes"]), inner
        )
    ),
)


@given(JSON)
def test_any_json_is_understood_or_refused(body: Any) -> None:
    with contextlib.suppress(BadRequest):
        found = events.read(body)
        assert len(found.written) <= found.total
