"""Auth, index and submission behind one origin, as data pass through all of them."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.drs_schema import held
from tests.servers import Router, answering
from tests.stored import put_records
from tests.tokens import bearer
from tests.waiting import eventually
from tornado import netutil, web

from commonshub.auth.app import AuthApp
from commonshub.auth.claims import SESSION_SCOPES, Account
from commonshub.core import records
from commonshub.core.storage import Location, Storage
from commonshub.index.app import IndexApp
from commonshub.submission.app import PREFIX as SUBMISSION
from commonshub.submission.app import SubmissionApp

DICTIONARY = Path(__file__).parent / "data" / "dictionary"
PROJECT = "/programs/P/projects/one"
SECRET = "/programs/P/projects/two"
OPEN = "/open"
BYTES = b"real bytes \x00\xff"
CLIENT = "app-1"

# `alice` uploads and submits to a project, `bob` reads it and uploads, `writer` writes its data, `eve` has nothing.
USER_FILE = """\
authz:
  anonymous_policies: [open_reader]
  resources:
    - {name: open}
    - {name: data_file}
    - {name: services}
    - name: programs
      subresources: [{name: P, subresources: [{name: projects, subresources: [{name: one}, {name: two}]}]}]
  roles:
    - {id: administrator, permissions: [{id: all, action: {service: "*", method: "*"}}]}
    - {id: reader, permissions: [{id: r, action: {service: fence, method: read-storage}}]}
    - {id: writer, permissions: [{id: w, action: {service: fence, method: write-storage}},
                                 {id: c, action: {service: fence, method: create}},
                                 {id: d, action: {service: fence, method: delete}}]}
    - {id: creator, permissions: [{id: c, action: {service: fence, method: create}}]}
    - {id: uploader, permissions: [{id: u, action: {service: fence, method: file_upload}}]}
    - {id: submitter, permissions: [{id: s, action: {service: sheepdog, method: "*"}}]}
  policies:
    - {id: administrator, role_ids: [administrator], resource_paths: [/programs, /open, /data_file, /services]}
    - {id: open_reader, role_ids: [reader], resource_paths: [/open]}
    - {id: one_reader, role_ids: [reader], resource_paths: [/programs/P/projects/one]}
    - {id: one_writer, role_ids: [writer], resource_paths: [/programs/P/projects/one]}
    - {id: one_creator, role_ids: [creator], resource_paths: [/programs/P/projects/one]}
    - {id: one_submitter, role_ids: [submitter], resource_paths: [/programs/P/projects/one]}
    - {id: uploader, role_ids: [uploader], resource_paths: [/data_file]}
users:
  root: {policies: [administrator]}
  alice: {policies: [one_reader, one_submitter, uploader]}
  bob: {policies: [one_reader, uploader]}
  writer: {policies: [one_writer]}
  creator: {policies: [one_creator]}
  eve: {}
