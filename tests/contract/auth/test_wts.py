"""The workspace token service (C109): tokens of this commons, and of another one that is as real."""

import json
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
import sqlalchemy as sa
from cryptography.fernet import Fernet
from tests.auth_service import Auth
from tests.conftest import free_port
from tests.hub_browser import TOKENS
from tests.oauth_client import Browser, browser, parameters, site
from tests.servers import answering
from tests.tokens import bearer, claims_of
from tornado import web
from tornado.netutil import bind_sockets

from commonshub.auth.app import AuthApp
from commonshub.auth.claims import KEY_SCOPES
from commonshub.auth.oauth import store as clients
from commonshub.auth.oauth.clients import Client, with_secret
from commonshub.auth.wts import store
from commonshub.auth.wts.external import External, parse_commons
from commonshub.core.browser import MAX_ATTEMPTS

__all__ = ["browser", "site"]

PORT, OTHER_PORT = free_port(), free_port()
# Another host than that of ours, as far as cookies are concerned.
OTHER = f"http://localhost:{OTHER_PORT}"
SCHEMA = "other"
TOKEN, PROVIDERS = "/wts/token/", "/wts/external_oidc/"
BEGIN = "/wts/oauth2/authorization_url"


@pytest.fixture(scope="module")
def other(run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, hub_url: str, site: Auth) -> Auth:
    """The other commons, at which ours is registered."""
    folder: Path = tmp_path_factory.mktemp("other")
    running = run_service(
        AuthApp,
        Commons={"data_dir": str(folder), "origin": OTHER},
        ServiceApplication={"url": f"http://localhost:{OTHER_PORT}"},
        DatabaseSettings={"auth_schema": SCHEMA},
        TokenSettings={"jwks_file": str(folder / "keys" / "jwks.json")},
    )
    other = Auth(running)
    other.url = OTHER
    hub = running.app.sign_in.hub
    hub.pages_url, hub.api.url = f"{hub_url}/jupyter/hub/", f"{hub_url}/jupyter/hub/api"
    hub.registration = replace(hub.registration, secret=TOKENS["auth"])
    draft = Client(id="", name="ours", redirect_uris=(f"http://127.0.0.1:{PORT}/wts/oauth2/authorize",))
    client, secret = with_secret(draft)
    running.app.database.call(clients.add_client, SCHEMA, client, "test", rotated=True)
    running.call(running.app.grants.reload())
    file = folder / "secret"
    file.write_text(str(secret))
    connections = site.app.connections
    settings = {"base_url": OTHER, "client_id": client.id, "client_secret_file": str(file), "name": "The other one"}
    fresh = type(connections)(
        site.app.database,
        "auth",
        connections._vault,
        parse_commons({"other": settings, "away": {"base_url": "http://localhost:1", "client_id": "x"}}),
        connections.redirect_uri,
        5,
    )
    connections.close()
    site.app.connections = fresh
    return other


class Person:
    """A user with a browser of his, known to both commons."""

    def __init__(self, site: Auth, other: Auth, hub_url: str) -> None:
        self.site = site
        self.other = other
        self.name = f"person-{secrets.token_hex(3)}"
        self.browser = Browser(site.url, hub_url)
        self.there = Browser(OTHER, hub_url)

    def begin(self, **query: str) -> str:
        """Ask to connect; the address at the other commons where that leads."""
        location = f"{BEGIN}?{urlencode({'idp': 'other', 'redirect': '/portal/profile', **query})}"
        while location.startswith("/"):
            answer = self.browser.open(location)
            assert answer.status_code == 302, answer.text
            location = answer.headers["Location"]
            if "/hub/" in location:
                location = self.browser.pass_hub(location, self.name).headers["Location"]
        return location

    def decide(self, location: str, word: str = "yes") -> str:
        """Say yes or no at the other commons; the address that the browser is sent back to."""
        parts = urlsplit(location)
        page = self.there.authorize(f"{parts.path}?{parts.query}", self.name)
        answer = self.there.confirm(page, word) if page.status_code == 200 else page
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def come_back(self, location: str, browser: Browser | None = None) -> requests.Response:
        """Follow the way back to the page that answers."""
        parts = urlsplit(location)
        answer = (browser or self.browser).open(f"{parts.path}?{parts.query}")
        return (browser or self.browser).open(answer.headers["Location"])

    def connect(self) -> None:
        answer = self.come_back(self.decide(self.begin()))
        assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/profile")

    def ask(self, path: str, **query: str) -> requests.Response:
        return self.site.get(path, self.name, params=query)

    def sql(self, **values: Any) -> None:
        """Change what is stored for the connection."""
        mine = store._mine("auth", self.name, "other")
        statement = store.table("auth").update().where(mine).values(**values)
        self.site.app.database.call(lambda connection: connection.execute(statement))


