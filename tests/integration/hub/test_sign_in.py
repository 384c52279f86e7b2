"""A real hub that asks the real auth service who signed in by a real provider: no reverse proxy, no header."""

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from tests.conftest import free_port, wait_for_port
from tests.openid_service import (
    ACCOUNTS,
    Browser,
    SignInService,
    most_groups,
    people,
    provider_package,
    service,
    start_provider,
)
from tests.servers import HUB_WITHOUT_PROXY
from tests.waiting import eventually

from commonshub.core.grants import tables

__all__ = ["people", "provider_package", "service", "start_provider"]

CONFIG = (
    HUB_WITHOUT_PROXY
    + """c.JupyterHub.bind_url = "{origin}/jupyter/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = b"c" * 32
c.JupyterHub.authenticator_class = "commonshub-remote-user"
c.RemoteUserAuthenticator.trust = "session"
c.RemoteUserAuthenticator.auth_url = "{origin}"
c.RemoteUserAuthenticator.issuer = "{origin}/user"
c.RemoteUserAuthenticator.jwks_file = {jwks!r}
c.RemoteUserAuthenticator.auth_refresh_age = 1
c.RemoteUserAuthenticator.blocked_users = {{"bob@example.org"}}
c.JupyterHub.services = [{{"name": "operator", "api_token": "operator-token-0123456789"}}]
c.JupyterHub.load_roles = [{{"name": "operator", "scopes": ["admin:users", "read:users"], "services": ["operator"]}}]
"""
)
HOME = "/jupyter/hub/home"


