"""The demo's dictionary, data, policies and mapping fit together."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from commonshub.core import dictionary
from commonshub.hub.demo import breast, imaging, lung
from commonshub.hub.demo.study import Record, SourceMissing, Study, locate

DEMO = Path(lung.__file__).parent
DICTIONARY = dictionary.load(str(DEMO / "dictionary"))
STUDIES = [lung.read(), breast.read(), imaging.read()]


def records(study: Study) -> Iterator[Record]:
    for each in study.records.values():
        yield from each
    for payload in study.payloads:
        yield {**payload.record, "object_id": "00000000-0000-0000-0000-000000000000"}


def each_study(test: Any) -> Any:
    return pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.code)(test)


@each_study
def test_every_record_is_valid(study: Study) -> None:
    validators = {
        name: jsonschema.Draft4Validator(dictionary.validation_schema(node)) for name, node in DICTIONARY.nodes.items()
    }
    faults = [
        (record["submitter_id"], error.message)
        for record in records(study)
        for error in validators[record["type"]].iter_errors(record)
    ]
    assert faults == []


@each_study
def test_every_link_points_at_a_record_of_the_study(study: Study) -> None:
    known = {(record["type"], record["submitter_id"]) for record in records(study)}
    for record in records(study):
        for link in DICTIONARY.nodes[record["type"]].links:
            if link.target != "project":
                wanted = {(link.target, each["submitter_id"]) for each in record.get(link.name, [])}
                assert wanted <= known


@each_study
def test_names_are_unique_and_parents_come_first(study: Study) -> None:
    names = [(record["type"], record["submitter_id"]) for record in records(study)]
    assert len(names) == len(set(names))
    order = list(study.records)
    for position, name in enumerate(order):
        targets = {link.target for link in DICTIONARY.nodes[name].links} - {"project"}
        assert targets <= set(order[:position])


def test_every_node_type_holds_records() -> None:
    held = {record["type"] for study in STUDIES for record in records(study)}
    assert held == set(DICTIONARY.nodes) - {"program", "project"}


@each_study
def test_the_project_states_source_citation_and_licence(study: Study) -> None:
    assert all(study.project[key] for key in ("data_source", "citation", "license", "availability_type"))
    assert set(study.project) <= set(DICTIONARY.nodes["project"].properties)
    notice = (DEMO / "SOURCES.md").read_text()
    assert f"`demo-{study.code}`" in notice


@each_study
def test_tables_have_the_rows_and_columns_that_their_records_say(study: Study) -> None:
    for payload in study.payloads:
        if payload.record["data_format"] == "CSV":
            rows = list(csv.reader(io.StringIO(payload.content.decode())))
            assert len(rows) - 1 == payload.record["row_count"]
            assert {len(row) for row in rows} == {payload.record["column_count"]}


def test_the_lung_cohort_is_the_published_one() -> None:
    diagnoses = STUDIES[0].records["diagnosis"]
    sexes = [record["sex"] for record in STUDIES[0].records["demographic"]]
    assert (len(diagnoses), sexes.count("male"), sexes.count("female")) == (228, 138, 90)
    assert sum(record["vital_status"] == "dead" for record in diagnoses) == 165


def test_the_breast_data_are_the_published_ones() -> None:
    classes = [record["classification"] for record in STUDIES[1].records["diagnosis"]]
    assert (classes.count("malignant"), classes.count("benign")) == (212, 357)


def test_images_are_the_package_s_own_bytes() -> None:
    for payload in STUDIES[2].payloads:
        assert locate("pydicom", f"pydicom/data/test_files/{payload.name}").read_bytes() == payload.content


def test_what_a_source_leaves_empty_stays_empty() -> None:
    values = [value for study in STUDIES for record in records(study) for value in record.values()]
    assert None not in values
    assert "" not in values


def test_a_missing_package_is_named() -> None:
    with pytest.raises(SourceMissing, match="nowhere-to-be-found"):
        locate("nowhere-to-be-found", "data.csv")


def test_the_mapping_names_properties_of_the_dictionary() -> None:
    mappings = {each["doc_type"]: each for each in yaml.safe_load((DEMO / "etlMapping.yaml").read_text())["mappings"]}
    case = mappings["case"]
    own = DICTIONARY.nodes["case"].properties
    assert {each["name"] for each in case["props"]} <= set(own)
    for block in case["flatten_props"]:
        child = next(link.source for link in DICTIONARY.backlinks("case") if link.backref == block["path"])
        assert {each["name"] for each in block["props"]} <= set(DICTIONARY.nodes[child].properties)
    files = [node for node in DICTIONARY.nodes.values() if node.is_file]
    known = {name for node in files for name in node.properties} | {"source_node"}
    assert {each["name"] for each in mappings["file"]["props"]} <= known


def test_administrators_may_do_everything_and_everybody_only_what_is_open() -> None:
    authz = yaml.safe_load((DEMO / "user.yaml").read_text())["authz"]
    roles = {role["id"]: [each["action"] for each in role["permissions"]] for role in authz["roles"]}
    policies = {policy["id"]: policy for policy in authz["policies"]}
    assert {"service": "*", "method": "*"} in roles["administrator"]
    assert {"/programs", "/services", "/data_file", "/workspace"} <= set(policies["administrator"]["resource_paths"])
    for name in (*authz["anonymous_policies"], *authz["all_users_policies"]):
        granted = [action for role in policies[name]["role_ids"] for action in roles[role]]
        assert not [action for action in granted if "*" in action.values()]
        assert "/programs" not in policies[name]["resource_paths"]
