"""Reading back: entities, exports, templates, the dictionary; and deleting."""

import csv
import io
import tarfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


def case(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **more}


def sample(name: str, parent: str, **more: Any) -> dict[str, Any]:
    return {"type": "sample", "submitter_id": name, "cases": {"submitter_id": parent}, **more}


@pytest.fixture
def name() -> str:
    return f"r-{uuid.uuid4().hex[:12]}"


def ids(answer: dict[str, Any]) -> list[str]:
    assert answer["success"], answer
    return [entity["id"] for entity in answer["entities"]]


def names(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.getnames()


def test_entities_come_with_properties_and_links(api: Any, name: str) -> None:
    one, two = ids(api.put(case(name), sample(name, name)))
    answer = api("GET", f"/P/one/entities/{two},{one}").json()
    assert [each["properties"]["id"] for each in answer["entities"]] == [two, one]
    first = answer["entities"][0]
    assert (first["program"], first["project"], first["properties"]["type"]) == ("P", "one", "sample")
    assert first["properties"]["links"] == [{"id": one, "submitter_id": name}]


def test_an_entity_that_is_not_there_is_404(api: Any) -> None:
    assert api("GET", "/P/one/entities/nothing").status_code == 404


@pytest.mark.parametrize(
    "path", ["/P/one/entities/a%00b", "/P%00/one/entities/a", "/P/one/export?ids=%00", "/_dictionary/%00"]
)
def test_what_cannot_be_stored_is_refused(api: Any, path: str) -> None:
    answer = api("GET", path)
    assert answer.status_code == 400
    assert "NUL" in answer.json()["message"]


@pytest.mark.parametrize(("kind", "delimiter"), [("tsv", "\t"), ("csv", ",")])
def test_a_table_of_a_type_has_one_row_a_record(api: Any, name: str, kind: str, delimiter: str) -> None:
    awkward = f'a{delimiter}"b"\nc\rd'
    api.put(case(name, primary_site=awkward, consent_codes=["x", "y"]))
    text = api("GET", f"/P/one/export?node_label=case&format={kind}").content.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    [row] = [row for row in rows if row["submitter_id"] == name]
    assert (row["type"], row["primary_site"], row["consent_codes"]) == ("case", awkward, "x,y")
    assert (row["experiments.submitter_id"], row["disease_type"]) == ("e", "")
    assert len(rows) == len(api.export("case"))


@pytest.mark.parametrize("kind", ["tsv", "csv", "json"])
def test_an_export_without_ids_can_be_loaded_again(api: Any, name: str, kind: str) -> None:
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
        import json

        body = json.dumps(json.loads(body)["data"]).encode()
    answer = api("POST", "/P/one", data=body, headers={"Content-Type": types[kind]})
    assert answer.status_code == 201, answer.text
    again = api.export("aliquot")[name]
    assert again["id"] != aliquot_id
    assert {each["submitter_id"] for each in again["samples"]} == {f"1{name}", f"2{name}"}
    assert case_id in {each["id"] for each in api.export("case").values()}


def test_records_are_exported_page_by_page(api: Any, running: Any, name: str) -> None:
    api.put(*[case(f"{name}-{number}") for number in range(25)])
    running.app.export_page_rows = 10
    try:
        exported = api.export("case")
        count = len(api("GET", "/P/one/export?node_label=case").text.splitlines())
    finally:
        running.app.export_page_rows = 2000
    assert {f"{name}-{number}" for number in range(25)} <= exported.keys()
    assert count > 25


def test_only_records_of_the_project_are_exported(api: Any, name: str) -> None:
    api.put(case(name), path="/P/two")
    assert (name in api.export("case"), name in api.export("case", "two")) == (False, True)


def test_an_export_by_ids_is_a_list_of_one_type_or_an_archive_of_several(api: Any, name: str) -> None:
    one, two = ids(api.put(case(name), sample(name, name)))
    assert [each["id"] for each in api("GET", f"/P/one/export?ids={one}&format=json").json()] == [one]
    both = f"/P/one/export?ids={one},{two}"
    assert set(api("GET", f"{both}&format=json").json()) == {"case", "sample"}
    assert sorted(names(api("GET", both).content)) == ["case.tsv", "sample.tsv"]


@pytest.mark.parametrize("query", ["node_label=zzz", "node_label=program", "", "ids=", "node_label=case&format=xls"])
def test_an_export_of_nothing_known_is_refused(api: Any, query: str) -> None:
    assert api("GET", f"/P/one/export?{query}").status_code == 400


def test_a_project_itself_can_be_exported(api: Any) -> None:
    [project] = api("GET", "/P/one/export?node_label=project&format=json").json()["data"]
    assert (project["code"], project["programs"][0]["name"]) == ("one", "P")


def test_template_marks_what_is_required(api: Any) -> None:
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


def test_a_filled_template_can_be_sent(api: Any, name: str) -> None:
    form = api("GET", "/template/case?format=json").json()
    form |= {"*submitter_id": name, "project_id": None, "*experiments": {"submitter_id": "e"}, "friends_of": None}
    assert api.put(form)["success"]


@pytest.mark.parametrize("base", ["/_dictionary", "/P/one/_dictionary"])
def test_the_dictionary_is_answered_whole_and_in_parts(api: Any, base: str) -> None:
    links = api("GET", base).json()["links"]
    assert f"/v0/submission{base}/case" in links
    assert f"/v0/submission{base}/_all" in links
    assert api("GET", f"{base}/case").json()["id"] == "case"
    assert "UUID" in api("GET", f"{base}/_definitions").json()
    assert {"case", "_definitions", "_terms", "_settings"} <= set(api("GET", f"{base}/_all/").json())
    assert api("GET", f"{base}/foo").json()["message"] == "Entry foo not in dictionary"


def test_a_manifest_lists_files(api: Any) -> None:
    assert api("GET", "/P/one/manifest").status_code == 400


# -- deleting ----------------------------------------------------------------------


def test_a_leaf_is_deleted_at_once(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    response = api("DELETE", f"/P/one/entities/{id_}")
    answer = response.json()
    assert (response.status_code, answer["code"], answer["deleted_entity_count"]) == (200, 200, 1)
    assert answer["message"] == "Successfully deleted 1 entity"
    assert name not in api.export("case")


def test_a_parent_is_kept_and_all_dependents_are_named(api: Any, name: str) -> None:
    one, two, three = ids(
        api.put(
            case(name), sample(name, name), {"type": "aliquot", "submitter_id": name, "samples": {"submitter_id": name}}
        )
    )
    answer = api("DELETE", f"/P/one/entities/{one}").json()
    [error] = answer["entities"][0]["errors"]
    assert (answer["code"], error["type"]) == (400, "INVALID_LINK")
    assert error["dependents"] == [{"id": two, "type": "sample"}, {"id": three, "type": "aliquot"}]
    assert set(answer["dependent_ids"].split(",")) == {two, three}
    assert name in api.export("case")
    together = api("DELETE", f"/P/one/entities/{one},{answer['dependent_ids']}").json()
    assert together["deleted_entity_count"] == 3


def test_a_child_with_another_parent_survives(api: Any, name: str) -> None:
    _, first, _, aliquot = ids(
        api.put(
            case(name),
            sample(f"1{name}", name),
            sample(f"2{name}", name),
            {
                "type": "aliquot",
                "submitter_id": name,
                "samples": [{"submitter_id": f"1{name}"}, {"submitter_id": f"2{name}"}],
            },
        )
    )
    assert api("DELETE", f"/P/one/entities/{first}").status_code == 200
    stored = api.export("aliquot")[name]
    assert (stored["id"], [each["submitter_id"] for each in stored["samples"]]) == (aliquot, [f"2{name}"])


def test_deleting_what_is_not_there_changes_nothing(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    response = api("DELETE", f"/P/one/entities/{id_},nothing")
    errors = [each["type"] for entity in response.json()["entities"] for each in entity["errors"]]
    assert (response.status_code, errors) == (400, ["NOT_FOUND"])
    assert name in api.export("case")


def test_a_dry_run_of_deleting_changes_nothing(api: Any, name: str) -> None:
    [id_] = ids(api.put(case(name)))
    answer = api("DELETE", f"/P/one/entities/_dry_run/{id_}").json()
    assert answer["message"] == "Dry run successful. Would have deleted 1 entity"
    assert name in api.export("case")


def test_no_child_is_left_without_the_parent_that_it_needs(api: Any, name: str) -> None:
    """A parent is deleted while a child is being linked to it: one of the two is refused."""
    for number in range(12):
        parent = f"{number}{name}"
        [id_] = ids(api.put(case(parent)))
        children = [sample(f"{n}-{parent}", parent) for n in range(20)]
        with ThreadPoolExecutor(2) as pool:
            linked = pool.submit(api.put, *children)
            deleted = pool.submit(api, "DELETE", f"/P/one/entities/{id_}")
        assert linked.result()["success"] is not (deleted.result().status_code == 200)
