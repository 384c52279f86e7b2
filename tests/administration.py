"""What tests do as an administrator of policies, over HTTP."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from tests.auth_service import Auth

from commonshub.core.grants import tables

ONE, TWO = "/programs/a/projects/one", "/programs/a/projects/two"
ROLE = {
    "description": "reads",
    "permissions": [{"id": "r", "description": "", "action": {"service": "fence", "method": "read-storage"}}],
}
Step = tuple[str, str, Any, int]


def run(auth: Auth, *steps: Step, **headers: str) -> Any:
    """Take steps as an administrator; the JSON of the last answer."""
    answer = None
    for method, path, body, status in steps:
        answer = auth.request(method, f"/authz{path}", "root", json=body, headers=headers)
        assert answer.status_code == status, (method, path, answer.text)
    return answer.json() if answer is not None and answer.content else None


def make_policy(auth: Auth, name: str, paths: list[str] | None = None, service: str = "fence") -> str:
    """A policy with a role of its own."""
    action = {"service": service, "method": "read-storage"}
    run(
        auth,
        ("PUT", f"/role/{name}", {"id": name, "permissions": [{"id": "r", "action": action}]}, 201),
        ("POST", "/policy", {"id": name, "role_ids": [name], "resource_paths": paths or [ONE]}, 201),
    )
    return name


def make_user(auth: Auth, name: str, *policies: str) -> str:
    run(auth, ("POST", "/user", {"name": name, "policies": list(policies)}, 201))
    return name


def make_client(auth: Auth, name: str, *policies: str) -> str:
    run(auth, ("POST", "/client", {"clientID": name, "policies": list(policies)}, 201))
    return name


def end_grant(auth: Auth, name: str) -> None:
    """Let what a user was given have ended a second ago."""
    t = tables("auth")
    ended = datetime.now(UTC) - timedelta(seconds=1)
    ids = sa.select(t.user.c.id).where(t.user.c.username == name)
    statement = t.user_policy.update().where(t.user_policy.c.user_id.in_(ids)).values(expires_at=ended)
    auth.app.database.call(lambda connection: connection.execute(statement))
    auth.running.call(auth.app.grants.reload())


def ask(resource: str = ONE, method: str = "read-storage", service: str = "fence") -> dict[str, Any]:
    return {"resource": resource, "action": {"service": service, "method": method}}


def wait_until_denied(auth: Auth, user: str, end: datetime) -> None:
    """Ask until the user may no longer do what :func:`ask` asks for; no request that began after `end` is allowed."""
    while True:
        began = datetime.now(UTC)
        if not auth.post("/authz/auth/request", user, json={"request": ask()}).json()["auth"]:
            break
        assert began < end
        time.sleep(0.05)
    assert datetime.now(UTC) >= end
