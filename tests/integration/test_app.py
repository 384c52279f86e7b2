"""The frame that every service shares."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import requests
from tests.tokens import bearer

from commonshub.core.app import Route, ServiceApplication
from commonshub.core.errors import NotFound
from commonshub.core.web import BaseHandler


class WhoHandler(BaseHandler):
    def get(self) -> None:
        self.reply({"username": self.identity.username})


class PublicHandler(WhoHandler):
    lenient = True


class FaultHandler(BaseHandler):
    def get(self, kind: str) -> None:
        if kind == "told":
            raise NotFound("There is no such thing.")
        raise RuntimeError("secret internals")


class DemoApp(ServiceApplication):
    name = "demo"
    prefixes: ClassVar[tuple[str, ...]] = ("/demo",)

    def routes(self) -> list[Route]:
        return [(r"/demo/who/?", WhoHandler), (r"/demo/public/?", PublicHandler), (r"/demo/fault/(\w+)", FaultHandler)]


@pytest.fixture(scope="module")
def url(run_service: Callable[..., Any]) -> str:
    return str(run_service(DemoApp).url)


@pytest.mark.parametrize("path", ["/demo/_status", "/demo/_status/", "/_status"])
def test_status_says_healthy(url: str, path: str) -> None:
    assert requests.get(url + path).text == "Healthy"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_bearer_token_names_the_caller(url: str, token: Callable[..., str], scheme: str) -> None:
    answer = requests.get(f"{url}/demo/who", headers={"Authorization": f"{scheme} {token('alice')}"})
    assert answer.json() == {"username": "alice"}


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1}, {"iss": "http://elsewhere/user"}, {"aud": ["other"]}, {"pur": "api_key"}, {"pur": "refresh"}],
    ids=lambda claims: next(iter(claims)),
)
def test_a_token_that_is_not_a_valid_access_token_is_refused(
    url: str, token: Callable[..., str], claims: dict[str, Any]
) -> None:
    answer = requests.get(f"{url}/demo/who", headers=bearer(token("alice", **claims)))
    assert answer.status_code == 401
    assert answer.json()["message"].startswith("Authentication Error")


def test_a_public_route_takes_a_bad_token_for_none(url: str) -> None:
    answer = requests.get(f"{url}/demo/public", headers={"Authorization": "bearer nonsense"})
    assert answer.json() == {"username": None}


def test_errors_are_json_with_the_request_id(url: str) -> None:
    answer = requests.get(f"{url}/demo/fault/told", headers={"X-Request-Id": "r1"})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (404, "r1")
    assert answer.json() == {
        "error": "There is no such thing.",
        "message": "There is no such thing.",
        "code": "not_found",
    }


def test_our_own_faults_tell_nothing_but_the_request_id(url: str) -> None:
    answer = requests.get(f"{url}/demo/fault/untold", headers={"X-Request-Id": "r2"})
    assert answer.status_code == 500
    assert answer.json()["message"] == "internal server error (request r2)"


def test_unknown_paths_are_a_json_404(url: str) -> None:
    answer = requests.get(f"{url}/nowhere")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")


def test_a_fault_that_the_operator_can_mend_ends_the_start_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(_: ServiceApplication) -> None:
        raise NotFound("There is no file x.yaml.")

    monkeypatch.setattr(DemoApp, "serve", refuse)
    monkeypatch.setattr("commonshub.core.app.to_stdout", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        DemoApp().start()
    assert ended.value.code == 1
    assert [record.getMessage() for record in caplog.records] == ["There is no file x.yaml."]
