"""Table and index names are those of the existing Gen3 databases."""

import pytest

from commonshub.core.dictionary import Link
from commonshub.core.graph import edge_table, index_name, node_table


@pytest.mark.parametrize(
    ("node", "table"),
    [("case", "node_case"), ("read_group", "node_readgroup"), ("a_b_c", "node_abc")],
)
def test_node_tables(node: str, table: str) -> None:
    assert node_table(node) == table


@pytest.mark.parametrize(
    ("source", "label", "target", "table"),
    [
        ("case", "member_of", "experiment", "edge_casememberofexperiment"),
        ("submitted_methylation", "data_from", "core_metadata_collection", "edge_980b791d_sumedafrcomeco"),
    ],
)
def test_edge_tables(source: str, label: str, target: str, table: str) -> None:
    assert edge_table(Link("x", "y", label, source, target, "many_to_one", True)) == table


@pytest.mark.parametrize(
    ("node", "description", "name"),
    [
        ("case", "submitter_id", "index_node_case_submitter_id"),
        ("case", "project_id_submitter_id_uniq", "index_2271f5c5_case_project_id_submitte_id_un"),
    ],
)
def test_index_names(node: str, description: str, name: str) -> None:
    assert index_name(node, description) == name
