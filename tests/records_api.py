"""Records over HTTP by users of each kind, for the tests that drive the index as they do."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.tokens import bearer

MD5 = "0cc175b9c0f1b6a831c399e269772661"
UUID = "6f1c2f0e-0d0a-4c6b-9d0f-3f2b8a5f7c11"
ELSEWHERE = "/programs/p/projects/other"


@pytest.fixture
def ask(url: str, token: Callable[..., str]) -> Callable[..., requests.Response]:
    """``ask("POST", "/index/index", user="admin", json={…})``."""

    def send(method: str, path: str, user: str | None = None, **options: Any) -> requests.Response:
        headers = bearer(token(user)) if user else {}
        return requests.request(method, url + path, headers=headers, timeout=30, **options)

    return send


def body(**values: Any) -> dict[str, Any]:
    return {"form": "object", "size": 1, "urls": [], "hashes": {"md5": uuid.uuid4().hex}, **values}


@pytest.fixture
def made(ask: Callable[..., requests.Response]) -> Callable[..., dict[str, Any]]:
    def make(**values: Any) -> dict[str, Any]:
        answer = ask("POST", "/index/index", "admin", json=body(**values))
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = ask("GET", f"/index/index/{answer.json()['did']}").json()
        return document

    return make
