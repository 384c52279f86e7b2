"""The authorization endpoint and the consent: cases C1 to C4, C9 to C11, C18 and C19."""

import time
from typing import Any

import pytest
from tests.auth_service import Auth
from tests.oauth_client import (
    AUTHORIZE,
    Application,
    Browser,
    alice,
    application,
    parameters,
    pkce,
    register,
    title,
    tokens,
)
from tests.tokens import claims_of

__all__ = ["alice", "application", "tokens"]


def test_c01_who_says_yes_is_sent_back_with_a_code(site: Auth, alice: Browser) -> None:
    application = register(site)
    page = alice.authorize(application.query())
    assert page.status_code == 200
    assert 'id="yes"' in page.text
    answer = alice.confirm(page)
    told = parameters(answer.headers["Location"])
    assert answer.headers["Location"].startswith(application.client.redirect_uris[0] + "?")
    assert (told["state"], told["iss"]) == ("s-1", f"{site.app.commons.origin}/user")
    assert told["code"]


def test_c02_who_says_no_is_sent_back_without(site: Auth, alice: Browser) -> None:
    application = register(site)
    page = alice.authorize(application.query())
    assert 'id="no"' in page.text
    told = parameters(alice.confirm(page, "no").headers["Location"])
    assert (told["error"], told["state"], "code" in told) == ("access_denied", "s-1", False)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"scope": "user"}, "Bad Request", id="C3-without openid"),
        pytest.param({"scope": None}, "Bad Request", id="C3-no scope"),
        pytest.param({"scope": "openid admin"}, "Bad Request", id="C3-more than the client may"),
        pytest.param({"response_type": None}, "Unauthorized", id="C4-no response_type"),
        pytest.param({"response_type": "invalid"}, "Unauthorized", id="C4-unknown response_type"),
        pytest.param({"response_type": "id_token token"}, "Unauthorized", id="C9-implicit with access token"),
        pytest.param({"response_type": "id_token"}, "Unauthorized", id="C10-implicit"),
        pytest.param({"response_type": "id_token", "scope": "user"}, "Unauthorized", id="C11-implicit without openid"),
        pytest.param({"response_type": "code id_token"}, "Unauthorized", id="C11-hybrid"),
        pytest.param({"client_id": "unknown"}, "Unauthorized", id="C4-unknown client"),
        pytest.param({"client_id": None}, "Unauthorized", id="C4-no client"),
        pytest.param({"prompt": "none login"}, "Bad Request", id="C18-none with another"),
        pytest.param({"prompt": "create"}, "Bad Request", id="C18-unknown"),
        pytest.param({"max_age": "soon"}, "Bad Request", id="C19-no number"),
        pytest.param({"response_mode": "fragment"}, "Bad Request", id="C4-response_mode"),
        pytest.param({"request": "eyJ"}, "Bad Request", id="C4-request object"),
        pytest.param({"state": "x" * 4000}, "Bad Request", id="C4-too long"),
        pytest.param({"state": "a\0b"}, "Bad Request", id="C4-NUL"),
    ],
)
def test_a_faulty_request_is_a_page_and_gives_nothing(
    application: Application, alice: Browser, changed: dict[str, Any], expected: str
) -> None:
    answer = alice.open(application.query(**changed))
    assert title(answer) == expected
    assert answer.status_code == {"Bad Request": 400, "Unauthorized": 401}[expected]
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("prompt", "signed_in", "approved", "expected"),
    [
        pytest.param(None, True, True, "code", id="C18-nothing, approved"),
        pytest.param(None, True, False, "page", id="C18-nothing, not approved"),
        pytest.param(None, False, True, "hub", id="C18-nothing, not signed in"),
        pytest.param("none", True, True, "code", id="C18-none, approved"),
        pytest.param("none", True, False, "consent_required", id="C18-none, not approved"),
        pytest.param("none", False, True, "login_required", id="C18-none, not signed in"),
        pytest.param("none", False, False, "login_required", id="C18-none, neither"),
        pytest.param("login", True, True, "anew", id="C18-login"),
        pytest.param("login", False, True, "anew", id="C18-login, not signed in"),
        pytest.param("consent", True, True, "page", id="C18-consent, approved"),
        pytest.param("consent", False, True, "hub", id="C18-consent, not signed in"),
        pytest.param("select_account", True, True, "anew", id="C18-select_account"),
        pytest.param("select_account", False, False, "anew", id="C18-select_account, not signed in"),
    ],
)
def test_a_prompt_is_heeded(
    site: Auth,
    alice: Browser,
    browser: Browser,
    prompt: str | None,
    signed_in: bool,
    approved: bool,
    expected: str,
) -> None:
    application = register(site, auto_approve=approved)
    answer = (alice if signed_in else browser).open(application.query(prompt=prompt))
    location = answer.headers.get("Location", "")
    if answer.status_code == 200:
        found = "page" if 'id="yes"' in answer.text else "?"
    elif location.startswith(application.client.redirect_uris[0]):
        told = parameters(location)
        found = told.get("error", "code")
        assert told["state"] == "s-1"
    else:
        found = (
            "anew" if "/hub/sign-in-anew?" in location else "hub" if "/hub/api/oauth2/authorize?" in location else "?"
        )
    assert found == expected


