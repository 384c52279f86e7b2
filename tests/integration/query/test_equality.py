"""What a property equals, by whatever index it is found, is decided by what is stored and not by how."""

from typing import Any

import pytest
import sqlalchemy as sa
from tests.integration.query.conftest import Client, writing

STORED: dict[str, Any] = {
    "text": "male",
    "upper": "Male",
    "number": 5,
    "numeral": "5",
    "decimal": 5.0,
    "dashed": "5-b",
    "negative": -2.5,
    "truthful": "trueness",
    "true": True,
    "truth": "true",
    "list": ["male"],
    "object": {"male": 1},
    "null": None,
    "word null": "null",
    "empty": "",
    "quote": "it's \"50%\" \\ of 'them'",
}


@pytest.fixture(scope="module")
def odd(empty_client: Client) -> Client:
    """Studies whose topic, a text, is stored as earlier dictionaries let it, and cases likewise by their age."""
    with writing(empty_client.running) as connection:
        for id_, value in STORED.items():
            for table, key in (("node_study", "topic"), ("node_case", "age")):
                connection.execute(
                    sa.text(f"insert into graph.{table} (node_id, _props) values (:id, :props)").bindparams(
                        sa.bindparam("props", type_=sa.JSON)
                    ),
                    {"id": id_, "props": {"submitter_id": id_, "project_id": "P-Q", key: value}},
                )
    return empty_client


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ('"male"', {"text"}),
        ('"Male"', {"upper"}),
        ('"5"', {"number", "numeral"}),
        ('"5.0"', {"decimal"}),
        ('"5-b"', {"dashed"}),
        ('"-2.5"', {"negative"}),
        ('"trueness"', {"truthful"}),
        ('"true"', {"true", "truth"}),
        ('"null"', {"word null"}),
        ('""', {"empty"}),
        ('"it\'s \\"50%\\" \\\\ of \'them\'"', {"quote"}),
        ('["male", "5", "Male"]', {"text", "upper", "number", "numeral"}),
        ('["male", null]', {"text", "null"}),
        ('["a", "b", "c", "d", "e", "f", "g", "h", "i", "male"]', {"text"}),
    ],
)
def test_a_text_equals_what_is_stored_as_it(odd: Client, asked: str, found: set[str]) -> None:
    rows = odd.ask(f"{{ study(topic: {asked}, first: 0) {{ id }} }}")["study"]
    assert {row["id"] for row in rows} == found
    if asked.startswith("["):
        return
    rest = odd.ask(f"{{ study(not: [{{topic: {asked}}}], first: 0) {{ id }} }}")["study"]
    assert {row["id"] for row in rest} == STORED.keys() - found


@pytest.mark.parametrize(("asked", "found"), [("5", {"number", "decimal"}), ("[5, 6]", {"number", "decimal"})])
def test_a_number_equals_what_has_its_value(odd: Client, asked: str, found: set[str]) -> None:
    rows = odd.ask(f"{{ case(age: {asked}, first: 0) {{ id }} }}")["case"]
    assert {row["id"] for row in rows} == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("{gt: 4}", {"number", "decimal"}),
        ("{lt: 6}", {"number", "decimal", "negative"}),
        ("{gte: 5, lte: 5}", {"number", "decimal"}),
        ("{gt: 5}", set()),
        ("{exists: false}", {"null"}),
    ],
)
def test_a_range_of_numbers_holds_numbers_alone(odd: Client, asked: str, found: set[str]) -> None:
    rows = odd.ask(f"{{ case(filter: {{age: {asked}}}, first: 0) {{ id }} }}")["case"]
    assert {row["id"] for row in rows} == found


def test_part_of_a_text_is_found_literally(odd: Client) -> None:
    for part, found in (("50%", {"quote"}), ("\\ OF", {"quote"}), ("ale", {"text", "upper"}), ("_", set())):
        query = "query ($part: String) { study(filter: {topic: {contains: $part}}, first: 0) { id } }"
        rows = odd.ask(query, {"part": part})["study"]
        # A list and an object are stored as text, too, where a text should be.
        assert {row["id"] for row in rows} - {"list", "object"} == found
