"""A table with faults of every kind: one dry run tells of all of them, and what comes back can be mended and sent."""

import base64
import csv
import io
from typing import Any

import openpyxl
import pytest

COLUMNS = """
type submitter_id project_id id projects.code experiments.submitter_id cases.submitter_id samples.submitter_id
aliquots.submitter_id primary_site disease_type consent_codes gender year_of_birth age alive seen_at is_ffpe
longest_dimension number_of_cases file_name file_size md5sum object_id file_state state primary_sit
""".split()  # noqa: SIM905 - a table's header reads as one
TSV = {"Content-Type": "text/tab-separated-values"}
DRY = "/P/one/_dry_run?format=tsv"

Row = dict[str, str]


def rows() -> list[Row]:
    """2,000 good rows of six types, each linked to an earlier one."""
    made: list[Row] = [{"type": "experiment", "submitter_id": f"x-{n}", "projects.code": "one"} for n in range(10)]
    for n in range(900):
        parent = {"experiments.submitter_id": f"x-{n % 10}"}
        made.append({"type": "case", "submitter_id": f"c-{n:03}", "primary_site": "lung", **parent})
    for n in range(600):
        parent = {"cases.submitter_id": f"c-{n:03}"}
        made.append({"type": "sample", "submitter_id": f"s-{n:03}", "is_ffpe": "true", **parent})
    for n in range(300):
        parent = {"cases.submitter_id": f"c-{n:03}"}
        made.append({"type": "demographic", "submitter_id": f"d-{n:03}", "gender": "female", **parent})
    for n in range(140):
        parent = {"samples.submitter_id": f"s-{n:03}"}
        made.append({"type": "aliquot", "submitter_id": f"a-{n:03}", **parent})
    for n in range(50):
        file = {"file_name": f"{n}.bam", "file_size": f"{n + 1}", "md5sum": f"{n:032x}"}
        made.append({"type": "reads_file", "submitter_id": f"f-{n:03}", "aliquots.submitter_id": f"a-{n:03}", **file})
    return made


