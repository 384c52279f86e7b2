"""What the submission service has stored is what the query service answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.integration.query.conftest import Client
from tests.tokens import bearer

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.query.app import QueryApp
from commonshub.submission.app import SubmissionApp

ADMIN = Policy("admin", frozenset([Permission("*", "*")]), frozenset([("programs",), ("services",)]))


@pytest.fixture(scope="module")
def submitted(run_service: Callable[..., Any], dictionary_file: Path, token: Callable[..., str]) -> Client:
    """A query service behind a submission service that has taken a project with a few records."""
    policies = Snapshot(policies={"admin": ADMIN}, users={"alice": User(policies=(Binding("admin"),))})
    submission = run_service(SubmissionApp, Commons={"dictionary": str(dictionary_file)})
    query = run_service(QueryApp, Commons={"dictionary": str(dictionary_file)})
    submission.hold(policies)
    query.hold(policies)
    records = [
        {"type": "study", "submitter_id": "st", "projects": {"code": "Q"}},
        {"type": "case", "submitter_id": "c", "age": 61, "scores": [1, 2.5], "studies": {"submitter_id": "st"}},
        {"type": "sample", "submitter_id": "s", "kind": "blood", "cases": {"submitter_id": "c"}},
    ]
    for path, body in (
        ("/", {"type": "program", "name": "P", "dbgap_accession_number": "P"}),
        ("/P", {"type": "project", "code": "Q", "name": "Q", "dbgap_accession_number": "Q"}),
        ("/P/Q", records),
    ):
        answer = requests.put(
            f"{submission.url}/api/v0/submission{path}",
            json=body,
            headers=bearer(token("alice")),
        )
        assert answer.status_code == 200, answer.text
    return Client(query, token)


def test_records_and_links_are_found(submitted: Client) -> None:
    data = submitted.ask(
        """{ project { project_id programs { name } }
             case(age: 61, with_path_to: {type: "program", name: "P"}) {
               type submitter_id project_id scores samples { kind } studies { projects { code } } } }"""
    )
    assert data == {
        "project": [{"project_id": "P-Q", "programs": [{"name": "P"}]}],
        "case": [
            {
                "type": "case",
                "submitter_id": "c",
                "project_id": "P-Q",
                "scores": ["1", "2.5"],
                "samples": [{"kind": "blood"}],
                "studies": [{"projects": [{"code": "Q"}]}],
            }
        ],
    }


def test_moments_of_records_can_be_compared(submitted: Client) -> None:
    assert submitted.ask('{ _case_count(created_after: "2020-01-01", updated_before: "2999-01-01T00:00:00Z") }') == {
        "_case_count": 1
    }


def test_the_log_tells_of_the_submission(submitted: Client) -> None:
    (log,) = submitted.ask(
        """{ transaction_log(last: 1) { type state project_id submitter
               documents { doc_format response { success entities { type valid } } } } }"""
    )["transaction_log"]
    (document,) = log.pop("documents")
    assert log == {"type": "upload", "state": "SUCCEEDED", "project_id": "P-Q", "submitter": "alice"}
    assert document["response"]["success"] is True
    assert [each["type"] for each in document["response"]["entities"]] == ["study", "case", "sample"]


def test_a_record_knows_the_submission_that_made_it(submitted: Client) -> None:
    assert submitted.ask("{ case { _transaction_logs_count } }") == {"case": [{"_transaction_logs_count": 1}]}
