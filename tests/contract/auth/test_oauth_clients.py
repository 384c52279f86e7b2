"""Programs that others wrote sign in here: Authlib's client, and the gen3 SDK."""

from typing import Any

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from tests.auth_service import Auth
from tests.conftest import free_port
from tests.oauth_client import CALLBACK, Browser, register

from commonshub.auth.oauth import store

PORT = free_port()


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_authlib_signs_a_user_in_renews_and_validates_by_what_discovery_says(
    site: Auth, browser: Browser, method: str
) -> None:
    offered = requests.get(f"{site.url}/.well-known/openid-configuration", timeout=30).json()
    assert method in offered["token_endpoint_auth_methods_supported"]
    application = register(site, confidential=method != "none")
    with OAuth2Session(
        application.id,
        application.secret,
        token_endpoint_auth_method=method,
        scope="openid user data",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    ) as session:
        verifier = "v" * 64
        url, state = session.create_authorization_url(
            offered["authorization_endpoint"], code_verifier=verifier, nonce="n-1"
        )
        page = browser.authorize(url.removeprefix(site.url))
        back = browser.confirm(page).headers["Location"]
        token = session.fetch_token(
            offered["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
        )
        keys = KeySet.import_key_set(requests.get(offered["jwks_uri"], timeout=30).json())
        told = jwt.decode(token["id_token"], keys, algorithms=offered["id_token_signing_alg_values_supported"]).claims
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": offered["issuer"]},
            aud={"essential": True, "value": application.id},
            nonce={"essential": True, "value": "n-1"},
        )
        registry.validate(told)
        me = session.get(offered["userinfo_endpoint"]).json()
        assert (me["sub"], me["username"]) == (told["sub"], "alice")
        renewed = session.refresh_token(offered["token_endpoint"], refresh_token=token["refresh_token"])
        assert renewed["refresh_token"] != token["refresh_token"]
        assert session.get(offered["userinfo_endpoint"]).json() == me
        assert session.revoke_token(offered["revocation_endpoint"], renewed["refresh_token"]).status_code == 200
        assert session.get(offered["userinfo_endpoint"]).status_code == 401


def test_c20_the_gen3_sdk_acts_for_a_client_by_its_credentials(site: Auth) -> None:
    from gen3.auth import Gen3Auth

    application = register(site, grant_types=frozenset({"client_credentials"}))
    site.app.database.call(store.bind_policies, "auth", application.client.name, ["one_reader"], "cli")
    site.running.call(site.app.grants.reload())
    auth = Gen3Auth(endpoint=site.url, client_credentials=application.basic)
    mapping: dict[str, Any] = auth.curl("/authz/mapping").json()
    assert mapping == {"/programs/a/projects/one": [{"service": "fence", "method": "read-storage"}]}
