"""One place decides for the index and for downloads, for users and for clients that act for them: cases C54 to C62.

The policies are those of Gen3's own suite: a user and a client each with a namespace, and researchers whose policies
name consents beside it.
"""

import uuid
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.data_service import BYTES, DataCommons
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.auth import importing
from commonshub.auth.userfile import parse
from commonshub.core.grants import tables

USER_FILE = """\
authz:
  resources:
    - name: abc
      subresources: [{name: programs, subresources: [{name: foo}]}]
    - {name: gen3}
    - {name: consents, subresources: [{name: HMB}, {name: GRU}]}
  roles:
    - id: records
      permissions:
        - {id: create, action: {service: indexd, method: create}}
        - {id: update, action: {service: indexd, method: update}}
        - {id: delete, action: {service: indexd, method: delete}}
    - {id: bytes, permissions: [{id: read, action: {service: fence, method: read-storage}}]}
  policies:
    - {id: abc-admin, role_ids: [records, bytes], resource_paths: [/abc]}
    - {id: gen3-admin, role_ids: [records, bytes], resource_paths: [/gen3]}
    - {id: gen3-hmb-researcher, role_ids: [bytes], resource_paths: [/consents/HMB, /consents/GRU, /gen3]}
clients:
  basic-abc: {policies: [abc-admin]}
  basic-gen3: {policies: [gen3-admin]}
users:
  main: {policies: [abc-admin]}
  user0: {policies: [gen3-admin, gen3-hmb-researcher]}
  user1: {policies: [gen3-hmb-researcher]}
  user2: {}
"""
ABC, GEN3 = "/abc/programs/foo/projects/bar", "/gen3/programs/test_program/projects/test_project"
HMB, GRU = "/consents/HMB", "/consents/GRU"
TWO_NAMESPACES = [ABC, GEN3]


@pytest.fixture(scope="module", autouse=True)
def policies(commons: DataCommons) -> None:
    def write(connection: sa.Connection) -> None:
        importing.apply(connection, "auth", parse(USER_FILE), "centralized")
        clients = [{"client_id": name, "name": name} for name in ("basic-abc", "basic-gen3")]
        connection.execute(tables("auth").client.insert(), clients)

    commons.auth.database.call(write)
    eventually(lambda: all(app.policy.knows("basic-gen3") for app in (commons.auth, commons.index)))


def headers_of(commons: DataCommons, user: str | None, client: str | None = None) -> dict[str, str]:
    return bearer(commons.token(user, client or "")) if user or client else {}


def draft(*authz: str) -> dict[str, Any]:
    hashes = {"md5": uuid.uuid4().hex}
    return {"form": "object", "size": 1, "hashes": hashes, "urls": [], "file_name": "x", "authz": list(authz)}


def create_update_delete(commons: DataCommons, authz: str, headers: dict[str, str]) -> list[int]:
    """Statuses of making a record of one's own, and of changing and deleting one that is there."""
    there = commons.record(authz=[authz], file_name="before")
    path = f"/index/index/{there.did}"
    made = commons.post("/index/index", json=draft(authz), headers=headers)
    changed = commons.request("PUT", f"{path}?rev={there.rev}", json={"file_name": "after"}, headers=headers)
    now = commons.get(path).json()
    deleted = commons.request("DELETE", f"{path}?rev={now['rev']}", headers=headers)
    left = commons.get(path)
    assert now["file_name"] == ("after" if changed.status_code == 200 else "before")
    assert left.status_code == (404 if deleted.status_code == 200 else 200)
    return [made.status_code, changed.status_code, deleted.status_code]


