"""Queries made from a dictionary are queries of its schema."""

import pytest
from graphql import parse, validate
from tests.dictionaries import FOLDERS, folder

from commonshub.core import dictionary
from commonshub.portal.examples import examples, records
from commonshub.portal.model import read
from commonshub.query.schema import build


@pytest.mark.parametrize("name", FOLDERS)
def test_every_example_is_valid_in_the_schema_of_its_dictionary(name: str) -> None:
    loaded = dictionary.load(folder(name))
    schema, nodes = build(loaded), read(loaded.document)
    made = [*examples(nodes), *(each for node in nodes for each in examples(nodes, node))]
    made += [records(nodes, node) for node in nodes.values()]
    faults = {each.query: validate(schema, parse(each.query)) for each in made}
    assert {query: found for query, found in faults.items() if found} == {}


def test_the_first_example_of_a_type_lists_its_records_with_what_they_belong_to() -> None:
    nodes = read(dictionary.load(folder("demo")).document)
    query = examples(nodes, "aliquot")[0].query
    assert query.startswith("{\n  aliquot(first: 10) {\n    id\n    submitter_id\n")
    assert "    samples {\n      id\n" in query
    assert "      cases {\n        id\n" in query


def test_there_is_an_example_of_each_kind() -> None:
    made = examples(read(dictionary.load(folder("demo")).document))
    for part in ("_case_count", "(first: 10)", "with_path_to", "_aggregate"):
        assert any(part in each.query for each in made)


def test_without_a_dictionary_there_is_no_example() -> None:
    assert examples({}) == []
