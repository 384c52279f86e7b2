"""How a submission is cut into chunks changes nothing of what becomes of it."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "A"])
# No id is of two types: a record with such a one is refused, and what is told of links to it may differ.
IDS = {kind: [str(uuid.uuid4()) for _ in range(3)] for kind in ("case", "sample", "demographic", "aliquot")}


@pytest.fixture
def cut(running: Any) -> Iterator[Any]:
    """Let the service work on so many records at a time: ``cut(2)``."""
    model = running.app.model
    tools = model.tools

    def to(size: int, **more: int) -> None:
        sizes = replace(tools.sizes, chunk=size, **more)
        running.app.model = replace(model, tools=replace(tools, sizes=sizes))

    yield to
    running.app.model = model


def rarely(draw: st.DrawFn, of: int = 25) -> bool:
    return draw(st.integers(1, of)) == of


def target(draw: st.DrawFn, kind: str) -> dict[str, str]:
    if rarely(draw, 6):
        return {"id": draw(st.sampled_from(IDS[kind]) | st.sampled_from(IDS["demographic"]))}
    return {"submitter_id": "nobody" if rarely(draw) else draw(st.sampled_from(["a", "b", "c"]))}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A record that is perhaps all right, and perhaps speaks of others of its submission."""
    kind = draw(st.sampled_from(["case", "case", "sample", "demographic", "aliquot"]))
    document: dict[str, Any] = {"type": kind, "submitter_id": draw(NAMES)}
    if rarely(draw, 5):
        document["id"] = draw(st.sampled_from(IDS[kind]))
    if kind == "case":
        document["experiments"] = {"submitter_id": "nobody" if rarely(draw) else "e"}
    elif kind != "aliquot" or rarely(draw, 2):
        document["cases"] = target(draw, "case")
    if kind == "aliquot" and "cases" not in document:
        document["samples"] = [target(draw, "sample") for _ in range(draw(st.integers(1, 2)))]
    if rarely(draw):
        document["foo"] = 1
    return document


def told(answer: dict[str, Any]) -> Any:
    """An answer without what is new each time."""
    entities = [
        {**entity, "id": None, "errors": sorted(str(each) for each in entity["errors"])}
        for entity in answer["entities"]
    ]
    return {**answer, "entities": entities, "transaction_id": None}


def stored(api: Any, project: str) -> Any:
    """What a project has, without what is new each time."""

    def plain(record: dict[str, Any]) -> Any:
        links = {
            name: sorted(each["submitter_id"] for each in value)
            for name, value in record.items()
            if isinstance(value, list) and name in ("cases", "samples", "experiments")
        }
        return record["submitter_id"], links

    kinds = ("case", "sample", "demographic", "aliquot")
    return {kind: sorted(map(plain, api.export(kind, project).values()), key=str) for kind in kinds}


def clear(api: Any, sql: Any) -> None:
    for kind in ("aliquot", "sample", "demographic", "case"):
        sql(f"delete from graph.node_{kind}")


