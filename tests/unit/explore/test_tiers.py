"""What callers learn of documents that they may not read: under each tier, and whatever they ask."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonshub.core.errors import AuthenticationRequired
from commonshub.explore.asking import SavedSet
from commonshub.explore.download import Download, encode
from commonshub.explore.duck.read import DuckReader
from commonshub.explore.endpoint import Endpoint
from commonshub.explore.grammar import parse
from commonshub.explore.requests import MASKED, Bins, Cardinality, Count, Parts, Rows, Scope, Terms, ValueCount
from commonshub.explore.rights import Rights
from commonshub.explore.tiers import Caller, Tiers

from .conftest import opened
from .model import PATHS, SETS, TYPE, Document, elements, holds, linked_out, values_of
from .samples import DOCUMENTS, every_form, filters, sets

OWN, OTHER = PATHS
LIMIT = 4
PLACES = ["sex", "tags", "age", "stays.ward", "stays.days", "stays.visits.place", "stays.visits.weight"]
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def expected(groups: dict[Any, list[Document]], whole: dict[Any, int], reach: str) -> dict[Any, int]:
    """Counts of groups of documents, as a plain reading of the rule has them."""
    found = {}
    for key, documents in groups.items():
        own = [each for each in documents if each["auth_resource_path"] == OWN]
        others = {each["_case_id"] for each in documents} - {each["_case_id"] for each in own}
        if len(others) >= LIMIT:
            found[key] = whole[key]
        elif own and reach == "all":
            found[key] = MASKED
    return found


def counted(filter: Any, reach: str) -> list[Document]:
    paths = PATHS if reach == "all" else (OTHER,)
    return [each for each in DOCUMENTS if each["auth_resource_path"] in paths and holds(filter, each)]


@UNHURRIED
@given(filter=filters, reach=st.sampled_from(["all", "others"]), path=st.sampled_from(PLACES))
def test_small_groups_of_others_are_masked(reader: DuckReader, filter: Any, reach: Any, path: str) -> None:
    place = TYPE.find(path)
    assert place is not None
    scope = Scope(TYPE, Rights(frozenset({OWN}), reach, limit=LIMIT), parse(filter, TYPE, sets=SETS))
    groups: dict[Any, list[Document]] = {}
    whole: dict[Any, int] = {}
    present: list[Document] = []
    values = 0
    for document in counted(filter, reach):
        for element in elements(document, place.nests):
            found = values_of(element, place.field.name)
            values += len(found)
            present += [document] if found else []
            for value in found or [None]:
                groups.setdefault(value, []).append(document)
                whole[value] = whole.get(value, 0) + 1
    buckets, cardinality, number = reader.answer(
        [Terms(scope, place), Cardinality(scope, place), ValueCount(scope, place)]
    )
    told = expected(groups, whole, reach)
    assert {bucket.key: bucket.count for bucket in buckets} == told
    assert cardinality == len(told.keys() - {None})
    (in_all,) = expected({"": present}, {"": values}, reach).values() or [MASKED]
    assert number == in_all


@UNHURRIED
@given(filter=filters, reach=st.sampled_from(["all", "others"]), path=st.sampled_from(["tags", "age"]))
def test_small_parts_of_others_are_masked(reader: DuckReader, filter: Any, reach: Any, path: str) -> None:
    place, other = TYPE.find("sex"), TYPE.find(path)
    assert place is not None
    assert other is not None
    groups: dict[Any, list[Document]] = {}
    for document in counted(filter, reach):
        if document["sex"] is not None:
            for value in values_of(document, path) or [None]:
                groups.setdefault((document["sex"], value), []).append(document)
    scope = Scope(TYPE, Rights(frozenset({OWN}), reach, limit=LIMIT), parse(filter, TYPE, sets=SETS))
    (found,) = reader.answer([Parts(scope, place, other)])
    told = expected(groups, {key: len(documents) for key, documents in groups.items()}, reach)
    assert {(part.bucket, part.key): part.count for part in found} == told


@UNHURRIED
@given(filter=filters, reach=st.sampled_from(["all", "others"]))
def test_a_total_is_told_when_enough_others_are_in_it(reader: DuckReader, filter: Any, reach: Any) -> None:
    documents = counted(filter, reach)
    others = [each for each in documents if each["auth_resource_path"] != OWN]
    scope = Scope(TYPE, Rights(frozenset({OWN}), reach, limit=LIMIT), parse(filter, TYPE, sets=SETS))
    assert reader.answer([Count(scope)]) == [len(documents) if len(others) >= LIMIT else MASKED]


@pytest.mark.parametrize("path", ["age", "stays.days", "stays.visits.weight"])
@pytest.mark.parametrize("bins", [{}, {"step": 1}, {"bins": 3}, {"low": 1}, {"low": 0, "high": 2, "step": 1}], ids=str)
def test_a_bin_is_told_when_enough_others_are_in_it(reader: DuckReader, path: str, bins: Any) -> None:
    place = TYPE.find(path)
    assert place is not None
    both = Scope(TYPE, Rights(frozenset({OWN}), "all", limit=LIMIT))
    scopes = [both, Scope(TYPE, Rights(frozenset(PATHS))), Scope(TYPE, Rights(frozenset({OTHER})))]
    masked, every, others = reader.answer([Bins(scope, place, **bins) for scope in scopes])
    documents = {tuple(bucket.key): bucket.count for bucket in every}
    for bucket in masked:
        if bucket.count == MASKED:
            assert (bucket.minimum, bucket.maximum, bucket.average, bucket.total) == (None,) * 4
        else:
            assert bucket.count == documents[bucket.key]
    assert sum(bucket.count != MASKED for bucket in masked) <= sum(bucket.count >= LIMIT for bucket in others)


# -- nothing that a caller can ask tells a hidden document from none --------------

ARGUMENTS = "(filter: $f, filterSelf: %s, accessibility: %s%s)"
SPLITS = {
    "": ', nestedAggFields: {missingFields: ["sex"], termsFields: ["age", "tags", "nope"]}',
    "stays": ', nestedAggFields: {missingFields: ["stays.days"], termsFields: ["stays.ward"]}',
    "stays.visits": ', nestedAggFields: {missingFields: ["nope"], termsFields: ["stays.visits.place"]}',
}
PARTS = "missingFields { count } termsFields { count terms { key count } }"
NUMBER = "histogram%s { key count min max avg sum %s } asTextHistogram { key count } _totalCount"
TEXT = "histogram { key count %s } _totalCount _cardinalityCount"
RANGES = ["", "(rangeStep: 1)", "(binCount: 2)", "(rangeStart: 1)", "(rangeStart: 0, rangeEnd: 3, rangeStep: 0.5)"]


def facets(filter_self: str, reach: str, ranges: str, field: str, split: bool) -> str:
    """A query for a facet and the total, and for the parts of its buckets."""
    *nests, name = field.split(".")
    text, number = TEXT % (PARTS if split else ""), NUMBER % (ranges, PARTS if split else "")
    selection = f"{name} {{ {number if name in ('age', 'days', 'weight') else text} }}"
    for nest in reversed(nests):
        selection = f"{nest} {{ {selection} }}"
    argument = ARGUMENTS % (filter_self, reach, SPLITS[".".join(nests)] if split else "")
    return f"query($f: JSON) {{ _aggregation {{ case{argument} {{ _totalCount {selection} }} }} }}"


def rows(argument: str) -> str:
    return (
        f"query($f: JSON, $s: JSON) {{ case{argument} {{ _case_id sex age tags _matched {{ field highlights }} "
        "stays { ward visits { place } } } }"
    )


SAVING = 'mutation($f: JSON!) { saveSet(type: case, sqon: $f, path: "%s") { ids size } }'


reaches = st.sampled_from(["all", "accessible", "unaccessible"])
fields = st.sampled_from(["project_id", "auth_resource_path", "_case_id", *PLACES])
queries = st.one_of(
    st.builds(facets, st.sampled_from(["true", "false"]), reaches, st.sampled_from(RANGES), fields, st.booleans()),
    st.builds(
        lambda reach, first, offset: rows(
            f"(filter: $f, sort: $s, accessibility: {reach}, first: {first}, offset: {offset})"
        ),
        reaches,
        st.integers(0, 200),
        st.integers(0, 50),
    ),
    st.sampled_from(["_case_id", "sex", "tags", "auth_resource_path", "age"]).map(lambda path: SAVING % path),
)
sorts = st.lists(
    st.sampled_from(["sex", "age", "_case_id", "stays.ward", "auth_resource_path"]).map(lambda name: {name: "desc"}),
    max_size=2,
)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[DuckReader]]:
    """An index, and the same without what one caller may not read; the second knows the path all the same.

    The limit on buckets is such that it is passed only if those of hidden documents count.
    """
    own = [each for each in DOCUMENTS if each["auth_resource_path"] == OWN]
    found = [opened(tmp_path_factory.mktemp("twin"), documents, len(own) + 1) for documents in (DOCUMENTS, own)]
    yield found
    for reader in found:
        reader.close()


@pytest.fixture(scope="module")
def endpoints(twins: list[DuckReader]) -> list[Endpoint]:
    return [Endpoint(reader, 1000, 0) for reader in twins]


levels = st.sampled_from(["private", "regular"])
faulty = st.sampled_from(
    [
        {"=": {"nope": OTHER}},
        {">": {"age": "c1"}},
        {"linked": {"type": "nope", "field": "sex"}},
        {"linked": {"type": "case", "field": "age", "on": "sex"}},
        {"IN": {"sex": ["set_id:nope"]}},
        {"op": "nearly", "content": {"fieldName": "auth_resource_path", "value": OTHER}},
    ]
)
highlighted = sets.map(lambda name: {"AND": [{"search": {"keyword": "c1"}}, {"IN": {"_case_id": [name, "c77"]}}]})
asked = st.one_of(every_form, highlighted, faulty)
FAULTS = ("narrow the filter", "has no", "not a number", "no document type", "different types", "operator", "saved set")


class Kept:
    """A user's saved sets, as far as a request can change them."""

    def check(self) -> None: ...

    def save(self, doc_type: str, path: str, texts: Sequence[str]) -> SavedSet:
        return SavedSet("1", "me", datetime.now(UTC), doc_type, path, len(texts))

    def page(self, first: int, offset: int) -> tuple[int, list[SavedSet]]:
        return 0, []

    def delete(self, ids: Sequence[str]) -> int:
        return 0