# (submitter_id of the row, what is wrong in it, column that is told, rule, part of the suggestion)
PLANTED: list[tuple[str, Row, str | None, str, str]] = [
    ("x-0", {"number_of_cases": "3.7"}, "number_of_cases", "type", "whole number"),
    ("x-1", {"projects.code": "two"}, "projects.code", "project", "'one'"),
    ("x-2", {"projects.code": ""}, "projects.code", "required", "Fill in"),
    ("c-890", {"type": "caes"}, "type", "nodeType", "Did you mean 'case'"),
    ("c-891", {"type": ""}, "type", "required", "Fill in"),
    ("c-892", {"type": "program"}, "type", "nodeType", "node type"),
    ("c-010", {"disease_type": "Gliom"}, "disease_type", "enum", "Did you mean 'glioma'?"),
    ("c-011", {"disease_type": "flu"}, "disease_type", "enum", "allowed values"),
    (
        "c-012",
        {"primary_site": "", "primary_sit": "lung"},
        "primary_sit",
        "additionalProperties",
        "'primary_site'?",
    ),
    ("c-013", {"gender": "female"}, "gender", "additionalProperties", "'gender' out"),
    ("c-014", {"experiments.submitter_id": "x_9"}, "experiments.submitter_id", "target", "Did you mean 'x-9'?"),
    (
        "c-015",
        {"experiments.submitter_id": "nowhere at all"},
        "experiments.submitter_id",
        "target",
        "the target",
    ),
    ("c-016", {"experiments.submitter_id": "x-1,x-2"}, "experiments.submitter_id", "multiplicity", "one record only"),
    ("c-017", {"experiments.submitter_id": "only-in-two"}, "experiments.submitter_id", "target", "the target"),
    ("c-018", {"project_id": "P-two"}, "project_id", "project", "project that it belongs to"),
    ("c-019", {"id": "1234"}, "id", "pattern", "matches"),
    ("c-620", {"submitter_id": ""}, "submitter_id", "required", "Fill in"),
    ("c-621", {"submitter_id": "C-622"}, None, "", ""),
    ("c-623", {"submitter_id": "x" * 1001}, "submitter_id", "maxLength", "1000"),
    ("c-024", {"state": "draft"}, "state", "enum", "allowed values"),
    ("s-010", {"is_ffpe": "perhaps"}, "is_ffpe", "type", "true or false"),
    ("s-011", {"longest_dimension": "2 cm"}, "longest_dimension", "type", "without a unit"),
    ("s-012", {"cases.submitter_id": ""}, "cases.submitter_id", "required", "Fill in"),
    ("s-013", {"cases.submitter_id": "c-9999"}, "cases.submitter_id", "target", "Did you mean 'c-"),
    ("d-010", {"gender": "F"}, "gender", "enum", "Did you mean 'female'?"),
    ("d-011", {"year_of_birth": "1800"}, "year_of_birth", "minimum", "1900 or more"),
    ("d-012", {"year_of_birth": "nineteen"}, "year_of_birth", "type", "whole number"),
    ("d-013", {"age": "1_0"}, "age", "type", "without a unit"),
    ("d-014", {"alive": "yes"}, "alive", "type", "true or false"),
    ("d-015", {"seen_at": "31.1.2024"}, "seen_at", "format", "2024-01-31T12:00:00Z"),
    ("d-016", {"cases.submitter_id": "c-001"}, "cases.submitter_id", "multiplicity", "that has no other"),
    ("a-010", {"samples.submitter_id": ""}, "samples.submitter_id", "required", "samples or cases"),
    ("a-011", {"cases.submitter_id": "c-001"}, "samples.submitter_id", "exclusive", "Keep one"),
    ("f-010", {"md5sum": "0" * 31}, "md5sum", "pattern", "matches"),
    ("f-011", {"file_size": "12 MB"}, "file_size", "type", "whole number"),
    ("f-012", {"object_id": "dg.1/nothing"}, "object_id", "object", "data object in the index"),
    ("f-013", {"surplus": "more"}, None, "cells", "delimiter"),
]


def spoilt() -> tuple[list[list[str]], dict[int, tuple[str | None, str, str]]]:
    """The rows with the planted faults, and what is to be told of each, by row."""
    table = rows()
    wrong = {name: rest for name, *rest in PLANTED}
    lines, expected = [list(COLUMNS)], {}
    for number, row in enumerate(table, 2):
        name = row["submitter_id"]
        if name == "c-622":
            # Its key comes a second time, before it.
            expected[number] = ("submitter_id", "uniqueKeys", "Row 633 has the same")
        if name in wrong:
            change, column, rule, suggestion = wrong[name]
            row = {**row, **change}
            if rule:
                expected[number] = (column, rule, suggestion)
        lines.append([row.get(column, "") for column in COLUMNS] + ([row["surplus"]] if "surplus" in row else []))
    return lines, expected


