"""Cases C43 to C50: sessions, sign-in, sign-out and the list of providers."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from tests.openid_service import ACCOUNTS, SignInService

from commonshub.auth.login.store import login_table
from commonshub.core.grants import tables

TABLE = login_table("auth")


def minutes(number: float) -> Any:
    """A moment so many minutes from now."""
    return sa.func.now() + sa.text(f"interval '{number} minutes'")


def lasts_minutes(service: SignInService) -> float:
    """How long the one sign-in lasts if nobody uses it, in minutes."""
    left = sa.extract("epoch", TABLE.c.expires_at - sa.func.now())
    return float(service.execute(sa.select(left)).scalar_one()) / 60


# -- C43 --------------------------------------------------------------------------------------------------------------


def test_c43_a_sign_in_makes_a_session_and_each_one_a_new_one(people: SignInService) -> None:
    browser = people.browser()
    assert people.assertion(browser).status_code == 401
    secrets = set()
    for _ in range(2):
        browser.sign_in()
        secrets.add(browser.secret())
        assert people.claims(browser)["sub"] == "alice@example.org"
    assert len(secrets) == 2


@pytest.mark.parametrize(
    ("times", "status", "lasts"),
    [
        pytest.param({"expires_at": minutes(-1)}, 401, None, id="C43-idle-for-too-long"),
        pytest.param({"expires_at": minutes(-1), "ends_at": minutes(-1)}, 401, None, id="C43-lived-for-too-long"),
        pytest.param({"expires_at": minutes(30), "seen_at": minutes(-30)}, 200, 60, id="C43-used-so-it-slides"),
        pytest.param(
            {"expires_at": minutes(59), "seen_at": minutes(-1)}, 200, 59, id="C43-seen-just-now-so-not-written"
        ),
        pytest.param(
            {"expires_at": minutes(5), "seen_at": minutes(-55), "ends_at": minutes(10)},
            200,
            10,
            id="C43-never-beyond-its-life",
        ),
    ],
)
def test_a_session_slides_within_its_life(
    people: SignInService, times: dict[str, Any], status: int, lasts: float | None
) -> None:
    browser = people.browser()
    browser.sign_in()
    people.execute(TABLE.update().values(**times))
    assert people.assertion(browser).status_code == status
    if lasts is not None:
        assert lasts_minutes(people) == pytest.approx(lasts, abs=1)


def test_c43_a_session_that_is_over_is_deleted_at_the_next_sign_in(people: SignInService) -> None:
    people.browser().sign_in()
    people.execute(TABLE.update().values(expires_at=minutes(-1)))
    people.browser().sign_in()
    assert people.execute(sa.select(sa.func.count()).select_from(TABLE)).scalar_one() == 1


@pytest.mark.parametrize(
    "cookie",
    ["", "commonshub_login=", "commonshub_login=x", "fence=x", "commonshub_login=x; commonshub_login=y"],
)
def test_c43_a_cookie_that_is_none_is_nobody_s(people: SignInService, cookie: str) -> None:
    assert people.get("/user/login/assertion", headers={"Cookie": cookie}).status_code == 401


def test_c43_no_cookie_counts_where_a_token_is_needed(people: SignInService) -> None:
    browser = people.browser()
    browser.sign_in()
    cookie = {"Cookie": f"commonshub_login={browser.secret()}"}
    assert people.get("/user/user", headers=cookie).status_code == 401
    assert people.get("/user/user", "bob", headers=cookie).json()["username"] == "bob"


# -- C44, C45 ---------------------------------------------------------------------------------------------------------

FOREIGN = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "evil.example",
]


@pytest.mark.parametrize("redirect", ["/portal/profile", "/jupyter/hub/home?a=b", "{origin}/portal/profile"])
def test_c44_a_sign_in_leads_back_to_a_path_of_the_commons(people: SignInService, redirect: str) -> None:
    answer = people.browser().sign_in("test", redirect.format(origin=people.origin))
    assert answer.headers["Location"] == redirect.removeprefix("{origin}")


@pytest.mark.parametrize("redirect", [*FOREIGN, "{origin}@evil.example/", "{origin}.evil.example/"])
@pytest.mark.parametrize("route", ["/user/login", "/user/login/test"])
def test_c44_no_sign_in_begins_that_would_lead_elsewhere(people: SignInService, route: str, redirect: str) -> None:
    browser = people.browser()
    answer = browser.open(route, params={"redirect": redirect.format(origin=people.origin)})
    assert answer.status_code == 400
    assert not list(browser.cookies)


@pytest.mark.parametrize("following", ["/portal/", "{origin}/portal/"])
def test_c45_a_logout_goes_by_way_of_the_hub(people: SignInService, following: str) -> None:
    answer = people.get("/user/logout", params={"next": following.format(origin=people.origin)})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/jupyter/hub/logout?next=%2Fportal%2F")


@pytest.mark.parametrize("following", FOREIGN)
@pytest.mark.parametrize(("route", "name"), [("/user/logout", "next"), ("/user/logout/done", "state")])
def test_c45_no_logout_leads_elsewhere(people: SignInService, route: str, name: str, following: str) -> None:
    assert people.get(route, params={name: following}).status_code == 400


def test_c45_a_logout_propagates_to_the_provider(people: SignInService) -> None:
    browser = people.browser()
    browser.sign_in()
    assertion = people.assertion(browser).headers["X-Commons-Assertion"]
    answer = people.post("/user/login/end", headers={"X-Commons-Assertion": assertion})
    assert urlsplit(answer.json()["logout_url"]).netloc == urlsplit(people.provider.issuer).netloc
    assert people.assertion(browser).status_code == 401


# -- C46 to C48 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "account", "status"),
    [
        pytest.param(True, "s-new", 302, id="C46-a-new-user-is-made"),
        pytest.param(False, "s-new", 401, id="C46-a-new-user-is-refused"),
        pytest.param(False, "s-known", 302, id="C46-a-known-user-gets-in"),
    ],
)
def test_new_users(
    people: SignInService, monkeypatch: pytest.MonkeyPatch, allowed: bool, account: str, status: int
) -> None:
    user = tables("auth").user
    people.execute(user.delete().where(user.c.username.in_(["new@example.org", "known@example.org"])))
    people.execute(user.insert().values(username="known@example.org", source="test"))
    names = {f"s-{name}": {"email": f"{name}@example.org", "email_verified": True} for name in ("new", "known")}
    people.provider.accounts({**ACCOUNTS, **names})
    monkeypatch.setattr(people.app, "allow_new_users", allowed)
    browser = people.browser()
    assert browser.sign_in(account=account).status_code == status
    assert bool(browser.secret()) is (status == 302)
    made = people.execute(sa.select(user.c.email).where(user.c.username == "new@example.org")).scalar()
    assert made == ("new@example.org" if allowed else None)


def test_c47_an_inactive_user_is_refused_until_he_is_active_again(people: SignInService) -> None:
    people.browser().sign_in()
    user = tables("auth").user
    for active, status in ((False, 401), (True, 302)):
        people.execute(user.update().where(user.c.username == "alice@example.org").values(active=active))
        browser = people.browser()
        answer = browser.sign_in()
        assert answer.status_code == status
        assert bool(browser.secret()) is active
        assert ("deactivated" in answer.text) is not active


def test_c48_a_name_that_the_expression_matches_is_refused(people: SignInService) -> None:
    people.provider.accounts({**ACCOUNTS, "s-root": {"email": "Root@example.org", "email_verified": True}})
    browser = people.browser()
    assert browser.sign_in(account="s-root").status_code == 401
    assert not browser.secret()
    user = tables("auth").user
    assert people.execute(sa.select(user.c.id).where(user.c.username.like("root@%"))).first() is None


# -- C49, C50 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["/user/register", "/user/admin/register"])
def test_c49_there_is_no_registration(people: SignInService, route: str) -> None:
    assert people.get(route, "root").status_code == 404


def test_c50_the_providers_are_listed_without_the_hidden_ones(people: SignInService) -> None:
    listing = people.get("/user/login").json()
    first, second = listing["providers"]
    url = f"{people.origin}/user/login/test"
    assert first == listing["default_provider"]
    assert first == {
        "id": "test",
        "idp": "test",
        "name": "Test University",
        "url": url,
        "urls": [{"name": "Test University", "url": url}],
        "desc": "",
        "secondary": False,
    }
    assert (second["idp"], second["desc"]) == ("names", "by short name")


def test_c50_the_default_provider_comes_first(people: SignInService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people.app.logins.settings, "default_provider", "names")
    listing = people.get("/user/login").json()
    assert [listing["default_provider"]["idp"], *(each["idp"] for each in listing["providers"])] == [
        "names",
        "names",
        "test",
    ]


def test_c50_a_hidden_provider_works(people: SignInService) -> None:
    assert people.browser().sign_in("ec").status_code == 302


def test_c50_an_unknown_provider_is_not_there(people: SignInService) -> None:
    assert people.get("/user/login/nobody").status_code == 404
    assert people.get("/user/login/jupyterhub").status_code == 404


def test_c50_without_a_provider_there_are_the_hub_s_passwords(auth: Any) -> None:
    listing = auth.get("/user/login").json()
    assert [each["idp"] for each in listing["providers"]] == ["jupyterhub"]
    answer = auth.get("/user/login/jupyterhub?redirect=/portal/")
    assert answer.headers["Location"] == "/jupyter/hub/login?next=%2Fportal%2F"
