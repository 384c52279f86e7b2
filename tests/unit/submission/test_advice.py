"""What a person is told to do."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from commonshub.submission.advice import advice


@given(st.text(max_size=20), st.text(max_size=20), st.text() | st.integers() | st.lists(st.text()))
@settings(max_examples=100, deadline=None)
def test_there_is_always_something_to_do(rule: str, column: str, bound: Any) -> None:
    assert advice(rule, column, bound)
