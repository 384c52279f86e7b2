"""The commons as an OAuth 2 and OpenID provider: cases C1 to C29."""

import base64
import hashlib
import re
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from tests.auth_service import Auth
from tests.oauth_client import AUTHORIZE, TOKEN, Application, Browser, parameters, pkce, register

from commonshub.auth.claims import Account
from commonshub.auth.oauth import store
from commonshub.auth.oauth.clients import SCOPES

REVOKE = "/user/oauth2/revoke"


@pytest.fixture(scope="module")
def alice(site: Auth, hub_url: str) -> Iterator[Browser]:
    """A browser in which alice has signed in, though no application knows it yet."""
    with Browser(site.url, hub_url) as fresh:
        fresh.authorize(register(site).query())
        yield fresh


@pytest.fixture(scope="module")
def application(site: Auth) -> Application:
    """A confidential application with every grant that has its users' consent for granted."""
    grants = frozenset({"authorization_code", "refresh_token", "client_credentials"})
    return register(site, grant_types=grants, auto_approve=True)


@pytest.fixture
def tokens(application: Application, alice: Browser) -> dict[str, Any]:
    """What alice let the application have."""
    answer = application.redeem(alice.code(application))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"bearer {token}"}


def claims(token: str) -> dict[str, Any]:
    told: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return told


def title(page: requests.Response) -> str:
    found = re.search("<title>(.*?)</title>", page.text)
    assert found is not None
    return found.group(1)


def refused(answer: requests.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.json()["error_description"]


# -- at the authorization endpoint ------------------------------------------------


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
    token = claims(application.redeem(told["code"]).json()["id_token"])
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
        token = claims(application.redeem(parameters(answer.headers["Location"])["code"]).json()["id_token"])
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


# -- at the token endpoint --------------------------------------------------------


@pytest.mark.parametrize("public", [False, True], ids=["C5-confidential", "C5-public"])
def test_a_code_becomes_tokens(site: Auth, alice: Browser, public: bool) -> None:
    application = register(site, confidential=not public, auto_approve=True)
    verifier, challenge = pkce()
    answer = application.redeem(alice.code(application, **challenge), verifier)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    assert told.keys() >= {"access_token", "id_token", "refresh_token"}
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 1200)


def test_c05_what_is_no_secret_may_stand_in_the_query(application: Application, alice: Browser) -> None:
    query = {
        "grant_type": "authorization_code",
        "code": alice.code(application),
        "redirect_uri": application.client.redirect_uris[0],
    }
    assert application.auth.post(TOKEN, params=query, auth=application.basic).status_code == 200


@pytest.mark.parametrize("name", ["client_secret", "refresh_token"])
def test_c05_a_secret_may_not_stand_in_the_query(application: Application, name: str) -> None:
    refused(application.auth.post(TOKEN, params={name: "x"}), 400, "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        pytest.param({"grant_type": "authorization_code", "code": "invalid"}, "invalid_grant", id="C6-unknown code"),
        pytest.param({"grant_type": "authorization_code"}, "invalid_request", id="C6-no code"),
        pytest.param({"grant_type": "password", "username": "a"}, "unsupported_grant_type", id="C7-password"),
        pytest.param({"grant_type": "not_a_real_grant_type"}, "unsupported_grant_type", id="C7-unknown"),
        pytest.param({}, "invalid_request", id="C7-none"),
        pytest.param({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant", id="C15-no token"),
        pytest.param({"grant_type": ["refresh_token", "password"]}, "invalid_request", id="C7-two"),
    ],
)
def test_a_faulty_token_request_is_400(application: Application, form: dict[str, Any], error: str) -> None:
    refused(application.token(**form), 400, error)


def test_c08_the_access_token_tells_userinfo_who_the_user_is(
    site: Auth, application: Application, tokens: dict[str, Any]
) -> None:
    me = site.get("/user/user", headers=bearer(tokens["access_token"])).json()
    assert (me["username"], me["azp"], me["sub"]) == ("alice", application.id, claims(tokens["id_token"])["sub"])


def test_c12_the_id_token_knows_the_projects_that_userinfo_tells(site: Auth, alice: Browser) -> None:
    application = register(site, auto_approve=True)
    site.app.database.call(store.bind_policies, "auth", application.client.name, ["one_reader"], "cli")
    site.running.call(site.app.grants.reload())
    tokens = application.redeem(alice.code(application)).json()
    me = site.get("/user/user", headers=bearer(tokens["access_token"])).json()
    user = claims(tokens["id_token"])["context"]["user"]
    assert user["projects"] == me["project_access"] == {"a-one": ["read-storage"]}
    assert (user["name"], user["email"], user["tags"]) == ("alice", "alice@example.org", {"team": "a"})


def test_c12_without_the_scope_user_it_knows_no_more_than_the_name(application: Application, alice: Browser) -> None:
    token = claims(application.redeem(alice.code(application, scope="openid")).json()["id_token"])
    assert token["context"]["user"] == {"name": "alice", "is_admin": False}


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"redirect_uri": "https://app.example.org/other"}, id="C13-other redirect_uri"),
        pytest.param({"redirect_uri": ""}, id="C13-no redirect_uri"),
    ],
)
def test_a_code_serves_only_the_address_it_was_sent_to(
    application: Application, alice: Browser, form: dict[str, str]
) -> None:
    code = alice.code(application)
    refused(application.redeem(code, **form), 400, "invalid_grant")
    assert application.redeem(code).status_code == 200


