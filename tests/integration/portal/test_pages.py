"""The pages, for visitors and for users, while the other services are down."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.hub_browser import TOKENS
from tests.oauth_client import register
from tests.tokens import bearer

from commonshub.auth.oauth import sessions
from commonshub.auth.users.store import get_user
from commonshub.core.running import CountingApplication
from commonshub.hub import graphiql
from commonshub.portal.app import PortalApp

from .conftest import Browser


def test_the_root_leads_to_the_portal(browser: Browser) -> None:
    answer = browser.open("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/")


@pytest.mark.parametrize("path", ["/portal", "/portal/"])
def test_the_landing_page_opens_although_services_are_down(browser: Browser, path: str) -> None:
    answer = browser.open(path)
    assert answer.status_code == 200
    assert 'role="status"' in answer.text
    assert "Sign in" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/portal/", 200),
        ("/portal/nowhere", 404),
        ("/portal/static/portal.css", 200),
        ("/portal/static/portal.js", 200),
    ],
)
def test_everything_is_sent_with_the_headers_that_protect_it(browser: Browser, path: str, status: int) -> None:
    answer = browser.open(path)
    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_pages_carry_no_script_of_their_own_and_load_nothing_from_elsewhere(browser: Browser) -> None:
    text = browser.open("/portal/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\son\w+=|\sstyle=", text)
    assert set(re.findall(r'(?:src|href)="((?:https?:)?//[^"]*)"', text)) <= {f"{browser.hub}/jupyter/hub/spawn"}


def test_a_missing_page_is_a_page(browser: Browser) -> None:
    answer = browser.open("/portal/<script>alert(1)</script>")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "<script>alert" not in answer.text


def test_a_visitor_s_profile_is_the_sign_in(browser: Browser) -> None:
    assert browser.open("/portal/profile").headers["Location"] == "/portal/login?next=/portal/profile"


def test_a_visitor_gets_no_cookie_from_the_landing_page(browser: Browser) -> None:
    browser.open("/portal/")
    assert browser.received == []


def test_the_profile_shows_the_user(alice: Browser) -> None:
    answer = alice.open("/portal/profile")
    assert "<h1>alice</h1>" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_profile_lists_keys_and_a_key_made_with_the_page_s_token_works(alice: Browser, auth_url: str) -> None:
    token = alice.script("/portal/token", alice.xsrf()).json()["access_token"]
    made = requests.post(
        f"{auth_url}/user/credentials/api/",
        json={"scope": ["data", "user"]},
        headers=bearer(token),
    ).json()
    assert made["key_id"] in alice.open("/portal/profile").text
    exchanged = requests.post(f"{auth_url}/user/credentials/api/access_token", json={"api_key": made["api_key"]})
    assert exchanged.status_code == 200


def test_the_profile_shows_the_applications_that_the_user_allowed_and_ends_one(alice: Browser, auth: Auth) -> None:
    application = register(auth, name="Variant <b>browser</b>")
    alice.open("/portal/profile")

    def allow(connection: Any) -> None:
        user = get_user(connection, "auth", "alice")
        sessions.remember(connection, "auth", user.id, application.id, ["openid"])

    auth.app.database.call(allow)
    assert "Variant &lt;b&gt;browser&lt;/b&gt;" in alice.open("/portal/profile").text
    path = f"/portal/applications/{application.id}/end"
    assert alice.script(path, "made-up").status_code == 403
    assert "Variant" in alice.open("/portal/profile").text
    for _ in range(2):
        done = alice.script(path, data={"_xsrf": alice.xsrf()})
        assert (done.status_code, done.headers["Location"]) == (303, "/portal/profile#applications")
    assert "Variant" not in alice.open("/portal/profile").text


def test_the_dictionary_says_when_it_cannot_be_shown(browser: Browser) -> None:
    answer = browser.open("/portal/dictionary")
    assert answer.status_code in (502, 503)
    assert "<h1>" in answer.text


@pytest.fixture(scope="module")
def hubless_url(run_service: Callable[..., Any]) -> str:
    """A replica of the portal whose hub does not answer."""
    return str(run_service(PortalApp, Commons={"hub_api_url": "http://127.0.0.1:1/jupyter/hub/api"}).url)


def test_the_profile_shows_the_other_commons_to_connect_to(alice: Browser, database_url: str) -> None:
    page = alice.open("/portal/profile").text
    assert "The &lt;other&gt;" in page
    assert 'href="/wts/oauth2/authorization_url?idp=other&amp;redirect=/portal/profile">Connect</a>' in page
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into auth.wts_connection (user_id, idp, refresh_token, refresh_expires_at) "
                "select id, 'other', 'x', '2999-12-31' from auth.usr where username = 'alice'"
            )
        )
    engine.dispose()
    page = alice.open("/portal/profile").text
    assert "until 2999-12-31 <button" in page
    assert ">Connect</a>" not in page


@pytest.mark.parametrize(("path", "status"), [("/portal/", 200), ("/portal/profile", 503)])
def test_without_the_hub_users_see_what_everybody_sees(
    alice: Browser, hubless_url: str, path: str, status: int
) -> None:
    answer = alice.get(hubless_url + path)
    assert answer.status_code == status
    assert "alice" not in answer.text


def test_a_visitor_s_query_page_is_the_sign_in_and_leads_back(browser: Browser) -> None:
    answer = browser.open("/portal/query?type=case")
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        "/portal/login?next=%2Fportal%2Fquery%3Ftype%3Dcase",
    )


def test_the_query_page_allows_its_own_files_and_the_style_sheet_of_its_dialogs(alice: Browser) -> None:
    answers = [alice.open("/portal/query") for _ in range(2)]
    policies = [answer.headers["Content-Security-Policy"] for answer in answers]
    assert "unsafe" not in policies[0]
    assert "script-src 'self';" in policies[0]
    assert "frame-ancestors 'none'" in policies[0]
    nonces = [re.findall(r"style-src 'self' 'nonce-([\w-]{20,})'", policy) for policy in policies]
    assert nonces[0] != nonces[1]
    assert f'nonce="{nonces[0][0]}"' in answers[0].text
    assert answers[0].headers["Cache-Control"] == "no-store"


def test_the_files_of_the_query_page_come_from_the_package(alice: Browser) -> None:
    graphiql.install()
    page = alice.open("/portal/query").text
    files = re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]+)"', page)
    assert {file.partition("?")[0].removeprefix("/portal/static/") for file in files} >= {
        "graphiql/graphiql.js",
        "graphiql/graphiql.css",
        "graphiql/react.js",
        "graphiql/react-dom.js",
        "query.js",
    }
    for file in files:
        answer = alice.open(file)
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")


def test_files_named_without_their_version_are_asked_for_again(browser: Browser) -> None:
    answer = browser.open("/portal/static/commons.js")
    assert answer.headers["Cache-Control"] == "no-cache"
    again = browser.open("/portal/static/commons.js", headers={"If-None-Match": answer.headers["Etag"]})
    assert again.status_code == 304


def test_where_the_editor_is_not_installed_the_page_says_how_to_install_it(
    run_service: Callable[..., Any], hub_url: str, auth_url: str, tmp_path: Path
) -> None:
    class PortalWithoutEditor(PortalApp):
        def make_application(self) -> CountingApplication:
            application = super().make_application()
            held, own = application.settings["static_path"], tmp_path / "static"
            shutil.copytree(held, own, ignore=shutil.ignore_patterns("graphiql"))
            application.settings["static_path"] = str(own)
            return application

    portal = run_service(
        PortalWithoutEditor,
        PortalApp={"services_url": auth_url, "hub_api_token": TOKENS["portal"]},
        Commons={"hub_url": f"{hub_url}/jupyter/hub/", "hub_api_url": f"{hub_url}/jupyter/hub/api"},
    )
    with Browser(portal.url, hub_url) as fresh:
        assert fresh.sign_in("bob").status_code == 302
        page = fresh.open("/portal/query").text
    assert "python -P -m commonshub.hub.graphiql" in page
    assert "<select" not in page
