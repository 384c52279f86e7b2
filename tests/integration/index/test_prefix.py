"""A commons whose GUIDs have a prefix."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.index_service import policies
from tests.tokens import bearer

from commonshub.index.app import IndexApp

PREFIX = "dg.TEST/"


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    service = run_service(IndexApp, Commons={"guid_prefix": PREFIX})
    service.hold(policies())
    return service


@pytest.fixture(scope="module")
def did(running: Any, token: Callable[..., str]) -> str:
    record = {"form": "object", "size": 1, "urls": [], "hashes": {"md5": "0" * 32}}
    headers = bearer(token("admin"))
    did: str = requests.post(f"{running.url}/index/index", json=record, headers=headers).json()["did"]
    return did


def test_new_guids_have_the_prefix(running: Any, did: str) -> None:
    assert did.startswith(PREFIX)
    assert requests.get(f"{running.url}/index/guid/prefix").json() == {"prefix": PREFIX}
    assert requests.get(f"{running.url}/index/guid/mint").json()["guids"][0].startswith(PREFIX)


@pytest.mark.parametrize(
    "path",
    ["/index/index/{}", "/index/{}", "/index/index?ids={}", "/ga4gh/drs/v1/objects/{}", "/index/index/{}/latest"],
)
def test_a_record_is_found_with_and_without_the_prefix(running: Any, did: str, path: str) -> None:
    answers = [requests.get(running.url + path.format(name)) for name in (did, did.removeprefix(PREFIX))]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(did in answer.text for answer in answers)
