"""What Gen3's sheepdog 5.2.4 is known to get wrong, and what is answered here.

The other defects of its list have their tests beside what they are about: records of other projects
(``test_rights``), dry runs of others (``test_dry_runs``), rows of no type, BOM and charset (``test_tables``), moved
children (``test_entities``), exports of several types, of a project, as CSV (``test_export``), unknown ids
(``test_reading``), bulk submissions (``test_bulk``), and what a dry run leaves in the index (``test_files``).
"""

import csv
import io
import uuid
from typing import Any

import pytest
from tests.submission_service import case


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/P/one", "/P/one/_dry_run"])
@pytest.mark.parametrize("clash", ["key in other letters", "id with another key", "key twice in other letters"])
def test_no_success_is_told_of_what_cannot_be_stored(api: Any, name: str, method: str, path: str, clash: str) -> None:
    stored = api.put(case(name))["entities"][0]["id"]
    new = f"new-{name}"
    wrong = {
        "key in other letters": [case(name.upper())]
        if method == "POST"
        else [case(name.upper(), id=str(uuid.uuid4()))],
        "id with another key": [case(f"other-{name}", id=stored)],
        "key twice in other letters": [case(f"w-{name}"), case(f"W-{name}")],
    }[clash]
    response = api(method, path, [case(new), *wrong])
    answer = response.json()
    assert (response.status_code, answer["code"], answer["success"]) == (400, 400, False)
    assert (answer["created_entity_count"], answer["entity_error_count"]) == (0, 1)
    assert api.export("case").keys() & {new, f"other-{name}", f"w-{name}", f"W-{name}"} == set()


def test_no_transaction_is_left_pending(api: Any, name: str, sql: Any) -> None:
    api.put(case(name), case(name.upper()))
    api.put(case(name, foo=1), path="/P/one/_dry_run")
    assert sql("select id from graph.transaction_logs where state = 'PENDING'") == []


@pytest.mark.parametrize("path", ["/P/one/submit", "/P/one/nothing"])
def test_a_path_of_the_documentation_is_no_fault_of_ours_and_stores_nothing_unasked(
    api: Any, name: str, path: str
) -> None:
    assert api("PUT", path, [case(name)]).status_code in (400, 404)
    assert name not in api.export("case")


def test_g38_an_export_has_nothing_where_there_is_nothing(api: Any, name: str) -> None:
    [entity] = api.put(case(name))["entities"]
    for query in (f"ids={entity['id']}", "node_label=case"):
        text = api("GET", f"/P/one/export?{query}&format=tsv").text
        [row] = [each for each in csv.DictReader(io.StringIO(text), delimiter="\t") if each["submitter_id"] == name]
        assert (row["primary_site"], row["consent_codes"]) == ("", "")
        assert "None" not in row.values()


@pytest.mark.parametrize("kind", ["experiment", "demographic", "reads_file"])
def test_a_type_of_any_dictionary_can_be_posted_twice_without_a_fault_of_ours(api: Any, name: str, kind: str) -> None:
    api.put(case(name))
    document = {
        "experiment": {"projects": {"code": "one"}},
        "demographic": {"cases": {"submitter_id": name}},
        "reads_file": {"file_name": "x", "file_size": 1, "md5sum": uuid.uuid4().hex},
    }[kind]
    record = {"type": kind, "submitter_id": name, **document}
    assert api("POST", "/P/one", record).status_code == 201
    again = api("POST", "/P/one", record)
    assert (again.status_code, again.json()["entities"][0]["errors"][0]["rule"]) == (400, "uniqueKeys")


def test_an_invalid_dry_run_is_no_success(api: Any, name: str) -> None:
    response = api("PUT", "/P/one/_dry_run", case(name, foo=1))
    assert (response.status_code, response.json()["code"], response.json()["success"]) == (400, 400, False)
