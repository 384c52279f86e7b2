"""Sign-in through the hub, and what its cookies may and may not do."""

import logging

import pytest
import requests
import sqlalchemy as sa
from tests.tokens import bearer, claims_of
from tests.waiting import eventually

from commonshub.core.grants import revoke

from .conftest import Browser


def attributes(cookie: str) -> dict[str, str]:
    parts = [part.strip().partition("=") for part in cookie.split(";")[1:]]
    return {name.lower(): value for name, _, value in parts}


def test_the_sign_in_leads_back_to_the_page(browser: Browser) -> None:
    assert browser.sign_in("bob", "/portal/dictionary").headers["Location"] == "/portal/dictionary"


def test_every_cookie_stays_below_the_portal_and_away_from_scripts(browser: Browser) -> None:
    browser.sign_in("bob")
    browser.xsrf()
    assert browser.received
    for cookie in browser.received:
        told = attributes(cookie)
        assert told["path"] == "/portal/"
        assert "httponly" in told
        assert told["samesite"] == "Lax"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/portal/", "/jupyter/user/mallory/", "%5C%5Ce"]
)
def test_a_sign_in_never_leads_elsewhere(browser: Browser, target: str) -> None:
    assert browser.sign_in("bob", target).headers["Location"] == "/portal/"


@pytest.mark.parametrize(
    "query", ["code=x&state=made-up", "code=x", "error=access_denied&error_description=<script>", ""]
)
def test_a_callback_that_this_browser_did_not_ask_for_signs_nobody_in(browser: Browser, query: str) -> None:
    answer = browser.open(f"/portal/oauth_callback?{query}")
    assert answer.status_code in (400, 403)
    assert "<script>" not in answer.text.partition("<main")[2]
    assert browser.received == []


def test_a_state_of_another_browser_is_refused(browser: Browser, portal_url: str, hub_url: str) -> None:
    from urllib.parse import parse_qs, urlsplit

    with Browser(portal_url, hub_url) as mallory:
        location = mallory.open("/portal/login").headers["Location"]
    state = parse_qs(urlsplit(location).query)["state"][0]
    browser.open("/portal/login")
    assert browser.open(f"/portal/oauth_callback?code=x&state={state}").status_code == 403


def test_two_sign_ins_may_be_under_way_in_one_browser(browser: Browser) -> None:
    browser.open("/portal/login")
    assert browser.sign_in("bob").headers["Location"] == "/portal/profile"


def test_abandoned_sign_ins_do_not_pile_up(browser: Browser) -> None:
    for _ in range(20):
        browser.open("/portal/login")
    assert len(browser.cookies) <= 8


def test_a_callback_serves_once(browser: Browser) -> None:
    done = browser.sign_in("bob")
    assert browser.open(done.request.path_url).status_code == 403


def test_the_sign_in_is_bound_to_the_browser_by_a_challenge(browser: Browser) -> None:
    location = browser.open("/portal/login").headers["Location"]
    assert "code_challenge_method=S256" in location


def test_a_page_gets_a_token_for_its_user(alice: Browser) -> None:
    answer = alice.script("/portal/token", alice.xsrf())
    assert answer.status_code == 200
    assert answer.json()["username"] == "alice"
    assert 0 < answer.json()["expires_in"] <= 1200


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-XSRFToken": "made-up"}, {"X-XSRFToken": "é"}, {"Authorization": "token x"}, {"Authorization": "bearer x"}],
    ids=["none", "wrong", "not ASCII", "hub token", "bearer"],
)
@pytest.mark.parametrize("path", ["/portal/token", "/portal/logout"])
def test_a_cookie_alone_changes_nothing(alice: Browser, path: str, headers: dict[str, str]) -> None:
    assert alice.script(path, headers=headers).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_changes_nothing_even_with_the_right_token(alice: Browser, site: str) -> None:
    assert alice.script("/portal/token", alice.xsrf(), headers={"Sec-Fetch-Site": site}).status_code == 403


def test_the_xsrf_token_of_one_user_does_not_serve_another(alice: Browser, browser: Browser) -> None:
    browser.sign_in("bob")
    browser.xsrf()
    assert browser.script("/portal/token", alice.xsrf()).status_code == 403


def test_a_token_is_not_had_by_get(alice: Browser) -> None:
    assert alice.open("/portal/token").status_code == 405


def test_a_visitor_gets_no_token(browser: Browser) -> None:
    assert browser.script("/portal/token", "made-up").status_code in (401, 403)


@pytest.mark.parametrize("cookie", ["nonsense", "2|1:0|10:1|17:commonshub-portal|4:eA==|0"])
def test_a_forged_cookie_is_nobody_s(browser: Browser, cookie: str) -> None:
    assert browser.open("/portal/profile", cookies={"commonshub-portal": cookie}).status_code == 302


def test_signing_out_ends_the_session_here_and_leads_to_the_hub(browser: Browser) -> None:
    browser.sign_in("bob")
    xsrf = browser.xsrf()
    answer = browser.script("/portal/logout", data={"_xsrf": xsrf})
    assert answer.headers["Location"] == f"{browser.hub}/jupyter/hub/logout"
    assert browser.open("/portal/profile").headers["Location"].startswith("/portal/login")


def test_a_link_alone_signs_nobody_out(browser: Browser) -> None:
    browser.sign_in("bob")
    assert browser.open("/portal/logout").status_code == 200
    assert browser.open("/portal/profile").status_code == 200


def test_no_token_or_cookie_reaches_the_log(alice: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    xsrf = alice.xsrf()
    token = alice.script("/portal/token", xsrf).json()["access_token"]
    written = caplog.text
    secrets = [token, xsrf, *(cookie.value or "" for cookie in alice.cookies)]
    assert written
    assert not [secret for secret in secrets if secret and secret in written]


@pytest.mark.parametrize("way", ["a script says so", "a page was refused"])
def test_a_token_that_was_revoked_is_replaced(browser: Browser, auth_url: str, database_url: str, way: str) -> None:
    def token(query: str = "") -> str:
        return str(browser.script(f"/portal/token{query}", xsrf).json()["access_token"])

    def status(text: str) -> int:
        headers = bearer(text)
        return requests.get(f"{auth_url}/user/user", headers=headers, timeout=30).status_code

    browser.sign_in("carol")
    xsrf = browser.xsrf()
    first = token()
    assert token() == first
    claims = claims_of(first)
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        revoke(connection, "auth", [claims["jti"]], 600)
    engine.dispose()
    eventually(lambda: status(first) == 401, 5)
    if way == "a page was refused":
        browser.open("/portal/profile")
    second = token("?instead=refused" if way == "a script says so" else "")
    assert (second != first, status(second)) == (True, 200)
