"""The dictionary as the pages show it."""

from pathlib import Path
from typing import Any

import pytest

from commonshub.core import dictionary
from commonshub.portal.model import children, kind_of, read

DEMO = Path(__file__).parents[3] / "hub_ext" / "commonshub" / "hub" / "demo" / "dictionary"


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["string", "null"]}, "string"),
        ({"type": ["integer", "string"]}, "integer or string"),
        ({"type": "integer", "minimum": 0}, "integer, 0 or more"),
        ({"type": "integer", "minimum": 0, "maximum": 100}, "integer, 0 to 100"),
        ({"type": "number", "maximum": 1}, "number, 1 or less"),
        ({"enum": ["a", "b"]}, "one of"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"oneOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "date and time"),
        ({}, ""),
    ],
)
def test_kinds_are_told_in_words(schema: dict[str, Any], kind: str) -> None:
    assert kind_of(schema) == kind


def test_node_types_are_read_and_other_entries_are_left_out() -> None:
    document = dictionary.load(str(DEMO)).document
    nodes = read({**document, "metaschema": {"id": "metaschema", "properties": {}, "links": [], "category": "data"}})
    assert set(nodes) == set(dictionary.load(str(DEMO)).nodes)


def test_links_of_groups_are_found_from_both_ends() -> None:
    nodes = read(dictionary.load(str(DEMO)).document)
    targets = {link.target for link in nodes["measurement_file"].links}
    assert targets == {"case", "aliquot", "core_metadata_collection"}
    assert "measurement_file" in {child.id for child, _ in children(nodes, "aliquot")}


def test_a_term_is_linked_only_over_http() -> None:
    entry = {
        "id": "n",
        "category": "clinical",
        "links": [],
        "properties": {"p": {"term": {"termDef": {"source": "X", "cde_id": "1", "term_url": "javascript:alert(1)"}}}},
    }
    shown = read({"n": entry})["n"].properties[0]
    assert (shown.term, shown.term_url) == ("X 1", "")
