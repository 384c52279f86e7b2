"""Several documents in one request, each told of by itself and all stored or none."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.submission_service import case, fresh, only_error, sample

PATH = "/P/one/bulk"
CASES = "type\tsubmitter_id\texperiments.submitter_id\tdisease_type"


def document(doc: Any, kind: str = "JSON", name: str | None = "a file") -> dict[str, Any]:
    return {"name": name, "doc_format": kind, "doc": doc if isinstance(doc, str) else json.dumps(doc)}


def test_documents_of_every_format_are_one_submission(api: Any, name: str) -> None:
    """A link leads from the first document to the last."""
    response = api(
        "PUT",
        PATH,
        [
            document(sample(name, f"2{name}"), name="samples.json"),
            document(f"type,submitter_id,experiments.submitter_id\ncase,1{name},e\n", "csv", None),
            document(f"{CASES}\ncase\t2{name}\te\t\ncase\t3{name}\te\tglioma\n", "tsv", "cases.tsv"),
        ],
    )
    answer = response.json()
    assert (response.status_code, answer["code"], answer["success"]) == (200, 200, True), answer
    assert answer["message"] == "Bulk Transaction succeeded."
    counts = {key: value for key, value in answer.items() if key.endswith("_count")}
    assert counts == {
        "created_entity_count": 4, "updated_entity_count": 0, "entity_error_count": 0,
        "document_error_count": 0, "transactional_error_count": 0,
    }  # fmt: skip
    told = [(each["name"], each["response_json"]["created_entity_count"]) for each in answer["subtransactions"]]
    assert told == [("samples.json", 1), (None, 1), ("cases.tsv", 2)]
    keys = [
        [entity["unique_keys"][0]["submitter_id"] for entity in each["response_json"]["entities"]]
        for each in answer["subtransactions"]
    ]
    assert keys == [[name], [f"1{name}"], [f"2{name}", f"3{name}"]]
    assert {f"1{name}", f"2{name}", f"3{name}"} <= api.export("case").keys()


def test_each_document_has_its_faults_at_its_own_places(api: Any, name: str) -> None:
    response = api(
        "PUT",
        PATH,
        [
            document([case(f"1{name}"), "no record"]),
            document([]),
            document(f"{CASES}\ncase\t2{name}\te\t\ncase\t3{name}\te\tflu\n", "tsv"),
            document([case(f"4{name}"), case(f"5{name}", foo=1), case(f"2{name}".upper())]),
        ],
    )
    answer = response.json()
    assert (response.status_code, answer["code"], answer["success"]) == (400, 400, False)
    assert (answer["message"], answer["document_error_count"]) == ("Bulk Transaction failed.", 3)
    first, empty, table, last = (each["response_json"] for each in answer["subtransactions"])
    assert (first["transactional_errors"][0]["row"], answer["transactional_errors"]) == (1, [])
    assert (empty["success"], empty["entities"]) == (False, [])
    error = only_error(table)
    assert (error["document"], error["row"], error["column"], error["rule"]) == (2, 3, "disease_type", "enum")
    strange, twice = (each for entity in last["entities"] for each in entity["errors"])
    assert (strange["document"], strange["row"], strange["pointer"]) == (3, 1, "/1/foo")
    assert "Row 2 of document 2 has the same" in twice["suggestion"]
    assert [entity["valid"] for entity in last["entities"]] == [True, False, False]
    assert {each["created_entity_count"] for each in (answer, first, empty, table, last)} == {0}
    assert not any(key[1:] == name for key in api.export("case"))


def test_a_document_that_is_right_claims_no_success_beside_one_that_is_not(api: Any, name: str) -> None:
    good, _ = api("PUT", PATH, [document(case(name)), document({"type": "case"})]).json()["subtransactions"]
    answer = good["response_json"]
    assert (answer["success"], answer["code"], answer["entity_error_count"]) == (False, 400, 0)
    assert answer["message"].startswith("Nothing of this document was stored")
    assert name not in api.export("case")


def test_faults_of_several_documents_are_a_table_that_names_them(api: Any, name: str) -> None:
    body = [document(case(name)), document(case(f"2{name}", foo=1))]
    header, row = api("PUT", f"{PATH}?format=tsv", body).text.splitlines()
    assert header.split("\t")[:3] == ["document", "row", "column"]
    assert row.split("\t")[:3] == ["1", "0", "foo"]


def test_post_only_creates(api: Any, name: str) -> None:
    assert api("POST", PATH, [document(case(name))]).status_code == 201
    again = api("POST", PATH, [document(case(name))])
    assert (again.status_code, again.json()["document_error_count"]) == (400, 1)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_dry_run_writes_nothing_and_can_be_committed(api: Any, name: str, method: str) -> None:
    answer = api(method, f"{PATH}/_dry_run", [document(sample(name, name)), document(case(name))])
    assert (answer.status_code, answer.json()["created_entity_count"]) == (200, 2)
    assert name not in api.export("case")
    done = api("PUT", f"/P/one/transactions/{answer.json()['transaction_id']}/commit").json()
    assert (done["success"], len(done["subtransactions"])) == (True, 2)
    assert name in api.export("case")


def test_the_work_goes_on_without_its_client(api: Any, name: str) -> None:
    from tests.waiting import eventually

    number = api("PUT", f"{PATH}?async=true", [document(case(name)), document(sample(name, name))]).json()
    path = f"/P/one/transactions/{number['transaction_id']}"
    found = eventually(lambda: (each := api("GET", path).json())["state"] != "PENDING" and each, 30)
    assert (found["state"], len(found["answer"]["subtransactions"])) == ("SUCCEEDED", 2)
    assert name in api.export("sample")


def test_many_records_are_told_by_their_faults(api: Any, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    model = running.app.model
    tools = replace(model.tools, sizes=replace(model.tools.sizes, chunk=2, told=3))
    monkeypatch.setattr(running.app, "model", replace(model, tools=tools))
    prefix = fresh()
    documents = [document([case(f"{prefix}-{n}-{m}") for m in range(3)]) for n in range(3)]
    answer = api("PUT", PATH, documents).json()
    assert (answer["success"], answer["entity_count"], answer["untold_entity_count"]) == (True, 9, 9)
    assert "created_entity_count" not in answer["subtransactions"][0]["response_json"]
    wrong = [*documents[:2], document([case(f"{prefix}-a"), case(f"{prefix}-b", foo=1)])]
    *_, last = api("PUT", PATH, wrong).json()["subtransactions"]
    [entity] = last["response_json"]["entities"]
    assert (entity["errors"][0]["document"], entity["errors"][0]["row"]) == (2, 1)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"nonsense", "Unable to parse json"),
        (b"[", "Unable to parse json"),
        ({}, "is a JSON list of documents"),
        ([], "Nothing to submit"),
        (["text"], "Document 0 is no JSON object"),
        ([document({}), {"name": "x", "doc": "[]"}], "Document 1 ('x'): missing doc_format"),
        ([{"doc_format": "json", "doc": "[]"}], "Document 0: missing name"),
        ([{"name": "x", "doc_format": "json", "doc": []}], "doc must be a text"),
        ([{"name": 1, "doc_format": "json", "doc": "[]"}], "name must be a text"),
        ([{"name": "x", "doc_format": "xml", "doc": "<a/>"}], "must be one of json, tsv, csv, not 'xml'"),
        ([{"name": "a\0b", "doc_format": "json", "doc": "[]"}], "Document 0: its name has NUL"),
        (
            [document('{"type": "case", "submitter_id": "a\\u0000b"}')],
            "Document 0 ('a file'): Unable to parse json: it",
        ),
        ([document("type\ta\0b\n", "tsv")], "line 1 contains NUL"),
        ([document([]), document("{")], "Document 1 ('a file'): Unable to parse json"),
        ([document("type\ttype\ncase\tcase\n", "tsv")], "Document 0 ('a file'): Unable to parse document"),
        ([document('type\tsubmitter_id\ncase\t"x\n', "tsv")], "Document 0 ('a file'): Unable to parse document: row 2"),
        (b'[{"name": "x", "doc_format": "json", "doc": "[]", "doc": "[{}]"}]', "more than once"),
        (b"[" * 1000 + b"]" * 1000, "Unable to parse json"),
        (b'[{"name": ' + b"[" * 1000 + b"]" * 1000 + b', "doc_format": "json", "doc": "[]"}]', "Unable to"),
        (b"[" * 100_000, "Unable to parse json"),
        ([document("[" * 100 + "]" * 100)], "Document 0 ('a file'): Unable to parse json: it is nested"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_that_is_no_list_of_documents_is_refused(api: Any, body: Any, message: str) -> None:
    sent: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
    response = api("PUT", PATH, **sent)
    answer = response.json()
    assert (response.status_code, message in answer["message"], "code" in answer) == (400, True, False), answer


@pytest.mark.parametrize("path", [PATH, f"{PATH}/_dry_run", f"{PATH}/"])
def test_nothing_but_submitting_is_done_here(api: Any, path: str) -> None:
    assert [api(method, path).status_code for method in ("DELETE", "GET", "PATCH")] == [405] * 3
    assert api("PUT", f"{path}?upload=x", [document([])]).status_code == 400
    assert "/v0/submission/P/one" in api("GET", "/P").json()["links"]


def test_who_may_not_submit_may_not_submit_in_bulk(api: Any, caller: Callable[[str | None], Any], name: str) -> None:
    body = [document(case(name))]
    asked = [caller(user)("PUT", PATH, body).status_code for user in (None, "eve", "bob", "alice")]
    assert asked == [401, 403, 403, 200]
    other = [document({"type": "experiment", "submitter_id": name, "projects": {"code": "two"}})]
    assert only_error(caller("alice")("PUT", PATH, other).json()["subtransactions"][0]["response_json"])["type"] == (
        "INVALID_PERMISSIONS"
    )
    assert caller("alice")("PUT", "/P/two/bulk", body).status_code == 403
