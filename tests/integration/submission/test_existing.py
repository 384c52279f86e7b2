"""A graph database that sheepdog has made and filled is served and exported as it is."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.checksums import published
from tests.sheepdog import (
    ALIQUOT,
    CASE,
    CHANGED,
    EXPERIMENT,
    LINKED,
    LOGS,
    MOMENT,
    NODES,
    OTHER,
    READS,
    SAMPLE,
    Existing,
    api,
    ask,
    engine,
    existing,
    guid,
    without_nulls,
)
from tests.submission_service import SNAPSHOT, Api
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.explore.app import ExploreApp

__all__ = ["api", "ask", "engine", "existing"]

MAPPING = """\
mappings:
- name: test_case
  doc_type: case
  type: aggregator
  root: case
  props: [{name: submitter_id}, {name: project_id}, {name: consent_codes}, {name: disease_type}]
  parent_props: [{path: "experiments[experiment:submitter_id]"}]
  aggregated_props:
  - {name: demographics, path: demographics, fn: count}
  - {name: ages, path: demographics, src: age, fn: sum}
  - {name: born, path: demographics, src: year_of_birth, fn: max}
"""


def test_a_start_adds_tables_of_its_own_and_changes_none(existing: Existing) -> None:
    assert {name: existing.catalogue_then[name] for name in existing.catalogue} == existing.catalogue


def test_a_start_changes_no_row(existing: Existing) -> None:
    assert {name: existing.contents_then[name] for name in existing.contents} == existing.contents


def mine(kind: str) -> dict[str, dict[str, Any]]:
    """Records of the project ``one`` that no test changes, by id."""
    changed = (CHANGED, "no uuid", "no uuid/2", LINKED)
    return {
        id_: properties
        for id_, properties in NODES[kind.replace("_", "")].items()
        if (properties or {}).get("project_id") == "P-one" and id_ not in changed
    }


LINKS = {
    CASE: {"experiments": [(EXPERIMENT, "e"), (OTHER, "other")]},
    SAMPLE: {"cases": [(CASE, "Case-A")]},
    ALIQUOT: {"samples": [(SAMPLE, "s")], "cases": [("without a key", None)]},
    **{guid("d", number): {"cases": [(CASE, "Case-A")]} for number in range(2)},
    **{guid("e", number): {"aliquots": [(ALIQUOT, "a")]} for number in range(2)},
}
KINDS = ["case", "sample", "aliquot", "demographic", "reads_file", "submitted_aligned_reads"]


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_exported_as_they_are(api: Api, kind: str) -> None:
    answer = api("GET", f"/P/one/export?node_label={kind}&format=json").json()["data"]
    exported = {each["id"]: each for each in answer}
    for id_, properties in mine(kind).items():
        links = {
            name: [{"node_id": target, "submitter_id": key} for target, key in targets]
            for name, targets in LINKS.get(id_, {}).items()
        }
        expected = {**without_nulls(properties, "gone"), **links, "type": kind, "id": id_}
        if id_ == CASE:
            expected["consent_codes"] = ["a"]
        assert exported[id_] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_every_record_and_link(api: Api, kind: str) -> None:
    text = api("GET", f"/P/one/export?node_label={kind}&format=tsv").text
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text), delimiter="\t")}
    for id_, properties in mine(kind).items():
        row = rows[id_]
        shown = {name: value for name, value in without_nulls(properties).items() if name in row}
        assert {name: row[name] for name in shown} == {name: str(value) for name, value in shown.items()}
        for name, targets in LINKS.get(id_, {}).items():
            ids, keys = ([end or "" for end in ends] for ends in zip(*targets, strict=True))
            assert (row[f"{name}.id"], row[f"{name}.submitter_id"]) == (",".join(ids), ",".join(keys))


def test_an_entity_is_read_with_what_the_dictionary_no_longer_has(api: Api) -> None:
    [entity] = api("GET", f"/P/one/entities/{CASE}").json()["entities"]
    links = [{"id": id_, "submitter_id": key} for id_, key in LINKS[CASE]["experiments"]]
    expected = {**NODES["case"][CASE], "id": CASE, "type": "case", "links": links}
    assert entity == {"program": "P", "project": "one", "properties": expected}


def test_queries_answer_what_is_stored(ask: Callable[[str], Any]) -> None:
    data = ask(
        f"""{{ case(id: "{CASE}") {{ submitter_id disease_type consent_codes primary_site created_datetime
                 experiments {{ submitter_id }} demographics {{ submitter_id gender age }} }}
               aliquot {{ cases {{ id submitter_id }} samples {{ id }} submitted_aligned_reads_files {{ id }} }}
               project(first: 0) {{ project_id state }} datanode {{ id type }} }}"""
    )
    assert data == {
        "case": [
            {
                "submitter_id": "Case-A", "disease_type": "carcinoma", "consent_codes": ["a"], "primary_site": None,
                "created_datetime": MOMENT, "experiments": [{"submitter_id": "e"}, {"submitter_id": "other"}],
                "demographics": [
                    {"submitter_id": "d0", "gender": None, "age": 61.0},
                    {"submitter_id": "d1", "gender": "?", "age": None},
                ],
            }
        ],
        "aliquot": [
            {
                "cases": [{"id": "without a key", "submitter_id": None}], "samples": [{"id": SAMPLE}],
                "submitted_aligned_reads_files": [{"id": guid("e", 0)}, {"id": guid("e", 1)}],
            }
        ],
        "project": [{"project_id": "P-one", "state": "open"}, {"project_id": "P-two", "state": "open"}],
        "datanode": [
            {"id": READS, "type": "reads_file"},
            *({"id": guid("e", number), "type": "submitted_aligned_reads"} for number in range(2)),
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ('case(submitter_id: "Case-A", project_id: "P-one")', CASE),
        ('case(disease_type: "carcinoma", consent_codes: ["a"])', CASE),
        ('case(project_id: "P-two")', "elsewhere"),
        ('case(ids: ["null"])', "null"),
        ("demographic(age: 61)", guid("d", 0)),
        ('demographic(gender: "?", year_of_birth: 1500)', guid("d", 1)),
    ],
)
def test_filters_find_what_is_stored(ask: Callable[[str], Any], arguments: str, found: str) -> None:
    [each] = ask(f"{{ {arguments} {{ id }} }}").values()
    assert each == [{"id": found}]


def test_records_of_no_project_are_in_no_project(api: Api) -> None:
    assert api("GET", "/P/one/entities/null").status_code == 404
    assert api("DELETE", "/P/one/entities/empty").status_code == 400


def test_the_log_tells_of_earlier_transactions(ask: Callable[[str], Any]) -> None:
    fields = "id role state submitter documents { doc_format name } snapshots { id action }"
    data = ask(f"{{ transaction_log(first: {len(LOGS)}) {{ {fields} }} }}")["transaction_log"]
    expected = [
        {
            "id": str(number), "role": log["role"], "state": log.get("state", "SUCCEEDED"),
            "submitter": log.get("submitter", "ann"),
            "documents": [{"doc_format": log["doc_format"], "name": log.get("name")}] if "doc_format" in log else [],
            "snapshots": [{"id": id_, "action": action} for id_, action, *_ in log.get("snapshots", ())],
        }
        for number, log in enumerate(LOGS, 1)
    ]  # fmt: skip
    assert data == expected


def test_documents_of_the_explorer_are_built_of_it(
    existing: Existing, run_service: Callable[..., Any], token: Callable[..., str], tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("explore")
    (folder / "etlMapping.yaml").write_text(MAPPING)
    settings = {"mapping_file": str(folder / "etlMapping.yaml"), "index_dir": str(folder / "index")}
    explore = run_service(ExploreApp, **existing.settings, ExploreSettings=settings)
    explore.hold(SNAPSHOT)
    eventually(lambda: explore.app.active, 30)
    query = """{ case(filter: {in: {submitter_id: ["Case-A"]}}) {
                   _case_id submitter_id consent_codes disease_type demographics ages born experiment } }"""
    answer = requests.post(
        f"{explore.url}/guppy/graphql", json={"query": query}, headers=bearer(token("admin")), timeout=30
    ).json()
    [document] = answer["data"]["case"]
    assert {**document, "experiment": sorted(document["experiment"])} == {
        "_case_id": CASE, "submitter_id": "Case-A", "consent_codes": ["a"], "disease_type": "carcinoma",
        "demographics": 2, "ages": 61, "born": 1980, "experiment": ["e", "other"],
    }  # fmt: skip


def test_a_release_has_every_record_as_it_is_stored(api: Api) -> None:
    made = api("POST", "/P/one/releases", {}).json()
    export = f"/P/one/releases/{made['id']}/export?format=json&node_label="
    exports = [api("GET", export + label).text for label in made["counts"]]
    assert published()["checksum"](exports) == made["checksum"]
    [case] = [each for each in json.loads(exports[list(made["counts"]).index("case")])["data"] if each["id"] == CASE]
    assert (case["gone"], case["consent_codes"]) == ({"deep": [1, None, "é😀"]}, "a")
    assert len(case["experiments"]) == 2
