"""No answer differs between the engines: random questions about documents with every kind of hole in them.

DuckDB's answers are held to a plain evaluation by the unit tests; here the others are held to DuckDB's.
"""

import math
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.opensearch import Node
from tests.unit.explore.model import PATHS, SETS, Document, write_index
from tests.unit.explore.samples import MARKS, every_form
from tests.waiting import eventually

from commonshub.core.errors import BadRequest
from commonshub.explore.catalog import DocType, Field, Nest, Place
from commonshub.explore.duck.documents import documents
from commonshub.explore.duck.read import DuckReader
from commonshub.explore.grammar import parse
from commonshub.explore.opensearch import facets
from commonshub.explore.opensearch.client import Client
from commonshub.explore.opensearch.read import OpenSearchReader
from commonshub.explore.opensearch.write import Writer
from commonshub.explore.requests import (
    Bins,
    Cardinality,
    Count,
    Order,
    Parts,
    Question,
    Reader,
    Rows,
    Scope,
    Terms,
    ValueCount,
)  # fmt: skip
from commonshub.explore.rights import Rights

MAX_BUCKETS = 40
WORDS = ["x", "y", "z", "'; drop table", "Ünïcode İ*?\\", "no data", 'a "b"\n,c']
NUMBERS = [None, -3, -1, 0, 1, 2, 3_000_000_000]
DOUBLES = [None, -1.5, -0.0, 0.0, 0.1, 0.25, 2.5, 1e-300]

VISITS = Nest("visits", (Field("_visit_id", "string"), Field("place", "string"), Field("weight", "number")))
STAYS = Nest(
    "stays",
    (
        Field("_stay_id", "string"), Field("closed", "boolean"), Field("ward", "string"), Field("days", "integer"),
        Field("codes", "string", array=True), Field("levels", "number", array=True),
    ),
    (VISITS,),
)  # fmt: skip
TYPE = DocType(
    "case",
    (
        Field("_case_id", "string"), Field("sex", "string"), Field("age", "integer"), Field("size", "number"),
        Field("tags", "string", array=True, distinct=True), Field("words", "string", array=True),
        Field("counts", "integer", array=True), Field("scores", "number", array=True), Field("known", "boolean"),
        Field("flags", "boolean", array=True), Field("marks", "integer", array=True),
        Field("project_id", "string"), Field("auth_resource_path", "string"),
    ),
    (STAYS,),
    index="model_case",
)  # fmt: skip
PLACES = [place for place in TYPE.places() if place.path != "auth_resource_path"]
NUMERIC = [place for place in PLACES if place.field.numeric]


def make_documents(count: int) -> list[Document]:
    chance = random.Random(11)

    def some(values: list[Any]) -> Any:
        return chance.choice([None, [], [chance.choice(values[1:]) for _ in range(chance.randrange(1, 4))]])

    def stay(name: str) -> Document:
        return {
            "_stay_id": name, "closed": chance.choice([None, "true", "false"]),
            "ward": chance.choice([None, *WORDS]), "days": chance.choice(NUMBERS[:6]),
            "codes": some(WORDS), "levels": some(DOUBLES),
            "visits": [
                {"_visit_id": f"{name}{n}", "place": chance.choice([None, *WORDS]), "weight": chance.choice(DOUBLES)}
                for n in range(chance.randrange(3))
            ],
        }  # fmt: skip

    return [
        {
            "_case_id": f"c{number}", "sex": chance.choice([None, *WORDS]), "age": chance.choice(NUMBERS),
            "size": chance.choice(DOUBLES), "tags": sorted(set(some(WORDS) or [])), "words": some(WORDS),
            "counts": some(NUMBERS[:6]), "scores": some(DOUBLES), "known": chance.choice([None, "true", "false"]),
            "flags": some([None, "true", "false"]), "marks": MARKS[number % len(MARKS)],
            "project_id": "p-a", "auth_resource_path": chance.choice([*PATHS, None]),
            "stays": [stay(f"s{number}{n}") for n in range(chance.randrange(3))],
        }
        for number in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def readers(opensearch: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reader, Reader]]:
    """The same documents in DuckDB and in OpenSearch."""
    file = tmp_path_factory.mktemp("engines") / "1.duckdb"
    write_index(file, make_documents(150), TYPE)
    client = Client(opensearch.url, 60)
    Writer(client, "engines", 1, bulk_bytes=20_000, shards=2, replicas=0, progress=lambda *_: None).write(
        [TYPE], {TYPE.name: documents(file, TYPE)}
    )
    duck = DuckReader(file, memory_bytes=128 * 2**20, timeout_s=60, max_buckets=MAX_BUCKETS)
    other = OpenSearchReader(client, "engines", 1, MAX_BUCKETS)
    yield duck, other
    duck.close()
    other.close()


