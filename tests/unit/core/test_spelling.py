"""What is said to be meant."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.core.spelling import MAX_ALLOWED, nearest, nearest_first


@pytest.mark.parametrize(
    ("given_text", "choices", "likely"),
    [
        ("glimoa", ("melanoma", "glioma"), ("glioma",)),
        ("Female", ("female", "male"), ("female",)),
        ("F", ("female", "male", "unknown"), ("female",)),
        ("c_01", ("c-01", "d-01"), ("c-01",)),
        ("primary_sit", ("primary_site", "state"), ("primary_site",)),
        ("martian", ("female", "male"), ()),
        ("", ("female", "male"), ()),
        ("_", ("female", "male"), ()),
        ("case-1", ("case-2", "case-3", "case-4", "case-5"), ("case-2", "case-3", "case-4")),
    ],
)
def test_the_nearest_are_those_that_look_alike(
    given_text: str, choices: tuple[str, ...], likely: tuple[str, ...]
) -> None:
    assert nearest(given_text, choices) == likely


def test_allowed_values_are_so_many_as_can_be_read_and_begin_with_the_nearest() -> None:
    choices = tuple(f"value {number}" for number in range(1000))
    found = nearest_first("Value_17", choices)
    assert (found[0], len(found)) == ("value 17", MAX_ALLOWED)


@pytest.mark.parametrize("value", [None, 3, True, ["a"], {"a": 1}])
def test_anything_can_be_compared(value: Any) -> None:
    assert set(nearest_first(value, ("a", "b"))) == {"a", "b"}


def test_endless_values_are_compared_by_their_beginning() -> None:
    choices = tuple(f"value {number}" for number in range(1000))
    assert nearest("value 17" + " " * 10_000_000, choices)[0] == "value 17"
    assert nearest("x" * 10_000_000, choices) == ()


@given(st.text(max_size=30), st.lists(st.text(max_size=10), max_size=30).map(tuple))
@settings(max_examples=100, deadline=None)
def test_nothing_is_meant_that_is_not_there(text: str, choices: tuple[str, ...]) -> None:
    assert set(nearest(text, choices)) <= set(choices)
    assert set(nearest_first(text, choices)) <= set(choices)