"""


class DataCommons:
    """A running commons and what tests do with it.

    Attributes
    ----------
    auth, index
        The services' applications, whose settings a test may change for its time.
    url
        Where everything is.
    """

    def __init__(self, url: str, auth: AuthApp, index: IndexApp) -> None:
        self.url = url
        self.auth = auth
        self.index = index
        self.storage = Storage(auth.storage_settings)

    def token(self, name: str | None, client: str = "", ttl_s: int = 600) -> str:
        """An access token of a user, of a client acting for him, or of a client alone."""
        claims = self.auth.minter.access(Account(1, name or ""), ttl_s, SESSION_SCOPES)
        return self.auth.keys.sign({**claims, "azp": client, "context": {"user": {"name": name}} if name else {}})

    def request(self, method: str, path: str, user: str | None = None, **options: Any) -> requests.Response:
        headers = bearer(self.token(user)) if user else {}
        headers |= options.pop("headers", {})
        options |= {"headers": headers, "timeout": 60, "allow_redirects": False}
        return held(requests.request(method, self.url + path, **options))

    def get(self, path: str, user: str | None = None, **options: Any) -> requests.Response:
        return self.request("GET", path, user, **options)

    def post(self, path: str, user: str | None = None, **options: Any) -> requests.Response:
        return self.request("POST", path, user, **options)

    def download(self, guid: str, user: str | None = None, query: str = "", **options: Any) -> requests.Response:
        return self.get(f"/user/data/download/{guid}{query}", user, **options)

    def record(self, **fields: Any) -> records.Record:
        """Store an index record; ``{did}`` in its URLs stands for its GUID."""
        did = fields.pop("did", None) or str(uuid.uuid4())
        urls = [url.format(did=did) for url in fields.pop("urls", ())]
        [made] = self.auth.database.call(put_records, "index", [records.Draft(did=did, urls=urls, **fields)])
        return made

    def stored(self, **fields: Any) -> records.Record:
        """A record whose bytes are :data:`BYTES`, where they belong."""
        did = fields.pop("did", None) or str(uuid.uuid4())
        location = Location("commons", f"{did}/data.bin")
        requests.put(self.storage.presign("PUT", location, 60), data=BYTES, timeout=60).raise_for_status()
        hashes = {"md5": uuid.uuid4().hex}
        fields = {"urls": [str(location)], "size": len(BYTES), "hashes": hashes, "file_name": "data.bin", **fields}
        return self.record(did=did, **fields)

    def upload(self, user: str, content: bytes = BYTES, **body: Any) -> str:
        """Upload as clients do, and wait until the bytes are verified; the GUID."""
        answer = self.post("/user/data/upload", user, json={"file_name": "new.bin", **body})
        assert answer.status_code == 201, answer.text
        requests.put(answer.json()["url"], data=content, timeout=60).raise_for_status()
        self.verified(answer.json()["guid"])
        return str(answer.json()["guid"])

    def verified(self, guid: str, timeout_s: float = 60) -> dict[str, Any]:
        """The record of an upload once its size and hashes are known."""

        def known() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get(f"/index/index/{guid}").json()
            return found if found["size"] is not None else None

        return eventually(known, timeout_s) or {}

    def submit(self, user: str, *documents: dict[str, Any]) -> dict[str, Any]:
        """Submit records to the project."""
        answer: dict[str, Any] = self.request("PUT", f"{SUBMISSION}/P/one", user, json=list(documents)).json()
        return answer

    def link(self, user: str, guid: str, **more: Any) -> dict[str, Any]:
        """Submit the node of a file whose bytes are in place."""
        known = self.get(f"/index/index/{guid}").json()
        document = {
            "type": "reads_file",
            "submitter_id": f"f-{uuid.uuid4().hex[:12]}",
            "file_name": known.get("file_name") or "new.bin",
            "file_size": known.get("size") or 1,
            "md5sum": (known.get("hashes") or {}).get("md5", "0" * 32),
            "object_id": guid,
            **more,
        }
        return self.submit(user, document)


@pytest.fixture(scope="module")
def commons(run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataCommons]:
    folder: Path = tmp_path_factory.mktemp("commons")
    (folder / "user.yaml").write_text(USER_FILE)
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    settings: dict[str, dict[str, Any]] = {
        "Commons": {"data_dir": str(folder), "origin": url, "dictionary": str(DICTIONARY)},
        "TokenSettings": {"jwks_file": str(folder / "keys" / "jwks.json")},
    }
    auth = run_service(AuthApp, **settings)
    index = run_service(IndexApp, BlobSettings={"retry_s": 0.1}, **settings)
    submission = run_service(SubmissionApp, **settings)
    of_auth = dict.fromkeys(("/user/", "/authz/", "/audit/"), auth.url)
    routes = {**of_auth, "/index/": index.url, "/ga4gh/": index.url, SUBMISSION: submission.url}
    register_client(auth.app)
    with answering(web.Application([(r"/.*", Router)], routes=routes, log_function=lambda _: None), sockets):
        started = DataCommons(url, auth.app, index.app)
        for path, body in [
            ("/", {"type": "program", "name": "P", "dbgap_accession_number": "P"}),
            ("/P", {"type": "project", "code": "one", "name": "one", "dbgap_accession_number": "one"}),
        ]:
            answer = started.request("PUT", SUBMISSION + path, "root", json=body)
            assert answer.status_code == 200, answer.text
        yield started


def register_client(auth: AuthApp) -> None:
    """A client that may read the project's data by itself."""

    def write(connection: sa.Connection) -> None:
        client = sa.text("insert into auth.client (client_id, name, source) values (:id, 'app', 'test')")
        connection.execute(client, {"id": CLIENT})
        connection.execute(sa.text("insert into auth.client_policy values ('app', 'one_reader', 'test')"))

    auth.database.call(write)
    eventually(lambda: auth.policy.knows(CLIENT))
