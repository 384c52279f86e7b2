"""A running auth service with its own keys and a user.yaml, for the tests that drive it over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.stored import put_records

from commonshub.auth.app import AuthApp
from commonshub.auth.claims import KEY_SCOPES, SESSION_SCOPES, Account
from commonshub.auth.credentials.issue import issue_key
from commonshub.auth.users.store import find_user
from commonshub.core import records
from commonshub.core.identity import ANONYMOUS

USER_FILE = """\
authz:
  anonymous_policies: [open_reader]
  all_users_policies: []
  resources:
    - name: programs
      subresources:
        - name: a
          subresources:
            - name: projects
              subresources: [{name: one}, {name: two}]
    - {name: open}
    - {name: data_file}
    - name: services
      subresources:
        - {name: fence, subresources: [{name: admin}]}
        - {name: audit, subresources: [{name: presigned_url}, {name: login}]}
  roles:
    - {id: administrator, permissions: [{id: all, action: {service: "*", method: "*"}}]}
    - {id: reader, permissions: [{id: r, action: {service: fence, method: read-storage}}]}
    - {id: writer, permissions: [{id: w, action: {service: fence, method: write-storage}},
                                 {id: c, action: {service: fence, method: create}},
                                 {id: d, action: {service: fence, method: delete}}]}
    - {id: uploader, permissions: [{id: u, action: {service: fence, method: file_upload}}]}
    - {id: auditor, permissions: [{id: a, action: {service: audit, method: read}}]}
  policies:
    - {id: administrator, role_ids: [administrator], resource_paths: [/programs, /open, /data_file, /services]}
    - {id: open_reader, role_ids: [reader], resource_paths: [/open]}
    - {id: one_reader, role_ids: [reader], resource_paths: [/programs/a/projects/one]}
    - {id: one_writer, role_ids: [reader, writer], resource_paths: [/programs/a/projects/one]}
    - {id: two_reader, role_ids: [reader], resource_paths: [/programs/a/projects/two]}
    - {id: uploader, role_ids: [uploader], resource_paths: [/data_file]}
    - {id: url_auditor, role_ids: [auditor], resource_paths: [/services/audit/presigned_url]}
    - {id: login_auditor, role_ids: [auditor], resource_paths: [/services/audit/login]}
  groups:
    - {name: twos, policies: [two_reader], users: [both]}
users:
  root: {policies: [administrator]}
  alice: {policies: [one_reader, uploader], email: alice@example.org, tags: {team: a}}
  bob: {policies: [uploader]}
  both: {policies: [one_reader]}
  writer: {policies: [one_writer]}
  url_auditor: {policies: [url_auditor]}
  login_auditor: {policies: [login_auditor]}
  nobody: {}
"""


class Auth:
    """A running auth service and what tests do with it."""

    def __init__(self, running: Any) -> None:
        self.running = running
        self.app: AuthApp = running.app
        self.url: str = running.url

    def access_token(self, name: str, scopes: frozenset[str] = SESSION_SCOPES, ttl_s: int = 600) -> str:
        return self.app.keys.sign(self.app.minter.access(self.account(name), ttl_s, scopes))

    def client_token(self, client: str, name: str | None = None, ttl_s: int = 600) -> str:
        """An access token of a client: acting for a user, or for itself."""
        claims = self.app.minter.access(self.account(name or ""), ttl_s) | {"azp": client}
        return self.app.keys.sign(claims if name else {**claims, "sub": "", "context": {}})

    def account(self, name: str) -> Account:
        """The user of this name; one that nobody has where there is none."""
        user = self.app.database.call(find_user, self.app.schema, name)
        return Account(user.id if user else 0, name)

    def api_key(self, name: str, ttl_s: int = 3600) -> str:
        key, _ = self.app.database.call(issue_key, self.app, ANONYMOUS, "test", name, ttl_s, KEY_SCOPES)
        return key

    def request(self, method: str, path: str, user: str | None = None, **options: Any) -> requests.Response:
        headers = options.pop("headers", {})
        if user is not None:
            headers = {"Authorization": f"bearer {self.access_token(user)}", **headers}
        return requests.request(method, self.url + path, headers=headers, timeout=30, allow_redirects=False, **options)

    def get(self, path: str, user: str | None = None, **options: Any) -> requests.Response:
        return self.request("GET", path, user, **options)

    def post(self, path: str, user: str | None = None, **options: Any) -> requests.Response:
        return self.request("POST", path, user, **options)

    def record(self, **fields: Any) -> records.Record:
        """Store an index record."""
        draft = records.Draft(**fields)
        [made] = self.app.database.call(put_records, "index", [draft])
        return made

    def audited(self) -> list[Any]:
        """All rows of the audit trail, oldest first."""
        import sqlalchemy as sa

        from commonshub.core import audit

        table = audit.table("auth")
        return list(self.app.database.call(lambda c: c.execute(sa.select(table).order_by(table.c.id)).all()))


@pytest.fixture(scope="module")
def auth(
    run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Auth:
    """The service with the users above; a module may set ``PORT`` where clients must reach the origin."""
    folder: Path = tmp_path_factory.mktemp("auth")
    (folder / "user.yaml").write_text(USER_FILE)
    port = getattr(request.module, "PORT", 0)
    running = run_service(
        AuthApp,
        Commons={"data_dir": str(folder), **({"origin": f"http://127.0.0.1:{port}"} if port else {})},
        ServiceApplication={"url": f"http://127.0.0.1:{port}"},
        TokenSettings={"jwks_file": str(folder / "keys" / "jwks.json")},
    )
    return Auth(running)
