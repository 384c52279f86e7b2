"""What a diff takes for a difference, and how it is written."""

import csv
import io
from typing import Any

import orjson
import pytest

from commonshub.submission.diff import ADDED, CHANGED, REMOVED, Change, Report, differing

CHANGES = [
    Change("case", "1", "a", CHANGED, {"age": (1, None), "tags": (["x", "y"], [])}, {}),
    Change("case", "2", None, ADDED, {}, {}),
    Change("case", "3", 'tab\t"quote"\r\nline', REMOVED, {}, {}),
    Change("sample", "4", "s", CHANGED, {}, {"cases": ([{"node_id": "1", "submitter_id": "a"}], [])}),
]


def written(kind: str, changes: list[Change], summary: bool = False) -> bytes:
    report = Report("P-one-1", "current", kind, summary=summary)
    return report.head() + b"".join(map(report.add, changes)) + report.tail()


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": None}, {}, []),
        ({"a": 1}, {"b": 1}, ["a", "b"]),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": 0}, {"a": False}, ["a"]),
        ({"a": [1]}, {"a": [True]}, ["a"]),
        ({"a": "1"}, {"a": 1}, ["a"]),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, []),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, ["a"]),
    ],
)
def test_what_is_not_the_same(before: dict[str, Any], after: dict[str, Any], names: list[str]) -> None:
    assert list(differing(before, after)) == names


def test_a_table_has_a_row_for_each_property_and_link() -> None:
    _, *rows = csv.reader(io.StringIO(written("tsv", CHANGES).decode(), newline=""), delimiter="\t")
    assert rows == [
        ["case", "1", "a", "changed", "age", "1", ""],
        ["case", "1", "a", "changed", "tags", "x,y", ""],
        ["case", "2", "", "added", "", "", ""],
        ["case", "3", 'tab\t"quote"\r\nline', "removed", "", "", ""],
        ["sample", "4", "s", "changed", "cases", "a", ""],
    ]


@pytest.mark.parametrize("changes", [[], CHANGES[:1], CHANGES])
def test_json_is_whole_however_many_changes_there_are(changes: list[Change]) -> None:
    told = orjson.loads(written("json", changes))
    assert [each["id"] for each in told["changes"]] == [each.id for each in changes]
    assert sum(number for counts in told["counts"].values() for number in counts.values()) == len(changes)
    assert orjson.loads(written("json", changes, summary=True)) == {
        name: told[name] for name in ("from", "to", "counts")
    }
