"""The unmodified ``gen3.submission.Gen3Submission`` against the service."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.submission_service import case
from tests.tokens import Bearer

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.submission.app import SubmissionApp

# The SDK's own use of pandas is nothing that we can mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:gen3.submission")

gen3 = pytest.importorskip("gen3.submission", reason="the gen3 SDK is not installed")

SMALL = Path(__file__).parents[2] / "data" / "dictionary"
SNAPSHOT = Snapshot(
    policies={"all": Policy("all", frozenset({Permission("*", "*")}), frozenset({("programs",), ("services",)}))},
    users={"admin": User((Binding("all"),)), "eve": User()},
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def submission(run_service: Callable[..., Any], token: Callable[..., str]) -> Callable[..., Any]:
    running = run_service(SubmissionApp, Commons={"dictionary": str(SMALL)})
    running.hold(SNAPSHOT)
    return lambda name="admin": gen3.Gen3Submission(
        endpoint=running.url, auth_provider=Bearer(running.url, token(name))
    )


@pytest.fixture(scope="module")
def sub(submission: Callable[..., Any]) -> Any:
    """The administrator's client, with program ``DEV`` and project ``test``."""
    client = submission()
    program = {"type": "program", "name": "DEV", "dbgap_accession_number": "DEV"}
    client.create_program(program)
    client.create_project("DEV", {"type": "project", "code": "test", "name": "test", "dbgap_accession_number": "test"})
    client.submit_record("DEV", "test", {"type": "experiment", "submitter_id": "e", "projects": {"code": "test"}})
    return client


def write_table(path: Path, rows: list[dict[str, Any]]) -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def rows(name: str, count: int) -> list[dict[str, Any]]:
    return [
        {"*type": "case", "*submitter_id": f"{name}-{n}", "*experiments.submitter_id": "e", "primary_site": "lung"}
        for n in range(count)
    ]


def test_programs_and_projects_come_and_go(sub: Any) -> None:
    sub.create_program({"type": "program", "name": "TMP", "dbgap_accession_number": "TMP"})
    sub.create_project("TMP", {"type": "project", "code": "tmp", "name": "tmp", "dbgap_accession_number": "tmp"})
    assert "/v0/submission/TMP" in sub.get_programs()["links"]
    assert sub.get_projects("TMP")["links"] == ["/v0/submission/TMP/tmp"]
    sub.delete_project("TMP", "tmp")
    sub.delete_program("TMP")
    assert "/v0/submission/TMP" not in sub.get_programs()["links"]


def test_a_record_is_submitted_exported_and_deleted(sub: Any, name: str) -> None:
    answer = sub.submit_record("DEV", "test", case(name, primary_site="lung"))
    [entity] = answer["entities"]
    [record] = sub.export_record("DEV", "test", entity["id"], "json")
    assert (record["submitter_id"], record["primary_site"]) == (name, "lung")
    [row] = csv.DictReader(io.StringIO(sub.export_record("DEV", "test", entity["id"], "tsv")), delimiter="\t")
    assert (row["submitter_id"], row["experiments.submitter_id"]) == (name, "e")
    sub.delete_record("DEV", "test", entity["id"])
    with pytest.raises(requests.HTTPError):
        sub.export_record("DEV", "test", entity["id"], "json")


def test_records_are_submitted_as_a_list(sub: Any, name: str) -> None:
    answer = sub.submit_record("DEV", "test", [case(f"{name}-{number}") for number in range(3)])
    assert answer["created_entity_count"] == 3
    sub.delete_records("DEV", "test", [entity["id"] for entity in answer["entities"]], batch_size=2)
    left = sub.export_node("DEV", "test", "case", "json")["data"]
    assert not any(each["submitter_id"].startswith(name) for each in left)


def test_a_refused_record_raises(sub: Any, name: str) -> None:
    with pytest.raises(requests.HTTPError):
        sub.submit_record("DEV", "test", case(name, foo=1))


@pytest.mark.parametrize(("suffix", "count"), [(".tsv", 65), (".csv", 5), (".tsv", 30)])
def test_a_table_is_submitted_in_chunks(sub: Any, name: str, tmp_path: Path, suffix: str, count: int) -> None:
    """With 30 rows the client sends a last request that has the header only."""
    results = sub.submit_file("DEV-test", write_table(tmp_path / f"cases{suffix}", rows(name, count)))
    assert (len(set(results["succeeded"])), results["invalid"], results["other"]) == (count, {}, [])


def test_the_valid_rows_of_a_table_get_in_and_the_others_are_named(sub: Any, name: str, tmp_path: Path) -> None:
    table = rows(name, 5)
    table[1]["*experiments.submitter_id"] = "nowhere"
    table[3]["*type"] = "trial"
    results = sub.submit_file("DEV-test", write_table(tmp_path / "cases.tsv", table))
    assert set(results["invalid"]) == {f"{name}-1", f"{name}-3"}
    assert set(results["succeeded"]) == {f"{name}-0", f"{name}-2", f"{name}-4"}


def test_a_table_for_a_project_that_is_not_there_is_told_as_an_error(sub: Any, name: str, tmp_path: Path) -> None:
    results = sub.submit_file("DEV-nowhere", write_table(tmp_path / "cases.tsv", rows(name, 2)))
    assert results["other"] == [["Project nowhere not found"]]


def test_a_type_is_exported(sub: Any, name: str, tmp_path: Path) -> None:
    sub.submit_record("DEV", "test", case(name))
    text = sub.export_node("DEV", "test", "case", "tsv")
    assert name in {row["submitter_id"] for row in csv.DictReader(io.StringIO(text), delimiter="\t")}
    target = tmp_path / "cases.json"
    sub.export_node("DEV", "test", "case", "json", filename=str(target))
    assert name in target.read_text()


def test_the_dictionary_can_be_read(sub: Any) -> None:
    assert sub.get_dictionary_node("case")["id"] == "case"
    assert {"case", "_definitions"} <= set(sub.get_dictionary_all())
    assert "/v0/submission/DEV/test/_dictionary/case" in sub.get_project_dictionary("DEV", "test")["links"]


def test_a_project_can_be_opened(sub: Any) -> None:
    assert sub.open_project("DEV", "test")["code"] == 200


def test_a_caller_without_grants_is_refused(submission: Callable[..., Any], sub: Any, name: str) -> None:
    with pytest.raises(requests.HTTPError, match="403"):
        submission("eve").submit_record("DEV", "test", case(name))
