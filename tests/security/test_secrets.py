"""S22: the logs and the audit trail of a commons hold no credential that was sent to it or made by it.

The hub and its proxy are real and at DEBUG, as are the services auth, index and portal; these write no line of that
level, and hold their libraries at WARNING. There is no workspace and no identity provider, and what databases and
browsers keep is not looked at.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from browserless import Person
from tests.conftest import free_port
from tests.integration.hub.conftest import Commons
from tests.tokens import bearer
from tests.waiting import eventually

CONFIG = """
c.HubSettings.managed_services = ["auth", "index", "portal"]
c.Application.log_level = "DEBUG"
c.JupyterHub.log_level = "DEBUG"
c.ConfigurableHTTPProxy.debug = True
"""
TOKEN = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}")
SIGNED = re.compile(r"X-Amz-(Signature|Credential)=[\w%]")


class Story:
    """Requests that hold or make credentials, good and faulty ones, and the credentials themselves.

    Passwords, hub tokens, cookies, access tokens, API keys, secrets and tokens of a client that acts for itself, and
    presigned addresses; not the codes and refresh tokens of applications that users allow.
    """

    def __init__(self, commons: Commons) -> None:
        self.commons = commons
        self.secrets: dict[str, str] = {}
        self.answers: list[requests.Response] = []
        self.web = requests.Session()
        self.web.hooks["response"].append(lambda answer, **_: self.answers.append(answer))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.web.request(method, self.commons.origin + path, timeout=60, allow_redirects=False, **options)

    def keep(self, **secrets: str) -> None:
        self.secrets |= secrets

    def tell(self) -> None:
        token = self._sign_in()
        held = bearer(token)
        self._keys(held)
        self._applications(held)
        self._data(held)
        self._faults(token)

    def _sign_in(self) -> str:
        made = self.commons.run("user", "add", "alice")
        password = made.stdout.split("password:")[1].split()[0]
        person = Person(self.commons.origin, "alice", password)
        hub_token = person.headers["Authorization"].removeprefix("token ")
        self.web.cookies.update(person.session.cookies)
        self.web.get(f"{self.commons.origin}/portal/login?next=/portal/profile", timeout=60)
        page = self.web.get(f"{self.commons.origin}/portal/profile", timeout=60)
        xsrf = re.search(r'<meta name="xsrf" content="([^"]+)"', page.text)
        assert xsrf is not None, page.text
        for _ in range(2):
            answer = self.ask("POST", "/portal/token", headers={"X-XSRFToken": xsrf[1]})
            assert answer.status_code == 200, answer.text
        for number, cookie in enumerate([*person.session.cookies, *self.web.cookies]):
            if cookie.name != "_xsrf" and cookie.value and len(cookie.value) > 15:
                self.keep(**{f"cookie {cookie.name} {number}": cookie.value.strip('"')})
        found = next(value for value in answer.json().values() if TOKEN.fullmatch(str(value)))
        self.keep(password=password, hub_token=hub_token, xsrf=xsrf[1], access_token=found)
        hub = {"Authorization": f"token {hub_token}"}
        for what in ("access_token", "api_key"):
            given = self.ask("POST", f"/user/credentials/hub/{what}", headers=hub)
            assert given.status_code == 200, given.text
            self.keep(**{f"workspace {what}": given.json()[what]})
        return str(found)

    def _keys(self, held: dict[str, str]) -> None:
        made = self.ask("POST", "/user/credentials/api/", headers=held).json()
        exchange = "/user/credentials/api/access_token"
        for options in ({"json": made}, {"data": {"api_key": made["api_key"]}}):
            assert self.ask("POST", exchange, **options).status_code == 200
        self.ask("POST", exchange, json={"api_key": made["api_key"][:-4]})
        self.ask("DELETE", f"/user/credentials/api/{made['key_id']}", headers=held)
        self.ask("POST", exchange, json=made)
        self.keep(api_key=made["api_key"])

    def _applications(self, held: dict[str, str]) -> None:
        made = json.loads(self.commons.run("client", "create", "robot", "--grant-types", "client_credentials").stdout)
        client = (made["client_id"], made["client_secret"])
        form = {"grant_type": "client_credentials", "scope": "openid user"}
        given = self.ask("POST", "/user/oauth2/token", auth=client, data=form)
        assert given.status_code == 200, given.text
        in_body = {**form, "client_id": client[0], "client_secret": client[1]}
        assert self.ask("POST", "/user/oauth2/token", data=in_body).status_code == 200
        # What belongs into the body is refused in the address, but was sent there.
        self.ask("POST", f"/user/oauth2/token?client_secret={client[1]}", data=form)
        self.ask("POST", "/user/oauth2/token", auth=(client[0], client[1][:-1]), data=form)
        own = self.ask("GET", "/wts/token/", headers=held)
        assert own.status_code == 200, own.text
        self.keep(client_secret=client[1], client_token=given.json()["access_token"], wts_token=own.json()["token"])

    def _data(self, held: dict[str, str]) -> None:
        made = self.ask("POST", "/user/data/upload", headers=held, json={"file_name": "x.txt"})
        assert made.status_code == 201, made.text
        guid = made.json()["guid"]
        again = self.ask("GET", f"/user/data/upload/{guid}?file_name=x.txt", headers=held)
        assert requests.put(again.json()["url"], data=b"x", timeout=60).ok
        part = self.ask("POST", "/user/data/multipart/init", headers=held, json={"file_name": "y"}).json()
        wish = {"key": f"{part['guid']}/y", "uploadId": part["uploadId"], "partNumber": 1}
        self.ask("POST", "/user/data/multipart/upload", headers=held, json=wish)
        blob = f"/index/index/{guid}/blob"
        eventually(lambda: self.ask("GET", blob, headers=held).json()["state"] == "verified")
        got = self.ask("GET", f"/user/data/download/{guid}", headers=held)
        assert requests.get(got.json()["url"], timeout=60).content == b"x"
        self.keep(signature=got.json()["url"].partition("X-Amz-Signature=")[2].partition("&")[0])
        self.ask("GET", f"/user/data/download/{guid}?redirect=true", headers=held)
        self.ask("GET", f"/ga4gh/drs/v1/objects/{guid}/access/s3", headers=held)
        self.ask("POST", "/user/data/download/bulk", headers=held, json={"guids": [guid]})
        self.ask("POST", "/index/index", headers=held, json={"size": "many"})

    def _faults(self, token: str) -> None:
        for path in ("/user/user", "/index/index", "/authz/mapping", "/portal/profile", "/audit/log"):
            for name in ("token", "access_token", "api_key"):
                self.ask("GET", f"{path}?{name}={token}")
            self.ask("GET", path, headers={"Authorization": f"bearer {token}x"})
            self.ask("GET", path, headers={"Authorization": f"Basic {token}"})
            self.ask("PATCH", f"{path}?token={token}", headers=bearer(token))
            self.ask("POST", path, data=token, headers={"Content-Type": "application/json"})


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    running = Commons(tmp_path_factory.mktemp("secrets") / "data", free_port())
    made = running.run("init")
    assert made.returncode == 0, made.stderr
    with (running.folder / "commonshub_config.py").open("a") as config:
        config.write(CONFIG)
    try:
        started = running.up()
        assert started.returncode == 0, started.stdout + started.stderr
        told = Story(running)
        told.tell()
        yield told
    finally:
        running.run("down")


def logs(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(errors="replace") for file in (folder / "logs").iterdir()}


def test_s22_no_log_holds_a_credential(story: Story) -> None:
    found = logs(story.commons.folder)
    assert {"auth.log", "index.log", "portal.log", "hub.log"} <= found.keys()
    assert "[D " in found["hub.log"]
    lines = [(name, line) for name, text in found.items() for line in text.splitlines()]
    leaks = [
        (name, line.replace(secret, f"<{what}>")[:300])
        for name, line in lines
        for what, secret in story.secrets.items()
        if secret in line
    ]
    leaks += [(name, line[:300]) for name, line in lines if TOKEN.search(line) or SIGNED.search(line)]
    assert leaks == []


def test_s22_no_row_of_the_trail_holds_a_credential(story: Story) -> None:
    trail = story.commons.run("audit", "--json").stdout
    assert {"download", "upload", "api_key", "revoke_key", "create_client"} <= {
        json.loads(line)["action"] for line in trail.splitlines()
    }
    assert [what for what, secret in story.secrets.items() if secret in trail] == []
    assert not TOKEN.search(trail)
    assert "X-Amz-" not in trail


def test_s24_a_name_at_the_hub_cannot_write_a_line_of_its_log(story: Story) -> None:
    name = "x\n[I 2026-01-01 00:00:00.000 CommonsHub base:1] User logged in: root" + "y" * 10_000
    story.commons.sign_in(name, "z")
    log = logs(story.commons.folder)["hub.log"]
    assert "Failed login for" in log
    assert "User logged in: root" not in log
    assert "y" * 100 not in log


def test_a_sign_in_at_the_hub_is_one_row(story: Story) -> None:
    trail = map(json.loads, story.commons.run("audit", "--json", "--action", "login").stdout.splitlines())
    assert [(row["username"], row["subject"]) for row in trail] == [("alice", "jupyterhub")]


def test_s22_no_address_tells_another_site_where_its_reader_was(story: Story) -> None:
    ours = [answer for answer in story.answers if "/jupyter/" not in answer.url]
    assert len(ours) > 30
    assert {answer.headers.get("Referrer-Policy") for answer in ours} == {"no-referrer"}
    assert {answer.headers.get("X-Content-Type-Options") for answer in ours} == {"nosniff"}


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "jwt"])
@pytest.mark.parametrize("what", ["access_token", "hub_token", "api_key"])
def test_s22_a_credential_in_an_address_is_none(story: Story, name: str, what: str) -> None:
    anonymous = requests.Session()
    for path in ("/user/user", "/user/credentials/api/", "/audit/log", "/authz/resources", "/jupyter/hub/api/user"):
        plain = anonymous.get(story.commons.origin + path, timeout=60)
        given = anonymous.get(story.commons.origin + path, params={name: story.secrets[what]}, timeout=60)
        assert given.status_code == plain.status_code
        assert "alice" not in given.text
