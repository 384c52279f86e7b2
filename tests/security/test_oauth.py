"""Threats to codes, tokens and secrets of applications: S7, S22 and S24, with a real hub."""

import logging
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.oauth_client import TOKEN, Application, Browser, alice, approved, pkce, register
from tests.tokens import bearer, claims_of
from tests.waiting import eventually

from commonshub.auth.oauth import sessions
from commonshub.core.attempts import Attempts
from commonshub.core.grants import tables

__all__ = ["alice", "approved"]

REGISTERED = "https://app.example.org/callback"
CALLBACK = "/user/oauth_callback"


def usable(site: Auth, token: str) -> bool:
    return site.get("/user/user", headers=bearer(token)).status_code == 200


# -- S7: redirect addresses, codes ---------------------------------------------------

ELSEWHERE = [
    "https://app.example.org/callback/",
    "https://app.example.org/callback/more",
    "https://app.example.org/callback?x=1",
    "https://app.example.org/callback#x",
    "https://app.example.org/call",
    "https://app.example.org/",
    "https://app.example.org/Callback",
    "https://app.example.org:443/callback",
    "https://app.example.org:8443/callback",
    "HTTPS://app.example.org/callback",
    "https://APP.example.org/callback",
    "http://app.example.org/callback",
    "https://app.example.org.evil.example/callback",
    "https://evil.example/callback",
    "https://app.example.org@evil.example/callback",
    "https://evil.example/https://app.example.org/callback",
    "https://app.example.org/callback/../other",
    "https://app.example.org/%63allback",
    "https://app.example.org\\@evil.example/callback",
    "https://app.example.org/callback\r\nSet-Cookie: x=1",
    " https://app.example.org/callback",
    "//app.example.org/callback",
    "/callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "",
]


@pytest.mark.parametrize("uri", ELSEWHERE)
def test_s07_only_the_very_address_that_was_registered_gets_a_code(
    approved: Application, alice: Browser, uri: str
) -> None:
    answer = alice.open(approved.query(redirect_uri=uri))
    assert (answer.status_code, "Location" in answer.headers, "code=" in answer.text) == (401, False, False)


def test_s07_two_addresses_are_none(approved: Application, alice: Browser) -> None:
    evil = quote("https://evil.example/", safe="")
    for query in (
        f"{approved.query()}&redirect_uri={evil}",
        f"{approved.query(redirect_uri=None)}&redirect_uri={evil}",
    ):
        assert "Location" not in alice.open(query).headers


def test_s07_a_code_that_comes_twice_ends_all_that_it_gave(site: Auth, approved: Application, alice: Browser) -> None:
    code = alice.code(approved)
    first = approved.redeem(code).json()
    renewed = approved.refresh(first["refresh_token"]).json()
    assert usable(site, renewed["access_token"])
    assert approved.redeem(code).status_code == 400
    assert not usable(site, first["access_token"])
    assert not usable(site, renewed["access_token"])
    assert approved.refresh(renewed["refresh_token"]).status_code == 400


def test_s07_a_refresh_token_that_comes_twice_ends_all_that_came_of_it(
    site: Auth, approved: Application, alice: Browser
) -> None:
    first = approved.redeem(alice.code(approved)).json()
    second = approved.refresh(first["refresh_token"]).json()
    untouched = approved.redeem(alice.code(approved)).json()
    assert approved.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert not usable(site, second["access_token"])
    assert approved.refresh(second["refresh_token"]).status_code == 400
    assert usable(site, untouched["access_token"])
    [row] = [row for row in site.audited() if row.client == approved.id and row.decision == "denied"][-1:]
    assert (row.action, row.detail["grant_type"], row.username) == ("access_token", "refresh_token", "alice")


@pytest.mark.parametrize("what", ["code", "refresh token"])
def test_s07_of_many_who_come_at_once_one_is_served(
    site: Auth, approved: Application, alice: Browser, what: str
) -> None:
    code = alice.code(approved)
    token = "" if what == "code" else approved.redeem(code).json()["refresh_token"]

    def ask(_: int) -> int:
        return (approved.redeem(code) if what == "code" else approved.refresh(token)).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(ask, range(8)))
    assert statuses == [200] + [400] * 7


def wait_for_a_lock(site: Auth) -> None:
    """Until somebody waits for what another transaction holds."""
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    eventually(lambda: site.app.database.call(lambda c: c.execute(waiting).scalar()))


def is_revoked(site: Auth, session_id: str) -> bool:
    t = tables("auth").revoked
    return (
        site.app.database.call(lambda c: c.execute(sa.select(t.c.id).where(t.c.id == session_id)).scalar()) is not None
    )