def test_c18_who_is_asked_to_sign_in_anew_comes_back_to_the_same_request(site: Auth, browser: Browser) -> None:
    application = register(site, auto_approve=True)
    browser.authorize(application.query(), "alice")
    told = parameters(browser.authorize(application.query(prompt="login", nonce="n-1"), "bob").headers["Location"])
    token = claims_of(application.redeem(told["code"]).json()["id_token"])
    assert (token["context"]["user"]["name"], token["nonce"]) == ("bob", "n-1")
    assert abs(token["auth_time"] - time.time()) < 60


def test_c18_a_consent_is_remembered_for_as_much_or_less(site: Auth, alice: Browser) -> None:
    application = register(site)
    assert alice.confirm(alice.authorize(application.query(scope="openid user"))).status_code == 303
    for scope, status in (("openid user", 303), ("openid", 303), ("openid user data", 200)):
        assert alice.open(application.query(scope=scope)).status_code == status, scope
    alice.confirm(alice.open(application.query(scope="openid data")))
    assert alice.open(application.query(scope="openid user data")).status_code == 303


def test_c18_a_program_on_somebodys_computer_is_asked_for_each_time(site: Auth, alice: Browser) -> None:
    application = register(site, confidential=False, redirect_uris=("http://127.0.0.1:9/back",))
    _, challenge = pkce()
    alice.confirm(alice.authorize(application.query(**challenge)))
    assert alice.open(application.query(**challenge)).status_code == 200


def test_c19_max_age_asks_for_a_recent_sign_in_and_auth_time_tells_it(application: Application, alice: Browser) -> None:
    assert "/hub/sign-in-anew?" in alice.open(application.query(max_age="3600")).headers["Location"]
    for max_age in ("0", "3600"):
        answer = alice.authorize(application.query(max_age=max_age))
        token = claims_of(application.redeem(parameters(answer.headers["Location"])["code"]).json()["id_token"])
        assert abs(token["auth_time"] - time.time()) < 60
    assert parameters(alice.open(application.query(max_age="3600", prompt="none")).headers["Location"])["code"]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"id_token_hint": "eyJhbGciOiJub25lIn0.e30."}, id="C19-id_token_hint"),
        pytest.param({"acr_values": "urn:x"}, id="C19-acr_values"),
        pytest.param({"display": "touch"}, id="C19-display"),
        pytest.param({"ui_locales": "de fr"}, id="C19-ui_locales"),
        pytest.param({"idp": "google", "unknown": "1"}, id="C19-unknown"),
    ],
)
def test_what_need_not_be_understood_is_passed_over(
    application: Application, alice: Browser, changed: dict[str, str]
) -> None:
    assert alice.code(application, **changed)


def test_an_application_may_ask_by_a_form_of_its_own(application: Application, alice: Browser) -> None:
    path, _, query = application.query().partition("?")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
    answer = alice.post(alice.site + path, data=query, headers=form, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, AUTHORIZE)
    assert parameters(alice.open(answer.headers["Location"]).headers["Location"])["code"]
