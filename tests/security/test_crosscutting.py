"""What holds in every service: no cookie counts, no error tells, text stays text, secrets take constant time."""

import ast
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.access_log import LOGGER, entries, settle
from tests.auth_service import Auth
from tests.routes import samples
from tests.two_services import draft

from commonshub.core.app import ServiceApplication
from commonshub.core.attempts import Attempts
from commonshub.index.app import IndexApp
from commonshub.portal.app import PortalApp

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    file for half in ("hub_ext", "services", "server_ext", "widgets") for file in (ROOT / half).rglob("*.py")
)
PAGES = sorted(
    file for half in ("hub_ext", "services", "server_ext", "widgets") for file in (ROOT / half).rglob("*.html")
)
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def index(auth: Auth, run_service: Callable[..., Any]) -> Any:
    """The index beside the auth service, with its keys."""
    return run_service(IndexApp, TokenSettings={"jwks_file": auth.app.tokens.jwks_file})


@pytest.fixture(scope="module")
def portal(auth: Auth, run_service: Callable[..., Any]) -> Any:
    """The portal of a hub that is away; nobody is signed in."""
    return run_service(
        PortalApp,
        PortalApp={"services_url": auth.url, "hub_api_token": "x" * 32},
        Commons={"hub_api_url": "http://127.0.0.1:1"},
    )


# -- S4: cookies ------------------------------------------------------------------------------------------------------

# Modules that may look at cookies: sessions of browsers, on pages and nowhere else.
READS_COOKIES = {
    "services/commonshub/core/browser.py",
    "services/commonshub/auth/login/handlers.py",
}


def test_s04_only_pages_look_at_cookies() -> None:
    looking = {
        str(file.relative_to(ROOT))
        for file in SOURCES
        if file.is_relative_to(ROOT / "services")
        for node in ast.walk(ast.parse(file.read_text()))
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("cookies", "get_cookie", "get_signed_cookie", "get_secure_cookie")
        )
        or (isinstance(node, ast.Constant) and str(node.value).lower() == "cookie")
    }
    assert looking == READS_COOKIES


def crumbs(token: str) -> dict[str, str]:
    names = ("access_token", "fence", "session", "token", "commons-portal", "jupyterhub-hub-login", "csrftoken")
    return dict.fromkeys(names, token)


