"""Several documents in one body."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.dictionary import load
from commonshub.core.errors import BadRequest
from commonshub.submission.body import Body
from commonshub.submission.bulk import Bundle, divided
from commonshub.submission.documents import BULK, CONTENT_TYPES, Limits, read
from commonshub.submission.entity import Outcome

NODES = load(str(Path(__file__).parents[2] / "data" / "dictionary")).nodes
SIGNS = {"tsv": "\t", "csv": ","}


def bundle(*documents: dict[str, Any]) -> Bundle:
    made = read(Body.of(json.dumps(documents).encode()), CONTENT_TYPES[BULK], NODES, Limits())
    assert isinstance(made, Bundle)
    return made


def document(kind: str, keys: list[str], blank: bool) -> dict[str, Any]:
    """Cases with these keys; tables perhaps with a blank row before each."""
    if kind == "json":
        return {
            "name": None,
            "doc_format": "JSON",
            "doc": json.dumps([{"type": "case", "submitter_id": k} for k in keys]),
        }
    rows = [["type", "submitter_id"], *(row for key in keys for row in ([["", ""]] * blank + [["case", key]]))]
    return {"name": kind, "doc_format": kind, "doc": "".join(SIGNS[kind].join(row) + "\n" for row in rows)}


parts = st.tuples(
    st.sampled_from(["json", "tsv", "csv"]),
    st.lists(st.from_regex("[a-z]{1,5}", fullmatch=True), max_size=4),
    st.booleans(),
)


@given(st.lists(parts, min_size=1, max_size=5))
def test_records_come_in_order_and_know_their_document_and_row(parts: list[tuple[str, list[str], bool]]) -> None:
    made = bundle(*(document(*part) for part in parts))
    for _ in range(2):
        found = list(made)
        assert [each["submitter_id"] for _, each in found] == [key for _, keys, _ in parts for key in keys]
        numbers = [number for number, _ in found]
        assert numbers == sorted(set(numbers))
        places = [made.places.place(number, "submitter_id", None) for number in numbers]
        expected = [
            (index, place if kind == "json" else 2 + place * (1 + blank) + blank)
            for index, (kind, keys, blank) in enumerate(parts)
            for place in range(len(keys))
        ]
        assert [(each["document"], each["row"]) for each in places] == expected


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from(["json", "tsv", "[]", "{}", "type\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "doc_format", "doc", "x"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(values)
def test_any_value_is_read_or_refused(value: Any) -> None:
    with contextlib.suppress(BadRequest):
        list(read(Body.of(json.dumps(value).encode()), CONTENT_TYPES[BULK], NODES, Limits()))


def test_what_was_found_in_a_row_is_told_of_that_row() -> None:
    table = "type\tsubmitter_id\ncase\ta\tsurplus\ncase\n"
    made = bundle(document("json", ["x", "y"], False), {"name": "t", "doc_format": "tsv", "doc": table})
    numbers = [number for number, _ in made]
    assert numbers == [0, 1, 4, 5]
    assert (made.faults.keys(), made.warnings.keys()) == ({4}, {5})


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_outcome_of_a_single_document_is_left_as_it_is(dry_run: bool) -> None:
    reading = read(Body.of(b"[]"), "application/json", NODES, Limits())
    outcome = Outcome(1, [], [], dry_run, 200)
    assert divided(outcome, reading, []) is outcome
