"""A second store, to be registered over HTTP; whatever a test registers is gone after it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.index_service import PROJECT
from tests.stores import KEYS, StoppableStore
from tests.waiting import eventually

from commonshub.core import buckets

SCHEMA = "index"
ROUTE = "/index/buckets"
# By when every service must know of a change, in seconds.
EFFECTIVE_S = 5


@pytest.fixture
def second(second_store: StoppableStore) -> dict[str, Any]:
    """What is sent to register the bucket of the second store."""
    return {
        "name": "second",
        "endpoint_url": second_store.server.url,
        "credentials": KEYS,
        "resources": {"s3://second/one": [PROJECT]},
    }


@pytest.fixture(autouse=True)
def clean(running: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(running.app.registration, "grace_s", 0)
    yield
    database = running.app.database
    for each in database.call(buckets.read, SCHEMA):
        database.call(buckets.remove, SCHEMA, each.name)
    for file in kept(running):
        file.unlink()
    eventually(lambda: not running.app.storage_settings.registered, EFFECTIVE_S)


def registered(running: Any) -> list[str]:
    return [each.name for each in running.app.database.call(buckets.read, SCHEMA)]


def kept(running: Any) -> list[Path]:
    return sorted(running.app.kept_credentials.glob("*"))
