"""The token endpoint, and what is offered: cases C5 to C8, C12 to C17 and C20 to C22."""

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from tests.administration import make_policy, make_user, run
from tests.auth_service import Auth
from tests.oauth_client import (
    TOKEN,
    Application,
    Browser,
    alice,
    application,
    pkce,
    refused,
    register,
    tokens,
)
from tests.tokens import bearer, claims_of

from commonshub.auth.oauth import store
from commonshub.auth.oauth.clients import SCOPES

__all__ = ["alice", "application", "tokens"]


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
    assert (me["username"], me["azp"], me["sub"]) == ("alice", application.id, claims_of(tokens["id_token"])["sub"])


def test_c12_the_id_token_knows_the_projects_that_userinfo_tells(site: Auth, alice: Browser) -> None:
    application = register(site, auto_approve=True)
    site.app.database.call(store.bind_policies, "auth", application.client.name, ["one_reader"], "cli")
    site.running.call(site.app.grants.reload())
    tokens = application.redeem(alice.code(application)).json()
    me = site.get("/user/user", headers=bearer(tokens["access_token"])).json()
    user = claims_of(tokens["id_token"])["context"]["user"]
    assert user["projects"] == me["project_access"] == {"a-one": ["read-storage"]}
    assert (user["name"], user["email"], user["tags"]) == ("alice", "alice@example.org", {"team": "a"})


def test_c12_without_the_scope_user_it_knows_no_more_than_the_name(application: Application, alice: Browser) -> None:
    tokens = application.redeem(alice.code(application, scope="openid")).json()
    for name in ("id_token", "access_token"):
        assert claims_of(tokens[name])["context"] == {"user": {"name": "alice"}}


@pytest.fixture
def thousand(site: Auth) -> Iterator[Application]:
    """An application that has a policy for a thousand projects, as has the user of its name."""
    name = "thousand"
    projects = [{"name": f"p{number}"} for number in range(1000)]
    tree = {"name": "many", "subresources": [{"name": "projects", "subresources": projects}]}
    run(site, ("POST", "/resource/programs?p", tree, 201))
    make_user(site, name, make_policy(site, name, [f"/programs/many/projects/{each['name']}" for each in projects]))
    application = register(site, name, auto_approve=True)
    site.app.database.call(store.bind_policies, "auth", name, [name], "cli")
    site.running.call(site.app.grants.reload())
    yield application
    site.app.database.call(store.bind_policies, "auth", name, [], "cli")
    run(site, ("DELETE", f"/user/{name}", None, 204), ("DELETE", f"/policy/{name}", None, 204))
    run(site, ("DELETE", "/resource/programs/many", None, 204))


def test_c51_tokens_fit_into_4_kb_whatever_the_user_may_do(site: Auth, browser: Browser, thousand: Application) -> None:
    tokens = thousand.redeem(browser.code(thousand, "thousand")).json()
    me = site.get("/user/user", headers=bearer(tokens["access_token"])).json()
    assert len(me["project_access"]) >= 1000
    assert all(len(tokens[name]) < 4096 for name in ("access_token", "id_token", "refresh_token"))
    user = claims_of(tokens["id_token"])["context"]["user"]
    assert user["name"] == "thousand"
    assert "projects" not in user


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
        before, after = claims_of(first[name]), claims_of(second[name])
        changing = {"iat", "exp", "jti", "at_hash"}
        assert {key: before[key] for key in before.keys() - changing} == {
            key: after[key] for key in after.keys() - changing
        }
    assert claims_of(second["refresh_token"])["exp"] <= claims_of(first["refresh_token"])["exp"] + 1


def test_c15_a_refresh_may_narrow_the_scope_and_not_widen_it(application: Application, alice: Browser) -> None:
    first = application.redeem(alice.code(application, scope="openid user")).json()
    second = application.refresh(first["refresh_token"], scope="openid").json()
    assert (second["scope"], claims_of(second["access_token"])["scope"]) == ("openid", ["openid"])
    refused(application.refresh(second["refresh_token"], scope="openid data"), 400, "invalid_scope")
    assert application.refresh(second["refresh_token"]).json()["scope"] == "openid user"


def test_c15_a_refresh_token_serves_only_its_client(site: Auth, tokens: dict[str, Any]) -> None:
    refused(register(site).refresh(tokens["refresh_token"]), 400, "invalid_grant")


def test_c16_a_nonce_comes_back_in_the_id_token(application: Application, alice: Browser) -> None:
    token = claims_of(application.redeem(alice.code(application, nonce="n-0S6_WzA2Mj")).json()["id_token"])
    assert token["nonce"] == "n-0S6_WzA2Mj"


def test_c16_an_id_token_needs_none(site: Auth, application: Application, tokens: dict[str, Any]) -> None:
    token = claims_of(tokens["id_token"])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert "nonce" not in token
    assert token["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert (token["pur"], token["azp"], token["exp"] - token["iat"]) == ("id", application.id, 1200)


@pytest.mark.parametrize("name", ["access_token", "id_token", "refresh_token"], ids="C17-{}".format)
def test_every_token_is_for_the_client_and_the_commons(
    application: Application, tokens: dict[str, Any], name: str
) -> None:
    assert set(claims_of(tokens[name])["aud"]) == {"gen3", application.id}


@pytest.mark.parametrize("name", ["id_token", "refresh_token"])
def test_c17_only_an_access_token_opens_anything(site: Auth, tokens: dict[str, Any], name: str) -> None:
    assert site.get("/user/user", headers=bearer(tokens[name])).status_code == 401


def test_c20_a_client_gets_a_token_of_its_own(site: Auth, application: Application) -> None:
    answer = application.token(grant_type="client_credentials", scope="openid user")
    assert answer.json().keys() == {"token_type", "access_token", "expires_in"}
    told = claims_of(answer.json()["access_token"])
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
