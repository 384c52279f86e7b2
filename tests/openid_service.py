"""A real OpenID provider, a hostile one, and a browser, for the tests of signing in."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from tests.auth_service import USER_FILE, Auth
from tests.conftest import free_port, wait_for_port
from tests.tokens import claims_of

from commonshub.auth.app import AuthApp
from commonshub.auth.login.store import identity_table, login_table
from commonshub.core.errors import CommonsError
from commonshub.core.signin import ASSERTION_HEADER, COOKIE, MAX_GROUPS_CHARS
from commonshub.hub import proxy

PACKAGE = "oidc-provider"  # MIT; certified by the OpenID Foundation
VERSION = "9.8.0"
# A host of its own, so that browsers keep its cookies apart from those of the commons.
HOST = "127.0.0.2"
SECRET = "secret-of-the-commons-at-the-provider"

ACCOUNTS: dict[str, dict[str, Any]] = {
    "s-alice": {"email": "Alice@example.org", "email_verified": True, "preferred_username": "Alice", "groups": ["lab"]},
    "s-bob": {"email": "bob@example.org", "email_verified": True, "preferred_username": "bob", "groups": []},
}


def most_groups() -> list[str]:
    """As many groups as a sign-in can carry."""
    length = 125
    return [f"{number:0{length}}" for number in range(MAX_GROUPS_CHARS // (length + len('"",')))]


def home() -> Path:
    return Path(sys.prefix) / "share" / "commonshub" / "test-provider"


def new_keys() -> list[dict[str, Any]]:
    """Private keys of a provider, as JWK."""
    pairs = [
        ("RS256", RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048))),
        ("ES256", ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()))),
    ]
    # One key both signs and verifies, which `key_ops` of a private key would forbid.
    bare = [(alg, {name: value for name, value in json.loads(key).items() if name != "key_ops"}) for alg, key in pairs]
    return [{**key, "alg": alg, "use": "sig", "kid": f"{alg}-{uuid.uuid4().hex}"} for alg, key in bare]


class Provider:
    """A running provider; `accounts` may be changed at any time."""

    def __init__(self, folder: Path, callbacks: Sequence[str], logouts: Sequence[str]) -> None:
        self.file = folder / "provider.json"
        self.log = folder / "provider.log"
        self.port = free_port()
        self.issuer = f"http://{HOST}:{self.port}"
        common = {"redirect_uris": list(callbacks), "post_logout_redirect_uris": list(logouts), "client_secret": SECRET}
        self.settings: dict[str, Any] = {
            "host": HOST,
            "port": self.port,
            "cookieKey": "key of the provider's cookies",
            "clients": [
                {"client_id": "commons", **common},
                {
                    "client_id": "commons-ec",
                    "token_endpoint_auth_method": "client_secret_post",
                    "id_token_signed_response_alg": "ES256",
                    **common,
                },
            ],
            "keys": new_keys(),
            "accounts": {},
        }
        self.accounts(ACCOUNTS)
        self._process: subprocess.Popen[bytes] | None = None

    def accounts(self, accounts: dict[str, dict[str, Any]]) -> None:
        self.settings["accounts"] = accounts
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(self.settings))
        fresh.replace(self.file)

    def start(self) -> None:
        command = [proxy.node(), str(Path(__file__).with_name("openid_provider.mjs")), str(self.file)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=home(), stdout=log, stderr=log)
        wait_for_port(self.port, host=HOST)

    def rotate_keys(self) -> None:
        """Start anew with other keys."""
        self.stop()
        self.settings["keys"] = new_keys()
        self.accounts(self.settings["accounts"])
        self.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


@pytest.fixture(scope="session")
def provider_package() -> Path:
    """The provider's program, fetched once; where npm cannot fetch it these tests are skipped, except in CI."""
    manifest = home() / "node_modules" / PACKAGE / "package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != VERSION:
        try:
            proxy.fetch(f"{PACKAGE}@{VERSION}", home())
        except CommonsError as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no OpenID provider to test against: {error.message[:200]}")
    return home()


