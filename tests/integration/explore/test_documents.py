"""The documents that a build makes of a graph."""

from typing import Any

import pytest

from .conftest import Builder, Explorer

CASE = """{ case(filter: {"=": {submitter_id: "%s"}}) { _case_id submitter_id project_id auth_resource_path site
  project_name code program_names license sex age vital_status _samples_count _aliquots_count sample_types
  all_sample_types radius_sum radius_min radius_max data_format file_total
  samples { submitter_id sample_type aliquots { submitter_id radius } } } }""".replace('"="', "eq")


def case(explorer: Explorer, name: str) -> dict[str, Any]:
    found = explorer.query(CASE % name)["case"]
    assert len(found) == 1
    document: dict[str, Any] = found[0]
    return document


BLOOD = 'Blood, "whole"\nand fresh'


@pytest.mark.parametrize(
    ("field", "value"),
    {
        "project_id": "P-one",
        "auth_resource_path": "/programs/P/projects/one",
        "site": "lung",
        "project_name": ["Project one"],
        "program_names": ["P"],
        "license": "CC0",
        "sex": "female",
        "age": 61,
        "vital_status": "dead",
        "_samples_count": 2,
        "_aliquots_count": 3,
        "sample_types": [BLOOD, "Tumor"],
        "radius_sum": 11.75,
        "radius_min": 1.5,
        "radius_max": 7.25,
        "data_format": ["CSV", "DCM"],
        "file_total": 5_000_000_007,
    }.items(),
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_block_of_the_mapping_fills_its_field(explorer: Explorer, field: str, value: Any) -> None:
    assert case(explorer, "c1")[field] == value


def test_nested_objects_hold_nested_objects(explorer: Explorer) -> None:
    samples = sorted(case(explorer, "c1")["samples"], key=lambda sample: sample["submitter_id"])
    assert [sample["sample_type"] for sample in samples] == ["Tumor", BLOOD]
    assert sorted((each["submitter_id"], each["radius"]) for each in samples[0]["aliquots"]) == [("a1", 1.5), ("a2", 3)]


def test_a_case_without_relatives_has_zero_counts_empty_lists_and_nulls(explorer: Explorer) -> None:
    document = case(explorer, "c3")
    empty = {
        key: document[key] for key in ("_samples_count", "_aliquots_count", "sample_types", "samples", "data_format")
    }
    assert empty == {"_samples_count": 0, "_aliquots_count": 0, "sample_types": [], "samples": [], "data_format": []}
    assert [document[key] for key in ("sex", "age", "radius_sum", "radius_max", "site", "vital_status")] == [None] * 6


def test_an_unlisted_value_stays_as_it_is(explorer: Explorer) -> None:
    assert case(explorer, "c2")["site"] == "Breast"


def test_a_file_belongs_to_all_its_cases_and_knows_its_node(explorer: Explorer, graph: Builder) -> None:
    query = """{ file(sort: [{file_name: "asc"}]) { file_name file_size source_node _case_id case_submitter_id
                 project_id program_name project_code modality } }"""
    files = {each["file_name"]: each for each in explorer.query(query)["file"]}
    assert files["m.csv"] == {
        "file_name": "m.csv",
        "file_size": 5_000_000_000,
        "source_node": "measurement_file",
        "_case_id": sorted([graph.ids["c1"], graph.ids["c2"]]),
        "case_submitter_id": ["c1", "c2"],
        "project_id": "P-one",
        "program_name": "P",
        "project_code": "one",
        "modality": None,
    }
    assert files["x.csv"]["case_submitter_id"] == ["c2"]
    assert files["i.dcm"]["modality"] == "CT"


def test_filters_choose_documents_and_elements_and_joins_take_any_field(explorer: Explorer) -> None:
    query = """{ tumor { submitter_id kind vital_states program tumors { submitter_id } pieces { submitter_id }
                 files formats
                 sex all_types } }"""
    found = explorer.query(query)["tumor"]
    found[0]["pieces"].sort(key=lambda piece: piece["submitter_id"])
    assert found == [
        {
            "submitter_id": "c1",
            "kind": "case",
            "vital_states": ["alive", "dead"],
            "program": "P",
            "tumors": [{"submitter_id": "s2"}],
            "pieces": [{"submitter_id": "a2"}, {"submitter_id": "a3"}],
            "files": 3,
            "formats": ["CSV", "DCM", "TSV"],
            "sex": "female",
            "all_types": [BLOOD, "Tumor"],
        }
    ]


def test_projects_are_documents_too(explorer: Explorer) -> None:
    found = explorer.query('{ project(sort: {code: "desc"}) { code project_id program_name auth_resource_path } }')
    assert found["project"][0] == {
        "code": "two",
        "project_id": "P-two",
        "program_name": "P",
        "auth_resource_path": "/programs/P/projects/two",
    }