@pytest.fixture(scope="module")
def hub(service: SignInService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hub")
    port = free_port()
    jwks = service.app.tokens.jwks_file
    (folder / "config.py").write_text(CONFIG.format(port=port, origin=service.origin, jwks=jwks))
    command = [sys.executable, "-P", "-m", "commonshub.hub.app", "-f", "config.py"]
    environment = {**os.environ, "COMMONSHUB_DATA_DIR": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    wait_for_port(port)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture
def browser(people: SignInService, hub: str) -> Browser:
    return Browser(people.origin, hub)


def user_of(answer: requests.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.text.partition('user: "')[2].partition('"')[0]


def test_a_visitor_of_the_hub_signs_in_at_the_provider_and_comes_back(browser: Browser, hub: str) -> None:
    answer = browser.follow(f"{HOME}?x=1")
    assert user_of(answer) == "alice@example.org"
    assert urlsplit(answer.url)[2:4] == (HOME, "x=1")
    headers = {"Authorization": "token operator-token-0123456789"}
    model = requests.get(f"{hub}/jupyter/hub/api/users/alice@example.org", headers=headers, timeout=10).json()
    assert (model["groups"], model["admin"]) == (["lab"], False)


def test_a_sign_in_that_was_ended_ends_the_hub_s_session(browser: Browser, people: SignInService) -> None:
    browser.follow(HOME)
    people.forget_everybody()
    until_sent_to_sign_in(browser)


def test_a_deactivated_user_is_out_of_the_hub(browser: Browser, people: SignInService) -> None:
    browser.follow(HOME)
    user = tables("auth").user
    people.execute(user.update().values(active=False))
    try:
        until_sent_to_sign_in(browser)
        answer = browser.follow(HOME)
        assert answer.status_code == 401
        assert "deactivated" in answer.text
    finally:
        people.execute(user.update().values(active=True))


def until_sent_to_sign_in(browser: Browser) -> None:
    """Open the hub's page until it does not know the browser any more, as it must soon."""
    eventually(lambda: "/hub/login" in browser.open(HOME).headers.get("Location", ""), 30)
    assert browser.open("/jupyter/hub/login").headers["Location"].startswith("/user/login?redirect=")


@pytest.mark.parametrize("header", ["X-Commons-Assertion", "X-Remote-User", "Remote-User", "REMOTE_USER"])
def test_no_header_signs_anybody_in(browser: Browser, people: SignInService, header: str) -> None:
    signed_in = Browser(people.origin)
    signed_in.sign_in()
    assertion = people.assertion(signed_in).headers["X-Commons-Assertion"]
    for value in (assertion, "alice@example.org"):
        answer = browser.open("/jupyter/hub/login", headers={header: value})
        assert answer.headers["Location"].startswith("/user/login?redirect=")
    assert not [cookie for cookie in browser.cookies if cookie.name == "jupyterhub-hub-login"]


def test_another_user_in_the_same_browser_takes_over_at_once(browser: Browser, people: SignInService) -> None:
    people.provider.accounts({**ACCOUNTS, "s-carol": {"email": "carol@example.org", "email_verified": True}})
    assert user_of(browser.follow(HOME)) == "alice@example.org"
    for cookie in [each for each in browser.cookies if each.domain == "127.0.0.2"]:
        browser.cookies.clear(cookie.domain, cookie.path, cookie.name)
    answer = browser.follow(f"/user/login/test?redirect=/jupyter/hub/login?next={HOME}", account="s-carol")
    assert user_of(answer) == "carol@example.org"


def test_a_user_whom_the_hub_blocks_is_told_so_and_goes_in_no_circle(browser: Browser) -> None:
    assert browser.follow(HOME, account="s-bob").status_code == 403


def test_whoever_has_as_many_groups_as_can_be_gets_in_and_with_more_is_told(
    browser: Browser, people: SignInService
) -> None:
    groups = most_groups()
    alice = {**ACCOUNTS["s-alice"], "email": f"{'a' * 52}@example.org"}
    people.provider.accounts({"s-alice": {**alice, "groups": groups}})
    assert user_of(browser.follow(HOME)) == alice["email"]
    people.provider.accounts({"s-alice": {**alice, "groups": [*groups, "more"]}})
    answer = Browser(people.origin, browser.hub).follow(HOME)
    assert answer.status_code == 401
    assert f"{len(groups) + 1} groups of yours" in answer.text


def test_a_browser_without_cookies_goes_in_no_circle(browser: Browser) -> None:
    answer = browser.open("/jupyter/hub/login?returned=1")
    assert answer.status_code == 401
    assert "did not keep your sign-in" in answer.text


def test_logout_ends_the_sign_in_and_the_provider_s_session(browser: Browser, people: SignInService) -> None:
    browser.follow(HOME)
    secret = browser.secret()
    assert secret
    answer = browser.open("/user/logout?next=/portal/dictionary")
    assert answer.headers["Location"] == "/jupyter/hub/logout?next=%2Fportal%2Fdictionary"
    onward = browser.sign_out_here(answer.headers["Location"])
    assert onward.startswith(f"{people.provider.issuer}/session/end?")
    stolen = requests.get(
        f"{people.origin}/user/login/assertion", headers={"Cookie": f"commonshub_login={secret}"}, timeout=10
    )
    assert stolen.status_code == 401
    back = browser.sign_out_at_provider(onward).headers["Location"]
    assert browser.open(back).headers["Location"] == "/portal/dictionary"
    begun = browser.open(browser.open("/user/login/test").headers["Location"])
    assert "/interaction/" in begun.headers["Location"]


@pytest.mark.parametrize("following", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_a_logout_that_would_lead_elsewhere_is_refused_before_anything_ends(browser: Browser, following: str) -> None:
    browser.follow(HOME)
    assert browser.open("/jupyter/hub/logout", params={"next": following}).status_code == 400
    assert user_of(browser.follow(HOME)) == "alice@example.org"


def test_asking_for_the_password_anew_reaches_the_provider(browser: Browser, people: SignInService) -> None:
    browser.follow(HOME)
    answer = browser.open("/jupyter/hub/sign-in-anew")
    assert people.assertion(browser).status_code == 401
    choice = browser.open(answer.headers["Location"])
    assert "anew=1" in choice.text
    at_provider = browser.open(f"/user/login/test?redirect={HOME}&anew=1").headers["Location"]
    assert parse_qs(urlsplit(at_provider).query)["prompt"] == ["login"]


@pytest.mark.parametrize(
    ("following", "kept"),
    [
        ("/jupyter/hub/api/oauth2/authorize?client_id=service-auth&state=x", True),
        (HOME, False),
        ("/jupyter/user/mallory/", False),
        ("//evil.example", False),
        ("https://evil.example/", False),
    ],
)
def test_a_sign_in_anew_leads_back_to_the_authorization_of_a_service_and_nowhere_else(
    browser: Browser, following: str, kept: bool
) -> None:
    address = browser.open("/jupyter/hub/sign-in-anew", params={"next": following}).headers["Location"]
    [back] = parse_qs(urlsplit(address).query)["redirect"]
    assert parse_qs(urlsplit(back).query) == ({"next": [following]} if kept else {})
