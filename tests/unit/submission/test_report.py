"""What is wrong with any table can be told, and what is told changes nothing when it is sent back."""

import contextlib
import csv
import io
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.submission.test_documents import NODES

from commonshub.core.errors import BadRequest
from commonshub.submission.body import Body
from commonshub.submission.entity import Counts, Entity, Outcome
from commonshub.submission.places import MAX_VALUE_CHARS, JsonPlaces, locate
from commonshub.submission.report import listed, sent_back, sentence, written
from commonshub.submission.tables import Table
from commonshub.submission.validate import Checkers

CHECKERS = Checkers(NODES)
NAMES = ["submitter_id", "*cases.submitter_id", "cases.id", "gender", "year_of_birth", "seen_at", "alive", "age"]
ODD_NAMES = ["", "#errors", "#note", "gendr", "cases.foo", "=x", "state", "consent_codes"]
CELLS = st.sampled_from(["", "null", "x", "1", "1e3", "-1", "true", "F", "a,b", "2020-01-01", "=1", '"', "a\nb", "\t"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, str]:
    """A text and its delimiter."""
    delimiter = draw(st.sampled_from("\t,"))
    names = draw(st.lists(st.sampled_from([*NAMES, *ODD_NAMES]), max_size=6, unique=True))
    header = draw(st.permutations(["type", *names]))
    kinds = st.sampled_from(["case", "demographic", "sample", "", "caes", "program"])
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(header)
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.lists(CELLS | TEXTS, max_size=len(header) + 2))
        place = header.index("type")
        if place < len(row):
            row[place] = draw(kinds)
        writer.writerow(row)
    return buffer.getvalue(), delimiter


def outcome_of(table: Table) -> tuple[list[Any], Outcome]:
    """The documents, and what reading and the schemas find wrong with them."""
    documents, entities = [], []
    for number, document in table:
        documents.append((number, document))
        entity = Entity(document, None, "P-one", number=number)
        kind = document.get("type")
        entity.errors = list(table.faults.get(number, ()))
        if not entity.errors and kind in NODES:
            entity.errors = CHECKERS[kind].faults(document)
        locate(entity, table.places)
        entities.append(entity.answer())
    return documents, Outcome(1, entities, [], True, 200)


@given(tables())
@settings(max_examples=300, deadline=None)
def test_any_table_comes_back_as_it_was_read(table: tuple[str, str]) -> None:
    text, delimiter = table
    first = Table(Body.of(text.encode()), delimiter, NODES, 1000)
    documents, outcome = outcome_of(first)
    assert orjson.loads(orjson.dumps(outcome.answer()))
    told = [error for entity in outcome.entities for error in entity["errors"]]
    assert all(error["rule"] and error["suggestion"] and error["row"] > 1 for error in told)
    back = b"".join(written(sent_back(first.rows(), outcome), delimiter))
    second = Table(Body.of(back), delimiter, NODES, 100_000)
    again, outcome_again = outcome_of(second)
    assert again == documents
    assert outcome_again.answer() == outcome.answer()
    assert b"".join(written(sent_back(second.rows(), outcome_again), delimiter)) == back
    assert len(list(listed(outcome))) == len(told) + 1


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.sampled_from("\t,"))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str, delimiter: str) -> None:
    with contextlib.suppress(BadRequest):
        outcome_of(Table(Body.of(text.encode()), delimiter, NODES, 1000))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["submitter_id", "cases", "gender", "year_of_birth", "seen_at", "alive", "age", "id"]) | TEXTS


@given(st.dictionaries(KEYS, VALUES, max_size=6), st.sampled_from(["demographic", "case", "sample"]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_what_is_wrong_with_any_record_can_be_told(record: dict[str, Any], kind: str, single: bool) -> None:
    entity = Entity({**record, "type": kind}, NODES[kind], "P-one", number=3)
    entity.errors = CHECKERS[kind].faults(entity.document)
    locate(entity, JsonPlaces(single))
    told = orjson.loads(orjson.dumps(entity.answer()))["errors"]
    assert bool(told) is not CHECKERS[kind].is_valid(entity.document)
    assert all(each["rule"] and each["suggestion"] and each["row"] == 3 for each in told)
    assert all(len(str(each["value"])) <= MAX_VALUE_CHARS for each in told)


@pytest.mark.parametrize("column", ["=cmd", "+1", "-1", "@x"])
def test_a_sentence_is_no_formula(column: str) -> None:
    assert sentence({"column": column, "message": "wrong"}).startswith("'")


@pytest.mark.parametrize(
    ("invalid", "title"), [(1, "#errors"), (5, "#errors (of the first 1 faulty rows; 4 more are faulty)")]
)
def test_rows_that_are_not_told_of_are_counted(invalid: int, title: str) -> None:
    fault = {"row": 2, "column": "a", "message": "wrong", "suggestion": None}
    told = {"valid": False, "action": None, "errors": [fault]}
    outcome = Outcome(1, [told], [], True, 200, counts=Counts(total=9, invalid=invalid))
    assert next(sent_back([(1, ["a"])], outcome)) == [title, "a"]
    _, wrong, right = sent_back([(1, ["a"]), (2, ["x"]), (3, ["y"])], outcome)
    assert (wrong, right) == (["a: wrong", "x"], ["", "y"])
