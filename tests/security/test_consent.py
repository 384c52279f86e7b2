"""Threats to the OAuth pages: S4, S5, S6, S23 and S26, with a real hub."""

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests
from tests.auth_service import Auth
from tests.hub_browser import NAVIGATION
from tests.oauth_client import AUTHORIZE, Application, Browser, alice, approved, parameters, register
from tests.tokens import bearer

from commonshub.auth.app import AuthApp

__all__ = ["alice", "approved"]

REGISTERED = "https://app.example.org/callback"
CALLBACK = "/user/oauth_callback"


def attributes(cookie: str) -> dict[str, str]:
    parts = [part.strip().partition("=") for part in cookie.split(";")[1:]]
    return {name.lower(): value for name, _, value in parts}


# -- S5: a sign-in belongs to the browser that began it -------------------------------


@pytest.mark.parametrize(
    "query",
    ["code=x&state=made-up", "code=x", "error=access_denied&error_description=<script>", "", "state=%00&code=x"],
)
def test_s05_a_callback_that_this_browser_did_not_ask_for_signs_nobody_in(browser: Browser, query: str) -> None:
    answer = browser.open(f"{CALLBACK}?{query}")
    assert answer.status_code in (400, 403)
    assert "<script>" not in answer.text
    assert browser.received == []


def test_s05_an_answer_for_another_browser_is_refused(
    site: Auth, approved: Application, browser: Browser, hub_url: str
) -> None:
    """Mallory begins a sign-in, and has the victim's browser finish it, by a code that nobody has used."""
    with Browser(site.url, hub_url) as mallory:
        callback = mallory.to_callback(mallory.open(approved.query()).headers["Location"], "mallory")
        assert browser.open(callback).status_code == 403
        assert browser.received == []
        assert mallory.open(callback).status_code == 302


def test_s05_a_callback_serves_once(approved: Application, browser: Browser) -> None:
    done = browser.pass_hub(browser.open(approved.query()).headers["Location"], "bob")
    assert done.headers["Location"].startswith(AUTHORIZE)
    assert browser.open(done.request.path_url).status_code == 403


def test_s05_a_sign_in_is_bound_by_a_challenge_and_the_answer_names_us(
    site: Auth, approved: Application, browser: Browser, alice: Browser
) -> None:
    assert parameters(browser.open(approved.query()).headers["Location"])["code_challenge_method"] == "S256"
    for changed in ({}, {"prompt": "none", "max_age": "1"}):
        told = parameters(alice.open(approved.query(**changed)).headers["Location"])
        assert told["iss"] == f"{site.app.commons.origin}/user"


# -- S6: nothing leads elsewhere -------------------------------------------------------

FOREIGN = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
    "https://app.example.org@evil.example", "https://app.example.org.evil.example", "%2f%2fevil.example",
    "javascript:alert(1)", "/a\r\nLocation: https://evil.example",
]  # fmt: skip


@pytest.mark.parametrize("target", FOREIGN)
@pytest.mark.parametrize("name", ["next", "redirect", "url"])
def test_s06_a_sign_in_leads_back_to_the_request_only(
    approved: Application, browser: Browser, name: str, target: str
) -> None:
    landed = browser.pass_hub(browser.open(approved.query(**{name: target})).headers["Location"], "bob")
    assert landed.headers["Location"].startswith(AUTHORIZE + "?")
    assert "evil" not in landed.headers["Location"]


