"""Threats by a provider that says what it likes: S19, and what of S5 and S23 it could bring about."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from tests.openid_service import HOST, new_keys
from tests.servers import answering
from tornado import netutil, web

from commonshub.auth.app import AuthApp


@dataclass
class Hostile:
    """A provider that says what it likes."""

    issuer: str
    document: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    nonce: str = ""
    keys: list[dict[str, Any]] = field(default_factory=new_keys)

    def discovery(self) -> dict[str, Any]:
        paths = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "jwks"}
        own = {name: f"{self.issuer}/{path}" for name, path in paths.items()}
        return {"issuer": self.issuer, **own, "userinfo_endpoint": f"{self.issuer}/userinfo", **self.document}

    def id_token(self) -> str:
        now = int(time.time())
        body = {"iss": self.issuer, "aud": "commons", "sub": "1", "iat": now, "exp": now + 60, "nonce": self.nonce}
        key = jwt.PyJWK(self.keys[0])
        return jwt.encode({**body, **self.claims}, key.key, algorithm="RS256", headers={"kid": self.keys[0]["kid"]})


class HostileHandler(web.RequestHandler):
    """Its pages."""

    def initialize(self, provider: Hostile) -> None:
        self.provider = provider

    def check_xsrf_cookie(self) -> None:
        """None."""

    def get(self, path: str) -> None:
        self.provider.asked.append(path)
        if path == ".well-known/openid-configuration":
            self.finish(self.provider.discovery())
        elif path == "jwks":
            public = [
                {name: key[name] for name in ("kty", "kid", "n", "e") if name in key} for key in self.provider.keys
            ]
            self.finish({"keys": [key for key in public if key["kty"] == "RSA"]})
        elif path == "userinfo":
            self.finish({"sub": "1", "email": "eve@example.org", "email_verified": True, **self.provider.userinfo})
        elif path == "redirect":
            self.redirect(f"{self.provider.issuer}/secret")
        elif path == "huge":
            self.finish({"x": "x" * 2**21})
        else:
            self.finish({})

    def post(self, path: str) -> None:
        self.provider.asked.append(path)
        if path == "token":
            answer = {"access_token": "a", "token_type": "Bearer", "id_token": self.provider.id_token()}
            self.finish({**answer, **self.provider.token})
        else:
            self.get(path)


@pytest.fixture
def hostile(run_hostile: tuple[Hostile, Any]) -> Hostile:
    provider, _ = run_hostile
    provider.document, provider.token, provider.userinfo, provider.claims = {}, {}, {}, {}
    provider.asked.clear()
    return provider


@pytest.fixture(scope="module")
def run_hostile(
    run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Hostile, Any]]:
    sockets = netutil.bind_sockets(0, HOST)
    provider = Hostile(f"http://{HOST}:{sockets[0].getsockname()[1]}")
    folder: Path = tmp_path_factory.mktemp("hostile")
    with answering(web.Application([(r"/(.*)", HostileHandler, {"provider": provider})]), sockets):
        running = run_service(
            AuthApp,
            AuthApp={"user_file": str(folder / "user.yaml")},
            Commons={"data_dir": str(folder), "origin": "https://commons.example"},
            SignInSettings={
                "providers": {"hostile": {"issuer": provider.issuer, "client_id": "commons"}},
                "documents_s": 0,
                "timeout_s": 5,
            },
            TokenSettings={"jwks_file": str(folder / "jwks.json")},
        )
        yield provider, running


def sign_in_by(hostile: Hostile, running: Any) -> requests.Response:
    """The answer to a sign-in for which the provider gave a code; the last one, where it fails earlier."""
    begun = requests.get(f"{running.url}/user/login/hostile", allow_redirects=False, timeout=30)
    if begun.status_code != 302:
        return begun
    query = parse_qs(urlsplit(begun.headers["Location"]).query)
    hostile.nonce = query["nonce"][0]
    cookie = begun.headers["Set-Cookie"].partition(";")[0]
    url = f"{running.url}/user/login/hostile/login?code=x&state={query['state'][0]}"
    return requests.get(url, headers={"Cookie": cookie}, allow_redirects=False, timeout=30)


def test_s19_the_hostile_provider_can_behave(hostile: Hostile, run_hostile: tuple[Hostile, Any]) -> None:
    answer = sign_in_by(hostile, run_hostile[1])
    assert answer.status_code == 302
    assert "commonshub_login=" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://provider.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": "gopher://127.0.0.1:70/"},
        {"token_endpoint": "http://169.254.169.254/latest/meta-data/"},
        {"token_endpoint": "https://169.254.169.254/latest/meta-data/"},
        {"token_endpoint": "https://[fe80::1]/"},
        {"token_endpoint": "https://[::ffff:169.254.169.254]/"},
        {"token_endpoint": "https://0.0.0.0/"},
        {"token_endpoint": "https://[::]/"},
        {"token_endpoint": "https://10.0.0.1/"},
        {"token_endpoint": "https://user:password@provider.example/"},
        {"jwks_uri": "http://provider.example/jwks"},
        {"jwks_uri": "https://169.254.169.254/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "https://169.254.169.254/"},
        {"token_endpoint": "{issuer}/redirect"},
        {"jwks_uri": "{issuer}/redirect"},
        {"userinfo_endpoint": "{issuer}/redirect"},
        {"jwks_uri": "{issuer}/huge"},
    ],
    ids=str,
)
def test_s19_a_provider_s_documents_lead_us_nowhere(
    hostile: Hostile, run_hostile: tuple[Hostile, Any], document: dict[str, Any]
) -> None:
    hostile.document = {
        name: value.format(issuer=hostile.issuer) if isinstance(value, str) else value
        for name, value in document.items()
    }
    answer = sign_in_by(hostile, run_hostile[1])
    # 502 is said of a wrong document or answer, 503 of a connection that was tried and failed, as of what is too long.
    assert answer.status_code == (503 if "huge" in str(document) else 502)
    assert "commonshub_login" not in answer.headers.get("Set-Cookie", "")
    assert "secret" not in hostile.asked


@pytest.mark.parametrize(
    ("token", "userinfo"),
    [
        ({"id_token": None}, {}),
        ({"id_token": "x.y.z"}, {}),
        ({"id_token": 7}, {}),
        ({}, {"sub": "2"}),
        ({}, {"sub": None}),
        ({}, {"email_verified": False}),
        ({}, {"email": "<script>alert(1)</script>@example.org"}),
    ],
    ids=str,
)
def test_s19_a_wrong_answer_signs_nobody_in(
    hostile: Hostile, run_hostile: tuple[Hostile, Any], token: dict[str, Any], userinfo: dict[str, Any]
) -> None:
    hostile.token, hostile.userinfo = token, userinfo
    answer = sign_in_by(hostile, run_hostile[1])
    assert answer.status_code == 401
    assert "commonshub_login" not in answer.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("claims", [{"nonce": "other"}, {"aud": "other"}, {"iss": "https://other.example"}, {"exp": 1}])
def test_s05_an_id_token_of_another_sign_in_signs_nobody_in(
    hostile: Hostile, run_hostile: tuple[Hostile, Any], claims: dict[str, Any]
) -> None:
    hostile.claims = claims
    assert sign_in_by(hostile, run_hostile[1]).status_code == 401


def test_s23_cookies_of_a_commons_with_https_are_secure(hostile: Hostile, run_hostile: tuple[Hostile, Any]) -> None:
    begun = requests.get(f"{run_hostile[1].url}/user/login/hostile", allow_redirects=False, timeout=20)
    done = sign_in_by(hostile, run_hostile[1])
    for answer, path in ((begun, "/user/login/"), (done, "/jupyter/hub/")):
        cookie = answer.headers["Set-Cookie"].rpartition("commonshub_")[2]
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", f"path={path}"} <= parts
