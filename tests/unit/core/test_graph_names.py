"""Table and index names are those of the existing Gen3 databases."""

import dataclasses
from pathlib import Path

import pytest

from commonshub.core.dictionary import Link, load
from commonshub.core.errors import ValidationFailed
from commonshub.core.graph import Graph, edge_table, index_name, node_table

SMALL = Path(__file__).parents[2] / "data" / "dictionary"


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


def test_two_node_types_that_would_share_a_table_are_refused() -> None:
    dictionary = load(str(SMALL))
    nodes = dict(dictionary.nodes)
    nodes["c_ase"] = dataclasses.replace(nodes["case"], id="c_ase", links=())
    with pytest.raises(ValidationFailed, match=r"c_ase shares the table node_case with case"):
        Graph(dataclasses.replace(dictionary, nodes=nodes), "graph")