def leaf(operators: list[str], paths: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda op, path, value: {op: {path: value}}, st.sampled_from(operators), st.sampled_from(paths), values
    )


numbers = st.sampled_from([-3, -1, 0, 1, 2, 0.1, 2.5, -0.0, 3_000_000_000, 2**70, -(2**70), "Infinity", "-Infinity"])
words = st.sampled_from([*WORDS, "nothing"])
more = st.one_of(
    leaf([">", ">=", "<", "<="], ["size", "age", "counts", "scores", "stays.levels", "stays.days"], numbers),
    st.builds(
        lambda path, low, high: {"op": "between", "content": {"fieldName": path, "value": [low, high]}},
        st.sampled_from(["counts", "scores", "stays.levels", "size"]),
        numbers,
        numbers,
    ),
    st.lists(leaf([">", ">=", "<", "<="], ["counts", "scores", "size"], numbers), min_size=2, max_size=4).map(
        lambda parts: {"AND": parts}
    ),
    leaf(["=", "!="], ["size", "age", "counts", "scores", "stays.levels"], st.lists(numbers, max_size=3)),
    leaf(["=", "!=", "CONTAINS_ALL", "EXCLUDES_ALL"], ["words", "stays.codes", "known"], st.lists(words, max_size=3)),
    leaf(["like"], ["words", "sex", "stays.codes"], st.sampled_from(["*", "x", "Ü*?\\", "*drop*", "*\n*", "ü*", "İ"])),
    st.sampled_from(["DROP", "ünïCODE", "i*", "*?\\", "no", 'b"\n,']).map(lambda word: {"search": {"keyword": word}}),
    every_form.map(lambda inner: {"linked": {"type": "case", "field": "words", "on": "tags", "filter": inner}}),
    leaf(["="], ["age"], numbers).map(
        lambda inner: {"linked": {"type": "case", "field": "counts", "on": "age", "filter": inner}}
    ),
)
asked = st.one_of(
    every_form, more, st.lists(every_form | more, min_size=2, max_size=3).map(lambda parts: {"AND": parts})
)
OWN = frozenset(PATHS[:1])
rights = st.sampled_from(
    [Rights(frozenset(PATHS)), Rights(frozenset(PATHS), whole=True), Rights(OWN), Rights(frozenset(), "public")]
    + [
        Rights(paths, reach, limit=limit, sensitive=sensitive, told=frozenset(told))
        for paths in (OWN, frozenset())
        for reach in ("all", "others")
        for limit in (3, 20)
        for sensitive, told in ((None, ()), ("known", ("x", "no data")), ("flags", ()), ("stays.closed", ()))
    ]  # type: ignore[arg-type]
)


def around(place: Place) -> st.SearchStrategy[Place]:
    return st.sampled_from([each for each in PLACES if each.nests == place.nests])


