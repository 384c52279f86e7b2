"""Reading back: entities, the dictionary and its templates."""

import io
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from tests.submission_service import case, ids, names, sample


def test_g32_entities_come_with_properties_and_links(api: Any, name: str) -> None:
    one, two = ids(api.put(case(name), sample(name, name)))
    answer = api("GET", f"/P/one/entities/{two},{one}").json()
    assert [each["properties"]["id"] for each in answer["entities"]] == [two, one]
    first = answer["entities"][0]
    assert (first["program"], first["project"], first["properties"]["type"]) == ("P", "one", "sample")
    assert first["properties"]["links"] == [{"id": one, "submitter_id": name}]


def test_g32_an_entity_that_is_not_there_is_404(api: Any) -> None:
    assert api("GET", "/P/one/entities/nothing").status_code == 404


@pytest.mark.parametrize(
    "path", ["/P/one/entities/a%00b", "/P%00/one/entities/a", "/P/one/export?ids=%00", "/_dictionary/%00"]
)
def test_what_cannot_be_stored_is_refused(api: Any, path: str) -> None:
    answer = api("GET", path)
    assert answer.status_code == 400
    assert "NUL" in answer.json()["message"]


def test_g34_template_marks_what_is_required(api: Any) -> None:
    header, example = api("GET", "/template/sample").text.splitlines()
    assert header.split("\t") == [
        "*type", "project_id", "*submitter_id", "*cases.submitter_id", "is_ffpe", "longest_dimension",
    ]  # fmt: skip
    assert example.split("\t")[0] == "sample"
    assert api("GET", "/template/reads_file").text.splitlines()[0].endswith("\turls")
    assert api("GET", "/template/experiment").text.splitlines()[0].split("\t")[3] == "*projects.code"


def test_templates_of_all_types_come_in_one_archive(api: Any) -> None:
    assert names(api("GET", "/template?categories=biospecimen&exclude=aliquot").content) == ["sample.tsv"]
    assert len(api("GET", "/template?format=json").json()) == 6


def test_g14_a_filled_template_can_be_sent(api: Any, name: str) -> None:
    form = api("GET", "/template/case?format=json").json()
    form |= {"*submitter_id": name, "project_id": None, "*experiments": {"submitter_id": "e"}, "friends_of": None}
    assert api.put(form)["success"]


@pytest.mark.parametrize("base", ["/_dictionary", "/P/one/_dictionary"])
def test_g33_the_dictionary_is_answered_whole_and_in_parts(api: Any, base: str) -> None:
    links = api("GET", base).json()["links"]
    assert f"/v0/submission{base}/case" in links
    assert f"/v0/submission{base}/_all" in links
    assert api("GET", f"{base}/case").json()["id"] == "case"
    assert "UUID" in api("GET", f"{base}/_definitions").json()
    assert {"case", "_definitions", "_terms", "_settings"} <= set(api("GET", f"{base}/_all/").json())
    assert api("GET", f"{base}/foo").json()["message"] == "Entry foo not in dictionary"


# -- forms as workbooks ------------------------------------------------------------

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def form(api: Any, path: str) -> Any:
    response = api("GET", path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, XLSX)
    return openpyxl.load_workbook(io.BytesIO(response.content))


def test_a_form_explains_its_columns_and_offers_what_is_allowed(api: Any) -> None:
    book = form(api, "/template/demographic?format=xlsx")
    sheet = book["demographic"]
    header = [cell.value for cell in sheet[1]]
    assert header == [
        "project_id", "*submitter_id", "*cases.submitter_id", "age", "alive", "gender", "seen_at", "year_of_birth",
    ]  # fmt: skip
    heads = dict(zip(header, sheet[1], strict=True))
    assert (heads["*cases.submitter_id"].font.bold, heads["age"].font.bold) == (True, False)
    assert heads["*cases.submitter_id"].comment.text == "Required. The submitter_id of a case."
    assert heads["year_of_birth"].comment.text == "(integer)"
    places = {str(each.sqref).split(":")[0][:-1]: each.formula1 for each in sheet.data_validations.dataValidation}
    offered = {heads_name: places.get(cell.column_letter) for heads_name, cell in heads.items()}
    values = {
        name: [cell.value for (cell,) in book["#values"][place.partition("!")[2].replace("$", "")]]
        for name, place in offered.items()
        if place
    }
    assert values == {"alive": ["true", "false"], "gender": ["female", "male", "unknown"]}
    assert book["#values"].sheet_state == "hidden"


def test_all_forms_come_in_one_workbook(api: Any) -> None:
    book = form(api, "/template?format=xlsx&exclude=aliquot")
    assert book.sheetnames == ["case", "demographic", "experiment", "reads_file", "sample", "#values"]
    assert book["reads_file"].cell(1, book["reads_file"].max_column).value == "urls"


def test_a_filled_workbook_can_be_sent(api: Any, name: str) -> None:
    book = form(api, "/template?format=xlsx")
    for kind, row in {
        "case": {"*submitter_id": name, "*experiments.submitter_id": "e", "disease_type": "glioma"},
        "demographic": {"*submitter_id": name, "*cases.submitter_id": name, "alive": "true", "gender": "male"},
    }.items():
        sheet = book[kind]
        sheet.append([row.get(cell.value) for cell in sheet[1]])
    buffer = io.BytesIO()
    book.save(buffer)
    answer = api("PUT", "/P/one", data=buffer.getvalue(), headers={"Content-Type": XLSX}).json()
    assert (answer["success"], answer["created_entity_count"]) == (True, 2), answer
    assert api.export("demographic")[name]["alive"] is True


def test_a_form_is_made_for_those_who_are_signed_in(caller: Callable[[str | None], Any]) -> None:
    asked = [
        [caller(user)("GET", f"/template/case?format={kind}").status_code for user in (None, "eve")]
        for kind in ("xlsx", "tsv")
    ]
    assert asked == [[401, 200], [200, 200]]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/template/nothing?format=xlsx", 404), ("/template?format=xls", 400), ("/template?categories=nothing", 404)],
)
def test_a_form_of_nothing_known_is_refused(api: Any, path: str, status: int) -> None:
    assert api("GET", path).status_code == status