ALL = [{"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}} for name in ("a", "b", "c")] + [
    {"type": "sample", "submitter_id": name, "cases": {"submitter_id": name}} for name in ("a", "b", "c")
]


# A record whose id is not that of its key gets none, but its key leads to what is stored.
@example(
    before=ALL,
    sent=[
        {"type": "case", "submitter_id": "a", "id": IDS["case"][0], "experiments": {"submitter_id": "e"}},
        *({"type": "demographic", "submitter_id": name, "cases": {"submitter_id": "a"}} for name in ("a", "b")),
    ],
    size=1,
)
@given(
    before=st.lists(documents(), max_size=4) | st.just(ALL),
    sent=st.lists(documents(), min_size=2, max_size=8),
    size=st.integers(1, 7),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_chunks_have_the_outcome_of_one(
    api: Any, sql: Any, cut: Any, before: list[dict[str, Any]], sent: list[dict[str, Any]], size: int
) -> None:
    def outcome(size: int) -> Any:
        clear(api, sql)
        cut(1000)
        for document in before:
            api.put(document)
        cut(size)
        tried = told(api.put(*sent, path="/P/one/_dry_run"))
        done = told(api.put(*sent))
        return tried, done, stored(api, "one")

    assert outcome(size) == outcome(1000)


def case(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "case", "submitter_id": name, "experiments": {"submitter_id": "e"}, **more}


def sample(name: str, parent: str) -> dict[str, Any]:
    return {"type": "sample", "submitter_id": name, "cases": {"submitter_id": parent}}


def errors(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (entity["unique_keys"][0]["submitter_id"], error["type"])
        for entity in answer["entities"]
        for error in entity["errors"]
    ]


def test_a_target_may_come_in_a_later_chunk(api: Any, cut: Any) -> None:
    cut(2)
    names = [uuid.uuid4().hex for _ in range(5)]
    answer = api.put(*[sample(f"s{name}", name) for name in names], *[case(name) for name in names])
    assert answer["success"], answer
    samples = api.export("sample")
    assert [samples[f"s{name}"]["cases"][0]["submitter_id"] for name in names] == names


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_link_to_a_later_chunk_adds_to_those_that_are_stored(api: Any, cut: Any, size: int) -> None:
    name, parent, later = (uuid.uuid4().hex for _ in range(3))
    api.put(case(parent), sample(f"s{parent}", parent), sample(f"s{name}", parent))
    aliquot = {"type": "aliquot", "submitter_id": name}
    api.put({**aliquot, "samples": [{"submitter_id": f"s{parent}"}, {"submitter_id": f"s{name}"}]})
    cut(size)
    answer = api.put({**aliquot, "samples": {"submitter_id": later}}, sample(later, parent))
    assert answer["success"], answer
    linked = api.export("aliquot")[name]["samples"]
    assert {each["submitter_id"] for each in linked} == {f"s{parent}", f"s{name}", later}


def test_a_target_that_never_comes_is_told_and_leaves_nothing(api: Any, cut: Any) -> None:
    cut(2)
    name = uuid.uuid4().hex
    answer = api.put(sample("x", f"no{name}"), case(name), case(f"2{name}"))
    assert errors(answer) == [("x", "INVALID_LINK")]
    assert name not in api.export("case")


def test_a_key_given_again_in_a_later_chunk_is_refused(api: Any, cut: Any) -> None:
    cut(2)
    name = uuid.uuid4().hex
    answer = api.put(case(name), case(f"2{name}"), case(f"3{name}"), case(name.upper()))
    assert errors(answer) == [(name.upper(), "NOT_UNIQUE")]
    assert name not in api.export("case")


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("column", ["submitter_id", "id"])
def test_a_key_that_is_too_long_is_told_with_its_row(api: Any, cut: Any, size: int, column: str) -> None:
    """Nor can an index of PostgreSQL hold it."""
    cut(size)
    name, long = uuid.uuid4().hex, "".join(uuid.uuid4().hex for _ in range(200))
    answer = api.put(case(name), {**case(f"2{name}"), column: long}, case(f"3{name}"))
    found = [(error["row"], error["column"]) for entity in answer["entities"] for error in entity["errors"]]
    assert (answer["code"], found) == (400, [(1, column)])
    assert name not in api.export("case")


def test_of_many_records_the_faulty_ones_are_told_and_all_are_counted(api: Any, cut: Any) -> None:
    cut(3, told=5, told_faulty=2)
    cases = [case(f"{n}{uuid.uuid4().hex}") for n in range(10)]
    answer = api.put(*cases)
    assert (answer["success"], answer["entities"], answer["created_entity_count"]) == (True, [], 10)
    assert (answer["entity_count"], answer["untold_entity_count"]) == (10, 10)
    wrong = [case("x", foo=1), *cases[:4], sample("y", "nobody"), *cases[4:], case("z", foo=1)]
    answer = api.put(*wrong)
    assert errors(answer) == [("x", "ERROR"), ("z", "ERROR")]
    assert answer["entity_error_count"] == 3
    assert answer["message"] == "Transaction aborted due to 3 invalid entities, 1 of them not told."


def test_faults_of_the_last_row_leave_nothing_of_the_first(api: Any, cut: Any, sql: Any) -> None:
    cut(100)
    [(before,)] = sql("select count(*) from graph.transaction_snapshots")
    name = uuid.uuid4().hex
    rows = [f"case\t{n}{name}\te\t\n" for n in range(1000)] + [f"case\tlast{name}\te\tflu\n"]
    answer = api.table("type\tsubmitter_id\texperiments.submitter_id\tdisease_type\n" + "".join(rows))
    assert errors(answer) == [(f"last{name}", "ERROR")]
    assert f"0{name}" not in api.export("case")
    assert sql("select count(*) from graph.transaction_snapshots") == [(before,)]