def questions(scope: Scope) -> st.SearchStrategy[Question]:
    place, number = st.sampled_from(PLACES), st.sampled_from(NUMERIC)
    edges = st.sampled_from([{}, {"low": 0}, {"low": -1, "high": 2}, {"high": 0.25}, {"low": 5, "high": 5}])
    widths = st.sampled_from([{}, {"step": 1}, {"step": 0.3}, {"bins": 3}, {"step": 1e-9}])
    bins = st.builds(lambda at, edge, width: Bins(scope, at, **edge, **width), number, edges, widths)
    parts = place.flatmap(lambda at: around(at).map(lambda other: Parts(scope, at, other)))
    binned = number.flatmap(
        lambda at: st.builds(
            lambda other, edge, split: Parts(scope, at, other, **edge, **split),
            around(at), edges, st.sampled_from([{"together": True}, {"step": 0.7, "origin": -1.0}]),
        )
    )  # fmt: skip
    found = [st.just(Count(scope)), bins, parts, binned]
    found += [place.map(lambda at, kind=kind: kind(scope, at)) for kind in (ValueCount, Cardinality, Terms)]
    if not scope.rights.masked:
        order = st.lists(st.builds(Order, place, st.booleans()), max_size=2).map(tuple)
        names = st.none() | st.lists(st.sampled_from(TYPE.names), unique=True, min_size=1).map(tuple)
        found.append(
            st.builds(
                lambda chosen, by, first, offset: Rows(scope, chosen, by, first, offset),
                names, order, st.integers(0, 30), st.integers(0, 60),
            )
        )  # fmt: skip
    return st.one_of(found)


def answers(reader: Reader, question: list[Question]) -> Any:
    try:
        return [plain(answer) for answer in reader.answer(question)]
    except BadRequest as error:
        return error.message


def plain(answer: Any) -> Any:
    if is_dataclass(answer):
        return plain(asdict(answer))  # type: ignore[arg-type]
    if isinstance(answer, dict):
        return {name: plain(value) for name, value in answer.items()}
    return [plain(each) for each in answer] if isinstance(answer, list | tuple) else answer


def differences(left: Any, right: Any, at: str = "") -> Iterator[str]:
    """Where two answers differ, but for how their engines round sums of doubles."""
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        for key in left:
            yield from differences(left[key], right[key], f"{at}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, pair in enumerate(zip(left, right, strict=True)):
            yield from differences(*pair, f"{at}[{number}]")
    elif isinstance(left, float) and isinstance(right, float):
        if not math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-12):
            yield f"{at}: {left} and {right}"
    elif left != right:
        yield f"{at}: {left} and {right}"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), filter=asked, rights=rights)
def test_no_answer_differs(readers: tuple[Reader, Reader], data: st.DataObject, filter: Any, rights: Rights) -> None:
    links = {"case": (TYPE, Rights(OWN))}
    scope = Scope(TYPE, rights, parse(filter, TYPE, links.get, SETS))
    several = data.draw(st.lists(questions(scope), min_size=1, max_size=4))
    alone = [[answers(reader, [question]) for reader in readers] for question in several]
    for question, pair in zip(several, alone, strict=True):
        assert list(differences(*pair)) == [], replace(question, scope=None)  # type: ignore[type-var]
    if not any(isinstance(left, str) for left, _ in alone):
        assert answers(readers[1], several) == [answer for _, (answer,) in alone]


@pytest.mark.parametrize(
    ("field", "marked"),
    [
        ("known", lambda each: each["known"] == "true"),
        ("flags", lambda each: "true" in (each["flags"] or [])),
        ("stays.closed", lambda each: any(stay["closed"] == "true" for stay in each["stays"])),
        ("age", lambda _: False),
    ],
)
def test_documents_that_a_sensitive_field_marks_do_not_count(
    readers: tuple[Reader, Reader], field: str, marked: Callable[[Document], bool]
) -> None:
    others = [each for each in make_documents(150) if each["auth_resource_path"] in set(PATHS) - OWN]
    scope = Scope(TYPE, Rights(OWN, "others", sensitive=field))
    counted = sum(not marked(each) for each in others)
    assert [reader.answer([Count(scope)]) for reader in readers] == [[counted], [counted]]


