"""Records as tables, and bodies that cannot be read."""

from typing import Any

import pytest
from tests.submission_service import case, fresh, only_error, sample


def test_an_empty_cell_clears(api: Any) -> None:
    name = fresh()
    api.put(case(name, primary_site="lung"))
    assert api.table(f"type\tsubmitter_id\texperiments.submitter_id\tprimary_site\ncase\t{name}\te\t\n")["success"]
    assert "primary_site" not in api.export("case")[name]


@pytest.mark.parametrize("kind", ["text/tsv", "text/tab-separated-values; charset=utf-8", "TEXT/TSV"])
def test_a_table_is_read_with_types_marks_and_bom(api: Any, kind: str) -> None:
    name = fresh()
    api.put(case(name))
    text = f"*type\t*submitter_id\t*cases.submitter_id\tis_ffpe\tlongest_dimension\nsample\t{name}\t{name}\tTrue\t2.0\n"
    answer = api.table(b"\xef\xbb\xbf" + text.encode(), kind)
    assert answer["success"], answer
    stored = api.export("sample")[name]
    assert (stored["is_ffpe"], stored["longest_dimension"]) == (True, 2)


def test_a_csv_with_several_parents_and_an_array(api: Any) -> None:
    name = fresh()
    api.put(case(name, consent_codes=["x"]), sample(f"1{name}", name), sample(f"2{name}", name))
    answer = api.table(f"type,submitter_id,samples.submitter_id\naliquot,{name},1{name}#2{name}\n", "text/csv")
    assert answer["success"], answer
    row = f'type,submitter_id,experiments.submitter_id,consent_codes\ncase,{name},e,"a, b"\n'
    assert api.table(row, "text/csv")["success"]
    assert api.export("case")[name]["consent_codes"] == ["a", "b"]


@pytest.mark.parametrize("kind", ["", "trial"])
def test_a_row_of_no_known_type_is_an_error(api: Any, kind: str) -> None:
    name = fresh()
    answer = api.table(f"type\tsubmitter_id\texperiments.submitter_id\ncase\t{name}\te\n{kind}\tx\te\n")
    assert (answer["success"], only_error(answer)["keys"]) == (False, ["type"])
    assert name not in api.export("case")


def test_a_cell_that_cannot_be_read_names_the_property(api: Any) -> None:
    answer = api.table("type\tsubmitter_id\tprojects.code\tnumber_of_cases\nexperiment\tx\tone\t3.7\n")
    assert only_error(answer)["message"] == "'3.7' is not of type 'integer', 'null'"


def test_a_table_of_a_header_alone_is_a_success(api: Any) -> None:
    answer = api.table("type\tsubmitter_id\n")
    assert (answer["code"], answer["entities"]) == (200, [])


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("application/json", b"{", "Expecting property name"),
        ("application/json", b"nonsense", "Expecting value"),
        ("application/json", b'{"type": "case", "a": 1, "a": 2}', "duplicate keys: a"),
        ("application/json", b'{"type": "case", "submitter_id": "\\u0000"}', "NUL"),
        ("application/json", b"", "Expecting value"),
        ("text/tsv", b"type\n\xff", "UTF-8"),
        ("text/tsv", b"type\ttype\n", "more than once"),
        ("text/tsv", b"", "Nothing to submit"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(api: Any, kind: str, body: bytes, message: str) -> None:
    response = api("PUT", "/P/one", data=body, headers={"Content-Type": kind})
    answer = response.json()
    assert (response.status_code, message in answer["message"], "code" in answer) == (400, True, False), answer
