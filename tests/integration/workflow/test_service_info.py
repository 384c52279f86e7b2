"""The workflow service over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.tokens import bearer

from commonshub.workflow.app import WorkflowApp


@pytest.fixture(scope="module")
def url(run_service: Callable[..., Any]) -> str:
    return str(run_service(WorkflowApp).url)


@pytest.mark.parametrize("path", ["/ga4gh/wes/v1/service-info", "/ga4gh/wes/v1/service-info/"])
def test_anybody_may_ask_what_it_can_do(url: str, path: str) -> None:
    answer = requests.get(url + path, headers={"Authorization": "bearer nonsense"})
    assert (answer.status_code, answer.json()["supported_wes_versions"]) == (200, ["1.1.0"])


def test_a_valid_token_is_no_hindrance(url: str, token: Callable[..., str]) -> None:
    headers = bearer(token("alice"))
    assert requests.get(f"{url}/ga4gh/wes/v1/service-info", headers=headers).status_code == 200


def test_it_is_healthy(url: str) -> None:
    assert requests.get(f"{url}/ga4gh/wes/_status").text == "Healthy"