@pytest.fixture
def person(site: Auth, other: Auth, hub_url: str) -> Iterator[Person]:
    made = Person(site, other, hub_url)
    # Every user of ours has asked for a token once.
    site.app.database.call(
        lambda connection: connection.execute(
            sa.text("insert into auth.usr (username, source) values (:name, 'hub')"), {"name": made.name}
        )
    )
    yield made
    made.browser.close()
    made.there.close()


@pytest.fixture
def connected(person: Person) -> Person:
    person.connect()
    return person


def username_at(base_url: str, token: str) -> str:
    answer = requests.get(f"{base_url}/user/user", headers=bearer(token), timeout=30)
    return str(answer.json().get("username", answer.status_code))


# -- this commons ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("idp", ["", "default", "local"])
def test_c109_a_token_of_this_commons_is_like_the_callers_and_ends_with_its_key(site: Auth, idp: str) -> None:
    made = site.post("/user/credentials/api", "alice", params={"expires_in": 400}).json()
    caller = site.post("/user/credentials/api/access_token", json=made).json()["access_token"]
    headers = bearer(caller)
    answer = site.get(TOKEN, headers=headers, params={"idp": idp} if idp else {})
    fresh, old = claims_of(answer.json()["token"]), claims_of(caller)
    assert (fresh["scope"], fresh["sid"]) == (old["scope"], old["sid"]) == (sorted(KEY_SCOPES), made["key_id"])
    assert fresh["jti"] != old["jti"]
    assert fresh["exp"] <= claims_of(made["api_key"])["exp"]
    site.request("DELETE", f"/user/credentials/api/{made['key_id']}", "alice")
    assert username_at(site.url, answer.json()["token"]) == "401"
    assert site.get(TOKEN, headers=headers).status_code == 401


def test_c109_a_token_that_nothing_ends_breeds_none_that_lives_longer(site: Auth) -> None:
    caller = site.access_token("alice", ttl_s=100)
    headers = bearer(caller)
    assert claims_of(site.get(TOKEN, headers=headers).json()["token"])["exp"] <= claims_of(caller)["exp"]
    assert site.get(TOKEN, headers=headers, params={"expires": 600}).status_code == 400
    assert site.get(TOKEN, headers=headers, params={"expires": 50}).status_code == 200


@pytest.mark.parametrize("expires", ["0", "-1", "x", "1.5", "999999"])
def test_c109_a_life_that_cannot_be_is_400(site: Auth, expires: str) -> None:
    assert site.get(TOKEN, "alice", params={"expires": expires}).status_code == 400


@pytest.mark.parametrize("path", [TOKEN, "/wts/oauth2/connected", "/wts/oauth2/logout", f"{PROVIDERS}?unexpired=true"])
def test_c109_nobody_gets_nothing(site: Auth, path: str) -> None:
    assert site.get(path).status_code == 401
    assert site.get(path, headers={"Authorization": "bearer x"}).status_code == 401


