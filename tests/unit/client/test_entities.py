"""Tables to entities and back, and faults at their place."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.client import Refused
from commonshub.client.entities import entity, faults, flat, results, rows_of, summary


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"submitter_id": "c1", "age": 3}, {"submitter_id": "c1", "age": 3, "type": "case"}),
        ({"*submitter_id": "c1"}, {"submitter_id": "c1", "type": "case"}),
        ({"type": "sample"}, {"type": "sample"}),
        ({"a": float("nan"), "b": None, "c": pd.NA, "d": pd.NaT, "e": " "}, {"type": "case"}),
        ({"a": float("nan"), "type": pd.NA}, {"type": "case"}),
        ({"cases.submitter_id": "c1"}, {"cases": {"submitter_id": "c1"}, "type": "case"}),
        (
            {"cases.submitter_id": "c1, c2"},
            {"cases": [{"submitter_id": "c1"}, {"submitter_id": "c2"}], "type": "case"},
        ),
        ({"cases.submitter_id": ["c1"]}, {"cases": {"submitter_id": "c1"}, "type": "case"}),
        ({"at": pd.Timestamp("2026-01-02")}, {"at": "2026-01-02T00:00:00", "type": "case"}),
        ({"tags": ["a", "b"]}, {"tags": ["a", "b"], "type": "case"}),
    ],
)
def test_a_row_becomes_an_entity(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert entity(row, "case") == expected


def test_numbers_of_a_table_are_plain() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "x": [1.5, 2.5], "b": [True, False]})
    _, rows = rows_of(frame)
    entities = [entity(row) for row in rows]
    assert entities == [{"n": 1, "x": 1.5, "b": True}, {"x": 2.5, "b": False}]
    assert [type(value) for value in entities[0].values()] == [int, float, bool]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": 1}, {"a": 1}),
        ({"cases": [{"node_id": "1", "submitter_id": "c1"}]}, {"cases.submitter_id": "c1"}),
        ({"cases": [{"submitter_id": "c1"}, {"submitter_id": "c2"}]}, {"cases.submitter_id": "c1,c2"}),
        ({"projects": {"code": "p"}}, {"projects.code": "p"}),
        ({"cases": [{"node_id": "1"}]}, {"cases.id": "1"}),
        ({"tags": ["a"]}, {"tags": ["a"]}),
        ({"cases": []}, {"cases": []}),
    ],
)
def test_an_exported_entity_becomes_a_row(document: dict[str, Any], expected: dict[str, Any]) -> None:
    assert flat(document) == expected


@given(st.lists(st.text("abc123-", min_size=1), min_size=1, unique=True))
def test_links_survive_the_way_out_and_in(names: list[str]) -> None:
    exported = {"type": "sample", "cases": [{"submitter_id": name} for name in names]}
    again = entity(flat(exported))["cases"]
    assert (again if isinstance(again, list) else [again]) == exported["cases"]


@pytest.mark.parametrize("data", [[1], ["x"], [{"a": 1}, None]])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(Refused):
        rows_of(data)


FRAME = pd.DataFrame(
    {
        "submitter_id": ["s1", "s2", "s3"],
        "sex": ["female", "martian", "male"],
        "cases.submitter_id": ["c1", "c2", "zz"],
    },
    index=[10, 11, 12],
)
ANSWER = {
    "code": 400,
    "success": False,
    "message": "Transaction aborted due to 2 invalid entities.",
    "entities": [
        {"unique_keys": [{"submitter_id": "s1"}], "valid": True, "errors": []},
        {
            "unique_keys": [{"submitter_id": "s2"}],
            "valid": False,
            "errors": [{"keys": ["sex"], "message": "'martian' is not one of"}],
        },
        {
            "unique_keys": [{"submitter_id": "s3"}],
            "valid": False,
            "errors": [{"keys": ["cases"], "message": "No link destination"}],
        },
    ],
    "transactional_errors": [{"message": "also this"}, "and that"],
}


def test_faults_are_pinned_to_row_and_column() -> None:
    labels, rows = rows_of(FRAME)
    found = [(each["row"], each["column"], each["value"]) for each in faults(labels, rows, ANSWER)]
    assert found == [(11, "sex", "martian"), (12, "cases.submitter_id", "zz"), (None, None, None), (None, None, None)]


def test_a_commons_that_names_a_column_is_believed() -> None:
    labels, rows = rows_of(FRAME)
    told = {"keys": ["project_id", "submitter_id"], "message": "not unique", "column": "submitter_id"}
    more = {"suggestion": "Row 0 has the same", "nearest": ["s4"], "value": "s1"}
    answer = {"entities": [{"errors": [{**told, **more}]}, {}, {}]}
    [found] = faults(labels, rows, answer)
    assert (found["row"], found["column"], found["value"]) == (10, "submitter_id", "s1")
    assert (found["suggestion"], found["nearest"]) == ("Row 0 has the same", ["s4"])


def test_the_message_names_the_first_faults() -> None:
    labels, rows = rows_of(FRAME)
    text = summary(faults(labels, rows, ANSWER), 3, ANSWER)
    assert text.startswith("2 of 3 rows were refused; nothing was stored.")
    assert "row 11 (s2), column 'sex': 'martian' is not one of" in text


def test_an_answer_for_some_rows_only_finds_them_by_name() -> None:
    labels, rows = rows_of(FRAME)
    answer = {"entities": ANSWER["entities"][1:2]}
    assert [each["value"] for each in faults(labels, rows, answer)] == ["martian"]


def test_results_keep_the_labels_of_the_table() -> None:
    labels, rows = rows_of(FRAME)
    answer = {"entities": [{"id": str(n), "action": "create", "valid": True, "type": "demographic"} for n in range(3)]}
    frame = results(labels, rows, {**answer, "transaction_id": 7})
    assert list(frame.index) == [10, 11, 12]
    assert list(frame["submitter_id"]) == ["s1", "s2", "s3"]
    assert frame.attrs["transaction_id"] == 7
