"""The loader submits only what is missing."""

from typing import Any

import pytest

from commonshub.hub.demo.client import Refused, read_credentials
from commonshub.hub.demo.loader import says_the_same

STORED: dict[str, Any] = {
    "submitter_id": "a",
    "age": 70,
    "state": "validated",
    "cases": [{"node_id": "1", "submitter_id": "x"}, {"node_id": "2", "submitter_id": "y"}],
    "projects": [{"node_id": "3", "code": "lung"}],
}


@pytest.mark.parametrize(
    "wanted",
    [
        {"submitter_id": "a"},
        {"age": 70.0},
        {"cases": [{"submitter_id": "y"}, {"submitter_id": "x"}]},
        {"projects": {"code": "lung"}},
    ],
)
def test_what_is_stored_is_recognised(wanted: dict[str, Any]) -> None:
    assert says_the_same(STORED, wanted)


@pytest.mark.parametrize(
    "wanted", [{"age": 71}, {"sex": "male"}, {"cases": [{"submitter_id": "x"}]}, {"projects": {"code": "breast"}}]
)
def test_what_differs_is_noticed(wanted: dict[str, Any]) -> None:
    assert not says_the_same(STORED, wanted)


def test_nothing_stored_says_nothing() -> None:
    assert not says_the_same(None, {})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"api_key": 1}', "not json"])
def test_a_wrong_credentials_file_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="credentials file"):
        read_credentials(text)