@pytest.mark.parametrize(
    ("user", "client", "authz", "statuses"),
    [
        # Gen3 says 401 where a caller who is known may not.
        pytest.param("user2", None, ABC, [403] * 3, id="C54-no-policies"),
        pytest.param(None, None, ABC, [401] * 3, id="C54-nobody"),
        pytest.param("main", None, ABC, [200] * 3, id="C55-own-namespace"),
        pytest.param("main", None, GEN3, [403] * 3, id="C55-other-namespace"),
        pytest.param("main", None, "/abc", [200] * 3, id="C55-the-namespace-itself"),
        pytest.param("main", None, "/abcd", [403] * 3, id="C55-beside"),
        pytest.param("main", "basic-abc", ABC, [200] * 3, id="C56-own-namespace"),
        pytest.param("main", "basic-abc", GEN3, [403] * 3, id="C56-other-namespace"),
        pytest.param("user2", "basic-abc", ABC, [403] * 3, id="C56-user-not-allowed"),
        pytest.param("main", "basic-gen3", ABC, [403] * 3, id="C56-client-not-allowed"),
    ],
)
def test_records_are_changed_by_those_who_may(
    commons: DataCommons, user: str | None, client: str | None, authz: str, statuses: list[int]
) -> None:
    found = create_update_delete(commons, authz, headers_of(commons, user, client))
    assert [200 if status == 201 else status for status in found] == statuses


@pytest.mark.parametrize("user", ["user2", None])
def test_c54_everybody_reads_records(commons: DataCommons, user: str | None) -> None:
    record = commons.record(authz=[ABC])
    assert commons.get(f"/index/index/{record.did}", headers=headers_of(commons, user)).json()["authz"] == [ABC]


@pytest.mark.parametrize(
    ("user", "client", "authz", "status"),
    [
        pytest.param("main", None, [ABC], 200, id="C57-inside"),
        pytest.param("main", None, [GEN3], 401, id="C57-outside"),
        pytest.param("main", "basic-abc", [ABC], 200, id="C57-client-inside"),
        pytest.param("main", "basic-abc", [GEN3], 401, id="C57-client-outside"),
        pytest.param("main", "basic-gen3", [GEN3], 401, id="C58-client-allowed-user-not"),
        pytest.param("user0", "basic-abc", [GEN3], 401, id="C59-user-allowed-client-not"),
        pytest.param("user0", None, [GEN3], 200, id="C59-the-user-by-himself"),
        pytest.param("user0", "basic-gen3", [GEN3], 200, id="C59-both"),
        pytest.param("main", None, TWO_NAMESPACES, 401, id="C60-one-missing"),
        pytest.param("main", None, [ABC, "/abc/programs/test_program2"], 200, id="C60-both"),
        pytest.param("main", "basic-abc", [ABC, "/abc/programs/test_program2"], 200, id="C60-both-by-client"),
        pytest.param("user2", None, ["/open"], 200, id="C61-signed-in"),
        pytest.param(None, None, ["/open"], 200, id="C61-nobody"),
        pytest.param("main", None, [ABC, HMB], 401, id="C62-consent-missing"),
        pytest.param("user0", None, [GEN3, HMB], 200, id="C62-two-policies"),
        pytest.param("user1", None, [GEN3, HMB], 200, id="C62-one-policy"),
        pytest.param("user0", None, [GEN3, GRU], 200, id="C62-listed-beside"),
        pytest.param("user0", None, [GEN3, "/consents/DS"], 401, id="C62-other-consent"),
        pytest.param("user0", None, [HMB], 200, id="C62-consent-alone"),
    ],
)
def test_bytes_are_for_those_who_may_read_every_path(
    commons: DataCommons, user: str | None, client: str | None, authz: list[str], status: int
) -> None:
    record = commons.stored(authz=authz)
    answer = commons.download(record.did, headers=headers_of(commons, user, client))
    assert answer.status_code == status
    if status == 200:
        assert requests.get(answer.json()["url"], timeout=30).content == BYTES
    asked = [{"resource": path, "action": {"service": "fence", "method": "read-storage"}} for path in authz]
    said = commons.post("/authz/auth/request", json={"requests": asked}, headers=headers_of(commons, user, client))
    assert said.json() == {"auth": status == 200}
