"""What services that run in this process write to their access log."""

import uuid
from typing import Any

import pytest
import requests
from tests.waiting import eventually

LOGGER = "commonshub.access"


def entries(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines that were captured."""
    return [record.msg for record in caplog.records if record.name == LOGGER and isinstance(record.msg, dict)]


def settle(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Wait until a service has written the line of every request that it answered: it does so after the answer."""
    mark = uuid.uuid4().hex
    requests.get(f"{url}/_version", headers={"X-Request-Id": mark}, timeout=30)
    eventually(lambda: any(entry["request_id"] == mark for entry in entries(caplog)))