NAME, SIZE = Place((), Field("_thing_id", "string")), Place((), Field("size", "integer"))
THING = DocType("Thing", (NAME.field, SIZE.field, Field("auth_resource_path", "string")), index="things")


@pytest.fixture(scope="module")
def things(opensearch: Node) -> Iterator[tuple[OpenSearchReader, list[str]]]:
    """Many documents, each with a name and a size of its own, and their names."""
    names = [f"t{number * 7919 % 25_000:05}" for number in range(25_000)]
    rows = [{"_thing_id": name, "size": int(name[1:]), "auth_resource_path": PATHS[0]} for name in names]
    client = Client(opensearch.url, 60)
    Writer(client, "many", 1, 2**20, 1, 0, lambda *_: None).write([THING], {"Thing": [rows]})
    reader = OpenSearchReader(client, "many", 1, 30_000)
    yield reader, names
    reader.close()


def test_nothing_ends_at_ten_thousand(
    things: tuple[OpenSearchReader, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, names = things
    monkeypatch.setattr(facets, "PAGE", 10_000)
    scope, place = Scope(THING, Rights(OWN)), NAME
    by_name = (Order(place, descending=True),)
    page = Rows(scope, ("_thing_id",), by_name, first=5, offset=21_000)
    whole = Rows(scope, ("_thing_id",), by_name, first=10_000, offset=14_000)
    beyond = Rows(scope, ("_thing_id",), first=10, offset=26_000)
    found = reader.answer([page, whole, beyond, Terms(scope, place), Cardinality(scope, place)])
    expected = sorted(names, reverse=True)
    assert [each["_thing_id"] for each in found[0]] == expected[21_000:21_005]
    assert [each["_thing_id"] for each in found[1]] == expected[14_000:24_000]
    assert found[2] == []
    assert [bucket.key for bucket in found[3]] == sorted(names)
    assert found[4] == 25_000
    few = {"IN": {"_thing_id": [names[7], names[24_000]]}}
    for order, filter, rows in (((), {}, names), (by_name, {}, expected), ((), few, [names[7], names[24_000]])):
        wanted = Rows(replace(scope, filter=parse(filter, THING)), order=order)
        scanned = [each for chunk in reader.scan(wanted, 9_999) for each in chunk]
        assert [each["_thing_id"] for each in scanned] == rows
    # Who goes away before the end leaves nothing behind.
    unread = reader.scan(Rows(scope), 10)
    assert next(unread)[0]["_thing_id"] == names[0]
    unread.close()  # type: ignore[attr-defined]
    eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("pages")])


@pytest.fixture
def few_buckets(opensearch: Node) -> Iterator[None]:
    """OpenSearch makes 3,000 buckets at most."""
    client = Client(opensearch.url, 60)
    for limit in (3_000, None):
        client.need("PUT", "/_cluster/settings", {"transient": {"search.max_buckets": limit}})
        if limit:
            yield


@pytest.mark.usefixtures("few_buckets")
def test_histograms_are_divided_where_opensearch_makes_too_many_buckets(
    things: tuple[OpenSearchReader, list[str]],
) -> None:
    reader, names = things
    scope = Scope(THING, Rights(OWN))
    alone, hidden = Bins(scope, SIZE, step=1, low=5), Scope(THING, Rights(frozenset(), "all", limit=50))
    found = reader.answer([alone, Parts(scope, SIZE, NAME, step=10.0), Bins(hidden, SIZE, step=1)])
    assert [(bucket.key, bucket.count, bucket.total) for bucket in found[0]] == [
        ((number, number + 1), 1, number) for number in range(5, 25_000)
    ]
    assert sorted((part.bucket, part.key, part.count) for part in found[1]) == sorted(
        (int(name[1:]) // 10, name, 1) for name in names
    )
    assert found[2] == []
