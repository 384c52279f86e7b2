"""Tokens and keys under attack: forged, stale, revoked, used at the wrong place."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.auth_service import Auth
from tests.tokens import bearer, claims_of
from tests.two_services import EFFECTIVE_S, Commons, commons
from tests.waiting import eventually

from commonshub.auth.claims import SESSION_SCOPES
from commonshub.core.errors import AuthenticationRequired
from commonshub.core.grants import revoke, tables
from commonshub.core.tokens import CLOCK_SKEW_S, LEEWAY_S

__all__ = ["commons"]


def exchanged(auth: Auth, key: str) -> str:
    answer = auth.post("/user/credentials/api/access_token", json={"api_key": key})
    assert answer.status_code == 200
    return str(answer.json()["access_token"])


def encoded(part: Any) -> str:
    return (
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=").decode()
    )


def forged(auth: Auth, header: Any, payload: Any) -> str:
    """Any header and payload, signed with what everybody knows: the public key as PEM."""
    signed = f"{encoded(header)}.{encoded(payload)}"
    [[_, pem], *_] = auth.app.keys.pems()
    return f"{signed}.{encoded(hmac.new(pem.encode(), signed.encode(), hashlib.sha256).digest())}"


HEADERS: dict[str, Any] = {
    "none": {"alg": "none"},
    "None": {"alg": "nOnE"},
    "HS256": {"alg": "HS256"},
    "RS512": {"alg": "RS512"},
    "no algorithm": {},
    "list of algorithms": {"alg": ["RS256"]},
    "unknown kid": {"alg": "RS256", "kid": "unknown"},
    "path as kid": {"alg": "RS256", "kid": "../../secrets/jwt/x"},
    "SQL as kid": {"alg": "RS256", "kid": "' or 1=1 --"},
    "number as kid": {"alg": "RS256", "kid": 7},
    "object as kid": {"alg": "RS256", "kid": {"a": 1}},
    "key in the header": {"alg": "RS256", "jwk": {"kty": "RSA"}, "jku": "https://e.example/jwks", "x5u": "https://e"},
    "critical extension": {"alg": "RS256", "crit": ["exp"]},
    "list": [],
    "text": "RS256",
    "null": None,
    "lists without end": b"[" * 6000,
    "a number without end": b'{"alg": ' + b"9" * 5000 + b"}",
    "infinite": b'{"alg": 1e999}',
    "not JSON": b"\xff\xfe",
    "empty": b"",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_s08_a_token_with_a_forged_header_is_401(commons: Commons, header: Any) -> None:
    kid = {"kid": commons.auth.app.keys.kid}
    header = {**kid, **header} if isinstance(header, dict) else header
    token = forged(commons.auth, header, claims_of(commons.auth.access_token("root")))
    assert commons.statuses(token)[0] == 401
    assert commons.statuses(token)[1] == 401


def really_signed(auth: Auth, key: Any, changes: dict[str, Any]) -> str:
    """A token of the administrator's that `key` signed; None leaves a part of the header out."""
    payload = json.dumps(claims_of(auth.access_token("root"))).encode()
    header = {"alg": "RS256", "kid": auth.app.keys.kid, **changes}
    given = {name: value for name, value in header.items() if value is not None}
    return jwt.api_jws.encode(payload, key, algorithm=header["alg"], headers=given)


# Headers that nothing but themselves makes wrong, for our own key signed them.
SIGNED_HEADERS: dict[str, dict[str, Any]] = {
    "RS512": {"alg": "RS512"},
    "no kid": {"kid": None},
    "unknown kid": {"kid": "unknown"},
    "path as kid": {"kid": "../kid"},
    "critical extension": {"crit": ["exp"]},
}


@pytest.mark.parametrize("changes", SIGNED_HEADERS.values(), ids=SIGNED_HEADERS.keys())
def test_s08_a_right_signature_makes_no_wrong_header_good(commons: Commons, changes: dict[str, Any]) -> None:
    keys = commons.auth.app.keys
    own = keys._private[keys.kid]
    assert commons.statuses(really_signed(commons.auth, own, {})) == (200, 200)
    assert commons.statuses(really_signed(commons.auth, own, changes)) == (401, 401)


