"""A project goes through its states in order."""

from typing import Any

import pytest

from commonshub.core.errors import BadRequest
from commonshub.submission.lifecycle import STEPS, changes

STATES = ["open", "review", "submitted", "closed"]
KNOWN: dict[str, list[str]] = {"state": STATES, "releasable": [], "released": []}


@pytest.mark.parametrize(
    ("step", "project", "changed"),
    [
        ("open", {"state": "review"}, {"state": "open"}),
        ("open", {"state": "submitted"}, {"state": "open"}),
        ("open", {}, {"state": "open"}),
        ("review", {"state": "open"}, {"state": "review"}),
        ("submit", {"state": "review"}, {"state": "submitted", "releasable": True}),
        ("release", {"state": "submitted", "releasable": True}, {"released": True}),
    ],
)
def test_a_step_changes_the_project(step: str, project: dict[str, Any], changed: dict[str, Any]) -> None:
    assert changes(step, project, KNOWN) == changed


@pytest.mark.parametrize(
    ("step", "project", "told"),
    [
        ("review", {"state": "review"}, "starts from 'open'"),
        ("review", {"state": "submitted"}, "is in state 'submitted'"),
        ("submit", {"state": "open"}, "starts from 'review'"),
        ("release", {"state": "submitted"}, "not releasable"),
        ("release", {"state": "submitted", "releasable": False}, "not releasable"),
        ("release", {"state": "submitted", "releasable": "yes"}, "not releasable"),
    ],
)
def test_a_step_out_of_order_is_refused(step: str, project: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        changes(step, project, KNOWN)


def test_a_state_that_the_dictionary_does_not_have_is_refused() -> None:
    with pytest.raises(BadRequest, match="only open, review"):
        changes("submit", {"state": "review"}, {"state": ["open", "review"]})


@pytest.mark.parametrize("step", STEPS)
def test_marks_that_the_dictionary_does_not_have_are_not_made(step: str) -> None:
    start = STEPS[step].start or ("open",)
    assert changes(step, {"state": start[0]}, {}).keys() <= {"state"}