def answered(endpoint: Endpoint, who: Caller, query: str, filter: Any, sort: Any = None) -> Any:
    request = endpoint.read({"query": query, "variables": {"f": filter, "s": sort}}, who)
    return json.loads(endpoint.answer(replace(request, sets=SETS, set_ids=frozenset(SETS)), Kept())[1])


def caller(level: Any) -> Caller:
    """One who may read one path, where no group of others is ever large enough."""
    return Caller(Tiers(level, limit=len(DOCUMENTS)), frozenset({OWN}), whole=False)


@settings(UNHURRIED, max_examples=150)
@given(level=levels, query=queries, filter=asked, sort=sorts)
def test_hidden_documents_below_the_limit_change_no_answer(
    endpoints: list[Endpoint], level: Any, query: str, filter: Any, sort: Any
) -> None:
    answers = [answered(endpoint, caller(level), query, filter, sort) for endpoint in endpoints]
    assert answers[0] == answers[1]
    # An argument that is refused would hide what it leaks.
    for error in answers[0].get("errors", ()):
        assert error["extensions"]["code"] == 401 or any(fault in error["message"] for fault in FAULTS), error


@UNHURRIED
@given(
    level=levels,
    accessibility=st.sampled_from(["all", "accessible"]),
    format=st.sampled_from(["json", "ndjson", "csv", "tsv", "parquet"]),
    filter=every_form,
    sort=sorts,
)
def test_hidden_documents_below_the_limit_change_no_download(
    twins: list[DuckReader], level: Any, accessibility: str, format: str, filter: Any, sort: Any
) -> None:
    body = {"type": "case", "accessibility": accessibility, "format": format, "filter": filter, "sort": sort}
    answers = []
    for reader in twins:
        wanted = Download.parse(body, {"case": TYPE}, caller(level), SETS)
        wanted.check(reader)
        answers.append(b"".join(encode(reader, wanted)))
    assert answers[0] == answers[1]


