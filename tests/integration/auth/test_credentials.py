"""API keys, access tokens and what is told to their holders."""

import base64
import json
import logging
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from tests.auth_service import Auth
from tests.tokens import bearer, claims_of
from tests.waiting import eventually

EXCHANGE = "/user/credentials/cdis/access_token"


def exchange(auth: Auth, key: str, path: str = EXCHANGE, **options: Any) -> requests.Response:
    return auth.post(path, json={"api_key": key}, **options)


@pytest.mark.parametrize("source", ["api", "cdis"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_api_key_is_exchanged_for_an_access_token(auth: Auth, source: str, slash: str) -> None:
    answer = exchange(auth, auth.api_key("alice"), f"/user/credentials/{source}/access_token{slash}")
    assert answer.status_code == 200
    claims = claims_of(answer.json()["access_token"])
    assert (claims["pur"], claims["context"]["user"]["name"], claims["aud"]) == ("access", "alice", ["gen3"])
    assert claims["iss"] == "http://127.0.0.1:8000/user"
    assert 300 < claims["exp"] - time.time() <= 1200


def test_extra_keys_and_forms_are_taken_too(auth: Auth) -> None:
    key = auth.api_key("alice")
    assert auth.post(EXCHANGE, json={"api_key": key, "key_id": "x", "more": 1}).status_code == 200
    assert auth.post(EXCHANGE, data={"api_key": key}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"api_key": 1}, 400), ({"api_key": ""}, 400), ({"api_key": "nonsense"}, 401), ([], 400)],
    ids=str,
)
def test_a_missing_key_is_400_and_a_bad_one_401(auth: Auth, body: Any, status: int) -> None:
    answer = auth.post(EXCHANGE, json=body)
    assert answer.status_code == status
    assert {"error", "message"} <= answer.json().keys()


def test_an_access_token_is_no_api_key_and_the_other_way_round(auth: Auth) -> None:
    assert exchange(auth, auth.access_token("alice")).status_code == 401
    headers = bearer(auth.api_key("alice"))
    assert auth.get("/user/user", headers=headers).status_code == 401


@pytest.mark.parametrize(("asked", "status"), [("600", 200), ("1200", 200), ("1201", 400), ("0", 400), ("x", 400)])
def test_the_life_of_an_access_token_is_as_asked_or_refused(auth: Auth, asked: str, status: int) -> None:
    answer = exchange(auth, auth.api_key("alice"), f"{EXCHANGE}?expires_in={asked}")
    assert answer.status_code == status
    if status == 200:
        claims = claims_of(answer.json()["access_token"])
        assert claims["exp"] - claims["iat"] == int(asked)


def test_an_access_token_never_outlives_its_key(auth: Auth) -> None:
    key = auth.api_key("alice", ttl_s=400)
    assert claims_of(exchange(auth, key).json()["access_token"])["exp"] <= claims_of(key)["exp"]
    assert exchange(auth, key, f"{EXCHANGE}?expires_in=900").status_code == 400


def test_an_expired_key_is_refused_in_gen3s_words(auth: Auth) -> None:
    answer = exchange(auth, auth.api_key("alice", ttl_s=-60))
    assert answer.status_code == 401
    assert answer.json()["message"] == "Authentication Error: Signature has expired"


def test_a_key_lives_from_creation_to_deletion(auth: Auth) -> None:
    made = auth.post("/user/credentials/api", "bob").json()
    listed = auth.get("/user/credentials/api/", "bob").json()["jtis"]
    assert [each["jti"] for each in listed] == [made["key_id"]]
    assert exchange(auth, made["api_key"]).status_code == 200
    assert auth.request("DELETE", f"/user/credentials/api/{made['key_id']}", "alice").status_code == 404
    assert auth.request("DELETE", f"/user/credentials/api/{made['key_id']}", "bob").status_code == 204
    assert exchange(auth, made["api_key"]).status_code == 401
    assert auth.request("DELETE", f"/user/credentials/api/{made['key_id']}", "bob").status_code == 404


def test_what_came_from_a_key_cannot_make_another(auth: Auth) -> None:
    token = exchange(auth, auth.api_key("alice")).json()["access_token"]
    for method in ("GET", "POST"):
        answer = auth.request(method, "/user/credentials/api", headers=bearer(token))
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "scopes"),
    [
        (None, 200, ["data", "fence", "openid", "user"]),
        ({"scope": ["user"]}, 200, ["openid", "user"]),
        ({"scope": ["user", "credentials", "admin"]}, 200, ["openid", "user"]),
        ({"scope": ["everything"]}, 400, None),
        ({"scope": "user"}, 400, None),
    ],
    ids=str,
)
def test_a_key_has_the_scopes_asked_for_and_never_those_that_breed_keys(
    auth: Auth, body: Any, status: int, scopes: list[str] | None
) -> None:
    answer = auth.post("/user/credentials/api", "alice", json=body)
    assert answer.status_code == status
    if scopes:
        assert claims_of(answer.json()["api_key"])["scope"] == scopes


def test_making_a_key_is_audited_without_the_key(auth: Auth) -> None:
    answer = auth.post("/user/credentials/api", "alice", headers={"X-Request-Id": "audit-key"})
    row = auth.audited()[-1]
    assert (row.action, row.subject, row.username, row.decision, row.request_id) == (
        "api_key",
        answer.json()["key_id"],
        "alice",
        "allowed",
        "audit-key",
    )
    assert answer.json()["api_key"] not in str(row)


