"""Which indexes may not take the place of the one before."""

from collections.abc import Mapping

import pytest

from commonshub.explore.shrinkage import Bounds, Shrunk

BEFORE = {"case": 1000, "file": 99}


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"case": 1000, "file": 99}, ""),
        ({"case": 500, "file": 99}, ""),
        ({"case": 499, "file": 99}, "499 of case where there were 1000"),
        ({"case": 0, "file": 0}, "0 of case where there were 1000"),
        # A type that had few documents.
        ({"case": 1000, "file": 0}, ""),
        # A type that the mapping no longer has, and one that is new.
        ({"file": 99, "sample": 0}, ""),
    ],
)
def test_most_documents_of_a_type_are_not_given_up(counts: Mapping[str, int], told: str) -> None:
    bounds = Bounds(part=0.5, counted_from=100)
    if told:
        with pytest.raises(Shrunk, match=told):
            bounds.check(counts, BEFORE)
    else:
        bounds.check(counts, BEFORE)


@pytest.mark.parametrize(("part", "count", "refused"), [(1, 0, False), (0, 1000, False), (0, 999, True)])
def test_the_part_is_a_setting(part: float, count: int, refused: bool) -> None:
    bounds = Bounds(part, counted_from=1)
    if refused:
        with pytest.raises(Shrunk, match="--accept-fewer"):
            bounds.check({"case": count}, BEFORE)
    else:
        bounds.check({"case": count}, BEFORE)