def test_no_parquet_tells_whether_hidden_documents_lack_a_value(tmp_path: Path) -> None:
    files = []
    for number, theirs in enumerate(("x", None)):
        documents = [{**each, "sex": "x" if each["auth_resource_path"] == OWN else theirs} for each in DOCUMENTS]
        (folder := tmp_path / str(number)).mkdir()
        reader = opened(folder, documents)
        with reader.parquet(Rows(Scope(TYPE, Rights(frozenset({OWN}))))) as file:
            files.append(file.read())
        reader.close()
    assert files[0] == files[1]


@settings(UNHURRIED, max_examples=100)
@given(query=queries, filter=asked, sort=sorts)
def test_libre_tells_everybody_the_same(endpoints: list[Endpoint], query: str, filter: Any, sort: Any) -> None:
    everybody = [Caller(Tiers("libre"), frozenset(paths), whole=len(paths) == 2) for paths in ((), (OWN,), PATHS)]
    nobody, *others = [answered(endpoints[0], who, query, filter, sort) for who in everybody]
    assert others == [nobody, nobody]
    assert all(error["extensions"]["code"] != 401 for error in nobody.get("errors", ()))


@settings(UNHURRIED, max_examples=100)
@given(filter=every_form, reach=reaches)
def test_libre_tells_of_every_document(endpoints: list[Endpoint], filter: Any, reach: str) -> None:
    plain = linked_out(filter, DOCUMENTS)
    expected = [each["_case_id"] for each in DOCUMENTS if holds(plain, each)]
    argument = f"filter: $f, accessibility: {reach}"
    query = f"query($f: JSON) {{ case({argument}, first: 1000) {{ _case_id }} _aggregation {{ case({argument}) "
    found = answered(
        endpoints[0], Caller(Tiers("libre"), frozenset(), False), f"{query} {{ _totalCount }} }} }}", filter
    )
    assert [each["_case_id"] for each in found["data"]["case"]] == expected
    assert found["data"]["_aggregation"]["case"]["_totalCount"] == len(expected)


