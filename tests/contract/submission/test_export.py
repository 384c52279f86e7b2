"""Records on their way out."""

import csv
import io
import json
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from tests.submission_service import aliquot, case, demographic, fresh, ids, names, sample


@pytest.mark.parametrize(("kind", "delimiter"), [("tsv", "\t"), ("csv", ",")])
def test_g36_a_table_of_a_type_has_one_row_a_record(api: Any, name: str, kind: str, delimiter: str) -> None:
    awkward = f'a{delimiter}"b"\nc\rd'
    api.put(case(name, primary_site=awkward, consent_codes=["x", "y"]))
    text = api("GET", f"/P/one/export?node_label=case&format={kind}").content.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    [row] = [row for row in rows if row["submitter_id"] == name]
    assert (row["type"], row["primary_site"], row["consent_codes"]) == ("case", awkward, "x,y")
    assert (row["experiments.submitter_id"], row["disease_type"]) == ("e", "")
    assert len(rows) == len(api.export("case"))


@pytest.mark.parametrize("kind", ["tsv", "csv", "json"])
def test_g37_an_export_without_ids_can_be_loaded_again(api: Any, name: str, kind: str) -> None:
    case_id, *_ = ids(api.put(case(name), sample(f"1{name}", name), sample(f"2{name}", name)))
    samples = [{"submitter_id": f"{number}{name}"} for number in (1, 2)]
    [aliquot_id] = ids(api.put({"type": "aliquot", "submitter_id": name, "samples": samples}))
    path = f"/P/one/export?node_label=aliquot&format={kind}&without_id=true"
    body = api("GET", path).content
    aliquots = api.export("aliquot")
    for each in aliquots.values():
        assert api("DELETE", f"/P/one/entities/{each['id']}").status_code == 200
    types = {"tsv": "text/tsv", "csv": "text/csv", "json": "application/json"}
    if kind == "json":
        body = json.dumps(json.loads(body)["data"]).encode()
    answer = api("POST", "/P/one", data=body, headers={"Content-Type": types[kind]})
    assert answer.status_code == 201, answer.text
    again = api.export("aliquot")[name]
    assert again["id"] != aliquot_id
    assert {each["submitter_id"] for each in again["samples"]} == {f"1{name}", f"2{name}"}
    assert case_id in {each["id"] for each in api.export("case").values()}


