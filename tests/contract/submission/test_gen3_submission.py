"""The unmodified ``gen3.submission.Gen3Submission`` against submission and query behind one origin."""

import csv
import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import requests
from gen3.submission import Gen3SubmissionQueryError
from tests.submission_sdk import home, sub, submission
from tests.submission_service import case, demographic, program, project, sample

__all__ = ["home", "sub", "submission"]

# The SDK's own use of pandas is nothing that we can mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:gen3.submission")


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
    sub.create_program(program("TMP"))
    sub.create_project("TMP", project("tmp"))
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


# The SDK never closes what it has opened.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_workbook_is_submitted(sub: Any, name: str, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [list(rows(name, 1)[0]), *(list(each.values()) for each in rows(name, 5))]:
        book.active.append(row)
    book.save(tmp_path / "cases.xlsx")
    results = sub.submit_file("DEV-test", str(tmp_path / "cases.xlsx"))
    assert set(results["succeeded"]) == {f"{name}-{n}" for n in range(5)}
    gc.collect()


def test_all_records_of_a_type_are_deleted(sub: Any, name: str) -> None:
    """The client asks for the first records until there are none: they must be gone at once."""
    sub.submit_record("DEV", "test", [case(name), *(sample(f"{name}-{n}", name) for n in range(7))])
    sub.delete_node("DEV", "test", "sample", batch_size=3, verbose=False)
    assert sub.export_node("DEV", "test", "sample", "json")["data"] == []


def test_records_of_several_types_are_deleted_from_below(sub: Any, name: str) -> None:
    sub.submit_record("DEV", "test", [case(name), sample(name, name), demographic(name, name)])
    sub.delete_nodes("DEV", "test", ["demographic", "sample", "case"], verbose=False)
    assert sub.query('{ case(project_id: "DEV-test") { id } }')["data"] == {"case": []}


def test_parents_are_not_deleted_before_their_children(sub: Any, name: str) -> None:
    sub.submit_record("DEV", "test", [case(name), sample(name, name)])
    with pytest.raises(requests.HTTPError, match="400"):
        sub.delete_nodes("DEV", "test", ["case"], verbose=False)
    assert sub.query(f'{{ sample(submitter_id: "{name}") {{ cases {{ submitter_id }} }} }}')["data"] == {
        "sample": [{"cases": [{"submitter_id": name}]}]
    }


def test_what_was_submitted_is_found_by_a_query(sub: Any, name: str) -> None:
    sub.submit_record("DEV", "test", [case(name, disease_type="glioma"), sample(name, name)])
    query = "query ($name: [String]) { case(submitter_id: $name) { disease_type _samples_count } }"
    assert sub.query(query, {"name": name})["data"] == {"case": [{"disease_type": "glioma", "_samples_count": 1}]}
    with pytest.raises(Gen3SubmissionQueryError, match="prop_does_not_exist"):
        sub.query("{ case { prop_does_not_exist } }")


def test_the_schema_of_queries_is_there(sub: Any) -> None:
    types = {each["name"] for each in sub.get_graphql_schema()["data"]["__schema"]["types"]}
    assert {"case", "sample", "reads_file"} <= types


def test_a_manifest_needs_ids_and_says_so(sub: Any) -> None:
    """The client names none, and hands back whatever is answered."""
    answer = sub.get_project_manifest("DEV", "test")
    assert (answer.status_code, answer.json()["message"]) == (400, "Please provide valid ids")


def test_an_export_of_a_record_goes_to_a_file(sub: Any, name: str, tmp_path: Path) -> None:
    [entity] = sub.submit_record("DEV", "test", case(name))["entities"]
    sub.export_record("DEV", "test", entity["id"], "tsv", filename=str(tmp_path / "case.tsv"))
    assert name in (tmp_path / "case.tsv").read_text()