class Browser(requests.Session):
    """What a browser does on the way through sign-ins: it keeps cookies by host and path, and follows redirects.

    Where there is no proxy, paths below `/jupyter/` are asked of the hub at `hub`; to its cookies both are one host.
    """

    def __init__(self, origin: str, hub: str = "") -> None:
        super().__init__()
        self.origin = origin
        self.hub = hub or origin
        self.headers.update({"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
        self.received: list[str] = []
        self.hooks["response"].append(self._note)

    def _note(self, answer: requests.Response, **_: Any) -> None:
        if urlsplit(answer.url).hostname != HOST:
            self.received += answer.raw.headers.getlist("Set-Cookie")

    def open(self, url: str, **options: Any) -> requests.Response:
        """One request, whose redirect is not followed."""
        url = url.removeprefix(self.origin)
        place = self.hub if url.startswith("/jupyter/") else self.origin
        return self.get(urljoin(place, url), allow_redirects=False, timeout=30, **options)

    def follow(self, url: str, account: str = "s-alice") -> requests.Response:
        """Open a page and follow every redirect, signing in at the provider `test` where there is a choice."""
        answer = self.open(url)
        for _ in range(20):
            choice = re.search(r'href="(/user/login/test[^"]*)"', answer.text)
            if choice and urlsplit(answer.url).path == "/user/login":
                answer = self.open(unescape(choice.group(1)))
            if answer.status_code not in (302, 303):
                return answer
            target = urljoin(urlsplit(answer.url).path, answer.headers["Location"])
            answer = self.open(self.at_provider(answer, account) if self._is_provider(target) else target)
        raise AssertionError(f"the redirects do not end: {answer.url}")

    @staticmethod
    def _is_provider(url: str) -> bool:
        return urlsplit(url).hostname == HOST

    def begin(self, idp: str, redirect: str | None = None, account: str = "s-alice") -> str:
        """Sign in at the provider; the address of the callback, which is not opened yet."""
        answer = self.open(f"/user/login/{idp}", params={"redirect": redirect} if redirect else {})
        return self.at_provider(answer, account)

    def at_provider(self, answer: requests.Response, account: str, refuse: str = "") -> str:
        """Go through the provider's pages; the address that leads back."""
        while True:
            assert answer.status_code in (302, 303), answer.text
            url = urljoin(answer.url, answer.headers["Location"])
            if urlsplit(url).hostname != HOST:
                return url
            answer = self.open(url)
            if answer.status_code == 200 and "/interaction/" in url:
                answer = self.open(url, params={"refuse": refuse} if refuse else {"account": account})

    def sign_in(self, idp: str = "test", redirect: str | None = None, account: str = "s-alice") -> requests.Response:
        """The whole way; the answer of the callback."""
        return self.open(self.begin(idp, redirect, account))

    def sign_out_here(self, path: str = "/jupyter/hub/logout") -> str:
        """Sign out of the commons; the address that its page leads on to."""
        answer = self.open(path)
        if answer.status_code == 302:
            answer = self.open(answer.headers["Location"])
        onward = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
        assert onward is not None, answer.text
        return unescape(onward.group(1))

    def sign_out_at_provider(self, url: str) -> requests.Response:
        """Press the button on the provider's logout page; its answer, which leads back."""
        page = self.open(url)
        token = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        assert token is not None, page.text
        form = {"xsrf": token.group(1), "logout": "yes"}
        return self.post(urljoin(page.url, "/session/end/confirm"), data=form, allow_redirects=False, timeout=30)

    def secret(self) -> str:
        """Value of the sign-in's cookie; empty where there is none."""
        return next((each.value or "" for each in self.cookies if each.name == "commonshub_login"), "")


@pytest.fixture(scope="module")
def start_provider(
    provider_package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Provider]]:
    """Start a provider for the commons at an origin, under whatever name it has there."""
    running: list[Provider] = []

    def start(origin: str) -> Provider:
        callbacks = [f"{origin}/user/login/{idp}/login" for idp in ("test", "ec", "names", "staff")]
        provider = Provider(tmp_path_factory.mktemp("provider"), callbacks, [f"{origin}/user/logout/done"])
        provider.start()
        running.append(provider)
        return provider

    yield start
    for each in running:
        each.stop()


def secret_file(folder: Path) -> str:
    """A file with this commons' secret at the provider."""
    file = folder / "provider-secret"
    file.write_text(SECRET + "\n")
    return str(file)


class SignInService(Auth):
    """A running auth service that knows one real provider under several names."""

    def __init__(self, running: Any, provider: Provider) -> None:
        super().__init__(running)
        self.provider = provider
        self.origin: str = self.app.commons.origin

    def browser(self) -> Browser:
        return Browser(self.origin)

    def assertion(self, browser: Browser) -> requests.Response:
        """What the hub is told of a browser: the question that it, or its reverse proxy, asks."""
        return self.get("/user/login/assertion", headers={"Cookie": f"{COOKIE}={browser.secret()}"})

    def claims(self, browser: Browser) -> dict[str, Any]:
        answer = self.assertion(browser)
        assert answer.status_code == 200, answer.text
        claims: dict[str, Any] = claims_of(answer.headers[ASSERTION_HEADER])
        return claims

    def execute(self, statement: Any) -> Any:
        return self.app.database.call(lambda connection: connection.execute(statement))

    def forget_everybody(self) -> None:
        """Back to a commons in which nobody ever signed in by a provider."""
        for table in (login_table(self.app.schema), identity_table(self.app.schema)):
            self.execute(table.delete())
        self.provider.accounts(ACCOUNTS)


@pytest.fixture(scope="module")
def service(
    run_service: Callable[..., Any],
    start_provider: Callable[[str], Provider],
    tmp_path_factory: pytest.TempPathFactory,
) -> SignInService:
    folder: Path = tmp_path_factory.mktemp("sign-in")
    (folder / "user.yaml").write_text(USER_FILE)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    provider = start_provider(origin)
    common = {"issuer": provider.issuer, "client_id": "commons", "client_secret_file": secret_file(folder)}
    providers = {
        "test": {**common, "title": "Test University", "groups_claim": "groups", "policy_groups": True},
        "ec": {**common, "client_id": "commons-ec", "hidden": True},
        "names": {**common, "name_claim": "preferred_username", "description": "by short name"},
        "staff": {**common, "email_domains": ["staff.example.org"], "hidden": True},
    }
    running = run_service(
        AuthApp,
        Commons={"data_dir": str(folder), "origin": origin},
        ServiceApplication={"url": origin},
        SignInSettings={"providers": providers, "deny_names": "^root@"},
        TokenSettings={"jwks_file": str(folder / "keys" / "jwks.json")},
    )
    return SignInService(running, provider)


@pytest.fixture
def people(service: SignInService) -> SignInService:
    """The service, in which nobody has signed in yet."""
    service.forget_everybody()
    return service
