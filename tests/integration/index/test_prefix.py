"""A commons whose GUIDs have a prefix: callers may leave it out."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.index_service import Ask, body, policies
from tests.tokens import bearer

from commonshub.core import blobs, records
from commonshub.core.records import Draft
from commonshub.index.app import IndexApp

PREFIX = "dg.TEST/"
MD5 = "0" * 32


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any]) -> Any:
    service = run_service(IndexApp, Commons={"guid_prefix": PREFIX})
    service.hold(policies())
    return service


@pytest.fixture(scope="module")
def ask(running: Any, token: Callable[..., str]) -> Ask:
    headers = bearer(token("admin"))
    return lambda method, path, **options: requests.request(
        method, running.url + path, headers=headers, timeout=30, **options
    )


@pytest.fixture(scope="module")
def did(ask: Ask) -> str:
    did: str = ask("POST", "/index/index", json=body()).json()["did"]
    return did


def test_new_guids_have_the_prefix(running: Any, did: str) -> None:
    assert did.startswith(PREFIX)
    assert requests.get(f"{running.url}/index/guid/prefix").json() == {"prefix": PREFIX}
    assert requests.get(f"{running.url}/index/guid/mint").json()["guids"][0].startswith(PREFIX)


@pytest.mark.parametrize(
    "path",
    [
        *("/index/index/{}", "/index/{}", "/index/index?ids={}", "/ga4gh/drs/v1/objects/{}"),
        *("/index/index/{}/latest", "/index/index/{}/versions", "/mds/objects/{}"),
    ],
)
def test_d23_a_record_is_found_with_and_without_the_prefix(running: Any, did: str, path: str) -> None:
    answers = [requests.get(running.url + path.format(name)) for name in (did, did.removeprefix(PREFIX))]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(did in answer.text for answer in answers)


WRITES: list[tuple[str, str, Any]] = [
    ("PUT", "/index/index/{}?rev={rev}", {"file_name": "new"}),
    ("POST", "/index/index/{}", body()),
    ("POST", "/index/index/blank/{}", {}),
    ("PUT", "/index/index/{}/versions", {"acl": ["x"]}),
    ("POST", "/index/index/{}/aliases", {"aliases": []}),
    ("PUT", "/index/index/{}/aliases", {"aliases": []}),
    ("GET", "/index/index/{}/aliases", None),
    ("DELETE", "/index/index/{}/aliases", None),
    ("DELETE", "/index/index/{}?rev={rev}", None),
    ("DELETE", "/mds/objects/{}", None),
]


@pytest.mark.parametrize(("method", "path", "content"), WRITES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("stored", [PREFIX, ""], ids=["stored with", "stored without"])
@pytest.mark.parametrize("named", [PREFIX, ""], ids=["named with", "named without"])
def test_a_record_is_written_with_and_without_the_prefix(
    ask: Ask, method: str, path: str, content: Any, stored: str, named: str
) -> None:
    guid = str(uuid.uuid4())
    record = ask("POST", "/index/index", json=body(did=stored + guid)).json()
    answer = ask(method, path.format(named + guid, rev=record["rev"]), json=content)
    assert answer.status_code in (200, 201, 204), answer.text


@pytest.mark.parametrize("named", [PREFIX, ""], ids=["named with", "named without"])
def test_a_blank_record_is_filled_with_and_without_the_prefix(ask: Ask, named: str) -> None:
    blank = ask("POST", "/index/index/blank", json={}).json()
    guid = blank["did"].removeprefix(PREFIX)
    path = f"/index/index/blank/{named}{guid}?rev={blank['rev']}"
    assert ask("PUT", path, json={"size": 1, "hashes": {"md5": MD5}}).json()["did"] == blank["did"]


@pytest.mark.parametrize("named", [PREFIX, ""], ids=["named with", "named without"])
def test_an_upload_is_asked_after_with_and_without_the_prefix(running: Any, ask: Ask, named: str) -> None:
    blank = running.app.database.call(
        blobs.create_blank, "index", uploader="u", file_name="f", authz=[], bucket="commons", prefix=PREFIX
    )
    answer = ask("GET", f"/index/index/{named}{blank.did.removeprefix(PREFIX)}/blob")
    assert answer.json()["did"] == blank.did


@pytest.mark.parametrize("named", [PREFIX, ""], ids=["named with", "named without"])
def test_a_bundle_is_deleted_with_and_without_the_prefix(ask: Ask, did: str, named: str) -> None:
    bundle = ask("POST", "/index/bundle", json={"bundles": [did]}).json()["bundle_id"]
    assert ask("DELETE", f"/index/bundle/{named}{bundle.removeprefix(PREFIX)}").status_code == 200
    assert ask("GET", f"/index/bundle/{bundle}").status_code == 404


def test_of_two_spellings_the_one_that_is_asked_for_is_meant(running: Any, ask: Ask) -> None:
    guid = str(uuid.uuid4())
    made = running.app.database.call(records.create, "index", [Draft(did=guid), Draft(did=PREFIX + guid)])
    for record in made:
        assert ask("DELETE", f"/index/index/{record.did}?rev={record.rev}").status_code == 200
        assert ask("GET", f"/index/index/{record.did}").status_code == (200 if record is made[0] else 404)
