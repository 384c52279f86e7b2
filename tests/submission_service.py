"""Callers of the submission service, and the service as one of them sees it."""

from pathlib import Path
from typing import Any

import requests

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.submission.app import PREFIX

SMALL = Path(__file__).parent / "data" / "dictionary"

POLICIES = {
    "all": Policy("all", frozenset({Permission("*", "*")}), frozenset({("programs",), ("services",)})),
    "one": Policy(
        "one",
        frozenset(Permission("sheepdog", method) for method in ("create", "update", "read", "delete")),
        frozenset({("programs", "P", "projects", "one")}),
    ),
    "create": Policy(
        "create", frozenset({Permission("sheepdog", "create")}), frozenset({("programs", "P", "projects", "one")})
    ),
}
USERS = {"admin": "all", "alice": "one", "bob": "create"}
SNAPSHOT = Snapshot(
    policies=POLICIES,
    users={**{name: User((Binding(policy),)) for name, policy in USERS.items()}, "eve": User()},
)


class Api:
    """The service as one user sees it."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url + PREFIX
        self.headers = headers

    def __call__(self, method: str, path: str = "", json: Any = None, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        return requests.request(method, self.url + path, json=json, headers=headers, **more)

    def put(self, *documents: Any, path: str = "/P/one", method: str = "PUT") -> dict[str, Any]:
        answer: dict[str, Any] = self(method, path, list(documents)).json()
        return answer

    def table(self, text: str | bytes, kind: str = "text/tab-separated-values", path: str = "/P/one") -> Any:
        data = text.encode() if isinstance(text, str) else text
        return self("PUT", path, data=data, headers={"Content-Type": kind}).json()

    def export(self, label: str, project: str = "one") -> dict[str, dict[str, Any]]:
        answer = self("GET", f"/P/{project}/export/?node_label={label}&format=json")
        return {each["submitter_id"]: each for each in answer.json()["data"]}

    def found(self) -> "Api":
        """The same, once there is a program with two projects, each with the experiment ``e``."""
        assert self("PUT", "/", {"type": "program", "name": "P", "dbgap_accession_number": "P"}).status_code == 200
        for code in ("one", "two"):
            project = {"type": "project", "code": code, "name": code, "dbgap_accession_number": code}
            assert self("PUT", "/P", project).status_code == 200
            experiment = {"type": "experiment", "submitter_id": "e", "projects": {"code": code}}
            answer = self.put(experiment, path=f"/P/{code}")
            assert answer["success"], answer
        return self
