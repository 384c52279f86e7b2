"""Every node type of real dictionaries has a validator, a template that can be read back, and statements."""

from typing import Any

import pytest
from jsonschema_rs import Draft4Validator
from tests.dictionaries import FOLDERS, folder

from commonshub.core.dictionary import NodeType, load, validation_schema
from commonshub.core.graph import Graph
from commonshub.submission.body import Body
from commonshub.submission.documents import Limits, read
from commonshub.submission.entity import Entity
from commonshub.submission.export import columns, template
from commonshub.submission.links import read_targets
from commonshub.submission.validate import Checkers

# Of these, every property of a published dictionary takes one.
VALUES: list[Any] = [
    "a text", {"submitter_id": "parent-1"}, {"code": "one"}, 1, 0.5, True, ["a"], "2024-01-31T12:00:00Z",
    "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef",
]  # fmt: skip


@pytest.fixture(params=FOLDERS)
def graph(request: pytest.FixtureRequest) -> Graph:
    return Graph(load(folder(request.param)), "graph")


def test_templates_are_read_back(graph: Graph) -> None:
    nodes = graph.dictionary.nodes
    for node in nodes.values():
        for kind, content_type in (("tsv", "text/tsv"), ("csv", "text/csv"), ("json", "application/json")):
            [(_, document)] = read(Body.of(template(graph.dictionary, node, kind)), content_type, nodes, Limits())
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


def least_record(node: NodeType) -> dict[str, Any]:
    """What is required of a record, and no more."""
    schema = validation_schema(node)
    record = {}
    for name in sorted(node.required | {link.name for link in node.links if link.required}):
        known = node.properties.get(name)
        takes = Draft4Validator(schema["properties"][name], validate_formats=True).is_valid
        record[name] = next(value for value in (*(known.enum if known else ()), *VALUES) if takes(value))
    return record


def test_a_record_of_what_is_required_is_valid(graph: Graph) -> None:
    checkers = Checkers(graph.dictionary.nodes)
    for node in graph.dictionary.nodes.values():
        record = least_record(node)
        assert checkers[node.id].faults({"type": node.id, **record}) == [], node.id
        for name in node.required:
            rest = {key: value for key, value in record.items() if key != name}
            assert checkers[node.id].faults(rest), (node.id, name)
