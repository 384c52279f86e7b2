"""Threats to signing in: S1, S2, S3, S5, S6 and S23, against a real hub, a real nginx and a real provider."""

import socket
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
import sqlalchemy as sa
from tests.front import Front, echo, front, nginx
from tests.openid_service import HOST, Browser, SignInService
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.auth.login.store import login_table
from commonshub.core.grants import tables

__all__ = ["echo", "front", "nginx"]

LOGIN = "/jupyter/hub/login"


# -- S1, S2: who says who sends a request ------------------------------------------------------------------------------


def sent_raw(place: str, *lines: bytes) -> bytes:
    """The head of the answer to a request for the hub's login page with these header lines, byte for byte."""
    host, port = urlsplit(place).hostname or "", urlsplit(place).port or 0
    with socket.create_connection((host, port), 20) as connection:
        head = [f"GET {LOGIN} HTTP/1.1".encode(), f"Host: {host}:{port}".encode(), *lines, b"Connection: close"]
        connection.sendall(b"\r\n".join(head) + b"\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer.partition(b"\r\n\r\n")[0]


def is_signed_in(head: bytes) -> bool:
    return b"jupyterhub-hub-login=" in head


def assertion_of(front: Front, browser: Browser) -> str:
    """What the auth service says of a browser, asked from within the commons."""
    headers = {"Cookie": f"commonshub_login={browser.secret()}"}
    answer = requests.get(f"{front.auth}/user/login/assertion", headers=headers, timeout=20)
    return answer.headers["X-Commons-Assertion"]


@pytest.fixture(scope="module")
def alice(front: Front) -> Browser:
    """A browser in which alice signed in at the commons, which has not been to the hub."""
    browser = front.browser()
    browser.sign_in("test")
    return browser


def forged(front: Front, **claims: Any) -> str:
    """An assertion that anybody can make."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    now = int(time.time())
    body = {"iss": f"{front.origin}/user", "aud": "hub", "sub": "alice@example.org", "pur": "assertion"}
    body |= {"iat": now, "exp": now + 30, "jti": uuid.uuid4().hex, **claims}
    [jwk] = requests.get(f"{front.origin}/user/.well-known/jwks", timeout=20).json()["keys"][:1]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(body, key, algorithm="RS256", headers={"kid": jwk["kid"]})


@pytest.mark.parametrize("place", ["hub", "inner", "origin"], ids=["to the hub", "through the proxy", "through nginx"])
@pytest.mark.parametrize(
    "name", ["X-Commons-Assertion", "X-Remote-User", "Remote-User", "REMOTE_USER", "X-Forwarded-User"]
)
def test_s01_a_name_in_a_header_signs_nobody_in(front: Front, place: str, name: str) -> None:
    for value in ("alice@example.org", forged(front)):
        assert not is_signed_in(sent_raw(getattr(front, place), f"{name}: {value}".encode()))


def test_s01_nginx_replaces_what_came_in_and_adds_nothing_to_it(front: Front, alice: Browser) -> None:
    stolen = f"X-Commons-Assertion: {assertion_of(front, alice)}".encode()
    assert not is_signed_in(sent_raw(front.origin, stolen))
    bob = front.browser()
    bob.sign_in("test", account="s-bob")
    cookie = f"Cookie: commonshub_login={bob.secret()}".encode()
    stolen = f"X-Commons-Assertion: {assertion_of(front, alice)}".encode()
    head = sent_raw(front.origin, stolen, cookie)
    assert is_signed_in(head)
    session = [line.split(b": ")[1].split(b";")[0] for line in head.split(b"\r\n") if b"jupyterhub-" in line]
    page = requests.get(
        f"{front.origin}/jupyter/hub/home",
        headers={"Cookie": b"; ".join([*session, cookie.removeprefix(b"Cookie: ")]).decode()},
        timeout=20,
    )
    assert "bob@example.org" in page.text
    assert "alice@example.org" not in page.text


def test_s01_an_assertion_that_was_caught_serves_nobody_twice(front: Front, alice: Browser) -> None:
    caught = f"X-Commons-Assertion: {assertion_of(front, alice)}".encode()
    assert is_signed_in(sent_raw(front.hub, caught))
    assert not is_signed_in(sent_raw(front.hub, caught))


def test_s01_an_assertion_is_no_token_and_a_token_no_assertion(front: Front, alice: Browser) -> None:
    headers = bearer(assertion_of(front, alice))
    assert requests.get(f"{front.origin}/user/user", headers=headers, timeout=20).status_code == 401
    alice.follow("/portal/login?next=/portal/profile")
    token = access_token(front, alice)
    assert not is_signed_in(sent_raw(front.hub, f"X-Commons-Assertion: {token}".encode()))


def access_token(front: Front, browser: Browser) -> str:
    """A token as the portal's pages get it."""
    page = browser.open("/portal/profile").text
    xsrf = page.partition('name="xsrf" content="')[2].partition('"')[0]
    headers = {"X-XSRFToken": xsrf, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    answer = browser.post(f"{front.origin}/portal/token", headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


VARIANTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "twice": lambda good: [b"X-Commons-Assertion: " + good, b"X-Commons-Assertion: " + good],
    "after a forged one": lambda good: [b"X-Commons-Assertion: forged", b"X-Commons-Assertion: " + good],
    "joined by a comma": lambda good: [b"X-Commons-Assertion: alice@example.org, " + good],
    "underscores": lambda good: [b"X_Commons_Assertion: " + good],
    "one underscore": lambda good: [b"X-Commons_Assertion: " + good],
    "beside one with underscores": lambda good: [b"X-Commons-Assertion: " + good, b"X_COMMONS_ASSERTION: " + good],
    "empty": lambda good: [b"X-Commons-Assertion:"],
    "blank": lambda good: [b"X-Commons-Assertion:   "],
    "a blank inside": lambda good: [b"X-Commons-Assertion: " + good.replace(b".", b". ", 1)],
    "a tab inside": lambda good: [b"X-Commons-Assertion: " + good.replace(b".", b".\t", 1)],
    "a control character": lambda good: [b"X-Commons-Assertion: " + good + b"\x01"],
    "a bang": lambda good: [b"X-Commons-Assertion: alice@example.org!" + good],
    "not ASCII": lambda good: ["X-Commons-Assertion: älice".encode()],
    "folded": lambda good: [b"X-Commons-Assertion: x", b" " + good],
}


@pytest.mark.parametrize("place", ["hub", "inner", "origin"], ids=["to the hub", "through the proxy", "through nginx"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_s02_a_header_that_is_not_there_once_and_well_formed_signs_nobody_in(
    front: Front, alice: Browser, place: str, variant: str
) -> None:
    good = assertion_of(front, alice).encode()
    assert not is_signed_in(sent_raw(getattr(front, place), *VARIANTS[variant](good)))


def test_s02_a_cookie_that_is_there_twice_signs_nobody_in(front: Front, alice: Browser) -> None:
    cookie = f"commonshub_login={alice.secret()}"
    for line in (f"{cookie}; commonshub_login=planted", f"commonshub_login=planted; {cookie}"):
        assert not is_signed_in(sent_raw(front.origin, f"Cookie: {line}".encode()))
    assert is_signed_in(sent_raw(front.origin, f"Cookie: {cookie}".encode()))


# -- S3: names --------------------------------------------------------------------------------------------------------


def account(name: str) -> dict[str, Any]:
    return {"preferred_username": name}


@pytest.mark.parametrize("other", ["alice", "ALICE", "aLiCe"])
def test_s03_a_second_account_of_the_same_name_is_refused(people: SignInService, other: str) -> None:
    people.provider.accounts({"first": account("Alice"), "second": account(other)})
    assert people.browser().sign_in("names", account="first").status_code == 302
    answer = people.browser().sign_in("names", account="second")
    assert answer.status_code == 401
    assert "belongs to another account" in answer.text


@pytest.mark.parametrize("name", ["ａlice", "аlice", "alıce", "alice ", "ali/ce", "../alice", "alice\u200b", "ﬁona"])
def test_s03_a_name_that_only_looks_like_one_is_refused(people: SignInService, name: str) -> None:
    people.provider.accounts({"other": account(name)})
    browser = people.browser()
    assert browser.sign_in("names", account="other").status_code == 401
    assert not browser.secret()


def test_s03_a_name_that_the_provider_gives_to_somebody_else_brings_nothing(people: SignInService) -> None:
    people.provider.accounts({"first": account("alice"), "second": account("other")})
    people.browser().sign_in("names", account="first")
    people.provider.accounts({"first": account("renamed"), "second": account("alice")})
    browser = people.browser()
    assert browser.sign_in("names", account="first").status_code == 302
    assert people.claims(browser)["sub"] == "alice"
    assert people.browser().sign_in("names", account="second").status_code == 401


def test_s03_another_provider_cannot_give_a_name_that_is_taken(people: SignInService) -> None:
    assert people.browser().sign_in("test").status_code == 302
    answer = people.browser().sign_in("ec")
    assert answer.status_code == 401
    assert "belongs to another account" in answer.text


def test_s03_a_user_made_again_inherits_nothing(people: SignInService) -> None:
    t = tables("auth")
    people.provider.accounts({"first": account("heir"), "second": account("heir")})
    people.browser().sign_in("names", account="first")
    number = sa.select(t.user.c.id).where(t.user.c.username == "heir")
    first = people.execute(number).scalar_one()
    people.execute(t.user_policy.insert().values(user_id=first, policy_id="one_reader", source="test"))
    people.execute(t.user.delete().where(t.user.c.id == first))
    assert people.browser().sign_in("names", account="second").status_code == 302
    second = people.execute(number).scalar_one()
    assert second != first
    assert people.execute(sa.select(t.user_policy).where(t.user_policy.c.user_id == second)).all() == []


# -- S5: a sign-in is finished by who began it -------------------------------------------------------------------------


def test_s05_an_answer_for_somebody_else_s_browser_signs_nobody_in(people: SignInService) -> None:
    mallory = people.browser()
    callback = mallory.begin("test", account="s-bob")
    victim = people.browser()
    for begun in (False, True):
        if begun:
            victim.open("/user/login/test")
        answer = victim.open(callback)
        assert answer.status_code == 403
        assert "not begun in this browser" in answer.text
        assert not victim.secret()


@pytest.mark.parametrize(
    "query",
    ["", "code=x", "code=x&state=", "code=x&state=" + "0" * 32, "code=x&state=../../x", "error=access_denied&state=x"],
)
def test_s05_an_answer_without_the_right_state_signs_nobody_in(people: SignInService, query: str) -> None:
    browser = people.browser()
    browser.open("/user/login/test")
    assert browser.open(f"/user/login/test/login?{query}").status_code == 403
    assert not browser.secret()


def test_s05_an_answer_serves_once_also_for_who_keeps_the_cookie(people: SignInService) -> None:
    browser = people.browser()
    callback = browser.begin("test")
    kept = "; ".join(f"{each.name}={each.value}" for each in browser.cookies if each.name.startswith("commonshub_"))
    assert browser.open(callback).status_code == 302
    assert browser.open(callback).status_code == 403
    again = requests.get(callback, headers={"Cookie": kept}, allow_redirects=False, timeout=20)
    assert again.status_code == 401
    assert "commonshub_login" not in again.headers.get("Set-Cookie", "")


def test_s05_a_sign_in_that_took_too_long_is_refused(people: SignInService, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = people.browser()
    callback = browser.begin("test")
    monkeypatch.setattr(people.app.logins.settings, "attempt_s", -1)
    assert browser.open(callback).status_code == 403


def test_s05_an_answer_of_one_provider_is_none_of_another(people: SignInService) -> None:
    browser = people.browser()
    callback = browser.begin("test")
    assert browser.open(callback.replace("/login/test/", "/login/ec/")).status_code == 403
    browser = people.browser()
    callback = browser.begin("test")
    query = parse_qs(urlsplit(callback).query)
    assert query["iss"] == [people.provider.issuer]
    answer = browser.open(f"/user/login/test/login?code=x&state={query['state'][0]}&iss=https://other.example")
    assert answer.status_code == 400


def test_s05_the_code_is_worthless_without_the_verifier(people: SignInService) -> None:
    browser = people.browser()
    code = parse_qs(urlsplit(browser.begin("test")).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "client_id": "commons"}
    form["redirect_uri"] = f"{people.origin}/user/login/test/login"
    secret = people.provider.settings["clients"][0]["client_secret"]
    answer = requests.post(f"{people.provider.issuer}/token", data=form, auth=("commons", secret), timeout=20)
    assert answer.status_code == 400


# -- S6: redirects ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "//e",
        "///e",
        "/\\e",
        "\\\\e",
        "https:e",
        "{origin}@e",
        "{origin}.e",
        "%2f%2fe",
        "/%2f%2fe",
        "/%5ce",
        "javascript:alert(1)",
        "/\r\nSet-Cookie: a=b",
        "/a\tb",
    ],
)
@pytest.mark.parametrize(
    ("route", "name"),
    [
        ("/user/login", "redirect"),
        ("/user/login/test", "redirect"),
        ("/user/logout", "next"),
        ("/user/logout/done", "state"),
    ],
)
def test_s06_no_link_of_ours_leads_elsewhere(people: SignInService, route: str, name: str, text: str) -> None:
    answer = people.browser().open(route, params={name: text.format(origin=people.origin)})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_s06_an_error_of_the_provider_leads_nowhere(people: SignInService) -> None:
    browser = people.browser()
    begun = browser.open("/user/login/test?redirect=/portal/%3Fredirect_uri=https://evil.example")
    answer = browser.open(browser.at_provider(begun, "", refuse="no"))
    assert answer.status_code == 401
    assert "Location" not in answer.headers
    assert "evil.example" not in answer.text


# -- S23: sessions ----------------------------------------------------------------------------------------------------


def test_s23_a_planted_session_is_not_taken_over(people: SignInService) -> None:
    browser = people.browser()
    browser.cookies.set("commonshub_login", "planted", domain="127.0.0.1", path="/jupyter/hub/")
    browser.sign_in()
    assert browser.secret() != "planted"
    planted = people.get("/user/login/assertion", headers={"Cookie": "commonshub_login=planted"})
    assert planted.status_code == 401


def test_s23_two_users_of_one_browser_are_never_mixed(front: Front) -> None:
    browser = front.browser()
    home = "/jupyter/hub/home"
    assert "alice@example.org" in browser.follow(home).text
    forget_provider(browser)
    page = browser.follow(f"/user/login/test?redirect={LOGIN}?next={home}", account="s-bob").text
    assert "bob@example.org" in page
    assert "alice@example.org" not in page


def forget_provider(browser: Browser) -> None:
    for each in [cookie for cookie in browser.cookies if cookie.domain == HOST]:
        browser.cookies.clear(each.domain, each.path, each.name)


def until_refused(url: str, headers: dict[str, str]) -> None:
    """Ask until the answer is not 200 any more, as it must soon be."""
    ask = partial(requests.get, url, headers=headers, allow_redirects=False, timeout=20)
    eventually(lambda: ask().status_code != 200, 30)


def signed_in_everywhere(front: Front) -> tuple[Browser, dict[str, str]]:
    """A browser with sessions at the hub and the portal, and the header with a token that was derived from them."""
    browser = front.browser()
    browser.follow("/jupyter/hub/home")
    browser.follow("/portal/login?next=/portal/profile")
    held = bearer(access_token(front, browser))
    assert requests.get(f"{front.origin}/user/user", headers=held, timeout=20).status_code == 200
    return browser, held


def test_s23_a_logout_ends_at_the_server_what_the_browser_had(front: Front) -> None:
    browser, held = signed_in_everywhere(front)
    kept = [f"{each.name}={each.value}" for each in browser.cookies if each.path == "/jupyter/hub/"]
    browser.sign_out_here()
    until_refused(f"{front.origin}/user/user", held)
    until_refused(f"{front.origin}/jupyter/hub/home", {"Cookie": "; ".join(kept)})


def test_s23_a_sign_in_that_ended_by_itself_takes_along_what_came_from_it(front: Front) -> None:
    browser, held = signed_in_everywhere(front)
    front.execute(login_table("auth").delete())
    eventually(lambda: "/hub/login" in browser.open("/jupyter/hub/home").headers.get("Location", ""), 30)
    assert browser.open(LOGIN).headers["Location"].startswith("/user/login?")
    until_refused(f"{front.origin}/user/user", held)
