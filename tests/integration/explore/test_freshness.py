"""From a submission over HTTP to the flat answer, with the demo's own dictionary and mapping."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.waiting import eventually

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.explore.app import ExploreApp
from commonshub.submission.app import SubmissionApp

from .conftest import DEMO, DICTIONARY, Explorer

ANY = frozenset({Permission("*", "*")})
ADMINISTRATOR = Snapshot(
    policies={"administrator": Policy("administrator", ANY, frozenset({("programs",), ("services",)}))},
    users={"all": User((Binding("administrator"),))},
)
CASES = [{"type": "case", "submitter_id": f"case-{n}", "projects": {"code": "q"}} for n in range(3)]
SEXES = ["female", "male", "female"]
PEOPLE = [
    {"type": "demographic", "submitter_id": f"d-{n}", "cases": {"submitter_id": f"case-{n}"}, "sex": sex}
    for n, sex in enumerate(SEXES)
]


@pytest.fixture(scope="module")
def services(run_service: Callable[..., Any], token: Callable[..., str], tmp_path_factory: Any) -> tuple[Explorer, Any]:
    common = {"dictionary": str(DICTIONARY)}
    index = {"mapping_file": str(DEMO / "etlMapping.yaml"), "index_dir": str(tmp_path_factory.mktemp("index"))}
    submission = run_service(SubmissionApp, Commons=common)
    explore = run_service(ExploreApp, Commons=common, ExploreSettings=index)
    for running in (submission, explore):
        running.hold(ADMINISTRATOR)
    headers = {"Authorization": f"Bearer {token('all')}"}

    def put(path: str, body: Any) -> None:
        answer = requests.put(f"{submission.url}/api/v0/submission/{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text

    return Explorer(explore, token), put


def test_what_is_submitted_shows_by_itself(services: tuple[Explorer, Any]) -> None:
    explorer, put = services
    put("", {"type": "program", "name": "P", "dbgap_accession_number": "P"})
    put("P", {"type": "project", "code": "q", "name": "q", "dbgap_accession_number": "q"})
    put("P/q", [*CASES, *PEOPLE])
    query = '{ case(sort: [{submitter_id: "asc"}]) { submitter_id sex project_id auth_resource_path } }'

    def shown() -> Any:
        return explorer.post("graphql", {"query": query}).json()["data"]

    eventually(lambda: (shown() or {}).get("case"))
    assert shown()["case"] == [
        {
            "submitter_id": f"case-{n}",
            "sex": sex,
            "project_id": "P-q",
            "auth_resource_path": "/programs/P/projects/q",
        }
        for n, sex in enumerate(SEXES)
    ]
