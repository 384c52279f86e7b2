"""Dictionaries as an administrator sends them to a running service."""

import copy
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.submission_service import SMALL, Api

from commonshub.core.dictionary import Source

WITHIN_S = 60
Files = dict[str, Any]
ORIGINAL: Files = Source(str(SMALL)).files


def case(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **properties}


class Changes:
    """Dictionaries, as an administrator sends them."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def preview(self, files: Files | None = None, query: str = "", **more: Any) -> requests.Response:
        return self.api("POST", f"/_dictionary/_preview{query}", files, timeout=WITHIN_S, **more)

    def seen(self, files: Files | None = None, query: str = "") -> dict[str, Any]:
        answer = self.preview(files, query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, files: Files | None, seen: dict[str, Any], query: str = "", **more: Any) -> requests.Response:
        path = f"/_dictionary?digest={seen['digest']}&after={seen['after']}{query}"
        return self.api("PUT", path, files, timeout=WITHIN_S, **more)

    def apply(self, files: Files | None = None, query: str = "") -> dict[str, Any]:
        answer = self.put(files, self.seen(files, query and f"?{query}"), f"&force=true&{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def versions(self) -> list[dict[str, Any]]:
        return self.api("GET", "/_dictionary/_versions").json()["versions"]


@pytest.fixture
def changes(api: Api) -> Iterator[Changes]:
    made = Changes(api)
    yield made
    made.apply(ORIGINAL)


@pytest.fixture
def files() -> Files:
    return copy.deepcopy(ORIGINAL)


@pytest.fixture
def tag() -> str:
    return uuid.uuid4().hex