def test_s11_an_application_gets_no_other_tokens_than_its_own(person: Person) -> None:
    site = person.site
    draft = Client(id="", name=f"app-{person.name}", redirect_uris=("https://app.example.org/",))
    client, _ = with_secret(draft)
    site.app.database.call(clients.add_client, "auth", client, "test", rotated=True)
    site.running.call(site.app.grants.reload())
    token = site.app.keys.sign({**claims_of(site.access_token(person.name)), "azp": client.id})
    headers = bearer(token)
    for query in ({}, {"idp": "other"}):
        assert site.get(TOKEN, headers=headers, params=query).status_code == 403


# -- another commons ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [TOKEN, "/wts/oauth2/connected", "/wts/oauth2/logout"])
def test_c109_an_unknown_commons_is_400(person: Person, path: str) -> None:
    assert person.ask(path, idp="nowhere").status_code == 400


def test_c109_the_other_commons_are_told_to_everybody(person: Person) -> None:
    provider = person.site.get(PROVIDERS).json()["providers"][0]
    assert (provider["name"], provider["idp"], provider["base_url"]) == ("The other one", "other", OTHER)
    assert provider["urls"] == [{"name": "The other one", "url": f"http://127.0.0.1:{PORT}{BEGIN}?idp=other"}]
    assert person.ask(PROVIDERS, unexpired="true").json() == {"providers": []}


def test_c109_who_is_not_connected_gets_403(person: Person) -> None:
    assert person.ask("/wts/oauth2/connected").status_code == 200
    assert person.ask("/wts/oauth2/connected", idp="other").status_code == 403
    assert person.ask(TOKEN, idp="other").status_code == 403


def test_c109_who_connects_gets_tokens_of_the_other_commons(connected: Person) -> None:
    assert connected.ask("/wts/oauth2/connected", idp="other").status_code == 200
    token = connected.ask(TOKEN, idp="other").json()["token"]
    assert claims_of(token)["iss"] == f"{OTHER}/user"
    assert username_at(OTHER, token) == connected.name
    assert username_at(connected.site.url, token) == "401"
    # One token serves until it nears its end.
    assert connected.ask(TOKEN, idp="other").json()["token"] == token
    [provider] = connected.ask(PROVIDERS, unexpired="true").json()["providers"]
    assert provider["refresh_token_expiration"] is not None


def test_c109_a_token_with_fewer_scopes_gets_none_of_another_commons(connected: Person) -> None:
    token = connected.site.access_token(connected.name, frozenset({"openid", "user"}))
    answer = connected.site.get(TOKEN, headers=bearer(token), params={"idp": "other"})
    assert (answer.status_code, "scope data" in answer.text) == (403, True)


def test_c109_many_who_ask_at_once_renew_once(connected: Person) -> None:
    earlier = connected.ask(TOKEN, idp="other").json()["token"]
    # Once more, since a refresh token is good for one renewal.
    for _ in range(2):
        connected.sql(access_expires_at=sa.func.now())
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: connected.ask(TOKEN, idp="other").json()["token"], range(8)))
        assert len(set(answers)) == 1
        assert answers[0] != earlier
        assert username_at(OTHER, answers[0]) == connected.name
        earlier = answers[0]


def test_c109_a_renewal_that_died_is_taken_up_by_another(connected: Person) -> None:
    connected.sql(access_expires_at=sa.func.now(), claimed_until=sa.func.now() + sa.cast("1 second", sa.Interval))
    assert connected.ask(TOKEN, idp="other").status_code == 200


def test_c109_what_ended_there_ends_here(connected: Person) -> None:
    ended = sa.text(f"delete from {SCHEMA}.oauth_session")
    connected.other.app.database.call(lambda connection: connection.execute(ended))
    connected.sql(access_expires_at=sa.func.now())
    answer = connected.ask(TOKEN, idp="other")
    assert (answer.status_code, "Connect again" in answer.text) == (403, True)
    assert connected.ask("/wts/oauth2/connected", idp="other").status_code == 403