def test_s08_a_key_in_the_header_verifies_nothing(commons: Commons) -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(foreign.public_key(), as_dict=True)
    assert commons.statuses(really_signed(commons.auth, foreign, {"jwk": jwk})) == (401, 401)


NOT_TOKENS = ["a", "a.b", "a.b.c", "....", "a.b.c.d", "eyJ.eyJ.", "Ā", "a" * 8193, "%00", "null"]


@pytest.mark.parametrize("text", NOT_TOKENS, ids=ascii)
def test_s08_what_is_no_token_is_401(auth: Auth, text: str) -> None:
    headers = {"Authorization": f"bearer {text}".encode()}
    assert auth.get("/user/user", headers=headers).status_code == 401
    assert auth.post("/user/credentials/api/access_token", json={"api_key": text}).status_code == 401


def test_s08_a_megabyte_is_401_before_anything_is_computed(auth: Auth) -> None:
    assert auth.post("/user/credentials/api/access_token", json={"api_key": "a" * 2**20}).status_code == 401


CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "http://127.0.0.1:8000"},
    "issuer in other letters": {"iss": "HTTP://127.0.0.1:8000/user"},
    "list of issuers": {"iss": ["http://127.0.0.1:8000/user"]},
    "another audience": {"aud": ["other"]},
    "no audience in the list": {"aud": []},
    "numbers as audience": {"aud": [1]},
    "id token": {"pur": "id"},
    "refresh token": {"pur": "refresh"},
    "session": {"pur": "session"},
    "API key": {"pur": "api_key"},
    "list of purposes": {"pur": ["access"]},
    "expired": {"exp": int(time.time()) - LEEWAY_S - 1},
    "expired long ago": {"exp": 1},
    "expiry as text": {"exp": "tomorrow"},
    "expiry as number in text": {"exp": "99999999999"},
    "infinite expiry": {"exp": float("inf")},
    "expiry not a number": {"exp": float("nan")},
    "true as expiry": {"exp": True},
    "from the future": {"iat": int(time.time()) + CLOCK_SKEW_S + 3600},
    "not yet": {"nbf": int(time.time()) + CLOCK_SKEW_S + 3600},
    "not before as text": {"nbf": "x"},
    "number as jti": {"jti": 7},
    "list as jti": {"jti": ["x"]},
    "number as subject": {"sub": 7},
    "text as scope": {"scope": "openid user data"},
    "numbers as scope": {"scope": [1]},
    "lists as scope": {"scope": [["data"]]},
    "text as context": {"context": "root"},
    "list as context": {"context": [1]},
    "text as user": {"context": {"user": "root"}},
    "list as name": {"context": {"user": {"name": ["root"]}}},
    "number as name": {"context": {"user": {"name": 1}}},
    "list as session": {"sid": ["x"]},
    "object as client": {"azp": {"a": 1}},
}


@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS.keys())
def test_s08_a_token_of_our_own_key_with_other_claims_is_401(commons: Commons, changes: dict[str, Any]) -> None:
    # Signed past the library's own care for what it encodes.
    keys = commons.auth.app.keys
    payload = {**claims_of(commons.auth.access_token("root")), **changes}
    token = jwt.api_jws.encode(
        json.dumps(payload).encode(), keys._private[keys.kid], algorithm="RS256", headers={"kid": keys.kid}
    )
    assert commons.statuses(token) == (401, 401)


@pytest.mark.parametrize("payload", [b"[]", b'"root"', b"null", b"7", b"not json", b"[" * 5000], ids=ascii)
def test_s08_a_token_whose_payload_is_no_object_is_401(commons: Commons, payload: bytes) -> None:
    keys = commons.auth.app.keys
    token = jwt.api_jws.encode(payload, keys._private[keys.kid], algorithm="RS256", headers={"kid": keys.kid})
    assert commons.statuses(token) == (401, 401)


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "jti", "pur"])
def test_s08_a_token_that_lacks_a_claim_is_401(commons: Commons, claim: str) -> None:
    claims = claims_of(commons.auth.access_token("root"))
    del claims[claim]
    assert commons.statuses(commons.auth.app.keys.sign(claims)) == (401, 401)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_s27_a_token_made_by_a_clock_that_is_a_minute_ahead_is_good(commons: Commons, claim: str) -> None:
    claims = claims_of(commons.auth.access_token("root"))
    ahead = int(time.time()) + CLOCK_SKEW_S - 5
    assert CLOCK_SKEW_S == 60
    assert commons.statuses(commons.auth.app.keys.sign({**claims, claim: ahead})) == (200, 200)


