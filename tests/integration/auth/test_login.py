"""Signing in by a real OpenID provider: from the browser to the database and to what the hub is told."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from tests.openid_service import ACCOUNTS, SignInService

from commonshub.auth.login.store import login_table
from commonshub.core import jwks
from commonshub.core.grants import tables


def test_a_user_who_comes_back_from_the_provider_is_known_to_the_hub(people: SignInService) -> None:
    browser = people.browser()
    answer = browser.sign_in("test", "/jupyter/hub/home")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/jupyter/hub/home")
    claims = people.claims(browser)
    assert (claims["sub"], claims["groups"], claims["aud"]) == ("alice@example.org", ["lab"], "hub")
    assert claims["exp"] - claims["iat"] <= 30


def test_the_cookie_goes_to_the_hub_s_pages_and_nowhere_else(people: SignInService) -> None:
    browser = people.browser()
    browser.sign_in()
    [cookie] = [each for each in browser.received if each.startswith("commonshub_login=")]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"path=/jupyter/hub/", "httponly", "samesite=lax"} <= attributes
    others = [each for each in browser.received if each is not cookie]
    assert others
    assert all("Path=/user/login/" in each and "HttpOnly" in each for each in others)


def test_the_database_holds_no_cookie(people: SignInService) -> None:
    browser = people.browser()
    browser.sign_in()
    rows = people.execute(sa.select(login_table("auth"))).all()
    assert rows
    assert browser.secret()
    assert browser.secret() not in str(rows)


def test_the_provider_is_asked_with_state_nonce_and_challenge(people: SignInService) -> None:
    query = parse_qs(urlsplit(people.browser().open("/user/login/test").headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"{people.origin}/user/login/test/login"]
    assert all(len(query[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))


def test_an_elliptic_curve_and_a_secret_in_the_form_serve_too(people: SignInService) -> None:
    browser = people.browser()
    assert browser.sign_in("ec").status_code == 302
    assert people.claims(browser)["sub"] == "alice@example.org"


def test_new_keys_of_the_provider_are_fetched_but_not_at_every_sign_in(
    people: SignInService, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert people.browser().sign_in().status_code == 302
    people.provider.rotate_keys()
    assert people.browser().sign_in().status_code == 401
    monkeypatch.setattr(jwks, "KEYS_AGAIN_S", 0)
    assert people.browser().sign_in().status_code == 302


def test_two_sign_ins_may_be_under_way_in_one_browser(people: SignInService) -> None:
    browser = people.browser()
    first, second = browser.begin("test", "/portal/one"), browser.begin("test", "/portal/two")
    assert browser.open(first).headers["Location"] == "/portal/one"
    assert browser.open(second).headers["Location"] == "/portal/two"


def test_abandoned_sign_ins_do_not_pile_up(people: SignInService) -> None:
    browser = people.browser()
    for _ in range(20):
        browser.open("/user/login/test")
    assert len(browser.cookies) <= 8


def test_a_provider_that_is_away_is_said_to_be(people: SignInService) -> None:
    browser = people.browser()
    callback = browser.begin("test")
    people.provider.stop()
    try:
        answer = browser.open(callback)
        assert answer.status_code == 503
        assert "cannot be reached" in answer.text
        assert "Try again in a minute" in answer.text
        assert not browser.secret()
    finally:
        people.provider.start()


def test_a_user_who_does_not_want_to_is_not_signed_in(people: SignInService) -> None:
    browser = people.browser()
    callback = browser.at_provider(browser.open("/user/login/test"), "", refuse="<script>no")
    answer = browser.open(callback)
    assert answer.status_code == 401
    assert "Test University did not sign you in" in answer.text
    assert "<script>" not in answer.text
    assert not browser.secret()


def test_ending_a_sign_in_kills_it_on_the_server_and_leads_to_the_provider_s_logout(people: SignInService) -> None:
    browser = people.browser()
    browser.sign_in()
    headers = {"X-Commons-Assertion": people.assertion(browser).headers["X-Commons-Assertion"]}
    answer = people.post("/user/login/end?next=/portal/profile", headers=headers)
    assert people.assertion(browser).status_code == 401
    url = answer.json()["logout_url"]
    assert url.startswith(f"{people.provider.issuer}/session/end?")
    back = browser.sign_out_at_provider(url).headers["Location"]
    assert back.startswith(f"{people.origin}/user/logout/done?")
    assert browser.open(back).headers["Location"] == "/portal/profile"
    # The provider asks for the account again.
    begun = browser.open(browser.open("/user/login/test").headers["Location"])
    assert "/interaction/" in begun.headers["Location"]


def test_sign_ins_leave_rows_in_the_audit_trail(people: SignInService) -> None:
    before = len(people.audited())
    browser = people.browser()
    browser.sign_in()
    people.provider.accounts({**ACCOUNTS, "s-bob": {**ACCOUNTS["s-bob"], "email_verified": False}})
    people.browser().sign_in(account="s-bob")
    allowed, denied = people.audited()[before:]
    assert (allowed.action, allowed.subject, allowed.decision, allowed.username) == (
        "login",
        "test",
        "allowed",
        "alice@example.org",
    )
    assert allowed.request_id
    assert (denied.action, denied.decision) == ("login", "denied")
    assert "verified email" in denied.detail["reason"]
    assert browser.secret() not in str(people.audited())


def test_a_deactivated_user_is_signed_out_at_once(people: SignInService) -> None:
    browser = people.browser()
    browser.sign_in()
    user = tables("auth").user
    people.execute(user.update().where(user.c.username == "alice@example.org").values(active=False))
    try:
        assert people.assertion(browser).status_code == 401
    finally:
        people.execute(user.update().values(active=True))


@pytest.mark.parametrize("choice", ["/user/login", "/user/login/"])
def test_people_are_shown_the_providers_to_choose_from(people: SignInService, choice: str) -> None:
    page = people.browser().open(f"{choice}?redirect=/portal/profile").text
    assert "Test University" in page
    assert 'href="/user/login/names?redirect=%2Fportal%2Fprofile"' in page
    assert "/user/login/staff" not in page


def test_a_person_may_come_twice_at_once(people: SignInService) -> None:
    """The first sign-in of a new user, in two tabs."""
    browsers = [people.browser() for _ in range(4)]
    callbacks = [browser.begin("test", account="s-bob") for browser in browsers]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda pair: pair[0].open(pair[1]), zip(browsers, callbacks, strict=True)))
    assert [answer.status_code for answer in answers] == [302] * 4
    assert {people.claims(browser)["sub"] for browser in browsers} == {"bob@example.org"}


def test_groups_at_the_provider_give_what_the_groups_of_that_name_were_given(people: SignInService) -> None:
    t = tables("auth")
    people.execute(t.group.insert().values(name="lab", source="user.yaml"))
    people.browser().sign_in()
    query = sa.select(t.user.c.username, t.user_group.c.source, t.user_group.c.expires_at).join(t.user)
    [(name, source, until)] = people.execute(query.where(t.user_group.c.group_name == "lab")).all()
    assert (name, source) == ("alice@example.org", "provider:test")
    assert until is not None


def test_a_provider_takes_away_only_the_groups_that_it_gave(people: SignInService) -> None:
    t = tables("auth")
    user = people.execute(sa.select(t.user.c.id).where(t.user.c.username == "alice@example.org")).scalar_one()
    rows = [{"user_id": user, "group_name": "left", "source": source} for source in ("provider:test", "user.yaml")]
    people.execute(t.user_group.insert().values(rows))
    people.browser().sign_in()
    query = sa.select(t.user_group.c.source).where(t.user_group.c.group_name == "left")
    assert people.execute(query).scalars().all() == ["user.yaml"]