@pytest.mark.parametrize("name", ["auth", "index"])
def test_s04_a_cookie_makes_nobody_anybody(
    auth: Auth, index: Any, name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: ServiceApplication = {"auth": auth.app, "index": index.app}[name]
    url = {"auth": auth.url, "index": index.url}[name]
    monkeypatch.setattr(app, "attempts", Attempts(0, 0, 60))
    cookies = crumbs(auth.access_token("root"))
    paths = [path for path in samples(app) if "/login" not in path and "/logout" not in path]
    assert len(paths) > 15
    caplog.set_level(logging.INFO, LOGGER)
    settle(url, caplog)
    caplog.clear()
    differing = []
    for path in paths:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            options: dict[str, Any] = {"json": {}, "timeout": 30, "allow_redirects": False}
            bare, given = (
                requests.request(method, url + path, cookies=jar, **options).status_code for jar in ({}, cookies)
            )
            if bare != given:
                differing.append((method, path, bare, given))
    assert differing == []
    settle(url, caplog)
    assert {entry["user"] for entry in entries(caplog)} == {None}


def test_s04_a_wrong_authorization_does_not_fall_back_to_a_cookie(auth: Auth, index: Any) -> None:
    cookies = crumbs(auth.access_token("root"))
    for headers in ({"Authorization": "bearer x"}, {"Authorization": "Basic eDp5"}, {"Authorization": "token x"}):
        answer = auth.get("/user/user", headers=headers, cookies=cookies)
        assert answer.status_code == 401
        made = requests.post(f"{index.url}/index/index", json=draft(), headers=headers, cookies=cookies, timeout=30)
        assert made.status_code == 401


# -- S21: errors ------------------------------------------------------------------------------------------------------

INSIDE = re.compile(r'Traceback|File "|site-packages|psycopg|sqlalchemy|select |insert |usr\.|eyJ|RuntimeError', re.I)


def refusals(auth: Auth) -> Iterator[requests.Response]:
    token = auth.access_token("alice")
    yield auth.get("/user/user")
    yield auth.get("/user/user", headers={"Authorization": f"bearer {token}x"})
    yield auth.get("/user/user", headers={"Authorization": "bearer " + auth.access_token("alice", ttl_s=-400)})
    yield auth.get("/user/data/download/none", "alice")
    yield auth.get("/user/data/download/a%00b", "alice")
    yield auth.get("/audit/log", "alice")
    yield auth.get("/audit/log/presigned_url?guid=%27%3B--&sub=x", "root")
    yield auth.get("/nowhere", "alice")
    yield auth.request("PATCH", "/user/user", "alice")
    yield auth.post("/user/data/upload", "alice", data=b"\xff\x00{", headers={"Content-Type": "application/json"})
    yield auth.post("/user/credentials/api/access_token", json={"api_key": token})
    yield auth.post("/authz/request", "alice", json={"request": {"resource": "/\x00"}})


def test_s21_a_refusal_tells_nothing_of_the_inside(auth: Auth) -> None:
    for answer in refusals(auth):
        assert 400 <= answer.status_code < 500, answer.url
        assert not INSIDE.search(answer.text), answer.text


def test_s21_a_fault_of_ours_tells_only_a_number_to_ask_for(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("select * from usr where password = 'hunter2'")

    monkeypatch.setattr(auth.app.database, "run", broken)
    answer = auth.get("/user/user?secret=hunter2", "alice")
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] in answer.text
    assert not INSIDE.search(answer.text)
    assert "hunter2" not in answer.text


def test_s21_a_key_of_another_is_no_more_there_than_none(auth: Auth) -> None:
    jti = auth.app.verifier.verify(auth.api_key("alice"), "api_key")["jti"]
    theirs = auth.request("DELETE", f"/user/credentials/api/{jti}", "bob")
    none = auth.request("DELETE", "/user/credentials/api/00000000-0000-4000-8000-000000000000", "bob")
    assert (theirs.status_code, theirs.text) == (none.status_code, none.text)
    assert theirs.status_code == 404


def test_s21_bytes_that_are_not_yours_are_all_alike(auth: Auth) -> None:
    told = set()
    for number, urls in enumerate([[], ["s3://commons/x/y"], ["https://secret.example.org/x"]]):
        guid = f"aaaaaaaa-0000-4000-8000-0000000021{number:02}"
        auth.record(did=guid, authz=["/programs/a/projects/two"], urls=urls)
        answer = auth.get(f"/user/data/download/{guid}", "alice")
        told.add((answer.status_code, answer.text))
    assert len(told) == 1
    assert told.pop()[0] == 401


# -- S26: text of others is text --------------------------------------------------------------------------------------


def test_s26_no_template_takes_text_for_markup() -> None:
    assert PAGES
    found = {
        str(page.relative_to(ROOT)): directives
        for page in PAGES
        if (directives := re.findall(r"\{%\s*(?:raw|autoescape|module)\b[^%]*%\}|\|\s*safe\b", page.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize("accept", ["text/html,*/*;q=0.8", "application/json", "*/*"])
@pytest.mark.parametrize(
    "path",
    [
        f"/user/data/download/{SCRIPT}",
        f"/user/data/download/x?protocol={SCRIPT}",
        f"/user/data/download/x?expires_in={SCRIPT}",
        f"/audit/log/presigned_url?{SCRIPT}=1",
        f"/audit/log?start={SCRIPT}",
        f"/user/{SCRIPT}",
        f"/user/oauth2/errors?error={SCRIPT}",
        f"/user/oauth2/authorize?client_id={SCRIPT}&redirect_uri={SCRIPT}",
        f"/user/login/{SCRIPT}",
        f"/user/login?redirect={SCRIPT}",
    ],
)
def test_s26_what_was_sent_comes_back_as_text(auth: Auth, path: str, accept: str) -> None:
    answer = auth.get(path, headers={"Accept": accept})
    kind = answer.headers.get("Content-Type", "")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if kind.startswith("text/html"):
        assert SCRIPT not in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    else:
        assert kind.startswith(("application/json", "text/plain", "text/csv")) or not answer.text


@pytest.mark.parametrize("path", [f"/portal/{SCRIPT}", f"/portal/dictionary/{SCRIPT}", f"/portal/login?next={SCRIPT}"])
def test_s26_a_page_of_the_portal_shows_an_address_as_text(portal: Any, path: str) -> None:
    answer = requests.get(portal.url + path, timeout=30, allow_redirects=False)
    assert SCRIPT not in answer.text
    if answer.text:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


# -- S27: comparing secrets -------------------------------------------------------------------------------------------

SECRET = re.compile(
    r"(^|_)(secret|password|signature|hmac|verifier|challenge|xsrf|csrf|nonce|api_key|token|digest)(_hash|_digest)?$",
    re.IGNORECASE,
)
# Compared with ==, and why nobody can measure anything by it.
NO_SECRET = {
    # The digest of a file that the operator wrote; nobody else brings one.
    "auth/importing.py",
    # Checksums of data, which everybody may read.
    "index/ledger.py",
    # Digests of dictionaries, which everybody may read as well.
    "core/dictionary/difference.py",
    "core/versions.py",
    "query/releases.py",
    "submission/dictionaries.py",
    "submission/releases.py",
}


def compared(node: ast.expr) -> str:
    """The last name of an expression: ``given.secret`` and ``body["secret"]`` are ``secret``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(func=function):
            return compared(function)
    return ""


def plain(node: ast.expr) -> bool:
    """Whether an expression is a literal, or a column (which the database compares)."""
    return isinstance(node, ast.Constant) or ".c." in ast.unparse(node)


def test_s27_no_secret_is_compared_byte_by_byte() -> None:
    suspicious = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare) and all(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops)
        if any(SECRET.search(compared(side)) for side in (node.left, *node.comparators))
        if not any(plain(side) for side in (node.left, *node.comparators))
    ]
    assert [each for each in suspicious if not any(known in each for known in NO_SECRET)] == []