def test_s07_a_reuse_ends_the_session_that_is_being_renewed(site: Auth, approved: Application, alice: Browser) -> None:
    first = approved.redeem(alice.code(approved)).json()
    second = approved.refresh(first["refresh_token"]).json()
    jti = claims_of(second["refresh_token"])["jti"]
    with ThreadPoolExecutor(1) as pool:
        with site.app.database.engine.begin() as connection:
            found = sessions.find_refresh(connection, "auth", jti)
            assert found is not None
            sessions.use_refresh(connection, "auth", jti)
            reused = pool.submit(approved.refresh, first["refresh_token"])
            wait_for_a_lock(site)
            sessions.add_refresh(connection, "auth", found.session, "third")
        assert reused.result().json()["error"] == "invalid_grant"
    assert is_revoked(site, found.session.id)
    assert not usable(site, second["access_token"])
    assert site.app.database.call(sessions.find_refresh, "auth", "third") is None


def test_s07_who_is_switched_off_loses_the_session_that_is_just_beginning(
    site: Auth, approved: Application, alice: Browser
) -> None:
    code = alice.code(approved)
    end = sessions.end_sessions_of
    with ThreadPoolExecutor(1) as pool:
        with site.app.database.engine.begin() as connection:
            found = sessions.find_code(connection, "auth", code)
            assert found is not None
            ended = pool.submit(site.app.database.call, end, "auth", found.session.user.id, 60)
            wait_for_a_lock(site)
            sessions.redeem(connection, "auth", code, found.session, 60)
        ended.result()
    assert is_revoked(site, found.session.id)
    assert approved.redeem(code).status_code == 400


@pytest.mark.parametrize("given", [None, "x" * 43, "short", "é" * 43], ids=["none", "another", "malformed", "no ASCII"])
def test_s07_a_code_is_nothing_without_its_verifier(approved: Application, alice: Browser, given: str | None) -> None:
    verifier, challenge = pkce()
    code = alice.code(approved, **challenge)
    assert approved.redeem(code, given).json()["error"] == "invalid_grant"
    assert approved.redeem(code, verifier).status_code == 200


def test_s07_a_challenge_cannot_be_taken_off_a_request(approved: Application, alice: Browser) -> None:
    verifier, _ = pkce()
    assert approved.redeem(alice.code(approved), verifier).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"code_challenge": "x" * 43},
        {"code_challenge": "x" * 43, "code_challenge_method": "plain"},
        {"code_challenge": "short", "code_challenge_method": "S256"},
        {"code_challenge_method": "S256"},
    ],
    ids=["nothing", "no method", "plain", "malformed", "method only"],
)
def test_s07_a_public_application_must_use_pkce(site: Auth, alice: Browser, changed: dict[str, str]) -> None:
    application = register(site, confidential=False, auto_approve=True)
    answer = alice.open(application.query(**changed))
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_s07_a_public_application_has_no_secret_to_guess(site: Auth) -> None:
    application = register(site, confidential=False)
    form = {"grant_type": "authorization_code", "code": "x", "client_id": application.id, "client_secret": ""}
    assert site.post(TOKEN, data=form).json()["error"] == "invalid_grant"
    assert site.post(TOKEN, data={**form, "client_secret": "x"}).json()["error"] == "invalid_client"


def test_s07_neither_code_nor_secret_is_stored_as_it_is(site: Auth, approved: Application, alice: Browser) -> None:
    import sqlalchemy as sa

    code = alice.code(approved)
    stored = site.app.database.call(
        lambda connection: [
            str(row)
            for table in ("client", "oauth_code")
            for row in connection.execute(sa.text(f"select * from auth.{table}"))
        ]
    )
    assert stored
    assert not [row for row in stored if code in row or str(approved.secret) in row]


# -- S22, S24 -----------------------------------------------------------------------


def test_s22_no_code_token_or_secret_reaches_the_log(
    approved: Application, alice: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    code = alice.code(approved)
    tokens = approved.redeem(code).json()
    approved.refresh(tokens["refresh_token"])
    approved.redeem(code)
    secrets = [code, str(approved.secret), *(str(tokens[name]) for name in tokens if name.endswith("_token"))]
    secrets += [str(cookie.value) for cookie in alice.cookies]
    assert caplog.text
    assert not [secret for secret in secrets if secret in caplog.text]


def test_s24_guessing_a_secret_is_slowed_down(
    site: Auth, approved: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.app, "attempts", Attempts(4, 100, 36_000))
    form = {"grant_type": "client_credentials"}
    address = {"X-Forwarded-For": "203.0.113.77"}
    guesses = [site.post(TOKEN, data=form, auth=(approved.id, f"guess-{n}"), headers=address) for n in range(5)]
    assert [answer.status_code for answer in guesses] == [401] * 4 + [429]
    assert site.post(TOKEN, data=form, auth=register(site).basic, headers=address).status_code == 400
