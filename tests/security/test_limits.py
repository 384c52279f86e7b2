"""S24: guessing is slowed down, and nobody can ask for more than there is room for."""

import pytest
import requests
from tests.auth_service import Auth

from commonshub.core.attempts import Attempts

EXCHANGE = "/user/credentials/api/access_token"

# So long a window that nothing drains while a slow machine tests.
BY_CREDENTIAL, BY_ADDRESS, WINDOW_S = 4, 12, 36_000


@pytest.fixture(autouse=True)
def strict(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.app, "attempts", Attempts(BY_CREDENTIAL, BY_ADDRESS, WINDOW_S))


def exchange(auth: Auth, key: str, address: str) -> requests.Response:
    return auth.post(EXCHANGE, json={"api_key": key}, headers={"X-Forwarded-For": address})


def test_s24_who_fails_too_often_is_told_when_to_come_back(auth: Auth) -> None:
    statuses = [exchange(auth, "guess", "203.0.113.1").status_code for _ in range(BY_CREDENTIAL)]
    assert set(statuses) == {401}
    refused = exchange(auth, "guess", "203.0.113.1")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= WINDOW_S
    assert "Try again in" in refused.json()["message"]


def test_s24_failures_of_one_credential_hurt_no_other_of_its_address(auth: Auth) -> None:
    for _ in range(BY_CREDENTIAL + 1):
        last = exchange(auth, "forgotten", "203.0.113.2")
    assert last.status_code == 429
    assert exchange(auth, auth.api_key("alice"), "203.0.113.2").status_code == 200


def test_s24_one_credential_after_the_other_is_stopped(auth: Auth) -> None:
    most = BY_ADDRESS
    statuses = [exchange(auth, f"guess-{number}", "203.0.113.3").status_code for number in range(most + 1)]
    assert statuses == [401] * most + [429]
    assert exchange(auth, auth.api_key("alice"), "203.0.113.4").status_code == 200


def test_s24_an_address_that_the_client_invents_helps_nobody(auth: Auth) -> None:
    for number in range(BY_CREDENTIAL):
        exchange(auth, "spoofer", f"198.51.100.{number}, 203.0.113.5")
    assert exchange(auth, "spoofer", "198.51.100.99, 203.0.113.5").status_code == 429


def test_s24_honest_exchanges_are_never_counted(auth: Auth) -> None:
    key = auth.api_key("alice")
    most = BY_ADDRESS
    assert {exchange(auth, key, "203.0.113.6").status_code for _ in range(most + 20)} == {200}


@pytest.mark.parametrize("path", ["/user/credentials/hub/access_token", "/user/credentials/hub/api_key"])
def test_s24_wrong_hub_tokens_are_counted(auth: Auth, path: str) -> None:
    headers = {"Authorization": "token ", "X-Forwarded-For": "203.0.113.7" if "api_key" in path else "203.0.113.8"}
    statuses = [auth.post(path, headers=headers).status_code for _ in range(BY_CREDENTIAL + 1)]
    assert statuses[-2:] == [401, 429]
