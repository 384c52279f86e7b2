"""How what was given ends: cases C23 to C29, and what a user has allowed."""

from typing import Any

import pytest
import requests
from tests.auth_service import Auth
from tests.oauth_client import Application, Browser, alice, application, refused, register, tokens
from tests.tokens import bearer

from commonshub.auth.claims import Account
from commonshub.auth.oauth import store

__all__ = ["alice", "application", "tokens"]

REVOKE = "/user/oauth2/revoke"


def revoke(application: Application, token: str, user: str | None = None) -> requests.Response:
    if user is not None:
        return application.auth.post(REVOKE, user, data={"token": token})
    return application.auth.post(REVOKE, data={"token": token}, auth=application.basic)


@pytest.mark.parametrize("user", [None, "alice", "root"], ids=["C24-client", "C24-owner", "C29-administrator"])
def test_a_revoked_refresh_token_gives_nothing_more(
    site: Auth, application: Application, tokens: dict[str, Any], user: str | None
) -> None:
    assert revoke(application, tokens["refresh_token"], user).status_code == 200
    refused(application.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert site.get("/user/user", headers=bearer(tokens["access_token"])).status_code == 401


def test_c23_a_revoked_refresh_token_is_400_at_the_token_endpoint(
    application: Application, tokens: dict[str, Any]
) -> None:
    revoke(application, tokens["refresh_token"])
    assert application.refresh(tokens["refresh_token"]).status_code == 400


@pytest.mark.parametrize("user", [None, "alice"])
def test_c24_revoking_twice_is_no_fault(application: Application, tokens: dict[str, Any], user: str | None) -> None:
    for _ in range(2):
        assert revoke(application, tokens["refresh_token"], user).status_code == 200


@pytest.mark.parametrize("token", ["malformed", "", "a.b.c", "é" * 40, "x" * 9000], ids="C25-{:.9}".format)
def test_what_is_no_token_is_revoked_already(application: Application, token: str) -> None:
    assert revoke(application, token).status_code == (200 if token else 400)


def test_c25_an_expired_token_is_revoked_already(site: Auth, application: Application) -> None:
    expired = site.app.minter.refresh(Account(1, "alice"), -60, ["openid"], "s", application.id)
    assert revoke(application, site.app.keys.sign(expired)).status_code == 200


@pytest.mark.parametrize("name", ["access_token", "id_token"], ids="C26-{}".format)
def test_other_tokens_cannot_be_revoked_and_stay(
    site: Auth, application: Application, tokens: dict[str, Any], name: str
) -> None:
    refused(revoke(application, tokens[name]), 400, "unsupported_token_type")
    assert site.get("/user/user", headers=bearer(tokens["access_token"])).status_code == 200


def test_c28_json_is_not_taken(application: Application, tokens: dict[str, Any]) -> None:
    answer = application.auth.post(REVOKE, json={"token": tokens["refresh_token"]}, auth=application.basic)
    refused(answer, 400, "invalid_request")
    assert application.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    ("user", "status"),
    [
        pytest.param("bob", 403, id="C29-another user"),
        pytest.param("nobody", 403, id="C29-a user without rights"),
        pytest.param(None, 401, id="C29-anonymous"),
    ],
)
def test_who_may_not_revoke_a_token_changes_nothing(
    application: Application, tokens: dict[str, Any], user: str | None, status: int
) -> None:
    answer = application.auth.post(REVOKE, user, data={"token": tokens["refresh_token"]})
    assert answer.status_code == status
    assert application.refresh(tokens["refresh_token"]).status_code == 200


def test_c29_another_client_may_not_revoke(site: Auth, application: Application, tokens: dict[str, Any]) -> None:
    assert revoke(register(site), tokens["refresh_token"]).status_code == 400
    assert application.refresh(tokens["refresh_token"]).status_code == 200


def test_c29_a_client_may_not_revoke_what_its_user_gave_others(
    site: Auth, application: Application, alice: Browser, tokens: dict[str, Any]
) -> None:
    other = register(site, auto_approve=True)
    foreign = other.redeem(alice.code(other)).json()["access_token"]
    for token in (tokens["refresh_token"], site.api_key("alice")):
        answer = site.post(REVOKE, data={"token": token}, headers=bearer(foreign))
        assert answer.status_code == 403
    assert application.refresh(tokens["refresh_token"]).status_code == 200


def test_c27_a_revoked_api_key_gives_nothing_more(site: Auth, application: Application) -> None:
    key = site.api_key("alice")
    assert site.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 200
    assert revoke(application, key, "alice").status_code == 200
    assert site.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 401


# -- the life of what was given ---------------------------------------------------


def test_every_token_and_consent_leaves_a_row(site: Auth, application: Application, tokens: dict[str, Any]) -> None:
    rows = [row for row in site.audited() if row.client == application.id][-2:]
    assert [(row.action, row.username, row.decision) for row in rows] == [
        ("consent", "alice", "allowed"),
        ("access_token", "alice", "allowed"),
    ]
    assert "eyJ" not in str(rows)


def test_a_refresh_token_dies_with_its_client(site: Auth, alice: Browser) -> None:
    application = register(site, auto_approve=True)
    tokens = application.redeem(alice.code(application)).json()
    site.app.database.call(store.delete_clients, "auth", [application.id])
    site.running.call(site.app.grants.reload())
    refused(application.refresh(tokens["refresh_token"]), 401, "invalid_client")
    assert site.get("/user/user", headers=bearer(tokens["access_token"])).status_code == 401


# -- what a user has allowed -------------------------------------------------------

APPLICATIONS = "/user/oauth2/applications"


def test_a_user_sees_what_he_allowed_and_ends_it(site: Auth, browser: Browser) -> None:
    application, kept = register(site), register(site)
    tokens = application.redeem(browser.code(application, "dora")).json()
    other = kept.redeem(browser.code(kept, "dora")).json()
    listed = {each["client_id"]: each for each in site.get(APPLICATIONS, "dora").json()["applications"]}
    assert listed.keys() == {application.id, kept.id}
    told = listed[application.id]
    assert (told["name"], told["remembered"], told["sessions"]) == (
        application.client.name,
        ["data", "openid", "user"],
        1,
    )
    assert site.request("DELETE", f"{APPLICATIONS}/{application.id}", "dora").status_code == 204
    refused(application.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert site.get("/user/user", headers=bearer(tokens["access_token"])).status_code == 401
    assert site.get("/user/user", headers=bearer(other["access_token"])).status_code == 200
    assert 'id="yes"' in browser.open(application.query()).text
    assert [each["client_id"] for each in site.get(APPLICATIONS, "dora").json()["applications"]] == [kept.id]


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("bob", 404), ("root", 404)])
def test_what_a_user_allowed_is_his_own_matter(
    site: Auth, application: Application, tokens: dict[str, Any], user: str | None, status: int
) -> None:
    assert site.request("DELETE", f"{APPLICATIONS}/{application.id}", user).status_code == status
    assert application.refresh(tokens["refresh_token"]).status_code == 200


def test_an_application_does_not_see_the_others(site: Auth, tokens: dict[str, Any]) -> None:
    for method, path in (("GET", APPLICATIONS), ("DELETE", f"{APPLICATIONS}/x")):
        assert site.request(method, path, headers=bearer(tokens["access_token"])).status_code == 403
