"""Every node type of real dictionaries has a validator, a template that can be read back, and statements."""

from pathlib import Path

import pytest

from commonshub.core.dictionary import load
from commonshub.core.graph import Graph
from commonshub.submission.documents import Limits, parse
from commonshub.submission.entity import Entity
from commonshub.submission.export import columns, template
from commonshub.submission.links import read_targets
from commonshub.submission.validate import Checkers

ROOT = Path(__file__).parents[3]
FOLDERS = {
    "small": ROOT / "tests/data/dictionary",
    "demo": ROOT / "hub_ext/commonshub/hub/demo/dictionary",
    "gen3-default": ROOT.parent / "shared/dictionaries/gen3-default",
    "bloodpac": ROOT.parent / "shared/dictionaries/bloodpac",
}


@pytest.fixture(params=FOLDERS)
def graph(request: pytest.FixtureRequest) -> Graph:
    folder = FOLDERS[request.param]
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    return Graph(load(str(folder)), "graph")


def test_templates_are_read_back(graph: Graph) -> None:
    nodes = graph.dictionary.nodes
    for node in nodes.values():
        for kind, content_type in (("tsv", "text/tsv"), ("csv", "text/csv"), ("json", "application/json")):
            [document] = parse(template(graph.dictionary, node, kind), content_type, nodes, Limits()).documents
            assert document["type"] == node.id
            known = {*node.properties, *node.links_by_name, "urls"}
            assert document.keys() <= known, (node.id, document.keys() - known)


def test_columns_name_each_property_once(graph: Graph) -> None:
    for node in graph.dictionary.nodes.values():
        names = columns(graph.dictionary, node, with_id=True)
        assert len(names) == len(set(names))
        assert {"type", "id"} <= set(names)


def test_an_empty_record_is_told_what_it_lacks(graph: Graph) -> None:
    checkers = Checkers(graph.dictionary.nodes)
    for node in graph.dictionary.nodes.values():
        faults = checkers[node.id].faults({})
        missing = {key for each in faults if each["type"] == "MISSING_PROPERTY" for key in each["keys"]}
        assert missing == node.required, node.id


def test_every_link_can_be_named_by_key(graph: Graph) -> None:
    checkers = Checkers(graph.dictionary.nodes)
    for node in graph.dictionary.nodes.values():
        for link in node.links:
            if link.target == "program":
                continue
            key = "code" if link.target == "project" else "submitter_id"
            entity = Entity({"type": node.id, link.name: {key: "x"}}, node, "P-one")
            read_targets(entity, node)
            assert entity.targets == {link.name: [{key: "x"}]}
            told = {name for each in checkers[node.id].faults(entity.document) for name in each["keys"]}
            assert link.name not in told
