"""The commons as an OAuth 2 and OpenID provider: cases C1 to C33."""

import pytest
from tests.auth_service import Auth
from tests.oauth_client import Browser, parameters, register


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"bearer {token}"}


def test_c01_who_says_yes_is_sent_back_with_a_code(site: Auth, browser: Browser) -> None:
    application = register(site)
    page = browser.authorize(application.query())
    assert page.status_code == 200
    assert 'id="yes"' in page.text
    answer = browser.confirm(page)
    told = parameters(answer.headers["Location"])
    assert answer.headers["Location"].startswith(application.client.redirect_uris[0] + "?")
    assert (told["state"], told["iss"]) == ("s-1", f"{site.app.commons.origin}/user")
    assert told["code"]


def test_c02_who_says_no_is_sent_back_without(site: Auth, browser: Browser) -> None:
    application = register(site)
    page = browser.authorize(application.query())
    assert 'id="no"' in page.text
    told = parameters(browser.confirm(page, "no").headers["Location"])
    assert (told["error"], told["state"], "code" in told) == ("access_denied", "s-1", False)


@pytest.mark.parametrize("public", [False, True], ids=["C5-confidential", "C5-public"])
def test_c05_a_code_becomes_tokens(site: Auth, browser: Browser, public: bool) -> None:
    from tests.oauth_client import pkce

    application = register(site, confidential=not public)
    verifier, challenge = pkce()
    answer = application.redeem(browser.code(application, **challenge), verifier)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert told.keys() >= {"access_token", "id_token", "refresh_token"}
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 1200)


def test_c08_the_access_token_tells_userinfo_who_the_user_is(site: Auth, browser: Browser) -> None:
    application = register(site)
    tokens = application.redeem(browser.code(application)).json()
    me = site.get("/user/user", headers=bearer(tokens["access_token"])).json()
    assert (me["username"], me["azp"]) == ("alice", application.id)