@pytest.mark.parametrize("target", FOREIGN)
def test_s06_signing_in_anew_at_the_hub_leads_nowhere_else(browser: Browser, target: str) -> None:
    page = browser.get(f"{browser.hub}/jupyter/hub/sign-in-anew", params={"next": target}, headers=NAVIGATION)
    token = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert token is not None
    form = {"username": "bob", "password": "x", "_xsrf": token.group(1)}
    answer = browser.post(page.url, data=form, headers=NAVIGATION, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/jupyter/")


@pytest.mark.parametrize("target", [each for each in FOREIGN if not each.startswith("https://app.example.org.")])
def test_s06_no_such_address_can_be_registered(site: Auth, target: str) -> None:
    body = {"name": "evil", "redirect_uris": [target]}
    assert site.post("/user/admin/client", "root", json=body).status_code == 400


@pytest.mark.parametrize("target", FOREIGN)
def test_s06_a_refusal_by_the_hub_leads_nowhere(browser: Browser, target: str) -> None:
    answer = browser.open(f"{CALLBACK}?error=access_denied&redirect_uri={quote(target)}&state={quote(target)}")
    assert (answer.status_code, "Location" in answer.headers) == (403, False)


@pytest.mark.parametrize("changed", [{"scope": "user"}, {"response_type": "token"}, {"client_id": "x"}], ids=str)
def test_s06_a_faulty_request_is_shown_and_not_passed_on(
    approved: Application, alice: Browser, changed: dict[str, str]
) -> None:
    assert "Location" not in alice.open(approved.query(**changed)).headers


# -- S4: nobody else can say yes -------------------------------------------------------


def consent(alice: Browser, application: Application) -> tuple[str, str]:
    """Address of the consent form, and its token."""
    page = alice.open(application.query())
    action = re.search(r'action="([^"]+)"', page.text)
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert action is not None
    assert xsrf is not None
    return alice.site + html.unescape(action.group(1)), xsrf.group(1)


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {}),
        ({"_xsrf": ""}, {}),
        ({"_xsrf": "made-up"}, {}),
        ({"_xsrf": "é"}, {}),
        ({}, {"Authorization": "Bearer x"}),
        ({}, {"Authorization": "token x"}),
        ({}, {"X-XSRFToken": "made-up"}),
        ({"_xsrf": "right"}, {"Sec-Fetch-Site": "cross-site"}),
        ({"_xsrf": "right"}, {"Sec-Fetch-Site": "same-site"}),
    ],
    ids=[
        "none",
        "empty",
        "wrong",
        "no ASCII",
        "bogus bearer",
        "bogus token",
        "wrong header",
        "other site",
        "neighbour",
    ],
)
def test_s04_a_page_of_another_cannot_say_yes(
    site: Auth, alice: Browser, form: dict[str, str], headers: dict[str, str]
) -> None:
    application = register(site)
    address, right = consent(alice, application)
    data = {"confirm": "yes", **{name: right if value == "right" else value for name, value in form.items()}}
    answer = alice.post(address, data=data, headers=headers, allow_redirects=False)
    assert (answer.status_code, "Location" in answer.headers) == (403, False)
    assert alice.open(application.query()).status_code == 200


