"""Rules of links, of schemas and of answers."""

from pathlib import Path
from typing import Any

import pytest

from commonshub.core.dictionary import load
from commonshub.core.uuids import fresh
from commonshub.submission.deletion import broken
from commonshub.submission.entity import Entity, Outcome
from commonshub.submission.ids import is_uuid
from commonshub.submission.links import broken_rules, filled, read_targets
from commonshub.submission.validate import Checkers

NODES = load(str(Path(__file__).parents[2] / "data" / "dictionary")).nodes
CHECKERS = Checkers(NODES)


def entity(kind: str, **document: Any) -> Entity:
    return Entity({"type": kind, **document}, NODES[kind], "P-one", "x")


@pytest.mark.parametrize(
    ("value", "targets"),
    [
        ({"submitter_id": "a"}, [{"submitter_id": "a"}]),
        ({"id": "1", "submitter_id": "a", "more": 2}, [{"id": "1", "submitter_id": "a"}]),
        ([{"node_id": "1", "submitter_id": "a"}], [{"submitter_id": "a"}]),
        ([{"node_id": "1"}], [{"id": "1"}]),
        (None, []),
    ],
)
def test_targets_are_read_from_objects_and_lists(value: Any, targets: list[dict[str, str]]) -> None:
    read = entity("sample", cases=value)
    read_targets(read, NODES["sample"])
    assert (read.targets, read.errors) == ({"cases": targets}, [])


@pytest.mark.parametrize(
    "value", ["a", 1, {}, {"submitter_id": 1}, [{"submitter_id": "a"}, None], {"submitter_id": None}]
)
def test_what_is_no_target_is_an_error(value: Any) -> None:
    read = entity("sample", cases=value)
    read_targets(read, NODES["sample"])
    assert [error["type"] for error in read.errors] == ["INVALID_LINK"]


@pytest.mark.parametrize(
    ("links", "stored", "faults"),
    [
        ({"samples": ["1"]}, (), 0),
        ({}, ("samples",), 0),
        ({}, (), 1),
        ({"samples": []}, ("samples",), 1),
        ({"samples": ["1"], "cases": ["2"]}, (), 1),
        ({"cases": ["2"]}, ("samples",), 1),
        ({"cases": ["2"], "samples": []}, ("samples",), 0),
    ],
)
def test_groups_look_at_what_will_be_stored(links: dict[str, list[str]], stored: tuple[str, ...], faults: int) -> None:
    checked = entity("aliquot")
    checked.targets = {name: [{"id": id_} for id_ in ids] for name, ids in links.items()}
    checked.parents = {name: {"3"} for name in stored}
    assert len(list(broken_rules(NODES["aliquot"], filled(checked)))) == faults


@pytest.mark.parametrize(
    ("kind", "kept", "result"),
    [("sample", {"cases"}, False), ("sample", set(), True), ("aliquot", {"cases"}, False), ("aliquot", set(), True)],
)
def test_a_record_cannot_be_without_its_required_links(kind: str, kept: set[str], result: bool) -> None:
    assert broken(NODES[kind], kept) is result


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("cases.submitter_id#1", "a column cases.submitter_id,"),
        ("gender.id", "Did you mean 'gender'?"),
        ("zzz.id", "Take 'zzz.id' out"),
    ],
)
def test_a_column_that_names_targets_by_something_else_is_told_how_to(name: str, suggestion: str) -> None:
    [found] = CHECKERS["demographic"].faults(
        {"type": "demographic", "submitter_id": "x", "cases": [{"submitter_id": "a"}], name: "b"}
    )
    assert (found["keys"], suggestion in found["suggestion"]) == ([name], True)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, {("MISSING_PROPERTY", "type"), ("MISSING_PROPERTY", "submitter_id"), ("MISSING_PROPERTY", "cases")}),
        ({"type": "demographic", "submitter_id": "x", "cases": 3}, {("INVALID_LINK", "cases")}),
        (
            {"type": "demographic", "submitter_id": "x", "cases": {}, "year_of_birth": "1900", "a": 1},
            {("INVALID_VALUE", "year_of_birth"), ("ERROR", "a")},
        ),
        ({"type": "demographic", "submitter_id": "x", "cases": {}, "seen_at": "2020-01-01"}, {("ERROR", "seen_at")}),
        ({"type": "demographic", "submitter_id": "x", "cases": {}, "seen_at": "2020-01-01T00:00:00Z"}, set()),
        (
            {"type": "demographic", "submitter_id": "x", "cases": {}, "year_of_birth": 1800},
            {("ERROR", "year_of_birth")},
        ),
    ],
)
def test_faults_are_sorted_by_kind_and_name_the_property(document: dict[str, Any], told: set[tuple[str, str]]) -> None:
    faults = CHECKERS["demographic"].faults(document)
    assert {(each["type"], key) for each in faults for key in each["keys"]} == told


@pytest.mark.parametrize(
    ("entities", "errors", "dry_run", "code", "message"),
    [
        ([True], [], False, 201, "Transaction successful."),
        ([True], [], True, 200, "Transaction would have been successful. User selected dry run option"),
        ([False], [], False, 400, "Transaction aborted due to 1 invalid entity."),
        ([False, False], ["x"], False, 400, "aborted due to 2 invalid entities and 1 transactional error(s)."),
        ([], ["x"], True, 400, "Transaction aborted due to 1 transactional error(s)."),
        ([], [], False, 201, "Transaction successful."),
    ],
)
def test_the_answer_sums_up(entities: list[bool], errors: list[str], dry_run: bool, code: int, message: str) -> None:
    answers = [{"valid": valid, "action": "create"} for valid in entities]
    answer = Outcome(1, answers, errors, dry_run, 201).answer()
    assert (answer["code"], answer["success"]) == (code, code < 400)
    assert message in answer["message"]
    assert answer["created_entity_count"] == (len(entities) if code < 400 else 0)


@pytest.mark.parametrize(
    ("text", "result"),
    [(fresh(1)[0], True), ("x", False), ("{" + fresh(1)[0] + "}", False)],
    ids=["usual", "none", "in braces"],
)
def test_a_uuid_is_known_by_its_usual_form(text: str, result: bool) -> None:
    assert is_uuid(text) is result