def test_c109_while_the_other_commons_is_away_what_is_good_serves(
    connected: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = connected.site.app.connections
    away: External = replace(connections.commons["other"], base_url="http://localhost:1")
    monkeypatch.setattr(connections, "commons", {"other": away})
    connected.sql(access_expires_at=sa.func.now() + sa.cast("60 seconds", sa.Interval))
    assert connected.ask(TOKEN, idp="other").status_code == 200
    connected.sql(access_expires_at=sa.func.now())
    assert connected.ask(TOKEN, idp="other").status_code == 503
    assert connected.ask("/wts/oauth2/connected", idp="other").status_code == 200


def test_c109_logging_out_ends_the_connection_here_and_there(connected: Person) -> None:
    token = connected.ask(TOKEN, idp="other").json()["token"]
    assert connected.ask("/wts/oauth2/logout", idp="other").status_code == 200
    assert connected.ask(TOKEN, idp="other").status_code == 403
    assert username_at(OTHER, token) == "401"


def test_what_is_stored_of_a_connection_is_encrypted_and_its_key_can_be_changed(connected: Person) -> None:
    token = connected.ask(TOKEN, idp="other").json()["token"]
    stored = connected.site.app.database.call(
        lambda connection: str(connection.execute(sa.select(store.table("auth"))).all())
    )
    assert "eyJ" not in stored
    file = connected.site.app.commons.secrets / "wts-keys"
    assert file.stat().st_mode & 0o777 == 0o600
    earlier = file.read_text()
    try:
        file.write_text(f"{Fernet.generate_key().decode()}\n{earlier}")
        assert connected.ask(TOKEN, idp="other").json()["token"] == token
        file.write_bytes(Fernet.generate_key())
        assert connected.ask(TOKEN, idp="other").status_code == 403
    finally:
        file.write_text(earlier)


# -- in the browser ----------------------------------------------------------------------------------------------------


def test_c109_who_says_no_is_not_connected(person: Person) -> None:
    answer = person.come_back(person.decide(person.begin(), "no"))
    assert answer.status_code == 400
    assert person.ask("/wts/oauth2/connected", idp="other").status_code == 403


def test_s05_an_answer_is_good_once_and_in_the_browser_that_asked(person: Person, hub_url: str) -> None:
    back = person.decide(person.begin())
    with Browser(person.site.url, hub_url) as foreign:
        assert person.come_back(back, foreign).status_code == 403
    assert person.come_back(back).status_code == 302
    assert person.come_back(back).status_code == 403


def test_a_browser_keeps_few_unfinished_connections_and_the_last_can_be_finished(person: Person) -> None:
    for _ in range(2 * MAX_ATTEMPTS):
        begun = person.begin()
    assert sum(cookie.name.startswith("commonshub-wts-") for cookie in person.browser.cookies) <= MAX_ATTEMPTS
    assert person.come_back(person.decide(begun)).status_code == 302


def test_s05_another_users_browser_cannot_be_given_a_connection_that_somebody_began(
    person: Person, site: Auth, other: Auth, hub_url: str
) -> None:
    back = person.decide(person.begin())
    victim = Person(site, other, hub_url)
    victim.begin()
    for cookie in person.browser.cookies:
        if cookie.name.startswith("commonshub-wts-"):
            victim.browser.cookies.set_cookie(cookie)
    assert person.come_back(back, victim.browser).status_code == 403
    assert person.ask("/wts/oauth2/connected", idp="other").status_code == 403


@pytest.mark.parametrize(
    "change", [{"state": "x"}, {"state": ""}, {"iss": "http://elsewhere/user"}, {"code": "x"}], ids=str
)
def test_s05_an_answer_that_was_changed_is_refused(person: Person, change: dict[str, str]) -> None:
    back = urlsplit(person.decide(person.begin()))
    query = {**parameters(back.geturl()), **change}
    assert person.come_back(back._replace(query=urlencode(query)).geturl()).status_code == 403
    assert person.ask("/wts/oauth2/connected", idp="other").status_code == 403


@pytest.mark.parametrize(
    "target", ["//e.example", "/\\e.example", "https://e.example", "javascript:alert(1)", "/%2f/e", "/x\r\nA: b", ""]
)
def test_s06_a_connection_leads_back_to_a_page_of_ours(person: Person, target: str) -> None:
    answer = person.browser.open(
        f"/user{BEGIN.replace('/oauth2', '')}?{urlencode({'idp': 'other', 'redirect': target})}"
    )
    assert answer.status_code == 400


def test_the_slash_too_many_of_gen3s_portal_does_no_harm(person: Person) -> None:
    answer = person.browser.open("/wts/oauth2//authorization_url?idp=other&redirect=/x")
    assert answer.headers["Location"] == "/user/wts/authorization_url?idp=other&redirect=/x"


# -- Gen3's own client -------------------------------------------------------------------------------------------------


def test_c109_the_unmodified_sdk_gets_tokens_of_the_other_commons(
    connected: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gen3.auth import Gen3Auth, get_wts_idps

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NAMESPACE", f"x@127.0.0.1:{PORT}/wts/external_oidc/?q=")
    (tmp_path / "credentials.json").write_text(
        json.dumps(connected.site.post("/user/credentials/api", connected.name).json())
    )
    auth = Gen3Auth(endpoint=OTHER, refresh_file=str(tmp_path / "credentials.json"))
    assert auth.curl("/user/user").json()["username"] == connected.name
    assert claims_of(auth.get_access_token())["iss"] == f"{OTHER}/user"
    assert get_wts_idps(f"x@127.0.0.1:{PORT}/wts/external_oidc/?q=")["providers"][0]["base_url"] == OTHER


# -- another commons that means no good --------------------------------------------------------------------------------


class Hostile(web.RequestHandler):
    """A token endpoint that answers as a test says, and notes who comes where."""

    def post(self, path: str) -> None:
        self.settings["seen"].append(path)
        status, headers, body = self.settings["answer"]
        self.set_status(status)
        for name, value in headers.items():
            self.set_header(name, value)
        self.finish(body)

    get = post


ANSWERS: dict[str, tuple[int, dict[str, str], str]] = {
    "redirect": (302, {"Location": "/elsewhere"}, ""),
    "redirect that keeps the body": (307, {"Location": "/elsewhere"}, ""),
    "no JSON": (200, {}, "<html>"),
    "list": (200, {}, "[]"),
    "no token": (200, {}, "{}"),
    "number as token": (200, {}, '{"access_token": 1, "refresh_token": "r"}'),
    "far too long": (200, {}, f'{{"access_token": "{"x" * 2**21}"}}'),
    "unknown client": (401, {}, '{"error": "invalid_client"}'),
    "fault": (500, {}, "oops"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_s19_a_strange_answer_is_502_and_nobody_is_sent_elsewhere(
    connected: Person, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, dict[str, str], str]
) -> None:
    seen: list[str] = []
    application = web.Application([(r"/(.*)", Hostile)], seen=seen, answer=answer, log_function=lambda _: None)
    [socket] = bind_sockets(0, "127.0.0.1")
    connections = connected.site.app.connections
    away = replace(connections.commons["other"], base_url=f"http://localhost:{socket.getsockname()[1]}")
    monkeypatch.setattr(connections, "commons", {"other": away})
    connected.sql(access_expires_at=sa.func.now())
    with answering(application, [socket]):
        assert connected.ask(TOKEN, idp="other").status_code in (502, 503)
    assert seen == ["user/oauth2/token"]
    # The fault is theirs: the connection stays, and the next who asks need not wait.
    claims = sa.select(store.table("auth").c.claimed_until).where(store._mine("auth", connected.name, "other"))
    assert connected.site.app.database.call(lambda connection: connection.execute(claims).scalar_one()) is None
    assert connected.ask("/wts/oauth2/connected", idp="other").status_code == 200
