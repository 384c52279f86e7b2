"""The life of an application, by the operator's commands (C31 to C33) and by the administrators' API."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from subprocess import CompletedProcess
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.commands import run_here

from commonshub.auth import commands
from commonshub.auth.oauth.store import clients
from commonshub.core.grants import tables

API = "/user/admin/client"
TOKEN = "/user/oauth2/token"
URL = "https://app.example.org/callback"
Command = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def command(auth: Auth, database_url: str) -> Command:
    settings = [f"--data-dir={auth.app.commons.path}", f"--DatabaseSettings.url={database_url}"]
    return lambda *words: run_here(commands.main, ["client", *words, *settings])


def made(done: CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def token(auth: Auth, credentials: dict[str, str]) -> requests.Response:
    proof = (credentials["client_id"], credentials["client_secret"])
    return auth.post(TOKEN, data={"grant_type": "client_credentials"}, auth=proof)


def create(auth: Auth, **fields: Any) -> dict[str, Any]:
    answer = auth.post(API, "root", json={"redirect_uris": [URL], **fields})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_c31_expired_clients_are_deleted_and_those_that_end_soon_are_named(auth: Auth, command: Command) -> None:
    for name, days in (("never", "0"), ("soon", "4"), ("later", "30")):
        made(command("create", name, "--grant-types", "client_credentials", "--expires-in", days))
    gone = made(command("create", "gone", "--grant-types", "client_credentials", "--expires-in", "1"))
    table = clients("auth")
    # By a minute: a client's end is kept to the second.
    end = sa.func.now() - timedelta(minutes=1)
    past = sa.update(table).where(table.c.name == "gone").values(expires_at=end)
    auth.app.database.call(lambda connection: connection.execute(past))
    done = command("delete-expired")
    assert done.returncode == 0
    assert "Some expired OIDC clients have been deleted!" in done.stdout
    assert "Some OIDC clients are expiring soon!" in done.stdout
    assert gone["client_id"] in done.stdout
    listed = command("list").stdout.splitlines()
    names = {line.split()[0] for line in listed}
    assert names >= {"later", "never", "soon"}
    assert "gone" not in names
    assert token(auth, gone).status_code == 401
    assert "No OIDC client has expired." in command("delete-expired").stdout


def test_c32_old_and_new_secret_both_serve_after_a_rotation(auth: Auth, command: Command) -> None:
    old = made(command("create", "rotating", "--grant-types", "client_credentials", "--policies", "open_reader"))
    new = made(command("rotate", "rotating", "--expires-in", "30"))
    assert old["client_id"] != new["client_id"]
    for each in (old, new):
        assert token(auth, each).status_code == 200
    shown = json.loads(command("show", "rotating").stdout)
    assert [each["policies"] for each in shown] == [["open_reader"], ["open_reader"]]
    assert command("delete", "rotating", "--client-id", old["client_id"]).returncode == 0
    assert (token(auth, old).status_code, token(auth, new).status_code) == (401, 200)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(["create", "app"], "redirect_uris", id="C33-without a url"),
        pytest.param(["create", "taken", "--urls", URL], "already", id="C33-duplicate name"),
        pytest.param(["create", "app", "--urls", URL, "--allowed-scopes", "openid", "x"], "'x'", id="C33-scope"),
        pytest.param(["create", "app", "--urls", URL, "--grant-types", "implicit"], "'implicit'", id="C33-grant type"),
        pytest.param(["create", "app", "--urls", "http://app.example.org@e/"], "redirect_uris", id="C33-bad url"),
        pytest.param(["create", "app", "--urls", URL, "--expires-in", "-1"], "expires_in_days", id="C33-negative end"),
        pytest.param(["create", "app", "--urls", URL, "--policies", "none"], "policy none", id="C33-policy"),
        pytest.param(["create", "app", "--public", "--grant-types", "client_credentials"], "public", id="C33-public"),
        pytest.param(["modify", "missing", "--urls", URL], "no client", id="C33-modify nothing"),
        pytest.param(["modify", "taken"], "what to change", id="C33-modify nothing of it"),
        pytest.param(["delete", "missing"], "no client", id="C33-delete nothing"),
    ],
)
def test_a_faulty_command_says_why_and_changes_nothing(
    auth: Auth, command: Command, words: list[str], reason: str
) -> None:
    if not auth.get(f"{API}?name=taken", "root").json()["clients"]:
        create(auth, name="taken")
    before = auth.get(API, "root").json()
    done = command(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert auth.get(API, "root").json() == before


def test_c33_a_client_needs_no_user_and_ends_when_it_was_told_to(auth: Auth, command: Command) -> None:
    made(command("create", "ending", "--urls", URL, "--expires-in", "2"))
    [told] = json.loads(command("show", "ending").stdout)
    assert told["owner"] == ""
    assert abs(told["expires_at"] - time.time() - 2 * 86400) < 60


def test_a_client_is_changed_by_name(auth: Auth, command: Command) -> None:
    created = made(command("create", "changing", "--public", "--urls", URL))
    assert created.keys() == {"client_id"}
    done = command("modify", "changing", "--urls", URL + "/2", "--auto-approve", "--username", "Alice")
    assert done.returncode == 0, done.stderr
    [told] = json.loads(command("show", "changing").stdout)
    assert (told["redirect_uris"], told["auto_approve"], told["owner"]) == ([URL + "/2"], True, "alice")
    assert not told["confidential"]


# -- the administrators' API --------------------------------------------------------


def test_an_administrator_registers_changes_and_deletes_an_application(auth: Auth) -> None:
    created = create(auth, name="by api", policies=["one_reader"], grant_types=["client_credentials"])
    path = f"{API}/{created['client_id']}"
    assert token(auth, created).status_code == 200
    assert "client_secret" not in auth.get(path, "root").json()
    changed = auth.request("PATCH", path, "root", json={"scopes": ["openid"], "policies": []}).json()
    assert (changed["scopes"], changed["policies"], changed["redirect_uris"]) == (["openid"], [], [URL])
    rotated = auth.post(path + "/rotate", "root", json={"expires_in_days": 1})
    assert rotated.status_code == 201
    assert token(auth, rotated.json()).status_code == 200
    assert auth.request("DELETE", path, "root").status_code == 204
    assert token(auth, created).status_code == 401
    assert auth.get(path, "root").status_code == 404
    said = [(row.action, row.username) for row in auth.audited() if row.detail.get("name") == "by api"]
    assert said == [(action, "root") for action in ("create_client", "change_client", "create_client", "delete_client")]
    assert created["client_secret"] not in str(auth.audited())


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 200}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 1}, "name"),
        ({"name": "x", "secret": "mine"}, "secret"),
        ({"name": "x", "redirect_uris": URL}, "redirect_uris"),
        ({"name": "x", "redirect_uris": ["javascript:alert(1)"]}, "redirect_uris"),
        ({"name": "x", "redirect_uris": [URL + "#x"]}, "redirect_uris"),
        ({"name": "x", "redirect_uris": []}, "redirect_uris"),
        ({"name": "x", "grant_types": ["refresh_token"]}, "grant_types"),
        ({"name": "x", "scopes": ["data"]}, "scopes"),
        ({"name": "x", "auto_approve": "yes"}, "auto_approve"),
        ({"name": "x", "expires_in_days": "soon"}, "expires_in_days"),
        ({"name": "x", "expires_in_days": 1e9}, "expires_in_days"),
        ({"name": "x", "owner": "a/b"}, "a/b"),
    ],
)
def test_a_faulty_registration_names_the_field(auth: Auth, fields: dict[str, Any], name: str) -> None:
    answer = auth.post(API, "root", json={"redirect_uris": [URL], **fields})
    assert answer.status_code == 400
    assert name in answer.json()["error"]


def test_a_name_is_registered_once(auth: Auth) -> None:
    create(auth, name="once")
    assert auth.post(API, "root", json={"name": "once", "redirect_uris": [URL]}).status_code == 409


def test_who_takes_a_name_later_inherits_no_policies(auth: Auth) -> None:
    first = create(auth, name="inherited", policies=["open_reader"])
    auth.request("DELETE", f"{API}/{first['client_id']}", "root")
    assert create(auth, name="inherited")["policies"] == []


def test_what_user_yaml_gives_to_a_name_stays(auth: Auth) -> None:
    row = {"client_name": "from file", "policy_id": "open_reader", "source": "user.yaml"}
    auth.app.database.call(lambda c: c.execute(tables("auth").client_policy.insert().values(**row)))
    first = create(auth, name="from file", policies=["one_reader"])
    assert first["policies"] == ["one_reader", "open_reader"]
    auth.request("DELETE", f"{API}/{first['client_id']}", "root")
    assert create(auth, name="from file")["policies"] == ["open_reader"]