def test_c13_a_code_serves_only_its_client(site: Auth, application: Application, alice: Browser) -> None:
    code = alice.code(application)
    refused(register(site).redeem(code), 400, "invalid_grant")
    assert application.redeem(code).status_code == 200


def test_c13_a_code_serves_once(application: Application, alice: Browser) -> None:
    code = alice.code(application)
    assert application.redeem(code).status_code == 200
    refused(application.redeem(code), 400, "invalid_grant")


def test_c13_a_code_has_an_end(site: Auth, application: Application, alice: Browser) -> None:
    import sqlalchemy as sa

    from commonshub.auth.oauth.sessions import oauth

    code = alice.code(application)
    past = sa.update(oauth("auth").code).values(expires_at=sa.func.now())
    site.app.database.call(lambda connection: connection.execute(past))
    refused(application.redeem(code), 400, "invalid_grant")


@pytest.mark.parametrize("way", ["C14-basic", "C14-post", "C14-none", "C14-unknown client"])
def test_a_client_that_does_not_prove_itself_is_401(application: Application, way: str) -> None:
    form = {"grant_type": "client_credentials"}
    proof: dict[str, Any] = {
        "C14-basic": {"auth": (application.id, "wrong"), "data": form},
        "C14-post": {"data": {**form, "client_id": application.id, "client_secret": "wrong"}},
        "C14-none": {"data": {**form, "client_id": application.id}},
        "C14-unknown client": {"auth": ("unknown", application.secret), "data": form},
    }[way]
    answer = application.auth.post(TOKEN, **proof)
    refused(answer, 401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_c14_a_secret_in_the_body_is_as_good(application: Application) -> None:
    form = {"grant_type": "client_credentials", "client_id": application.id, "client_secret": application.secret}
    assert application.auth.post(TOKEN, data=form).status_code == 200


def test_c14_a_client_whose_time_is_over_is_401(site: Auth) -> None:
    ended = register(site, grant_types=frozenset({"client_credentials"}), expires_at=int(time.time()) - 1)
    refused(ended.token(grant_type="client_credentials"), 401, "invalid_client")


@pytest.mark.parametrize("public", [False, True], ids=["C15-confidential", "C15-public"])
def test_a_refresh_keeps_what_the_tokens_say_and_gives_a_new_refresh_token(
    site: Auth, alice: Browser, public: bool
) -> None:
    application = register(site, confidential=not public, auto_approve=True)
    verifier, challenge = pkce()
    first = application.redeem(alice.code(application, **challenge), verifier).json()
    second = application.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    for name in ("access_token", "id_token", "refresh_token"):
        before, after = claims(first[name]), claims(second[name])
        changing = {"iat", "exp", "jti", "at_hash"}
        assert {key: before[key] for key in before.keys() - changing} == {
            key: after[key] for key in after.keys() - changing
        }
    assert claims(second["refresh_token"])["exp"] <= claims(first["refresh_token"])["exp"] + 1


def test_c15_a_refresh_may_narrow_the_scope_and_not_widen_it(application: Application, alice: Browser) -> None:
    first = application.redeem(alice.code(application, scope="openid user")).json()
    second = application.refresh(first["refresh_token"], scope="openid").json()
    assert (second["scope"], claims(second["access_token"])["scope"]) == ("openid", ["openid"])
    refused(application.refresh(second["refresh_token"], scope="openid data"), 400, "invalid_scope")
    assert application.refresh(second["refresh_token"]).json()["scope"] == "openid user"


def test_c15_a_refresh_token_serves_only_its_client(site: Auth, tokens: dict[str, Any]) -> None:
    refused(register(site).refresh(tokens["refresh_token"]), 400, "invalid_grant")


def test_c16_a_nonce_comes_back_in_the_id_token(application: Application, alice: Browser) -> None:
    token = claims(application.redeem(alice.code(application, nonce="n-0S6_WzA2Mj")).json()["id_token"])
    assert token["nonce"] == "n-0S6_WzA2Mj"


def test_c16_an_id_token_needs_none(site: Auth, application: Application, tokens: dict[str, Any]) -> None:
    token = claims(tokens["id_token"])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert "nonce" not in token
    assert token["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert (token["pur"], token["azp"], token["exp"] - token["iat"]) == ("id", application.id, 1200)


@pytest.mark.parametrize("name", ["access_token", "id_token", "refresh_token"], ids="C17-{}".format)
def test_every_token_is_for_the_client_and_the_commons(
    application: Application, tokens: dict[str, Any], name: str
) -> None:
    assert set(claims(tokens[name])["aud"]) == {"gen3", application.id}


@pytest.mark.parametrize("name", ["id_token", "refresh_token"])
def test_c17_only_an_access_token_opens_anything(site: Auth, tokens: dict[str, Any], name: str) -> None:
    assert site.get("/user/user", headers=bearer(tokens[name])).status_code == 401


def test_c20_a_client_gets_a_token_of_its_own(site: Auth, application: Application) -> None:
    answer = application.token(grant_type="client_credentials", scope="openid user")
    assert answer.json().keys() == {"token_type", "access_token", "expires_in"}
    told = claims(answer.json()["access_token"])
    assert (told["azp"], told["scope"], told["context"], "sub" in told) == (
        application.id,
        ["openid", "user"],
        {},
        False,
    )
    assert site.get("/authz/mapping", headers=bearer(answer.json()["access_token"])).json() == {}


def test_c20_a_scope_that_the_client_may_not_have_is_refused(application: Application) -> None:
    refused(application.token(grant_type="client_credentials", scope="openid admin"), 400, "invalid_scope")


def test_c20_a_client_without_the_grant_is_refused(site: Auth) -> None:
    refused(register(site).token(grant_type="client_credentials"), 400, "unauthorized_client")


# -- what is offered --------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/user", ""])
def test_c21_discovery_tells_what_is_offered(site: Auth, prefix: str) -> None:
    told = site.get(f"{prefix}/.well-known/openid-configuration").json()
    issuer = f"{site.app.commons.origin}/user"
    assert told["issuer"] == issuer
    for name, path in [
        ("authorization_endpoint", "/oauth2/authorize"),
        ("token_endpoint", "/oauth2/token"),
        ("revocation_endpoint", "/oauth2/revoke"),
        ("userinfo_endpoint", "/user"),
        ("jwks_uri", "/.well-known/jwks"),
    ]:
        assert told[name] == issuer + path
        assert site.get("/user" + path).status_code != 404
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["response_types_supported"] == ["code"]


def test_c21_the_published_keys_are_those_that_sign(site: Auth, tokens: dict[str, Any]) -> None:
    kid = jwt.get_unverified_header(tokens["id_token"])["kid"]
    [key] = [each for each in site.get("/user/.well-known/jwks").json()["keys"] if each["kid"] == kid]
    assert {"kty", "n", "e", "use", "alg"} <= key.keys()
    pems = dict(site.get("/user/jwt/keys").json()["keys"])
    for known in (jwt.PyJWK(key).key, pems[kid]):
        jwt.decode(tokens["id_token"], known, algorithms=["RS256"], audience="gen3")


def test_c22_every_scope_is_described_and_offered(site: Auth) -> None:
    told = site.get("/user/.well-known/openid-configuration").json()
    assert told["scopes_supported"] == list(SCOPES)
    assert all(len(text) > 20 for text in SCOPES.values())


def test_errors_are_echoed_as_json(site: Auth) -> None:
    answer = site.get("/user/oauth2/errors", params={"error": "access_denied", "x": "<script>"})
    assert answer.json() == {"error": "access_denied", "x": "<script>"}
    assert answer.headers["Content-Type"] == "application/json"


# -- revocation -------------------------------------------------------------------


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