@pytest.mark.parametrize("path", ["/user/.well-known/jwks", "/.well-known/jwks", "/.well-known/jwks/"])
def test_the_published_keys_verify_our_tokens(auth: Auth, path: str) -> None:
    keys = jwt.PyJWKSet.from_dict(auth.get(path).json())
    token = auth.access_token("alice")
    [key] = [each for each in keys.keys if each.key_id == jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key.key, ["RS256"], audience="gen3")["context"]["user"]["name"] == "alice"


def test_the_older_form_of_the_keys_verifies_our_tokens(auth: Auth) -> None:
    [[_, pem]] = auth.get("/user/jwt/keys").json()["keys"]
    assert jwt.decode(auth.access_token("alice"), pem, ["RS256"], audience="gen3")


@pytest.mark.parametrize("prefix", ["/user", ""])
def test_discovery_names_the_issuer_and_where_the_keys_are(auth: Auth, prefix: str) -> None:
    found = auth.get(f"{prefix}/.well-known/openid-configuration").json()
    assert found["issuer"] == "http://127.0.0.1:8000/user"
    assert found["jwks_uri"] == "http://127.0.0.1:8000/user/.well-known/jwks"


def test_private_keys_are_for_the_owner_alone(auth: Auth) -> None:
    folder = auth.app.commons.secrets / "jwt"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.glob("*.pem")} == {0o600}


def test_keys_survive_a_restart(auth: Auth) -> None:
    from commonshub.auth.keys import KeyPairs

    again = KeyPairs(auth.app.commons.secrets / "jwt", Path(auth.app.tokens.jwks_file))
    assert again.jwks() == auth.app.keys.jwks()


def forged(auth: Auth, algorithm: str) -> str:
    """A token of alice's that says `algorithm`, with no signature or one made with public knowledge."""
    token = auth.access_token("alice")
    claims = claims_of(token)
    kid = jwt.get_unverified_header(token)["kid"]
    [[_, pem]] = auth.app.keys.pems()
    if algorithm == "HS256":
        import hashlib
        import hmac

        parts = [json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}), json.dumps(claims)]
        signed = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        mac = hmac.new(pem.encode(), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    return jwt.encode(claims, None, algorithm="none", headers={"kid": kid})


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_forged_with_another_algorithm_is_refused(auth: Auth, algorithm: str) -> None:
    headers = bearer(forged(auth, algorithm))
    assert auth.get("/user/user", headers=headers).status_code == 401


@pytest.mark.parametrize("kid", ["unknown", "../../secrets/jwt/x", "' or 1=1 --", 7, None], ids=str)
def test_a_token_with_a_foreign_key_is_refused(auth: Auth, signing_key: Any, kid: Any) -> None:
    headers = {"kid": kid} if isinstance(kid, str) else {}
    token = jwt.encode(claims_of(auth.access_token("alice")), signing_key, algorithm="RS256", headers=headers)
    assert auth.get("/user/user", headers=bearer(token)).status_code == 401


def test_a_token_of_a_megabyte_is_refused(auth: Auth) -> None:
    assert exchange(auth, "a" * 2**20).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [{"pur": "id"}, {"pur": "refresh"}, {"pur": None}, {"aud": ["x"]}, {"iss": "http://127.0.0.1:8000"}, {"exp": 1}],
    ids=str,
)
def test_a_token_of_ours_for_something_else_is_refused(auth: Auth, changes: dict[str, Any]) -> None:
    claims = {**claims_of(auth.access_token("alice")), **changes}
    token = auth.app.keys.sign({name: value for name, value in claims.items() if value is not None})
    assert auth.get("/user/user", headers=bearer(token)).status_code == 401


def test_no_credential_is_written_to_the_log(
    auth: Auth, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "commonshub")
    key = auth.api_key("alice")
    exchange(auth, key)
    exchange(auth, key + "x")
    exchange(auth, auth.access_token("alice"))
    auth.post("/user/credentials/hub/access_token", headers={"Authorization": "token very-secret-hub-token"})
    auth.post("/user/credentials/api", "alice")
    written = "".join([*capfd.readouterr(), caplog.text])
    assert EXCHANGE in written
    assert "eyJ" not in written
    assert "very-secret-hub-token" not in written


def test_the_operator_lists_and_revokes_keys_and_rotates_the_signing_key(
    auth: Auth, capsys: pytest.CaptureFixture[str]
) -> None:
    from commonshub.auth.commands import main

    options = [f"--data-dir={auth.app.commons.data_dir}", f"--DatabaseSettings.url={auth.app.database.settings.url}"]

    def command(*arguments: str) -> tuple[int, str]:
        status = main([*arguments, *options])
        shown = capsys.readouterr()
        return status, shown.out.strip() + shown.err.strip()

    made = auth.post("/user/credentials/api", "writer").json()
    token = exchange(auth, made["api_key"]).json()["access_token"]
    status, listed = command("key", "list", "writer")
    assert (status, listed.split()[0]) == (0, made["key_id"])
    assert command("key", "list", "stranger") == (1, "This commons has no user stranger.")
    assert command("key", "revoke", made["key_id"])[0] == 0
    assert command("key", "revoke", made["key_id"])[0] == 1
    assert command("key", "list", "writer") == (0, "")
    assert exchange(auth, made["api_key"]).status_code == 401
    eventually(lambda: auth.get("/user/user", headers=bearer(token)).status_code == 401, 5)
    earlier = auth.app.keys.kid
    status, told = command("key", "rotate", "--retire-after", "3600")
    assert (status, told) == (0, f"Tokens are signed with {told.split()[4]} from now on.")
    fresh = auth.access_token("writer")
    assert jwt.get_unverified_header(fresh)["kid"] == told.split()[4] != earlier
    assert command("key", "rotate", "--retire-after", "-1")[0] == 1