def test_s04_a_valid_bearer_token_is_no_consent_either(site: Auth, alice: Browser) -> None:
    address, _ = consent(alice, register(site))
    headers = bearer(site.access_token("alice"))
    assert alice.post(address, data={"confirm": "yes"}, headers=headers, allow_redirects=False).status_code == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_s04_only_a_form_says_yes(site: Auth, alice: Browser, method: str) -> None:
    application = register(site)
    address, right = consent(alice, application)
    answer = alice.request(method, f"{address}&confirm=yes&_xsrf={right}", allow_redirects=False)
    assert "code=" not in answer.headers.get("Location", "")
    assert alice.open(application.query()).status_code == 200


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        ("&confirm=yes", "", FORM),
        ("&confirm=yes", "x=1", FORM),
        ("&confirm=yes&_xsrf={right}", "", FORM),
        ("&confirm=yes", "x=1", "text/plain"),
        ("", "confirm=yes", FORM),
        ("", "confirm=yes", "text/plain"),
        ("", "confirm=yes&_xsrf={right}", "text/plain"),
        ("", "confirm=yes&confirm=no", FORM),
        ("", '{"confirm": "yes"}', "application/json"),
        (
            "",
            '--x\r\nContent-Disposition: form-data; name="confirm"\r\n\r\nyes\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_s04_there_is_no_other_way_to_say_yes(site: Auth, alice: Browser, query: str, body: str, kind: str) -> None:
    application = register(site)
    address, right = consent(alice, application)
    answer = alice.post(
        address + query.format(right=right),
        data=body.replace("{right}", right),
        headers={"Content-Type": kind},
        allow_redirects=False,
    )
    assert "code=" not in answer.headers.get("Location", "")
    assert 'id="yes"' in alice.open(application.query()).text


def test_s04_a_token_of_one_user_is_no_other_s(site: Auth, alice: Browser, browser: Browser) -> None:
    application = register(site)
    browser.authorize(application.query(), "bob")
    address, right = consent(alice, application)
    data = {"confirm": "yes", "_xsrf": right}
    assert browser.post(address, data=data, allow_redirects=False).status_code == 403


# -- S23: the session ------------------------------------------------------------------


def test_s23_every_cookie_stays_below_user_and_away_from_scripts(approved: Application, browser: Browser) -> None:
    browser.authorize(approved.query(), "bob")
    assert browser.received
    for cookie in browser.received:
        told = attributes(cookie)
        assert (told["path"], "httponly" in told, told["samesite"]) == ("/user/", True, "Lax")


def test_s23_cookies_are_secure_where_the_commons_is(
    run_service: Callable[..., Any], site: Auth, approved: Application, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("secure")
    running = run_service(
        AuthApp,
        Commons={"data_dir": str(folder), "origin": "https://commons.example.org"},
        TokenSettings={"jwks_file": str(folder / "jwks.json")},
    )
    answer = requests.get(running.url + approved.query(), allow_redirects=False, timeout=30)
    assert "secure" in attributes(answer.headers["Set-Cookie"])


@pytest.mark.parametrize("cookie", ["nonsense", "2|1:0|10:1|15:commonshub-auth|4:eA==|0"])
def test_s23_a_forged_cookie_is_nobody_s(approved: Application, browser: Browser, cookie: str) -> None:
    answer = browser.open(approved.query(), cookies={"commonshub-auth": cookie})
    assert answer.status_code == 302


def test_s23_a_sign_in_makes_a_new_session(site: Auth, approved: Application, browser: Browser) -> None:
    def session() -> str | None:
        return {cookie.name: cookie.value for cookie in browser.cookies}.get("commonshub-auth")

    browser.authorize(approved.query(), "bob")
    first = session()
    answer = browser.authorize(approved.query(prompt="select_account"), "carol")
    second = session()
    assert (first is None, second is None, first != second) == (False, False, True)
    tokens = approved.redeem(parameters(answer.headers["Location"])["code"]).json()
    me = site.get("/user/user", headers=bearer(tokens["access_token"])).json()
    assert me["username"] == "carol"


def test_s23_signing_out_at_the_hub_ends_the_session_here(
    site: Auth, approved: Application, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.app.sign_in.hub.known, "ttl_s", 0)
    browser.authorize(approved.query(), "bob")
    stolen = {cookie.name: str(cookie.value) for cookie in browser.cookies if cookie.path == "/user/"}
    assert (
        requests.get(site.url + approved.query(), cookies=stolen, allow_redirects=False, timeout=30).status_code == 303
    )
    browser.get(f"{browser.hub}/jupyter/hub/logout", headers={"Sec-Fetch-Mode": "navigate"})
    answer = requests.get(site.url + approved.query(), cookies=stolen, allow_redirects=False, timeout=30)
    assert "/hub/api/oauth2/authorize?" in answer.headers["Location"]


def test_s23_abandoned_sign_ins_do_not_pile_up(approved: Application, browser: Browser) -> None:
    for _ in range(20):
        browser.open(approved.query())
    assert len(browser.cookies) <= 8


# -- S26: what the pages show -----------------------------------------------------------


@pytest.mark.parametrize("what", ["consent", "error"])
def test_s26_no_page_can_be_framed_or_runs_a_script(site: Auth, alice: Browser, what: str) -> None:
    application = register(site)
    answer = alice.open(application.query() if what == "consent" else application.query(scope="x"))
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_s26_the_name_of_an_application_is_text(site: Auth, alice: Browser) -> None:
    application = register(site, name="<img src=x onerror=alert(1)>")
    page = alice.open(application.query())
    assert "<img src=x" not in page.text
    assert html.escape(application.client.name) in page.text


@pytest.mark.parametrize("uri", ["https://a;script-src/", "https://a,b/cb", "https://a'b/cb"])
def test_s26_no_registered_address_can_change_the_policy_of_the_page(site: Auth, uri: str) -> None:
    body = {"name": "directive", "redirect_uris": [uri]}
    assert site.post("/user/admin/client", "root", json=body).status_code == 400


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        (REGISTERED, "https://app.example.org"),
        ("https://app.example.org:8443/x?y=z", "https://app.example.org:8443"),
        ("http://[::1]:9/back", "http:"),
        ("org.example.app:/back", "org.example.app:"),
    ],
)
def test_s26_the_form_may_lead_to_the_application_and_nowhere_else(
    site: Auth, alice: Browser, uri: str, source: str
) -> None:
    policy = alice.open(register(site, redirect_uris=(uri,)).query()).headers["Content-Security-Policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["form-action"] == f"'self' {source}"