def test_records_are_exported_page_by_page(api: Any, running: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put(*[case(f"{name}-{number}") for number in range(25)])
    monkeypatch.setattr(running.app, "export_page_rows", 10)
    exported = api.export("case")
    count = len(api("GET", "/P/one/export?node_label=case").text.splitlines())
    assert {f"{name}-{number}" for number in range(25)} <= exported.keys()
    assert count > 25


def test_g40_only_records_of_the_project_are_exported(api: Any, name: str) -> None:
    api.put(case(name), path="/P/two")
    assert (name in api.export("case"), name in api.export("case", "two")) == (False, True)


def test_g35_an_export_by_ids_is_a_list_of_one_type_or_an_archive_of_several(api: Any, name: str) -> None:
    one, two = ids(api.put(case(name), sample(name, name)))
    assert [each["id"] for each in api("GET", f"/P/one/export?ids={one}&format=json").json()] == [one]
    both = f"/P/one/export?ids={one},{two}"
    assert [each["type"] for each in api("GET", f"{both}&format=json").json()] == ["case", "sample"]
    assert sorted(names(api("GET", both).content)) == ["case.tsv", "sample.tsv"]


@pytest.mark.parametrize("query", ["node_label=zzz", "node_label=program", "", "ids=", "node_label=case&format=xls"])
def test_g41_an_export_of_nothing_known_is_refused(api: Any, query: str) -> None:
    assert api("GET", f"/P/one/export?{query}").status_code == 400


def test_a_project_itself_can_be_exported(api: Any) -> None:
    [project] = api("GET", "/P/one/export?node_label=project&format=json").json()["data"]
    assert (project["code"], project["programs"][0]["name"]) == ("one", "P")


@pytest.mark.parametrize(
    "body",
    [
        {"ids": 5},
        {"ids": [[]]},
        {"ids": {"a": 1}},
        {"ids": [None]},
        {"ids": ["a\0b"]},
        {"ids": "x" * 10_000},
        {"ids": ["x"], "format": 5},
        {"ids": ["x"], "format": ["json"]},
        {"ids": ["x"], "with_children": {}, "category": ["clinical"]},
        {"ids": ["x"], "with_children": True, "category": {}},
        {"node_label": ["case", "sample"]},
        {"node_label": {"a": "b"}},
        {"node_label": 5},
        {"node_label": "case\0"},
        [],
        "text",
        None,
    ],
    ids=lambda value: str(value)[:40],
)
def test_nonsense_in_a_body_is_refused(api: Any, body: Any) -> None:
    response = api("POST", "/P/one/export", data=json.dumps(body).encode())
    assert response.status_code in (400, 404)
    assert response.json()["message"]


def test_more_ids_than_are_allowed_are_refused(api: Any, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.app, "max_export_ids", 2)
    assert api("GET", "/P/one/export?ids=a,b,c&with_children=true").status_code == 413


# -- with children -----------------------------------------------------------------


@pytest.fixture(scope="module")
def family(api: Any) -> str:
    """The name of a case with two samples, an aliquot of both, a file of that, and a demographic."""
    name = fresh()
    file = {"type": "reads_file", "file_name": "x", "file_size": 1, "md5sum": uuid.uuid4().hex}
    answer = api.put(
        case(name, consent_codes=["a", "b"]),
        demographic(name, name, gender="male", year_of_birth=1980, alive=True),
        sample(f"1{name}", name, longest_dimension=0.1 + 0.2),
        sample(f"2{name}", name, is_ffpe=False),
        aliquot(name, f"1{name}", f"2{name}"),
        {**file, "submitter_id": name, "aliquots": {"submitter_id": name}},
    )
    assert answer["success"], answer
    return name


def below(api: Any, family: str, query: str = "", **more: Any) -> Any:
    id_ = api.export("case")[family]["id"]
    return api("GET", f"/P/one/export?ids={id_}&with_children=true{query}", **more)


def kinds(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((each["type"], each["submitter_id"][0]) for each in records)


EVERYTHING = [
    ("aliquot", "c"),
    ("case", "c"),
    ("demographic", "c"),
    ("reads_file", "c"),
    ("sample", "1"),
    ("sample", "2"),
]


def test_all_that_is_below_a_record_comes_with_it(api: Any, family: str) -> None:
    response = below(api, family, "&format=json")
    assert kinds(response.json()) == EVERYTHING
    assert response.headers["Content-Disposition"] == 'attachment; filename="export.json"'
    tables = below(api, family)
    assert tables.headers["Content-Type"] == "application/gzip"
    assert sorted(names(tables.content)) == [
        "aliquot.tsv", "case.tsv", "demographic.tsv", "reads_file.tsv", "sample.tsv",
    ]  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(tables.content)) as tar:
        file = tar.extractfile("sample.tsv")
        assert file is not None
        rows = list(csv.DictReader(io.TextIOWrapper(file), delimiter="\t"))
    assert [row["cases.submitter_id"] for row in rows] == [family] * 2


def test_children_of_one_category_come_whatever_is_between(api: Any, family: str) -> None:
    found = below(api, family, "&category=data_file&format=json").json()
    assert kinds(found) == [("case", "c"), ("reads_file", "c")]
    refused = below(api, family, "&category=nonsense")
    assert (refused.status_code, "category must be one of" in refused.json()["message"]) == (400, True)


def test_a_leaf_with_children_is_itself(api: Any, family: str) -> None:
    id_ = api.export("reads_file")[family]["id"]
    response = api("GET", f"/P/one/export?ids={id_}&with_children=true")
    assert response.headers["Content-Disposition"] == 'attachment; filename="reads_file.tsv"'
    assert len(response.text.splitlines()) == 2


def test_what_is_exported_with_children_can_be_loaded_again(api: Any, family: str) -> None:
    """Over several pages of the database."""
    records = below(api, family, "&format=json&without_id=true").json()
    answer = api.put(*records)
    assert (answer["success"], answer["updated_entity_count"]) == (True, len(EVERYTHING)), answer


@pytest.mark.parametrize("page_rows", [1, 2])
def test_children_come_page_by_page(api: Any, running: Any, family: str, page_rows: int) -> None:
    running.app.export_page_rows, before = page_rows, running.app.export_page_rows
    try:
        assert kinds(below(api, family, "&format=json").json()) == EVERYTHING
    finally:
        running.app.export_page_rows = before


def test_an_export_is_asked_for_in_a_body_as_well(api: Any, family: str) -> None:
    id_ = api.export("case")[family]["id"]
    asked = {"ids": [id_], "format": "json", "with_children": True, "without_id": True}
    records = api("POST", "/P/one/export", asked).json()
    assert (kinds(records), any("id" in each for each in records)) == (EVERYTHING, False)


def test_no_child_in_another_project_comes_along(api: Any, caller: Callable[[str], Any], sql: Any, family: str) -> None:
    """Such an edge cannot be submitted; a database of old may have one."""
    [foreign] = ids(api.put(case(f"f{family}"), path="/P/two"))
    [child] = ids(api.put(sample(f"f{family}", f"f{family}"), path="/P/two"))
    parent = api.export("case")[family]["id"]
    move = "update graph.edge_samplederivedfromcase set dst_id = :to where src_id = :child"
    sql(move, to=parent, child=child)
    try:
        alice = caller("alice")
        assert kinds(below(alice, family, "&format=json").json()) == EVERYTHING
        answer = alice("GET", f"/P/one/export?ids={foreign},{child}&with_children=true&format=json")
        assert answer.status_code == 404
    finally:
        sql(move, to=foreign, child=child)


# -- workbooks ---------------------------------------------------------------------

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def sheets(response: Any) -> dict[str, list[tuple[Any, ...]]]:
    assert response.headers["Content-Type"] == XLSX, response.text
    book = openpyxl.load_workbook(io.BytesIO(response.content))
    return {sheet.title: list(sheet.values) for sheet in book.worksheets}


def test_a_type_is_exported_as_a_workbook(api: Any, family: str) -> None:
    response = api("GET", "/P/one/export?node_label=demographic&format=xlsx")
    assert response.headers["Content-Disposition"] == 'attachment; filename="P-one_demographic.xlsx"'
    header, *rows = sheets(response)["demographic"]
    row = dict(zip(header, next(row for row in rows if family in row), strict=True))
    assert (row["year_of_birth"], row["alive"], row["gender"], row["age"]) == (1980, True, "male", None)
    assert row["cases.submitter_id"] == family


def test_a_type_without_records_is_a_header(api: Any) -> None:
    [(name, [header])] = sheets(api("GET", "/P/two/export?node_label=aliquot&format=xlsx")).items()
    assert (name, "submitter_id" in header) == ("aliquot", True)


def test_a_workbook_has_a_sheet_for_each_type_and_can_be_sent_back(api: Any, family: str) -> None:
    before = below(api, family, "&format=json").json()
    book = below(api, family, "&format=xlsx")
    assert set(sheets(book)) == {"case", "sample", "aliquot", "demographic", "reads_file"}
    answer = api("PUT", "/P/one", data=book.content, headers={"Content-Type": XLSX}).json()
    assert (answer["success"], answer["updated_entity_count"]) == (True, len(EVERYTHING)), answer
    after = below(api, family, "&format=json").json()
    strip = [{key: value for key, value in each.items() if key != "updated_datetime"} for each in (*before, *after)]
    assert strip[: len(before)] == strip[len(before) :]


@pytest.mark.parametrize("text", ["=1+1", "#N/A", "+1", "@x", "-1", "2024-01-01", "a\tb\nc", "007", "TRUE"])
def test_a_text_is_a_text_in_a_workbook(api: Any, name: str, text: str) -> None:
    [id_] = ids(api.put(case(name, primary_site=text)))
    response = api("GET", f"/P/one/export?ids={id_}&format=xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(response.content)).worksheets[0]
    [cell] = [cell for cell in sheet[2] if cell.value == text]
    assert cell.data_type == "s"
    again = api("PUT", "/P/one", data=response.content, headers={"Content-Type": XLSX}).json()
    assert again["success"], again
    assert api.export("case")[name]["primary_site"] == text


@pytest.mark.parametrize("text", ["\x01", "\ufffe", "x" * 32_768], ids=["control", "no character", "long"])
def test_what_no_cell_can_hold_is_named(api: Any, name: str, text: str) -> None:
    [id_] = ids(api.put(case(name, primary_site=text)))
    response = api("GET", f"/P/one/export?ids={id_}&format=xlsx")
    assert (response.status_code, f"primary_site of case '{name}'" in response.json()["message"]) == (400, True)
    assert api("DELETE", f"/P/one/entities/{id_}").status_code == 200


def test_a_workbook_leaves_no_file_behind(api: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    [good], [bad] = ids(api.put(case(name))), ids(api.put(case(f"2{name}", primary_site="\x01")))
    statuses = [api("GET", f"/P/one/export?ids={id_}&format=xlsx").status_code for id_ in (good, bad)]
    assert (statuses, list(tmp_path.iterdir())) == ([200, 400], [])
    api("DELETE", f"/P/one/entities/{bad}")


def test_g38_what_is_empty_is_left_out_of_json_and_blank_in_a_table(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    [record] = api("GET", f"/P/one/export?ids={id_}&format=json").json()
    assert {"primary_site", "consent_codes", "friends_of"} & record.keys() == set()
    assert api.export("case")[name] == record
    [row] = csv.DictReader(io.StringIO(api("GET", f"/P/one/export?ids={id_}").text), delimiter="\t")
    assert [row[column] for column in ("primary_site", "consent_codes", "friends_of.submitter_id")] == [""] * 3