# -- rights -----------------------------------------------------------------------

MINE = frozenset({OWN})


@pytest.mark.parametrize(
    ("level", "whole", "accessibility", "reach", "paths"),
    [
        ("private", False, "all", "own", MINE),
        ("private", False, "unaccessible", "own", MINE),
        ("regular", False, "accessible", "own", MINE),
        ("regular", False, "all", "all", MINE),
        ("regular", False, "unaccessible", "others", MINE),
        ("regular", True, "all", "own", MINE),
        ("regular", True, "unaccessible", "own", frozenset()),
        ("libre", False, "all", "public", frozenset()),
        ("libre", False, "accessible", "public", frozenset()),
    ],
)
def test_a_tier_becomes_rights(level: Any, whole: bool, accessibility: Any, reach: str, paths: frozenset[str]) -> None:
    found = Caller(Tiers(level), MINE, whole).rights("case", accessibility)
    assert (found.reach, found.paths) == (reach, paths)


def test_document_types_can_have_tiers_of_their_own() -> None:
    tiers = Tiers("private", (("study", "libre"),))
    assert (tiers.of("case"), tiers.of("study")) == ("private", "libre")


@pytest.mark.parametrize("level", ["private", "regular", "libre"])
@pytest.mark.parametrize("accessibility", ["all", "accessible", "unaccessible"])
def test_rows_are_never_of_masked_rights(level: Any, accessibility: Any) -> None:
    caller = Caller(Tiers(level), MINE, whole=False)
    if (level, accessibility) == ("regular", "unaccessible"):
        with pytest.raises(AuthenticationRequired):
            caller.row_rights("case", accessibility)
    else:
        assert not caller.row_rights("case", accessibility)[0].masked


def test_values_can_be_told_however_small(reader: DuckReader) -> None:
    place = TYPE.find("sex")
    assert place is not None
    rights = Rights(MINE, "all", limit=1000, told=frozenset({"no data", "x"}))
    (found,) = reader.answer([Terms(Scope(TYPE, rights), place)])
    both = [each for each in DOCUMENTS if each["auth_resource_path"] in PATHS]
    counts = {bucket.key: bucket.count for bucket in found}
    assert counts[None] == sum(each["sex"] is None for each in both)
    assert (counts["x"], counts["y"]) == (sum(each["sex"] == "x" for each in both), MASKED)


@pytest.mark.parametrize(("reach", "told"), [("all", "theirs mine"), ("others", "theirs")])
def test_sensitive_documents_of_others_do_not_count(tmp_path: Any, reach: Any, told: str) -> None:
    marks = {"mine": ("true", OWN), "secret": ("true", OTHER), "theirs": ("false", OTHER)}
    documents = [
        {**DOCUMENTS[0], "_case_id": name, "sex": mark, "auth_resource_path": path}
        for name, (mark, path) in marks.items()
    ]
    reader = opened(tmp_path, documents)
    place = TYPE.find("_case_id")
    assert place is not None
    (found,) = reader.answer([Terms(Scope(TYPE, Rights(MINE, reach, sensitive="sex")), place)])
    reader.close()
    assert [bucket.key for bucket in found] == told.split()
