"""What is counted of records and what is told, whenever their faults are found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.submission.entity import CREATE, Entity, Outcome, fault
from commonshub.submission.tally import Tally


def entity(number: int, *, faulty: bool = False) -> Entity:
    errors = [fault("ERROR", "early")] if faulty else []
    return Entity({"type": "case"}, None, "P-one", str(number), number, action=CREATE, errors=errors)


def late(tally: Tally, number: int, *, known: bool) -> None:
    found = entity(number)
    found.errors.append(fault("INVALID_LINK", "late"))
    tally.add_fault(number, found.answer(), known=known)


def outcome(tally: Tally) -> Outcome:
    return Outcome(1, tally.told(), tally.faults, False, 200, counts=tally.counts)


@pytest.mark.parametrize(("most", "most_faulty"), [(10, 10), (2, 1), (2, 0)])
def test_a_record_with_several_late_faults_is_counted_once(most: int, most_faulty: int) -> None:
    tally = Tally(most, most_faulty)
    tally.add(entity(number) for number in range(4))
    for number in (3, 3, 1, 3):
        late(tally, number, known=False)
    assert tally.counts.invalid == 2


def test_faults_that_are_not_told_are_counted_in_the_sentence() -> None:
    tally = Tally(2, 1)
    tally.add([entity(0, faulty=True), entity(1), entity(2), entity(3)])
    for number in (2, 2, 3):
        late(tally, number, known=False)
    told = outcome(tally).answer()
    assert told["message"] == "Transaction aborted due to 3 invalid entities, 2 of them not told."


EVENTS = st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=12)


@given(early=st.sets(st.integers(0, 7)), found=EVENTS, most=st.integers(1, 9), most_faulty=st.integers(0, 9))
def test_counts_are_those_of_all_records_whatever_is_told(
    early: set[int], found: list[Any], most: int, most_faulty: int
) -> None:
    tally = Tally(most, most_faulty)
    tally.add(entity(number, faulty=number in early) for number in range(8))
    for number, _ in found:
        late(tally, number, known=number in early)
    faulty = early | {number for number, _ in found}
    assert tally.counts.invalid == len(faulty)
    assert {each["unique_keys"][0]["submitter_id"] for each in tally.told() if not each["valid"]} <= set(
        map(str, faulty)
    )