def text_of(lines: list[list[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter="\t", lineterminator="\n").writerows(lines)
    return buffer.getvalue().encode()


def test_there_are_2000_rows_and_37_faults() -> None:
    lines, expected = spoilt()
    assert (len(lines), len(expected), len(PLANTED)) == (2001, 37, 37)


@pytest.fixture(scope="module")
def project(api: Any) -> Any:
    answer = api.put({"type": "experiment", "submitter_id": "only-in-two", "projects": {"code": "two"}}, path="/P/two")
    assert answer["success"]
    return api


def test_one_dry_run_tells_of_every_fault_and_of_nothing_else(project: Any) -> None:
    lines, expected = spoilt()
    answer = project("PUT", "/P/one/_dry_run", data=text_of(lines), headers=TSV).json()
    told = {error["row"]: error for entity in answer["entities"] for error in entity["errors"]}
    assert {row: (each["column"], each["rule"]) for row, each in told.items()} == {
        row: each[:2] for row, each in expected.items()
    }
    wanting = {
        row: told[row]["suggestion"] for row, (_, _, part) in expected.items() if part not in told[row]["suggestion"]
    }
    assert wanting == {}
    assert (answer["entity_error_count"], answer["transactional_errors"]) == (37, [])
    assert sum(len(entity["errors"]) for entity in answer["entities"]) == 37


def test_the_returned_table_can_be_mended_and_sent(project: Any) -> None:
    lines, expected = spoilt()
    response = project("PUT", DRY, data=text_of(lines), headers=TSV)
    assert (response.status_code, response.headers["Content-Type"]) == (400, "text/tab-separated-values; charset=utf-8")
    back = list(csv.reader(io.StringIO(response.text, newline=""), delimiter="\t"))
    assert [line[1:] for line in back] == lines
    assert back[0][0] == "#errors"
    assert {number for number, line in enumerate(back, 1) if line[0]} - {1} == set(expected)
    assert "Did you mean 'glioma'?" in back[21][0]
    # What is said stays where it is, as somebody would leave it who mends cell by cell.
    mended = [back[0]] + [
        [line[0]] + [row.get(column, "") for column in COLUMNS] for row, line in zip(rows(), back[1:], strict=True)
    ]
    answer = project("PUT", "/P/one", data=text_of(mended), headers=TSV).json()
    assert (answer["success"], answer["created_entity_count"]) == (True, 2000), answer["message"]


def test_the_second_round_says_only_what_is_still_wrong(project: Any) -> None:
    table = "type\tsubmitter_id\texperiments.submitter_id\tgender\ncase\tq\te\tx\ncase\tr\te\t\tmore\n"
    first = project("PUT", DRY, data=table.encode(), headers=TSV).text
    second = project("PUT", DRY, data=first.encode(), headers=TSV).text
    assert second == first
    third = project("PUT", DRY, data=first.replace("\tx\n", "\t\n").encode(), headers=TSV).text
    assert [line.count("gender:") for line in third.splitlines()] == [0, 0, 0]
    assert [line.count("The row has") for line in third.splitlines()] == [0, 0, 1]


@pytest.mark.parametrize(
    ("path", "headers", "answered"),
    [
        ("/P/one/_dry_run", {"Accept": "text/tab-separated-values"}, "text/tab-separated-values"),
        ("/P/one?format=tsv", {}, "text/tab-separated-values"),
        ("/P/one/_dry_run", {"Accept": "*/*"}, "application/json"),
        ("/P/one", {}, "application/json"),
    ],
)
def test_faults_are_a_table_for_those_who_ask_for_one(
    project: Any, path: str, headers: dict[str, str], answered: str
) -> None:
    table = b"type\tsubmitter_id\texperiments.submitter_id\ncase\tq\tzz\n"
    response = project("PUT", path, data=table, headers={**TSV, **headers})
    assert (response.status_code, response.headers["Content-Type"].partition(";")[0]) == (400, answered)


def test_a_csv_comes_back_as_csv(project: Any) -> None:
    table = b'type,submitter_id,experiments.submitter_id,primary_site\ncase,q,zz,"a, b"\n'
    response = project("PUT", DRY, data=table, headers={"Content-Type": "text/csv"})
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.text.splitlines()[1].startswith('"experiments.submitter_id: No link destination')
    assert response.text.splitlines()[1].endswith(',case,q,zz,"a, b"')


def test_faults_of_json_are_a_table_with_a_line_each(project: Any) -> None:
    record = {"type": "case", "submitter_id": "q", "experiments": {"submitter_id": "e"}, "disease_type": "Gliom"}
    response = project("PUT", DRY, [record, "text"])
    first, second = csv.DictReader(io.StringIO(response.text), delimiter="\t")
    assert (first["row"], first["column"], first["value"], first["rule"]) == ("0", "disease_type", "Gliom", "enum")
    assert (first["suggestion"], second["row"]) == ("Did you mean 'glioma'?", "1")


XLSX = {"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


def workbook(**sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_workbook_is_one_submission_of_all_its_sheets(project: Any, sql: Any) -> None:
    data = workbook(
        sample=[["submitter_id", "cases.submitter_id", "is_ffpe"], ["w-s", "w-c", True]],
        case=[["submitter_id", "experiments.submitter_id"], ["w-c", "e"]],
    )
    dry = project("PUT", "/P/one/_dry_run", data=data, headers=XLSX).json()
    assert dry["success"], dry
    assert project("PUT", f"/P/one/transactions/{dry['transaction_id']}/commit").json()["created_entity_count"] == 2
    assert project.export("sample")["w-s"]["is_ffpe"] is True
    answer = project("PUT", "/P/one", data=data, headers=XLSX).json()
    assert (answer["code"], answer["updated_entity_count"]) == (200, 2)
    [kept] = sql(
        "select doc_format, doc from graph.transaction_documents where transaction_id = :i", i=answer["transaction_id"]
    )
    assert (kept.doc_format, base64.b64decode(kept.doc)) == ("XLSX", data)


def test_faults_of_a_workbook_name_sheet_row_and_column(project: Any) -> None:
    data = workbook(
        case=[["*submitter_id", "*experiments.submitter_id"], ["w-1", "e"], ["w-2", "nowhere"], ["w-3", "=A2"]],
        sample=[["submitter_id", "cases.submitter_id", "is_ffpe"], ["w-s", "w-1", "perhaps"]],
    )
    answer = project("PUT", "/P/one/_dry_run", data=data, headers=XLSX).json()
    told = [
        (each["sheet"], each["row"], each["column"], each["rule"], each.get("cell"))
        for entity in answer["entities"]
        for each in entity["errors"]
    ]
    assert told == [
        ("case", 3, "*experiments.submitter_id", "target", None),
        ("case", 4, "*experiments.submitter_id", "formula", "B4"),
        ("sample", 2, "is_ffpe", "type", None),
    ]
    listed = list(csv.DictReader(io.StringIO(project("PUT", DRY, data=data, headers=XLSX).text), delimiter="\t"))
    assert [(each["sheet"], each["row"], each["cell"]) for each in listed] == [
        ("case", "3", ""), ("case", "4", "B4"), ("sample", "2", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"PK", b"type\tsubmitter_id\n", workbook(cases=[["a"], ["b"]])])
def test_what_is_no_workbook_of_records_is_refused(project: Any, data: bytes) -> None:
    response = project("PUT", "/P/one", data=data, headers=XLSX)
    assert (response.status_code, "code" in response.json()) == (400, False)


@pytest.mark.parametrize(
    ("kind", "before", "filler", "after"),
    [
        ("text/tab-separated-values", b"type\tsubmitter_id\ncase\t", b"xx", b""),
        ("text/tab-separated-values", b'type\tsubmitter_id\ncase\t"', b"x\n", b'"'),
        ("application/json", b'[{"type": "case", "submitter_id": "', b"xx", b'"}]'),
    ],
    ids=["TSV", "TSV of many lines", "JSON"],
)
def test_a_cell_of_100_mb_is_refused_in_few_words(
    project: Any, kind: str, before: bytes, filler: bytes, after: bytes
) -> None:
    body = before + filler * 50_000_000 + after
    response = project("PUT", "/P/one", data=body, headers={"Content-Type": kind})
    assert (response.status_code, len(response.content) < 1000) == (400, True)
    assert "characters" in response.json()["message"]


def test_a_dry_run_without_faults_comes_back_as_it_was_sent(project: Any) -> None:
    table = "type\tsubmitter_id\texperiments.submitter_id\n\ncase\tq\te\n"
    response = project("PUT", DRY, data=table.encode(), headers=TSV)
    assert (response.status_code, response.text) == (
        200,
        "#errors\ttype\tsubmitter_id\texperiments.submitter_id\n\n\tcase\tq\te\n",
    )
