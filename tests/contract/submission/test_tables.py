"""Records as tables, and bodies that cannot be read."""

import csv
import io
import json
from typing import Any

import pytest
from tests.submission_service import case, fresh, ids, only_error, sample


def test_g15_an_empty_cell_clears(api: Any) -> None:
    name = fresh()
    api.put(case(name, primary_site="lung"))
    assert api.table(f"type\tsubmitter_id\texperiments.submitter_id\tprimary_site\ncase\t{name}\te\t\n")["success"]
    assert "primary_site" not in api.export("case")[name]


@pytest.mark.parametrize("kind", ["text/tsv", "text/tab-separated-values; charset=utf-8", "TEXT/TSV"])
def test_g23_g24_g28_a_table_is_read_with_types_marks_and_bom(api: Any, kind: str) -> None:
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


def test_g27_a_cell_that_cannot_be_read_names_the_property(api: Any) -> None:
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
def test_g13_a_body_that_cannot_be_read_is_refused(api: Any, kind: str, body: bytes, message: str) -> None:
    response = api("PUT", "/P/one", data=body, headers={"Content-Type": kind})
    answer = response.json()
    assert (response.status_code, message in answer["message"], "code" in answer) == (400, True, False), answer


@pytest.mark.parametrize(("kind", "sign", "parted"), [("text/tsv", "\t", ","), ("text/csv", ",", "#")])
def test_g23_g25_g26_a_cell_holds_several_values_or_parents(
    api: Any, name: str, kind: str, sign: str, parted: str
) -> None:
    api.put(case(name), sample(f"1{name}", name), sample(f"2{name}", name))

    def table(*rows: list[str]) -> str:
        return "".join(sign.join(cells) + "\n" for cells in rows)

    parents = f"1{name}{parted}2{name}"
    aliquots = table(["type", "submitter_id", "samples.submitter_id"], ["aliquot", name, parents])
    assert api.table(aliquots, kind)["created_entity_count"] == 1
    assert {each["submitter_id"] for each in api.export("aliquot")[name]["samples"]} == {f"1{name}", f"2{name}"}
    header = ["type", "submitter_id", "experiments.submitter_id", "consent_codes"]
    codes = '"a,b"' if sign == "," else "a,b"
    assert api.table(table(header, ["case", name, "e", codes]), kind)["success"]
    assert api.export("case")[name]["consent_codes"] == ["a", "b"]


def test_g15_a_blank_link_says_nothing_of_it(api: Any, name: str) -> None:
    api.put(case(name, friends_of={"submitter_id": "e"}))
    header = "type\tsubmitter_id\texperiments.submitter_id\tfriends_of.submitter_id\tprimary_site"
    assert api.table(f"{header}\ncase\t{name}\te\t\tlung\n")["success"]
    stored = api.export("case")[name]
    assert (stored["primary_site"], stored["friends_of"][0]["submitter_id"]) == ("lung", "e")


def test_g27_every_faulty_row_is_told_with_its_faults(api: Any, name: str) -> None:
    header = "type\tsubmitter_id\tcases.submitter_id\tis_ffpe\tlongest_dimension"
    rows = [f"sample\t1{name}\t{name}\tyes\tlong", f"sample\t2{name}\t{name}\ttrue\t1", f"sample\t3{name}\tzz\t\t"]
    api.put(case(name))
    answer = api.table("\n".join([header, *rows]))
    told = [[(error["row"], error["keys"]) for error in entity["errors"]] for entity in answer["entities"]]
    assert told == [[(2, ["is_ffpe"]), (2, ["longest_dimension"])], [], [(4, ["cases"])]]


@pytest.mark.parametrize("text", ["bär", "名前", "a'b\"c", "🧬"])
@pytest.mark.parametrize("kind", ["json", "tsv", "csv"])
def test_g22_any_letters_come_out_as_they_went_in(api: Any, name: str, text: str, kind: str) -> None:
    key = f"{text}{name}"
    [id_] = ids(api.put(case(key, primary_site=text)))
    exported = api("GET", f"/P/one/export?ids={id_}&format={kind}").content.decode()
    if kind == "json":
        [row] = json.loads(exported)
    else:
        [row] = csv.DictReader(io.StringIO(exported, newline=""), delimiter="\t" if kind == "tsv" else ",")
    assert (row["submitter_id"], row["primary_site"]) == (key, text)
