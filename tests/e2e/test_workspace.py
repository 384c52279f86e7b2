"""A workspace started through the hub: nothing to paste, and nobody else's files."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from browserless import Person, code_cells
from tests.waiting import eventually


@pytest.fixture(scope="module")
def alice(commons: Any, sign_up: Any) -> Iterator[Person]:
    person = sign_up("alice")
    person.start_workspace()
    yield person
    person.stop_workspace()


def test_start_here_runs_top_to_bottom(alice: Person) -> None:
    cells = code_cells(alice.notebook("Start here.ipynb"))
    assert len(alice.execute(cells)) == len(cells) > 3


def test_the_unmodified_sdk_is_signed_in(alice: Person) -> None:
    (seen,) = alice.execute(
        ["from gen3.auth import Gen3Auth\nprint(Gen3Auth().curl('/user/user').json()['username'], end='')"]
    )
    assert seen == "alice"


def test_our_client_is_signed_in(alice: Person) -> None:
    (seen,) = alice.execute(["from commonshub.client import Commons\nprint(Commons().whoami().username, end='')"])
    assert seen == "alice"


def test_secrets_and_other_homes_are_out_of_reach(alice: Person, commons: Any, sign_up: Any) -> None:
    neighbour = sign_up("neighbour")
    neighbour.start_workspace()
    neighbour.stop_workspace()
    home = commons.data_dir / "workspaces" / "neighbour"
    assert any(file.is_file() for file in home.rglob("*"))
    probe = f"""
import json, os, pathlib
data = pathlib.Path({str(commons.data_dir)!r})
def readable(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                with open(os.path.join(path, name), "rb") as file:
                    file.read(1)
                yield file.name
            except OSError:
                pass
hidden = ("secrets", "postgres", "hub", "workspaces/neighbour")
print(json.dumps({{"uid": os.getuid(), "seen": [file for name in hidden for file in readable(data / name)]}}))
"""
    (text,) = alice.execute([probe])
    seen = json.loads(text)
    if "not isolated" in commons.run("status"):
        pytest.skip("started by a plain user: local workspaces are not isolated from that user")
    assert seen["uid"] != 0
    assert seen["seen"] == []


def test_s10_what_a_workspace_was_given_ends_with_its_server(commons: Any, sign_up: Any) -> None:
    def exchange(credentials: str) -> int:
        url = f"{commons.origin}/user/credentials/api/access_token"
        return requests.post(url, json=json.loads(credentials), timeout=30).status_code

    person = sign_up("leaver")
    person.start_workspace()
    try:
        # The file that Gen3's tools read, kept by somebody to go on with it.
        (text,) = person.execute(["import os\nprint(open(os.environ['GEN3_API_KEY']).read(), end='')"])
        assert exchange(text) == 200
    finally:
        person.stop_workspace()
    eventually(lambda: exchange(text) == 401, 5)


def test_s10_the_workspace_of_somebody_who_was_switched_off_ends(commons: Any, sign_up: Any) -> None:
    person = sign_up("switched")
    person.start_workspace()
    person.execute(["import pathlib\npathlib.Path('ready').touch()"])
    ready = f"{person.server}/api/contents/ready"
    assert requests.get(ready, headers=person.headers, timeout=30).ok
    commons.run("user", "deactivate", "switched")
    eventually(
        lambda: requests.get(ready, headers=person.headers, timeout=30, allow_redirects=False).status_code != 200
    )
    assert list((commons.data_dir / "workspaces" / "switched").rglob("ready"))
