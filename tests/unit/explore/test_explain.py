"""A plan in words."""

from pathlib import Path

import pytest
from tests.integration.explore.conftest import MAPPING

import commonshub.hub.demo as demo
from commonshub.core.dictionary import load
from commonshub.explore.compiler import compile_mapping
from commonshub.explore.explain import as_data, explain
from commonshub.explore.plan import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_mapping(MAPPING, load(str(Path(demo.__file__).parent / "dictionary")))


@pytest.mark.parametrize(
    "line",
    [
        "case (index test_case): one document for each case",
        "  site (string): case.primary_site, with 1 values replaced",
        "  program_names (string list): set of program.name over projects.programs",
        "  vital_status (string): diagnosis.vital_status over diagnoses, the first by survival_days (descending)",
        "  radius_max (number): max of aliquot.nuclear_radius_mean over samples.aliquots",
        "  data_format (string list): set of file.data_format of the documents where _case_id = file._case_id",
        "  samples: one element for each sample over samples",
        "    aliquots: one element for each aliquot over aliquots",
        "      radius (number): aliquot.nuclear_radius_mean",
        "file (index test_file): one document for each imaging_file, measurement_file",
        "  modality (string): imaging_file.modality",
        "  _case_id (string list): set of case.id over every way up to case",
        "tumor (index test_tumor): one document for each case where (samples.sample_type = Tumor and "
        "(primary_site in Lung, Skin or submitter_id = c3))",
        "  auth_resource_path (string): resource path of its project",
    ],
)
def test_a_line_says_where_a_field_comes_from(plan: Plan, line: str) -> None:
    assert line in list(explain(plan))


def test_every_field_is_explained(plan: Plan) -> None:
    told = "\n".join(explain(plan))
    for doc_type in plan.doc_types:
        assert all(f"{place.field.name} (" in told for place in doc_type.places())


def test_a_plan_is_plain_data(plan: Plan) -> None:
    import json

    assert json.loads(json.dumps(as_data(plan)))["nodes"].keys() == plan.nodes.keys()