def test_s09_a_rotation_needs_no_restart_and_ends_nothing(commons: Commons) -> None:
    earlier = commons.auth.access_token("root")
    commons.auth.app.keys.rotate()
    later = commons.auth.access_token("root")
    assert jwt.get_unverified_header(earlier)["kid"] != jwt.get_unverified_header(later)["kid"]
    assert commons.statuses(earlier) == commons.statuses(later) == (200, 200)
    published = commons.auth.get("/user/.well-known/jwks").json()["keys"]
    assert published[0]["kid"] == jwt.get_unverified_header(later)["kid"]


def test_s09_what_a_deleted_key_signed_is_refused_everywhere(commons: Commons) -> None:
    token, key = commons.auth.access_token("root"), commons.auth.api_key("root")
    assert commons.statuses(token) == (200, 200)
    kid = jwt.get_unverified_header(token)["kid"]
    commons.auth.app.keys.rotate()
    (commons.auth.app.keys.folder / f"{kid}.pem").unlink()
    assert commons.refuse_soon(token)
    assert commons.auth.post("/user/credentials/api/access_token", json={"api_key": key}).status_code == 401


def test_s09_tokens_with_unknown_keys_read_no_file(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    header = {"alg": "RS256", "kid": "unknown"}
    token = forged(auth, header, claims_of(auth.access_token("root")))
    verifier = auth.app.verifier
    verifier.keys.refresh()
    monkeypatch.setattr(Path, "read_text", None)
    monkeypatch.setattr(Path, "read_bytes", None)
    for _ in range(3):
        with pytest.raises(AuthenticationRequired):
            verifier.verify(token)


@pytest.fixture
def key_token(commons: Commons) -> tuple[str, str]:
    """An access token from an API key of the administrator's, and the key's identifier."""
    made = commons.auth.post("/user/credentials/api", "root").json()
    return exchanged(commons.auth, made["api_key"]), made["key_id"]


def test_s10_revoking_a_key_ends_what_came_from_it_everywhere(commons: Commons, key_token: tuple[str, str]) -> None:
    token, jti = key_token
    assert commons.statuses(token) == (200, 200)
    assert commons.auth.request("DELETE", f"/user/credentials/api/{jti}", "root").status_code == 204
    assert commons.refuse_soon(token)


def test_s10_revoking_one_token_ends_only_that(commons: Commons, key_token: tuple[str, str]) -> None:
    token, other = key_token[0], commons.auth.access_token("root")
    commons.auth.app.database.call(revoke, "auth", [claims_of(other)["jti"]], 600)
    assert commons.refuse_soon(other)
    assert commons.statuses(token) == (200, 200)


def test_s10_a_deactivated_user_is_refused_everywhere(commons: Commons) -> None:
    t = tables("auth")
    commons.sql(t.user.insert().values(username="leaver"))
    binding = {"user_id": commons.user_id("leaver"), "policy_id": "administrator", "source": "test"}
    commons.sql(t.user_policy.insert().values(**binding))
    token = commons.auth.access_token("leaver")
    commons.auth.running.call(commons.auth.app.grants.reload())
    commons.index.call(commons.index.app.grants.reload())
    assert commons.statuses(token) == (200, 200)
    commons.sql(t.user.update().where(t.user.c.username == "leaver").values(active=False))
    assert commons.refuse_soon(token)


@pytest.mark.parametrize("what", ["membership", "group"])
def test_s10_who_leaves_a_group_loses_what_it_gave(commons: Commons, what: str) -> None:
    t = tables("auth")
    name = f"crew-{what}"
    commons.sql(t.group.insert().values(name=name))
    commons.sql(t.group_policy.insert().values(group_name=name, policy_id="administrator", source="test"))
    member = {"user_id": commons.user_id("bob"), "group_name": name, "source": "test"}
    commons.sql(t.user_group.insert().values(**member))
    token = commons.auth.access_token("bob")
    commons.auth.running.call(commons.auth.app.grants.reload())
    commons.index.call(commons.index.app.grants.reload())
    assert commons.statuses(token) == (200, 200)
    table, column = (t.user_group, "group_name") if what == "membership" else (t.group_policy, "group_name")
    commons.sql(table.delete().where(table.c[column] == name))
    assert commons.refuse_soon(token)


@pytest.mark.parametrize("how", ["deleted", "ended"])
def test_s10_a_client_that_is_gone_is_refused_everywhere(commons: Commons, how: str) -> None:
    t = tables("auth")
    client = f"client-{how}"
    commons.sql(t.client.insert().values(client_id=client, name=client))
    commons.sql(t.client_policy.insert().values(client_name=client, policy_id="administrator", source="test"))
    token = commons.auth.app.keys.sign({**claims_of(commons.auth.access_token("root")), "azp": client})
    commons.auth.running.call(commons.auth.app.grants.reload())
    commons.index.call(commons.index.app.grants.reload())
    assert commons.statuses(token) == (200, 200)
    mine = t.client.c.client_id == client
    gone = t.client.delete() if how == "deleted" else t.client.update().values(expires_at=sa.func.now())
    commons.sql(gone.where(mine))
    assert commons.refuse_soon(token)


def test_s10_an_upload_in_parts_stops_with_the_key_it_began_with(commons: Commons) -> None:
    auth = commons.auth
    made = auth.post("/user/credentials/api", "alice").json()
    headers = bearer(exchanged(auth, made["api_key"]))
    started = auth.post("/user/data/multipart/init", headers=headers, json={"file_name": "x.bin"}).json()
    upload = {"key": f"{started['guid']}/x.bin", "uploadId": started["uploadId"]}

    def part() -> int:
        body = {**upload, "partNumber": 1}
        return auth.post("/user/data/multipart/upload", headers=headers, json=body).status_code

    assert part() == 200
    auth.request("DELETE", f"/user/credentials/api/{made['key_id']}", "alice")
    assert eventually(lambda: part() == 401, EFFECTIVE_S)
    parts = {**upload, "parts": [{"PartNumber": 1, "ETag": "x"}]}
    assert auth.post("/user/data/multipart/complete", headers=headers, json=parts).status_code == 401


def test_s11_a_key_with_a_narrow_scope_opens_no_more(auth: Auth) -> None:
    made = auth.post("/user/credentials/api", "alice", json={"scope": ["user"]}).json()
    token = exchanged(auth, made["api_key"])
    assert claims_of(token)["scope"] == ["openid", "user"]
    headers = bearer(token)
    assert auth.get("/user/user", headers=headers).status_code == 200
    assert auth.post("/user/data/upload", headers=headers, json={"file_name": "x"}).status_code == 403


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/x")])
def test_s11_a_key_makes_no_keys(auth: Auth, method: str, path: str) -> None:
    made = auth.post("/user/credentials/api", "alice", json={"scope": sorted(SESSION_SCOPES)}).json()
    headers = bearer(exchanged(auth, made["api_key"]))
    assert auth.request(method, f"/user/credentials/api{path}", headers=headers).status_code == 403


@pytest.mark.parametrize("audience", ["WORKFLOW", "hub", "http://127.0.0.1:8000/user"])
def test_s11_a_token_for_somebody_else_is_no_token_here(commons: Commons, audience: str) -> None:
    claims = {**claims_of(commons.auth.access_token("root")), "aud": [audience]}
    assert commons.statuses(commons.auth.app.keys.sign(claims)) == (401, 401)


@pytest.mark.parametrize("given", ["wrong", "auth-token-0123456780"])
def test_s27_the_hubs_word_is_proven_by_a_comparison_that_takes_the_same_time(
    auth: Auth, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr("commonshub.auth.credentials.endings.hmac.compare_digest", compare)
    monkeypatch.setattr(auth.app.hub, "service_token", "auth-token-0123456789")
    body = {"username": "root", "server": ""}
    answer = auth.post("/user/credentials/hub/ended", json=body, headers={"Authorization": f"token {given}"})
    assert answer.status_code == 403
    assert (given.encode(), b"auth-token-0123456789") in compared
