"""Documents with every kind of hole in them, and random filters on them."""

import random
from typing import Any

from hypothesis import strategies as st

from commonshub.explore.filters import Filter
from commonshub.explore.grammar import parse
from commonshub.explore.rights import Rights

from .model import PATHS, SETS, TYPE, Document

MARKS: list[list[int] | None] = [[-1, 3], [1], None, [0, 2], [], [2, 2], [-1, 0, 3]]
WORDS = ["x", "y", "z", "'; drop table", "no data"]


def make_documents(seed: int, count: int) -> list[Document]:
    """Documents with every kind of hole in them."""
    chance = random.Random(seed)

    def word() -> Any:
        return chance.choice([None, *WORDS[:4]])

    def number() -> Any:
        return chance.choice([None, 0, 1, 2, 3, -1])

    def stay(name: str) -> Document:
        visits = [
            {"_visit_id": f"{name}{n}", "place": word(), "weight": (number() and number()) or 0.5}
            for n in range(chance.randrange(3))
        ]
        return {"_stay_id": name, "ward": word(), "days": number(), "visits": visits}

    return [
        {
            "_case_id": f"c{n}",
            "sex": word(),
            "age": number(),
            "tags": chance.choice([None, [], *[sorted(chance.sample(WORDS[:4], k)) for k in (1, 2, 3)]]),
            "marks": MARKS[n % len(MARKS)],
            "project_id": "p-a",
            "auth_resource_path": chance.choice([*PATHS, None]),
            "stays": [stay(f"s{n}{k}") for k in range(chance.randrange(3))],
        }
        for n in range(count)
    ]


DOCUMENTS = make_documents(7, 120)

words = st.sampled_from(WORDS)
sets = st.sampled_from([f"set_id:{name}" for name in SETS])
patterns = st.sampled_from(["*", "x", "x*", "*table", "'*p*", ".", "*;*"])
keywords = st.sampled_from(["drop", "DROP", "; t", "p-", "c1", "s11", "le"])
numbers = st.sampled_from([-1, 0, 1, 2, 3, 0.5, "no data"])
plain = st.sampled_from([-1, 0, 1, 2, 0.5])


def searching(names: list[str]) -> st.SearchStrategy[Any]:
    """Searches in some fields that are no nests', or in all of the level where they are."""
    chosen = st.lists(st.sampled_from([name for name in names if "." not in name]), max_size=2)
    return st.builds(lambda keyword, fields: {"search": {"keyword": keyword, "fields": fields}}, keywords, chosen)


def leaves(text: list[str], number: list[str], lists: list[str]) -> st.SearchStrategy[Any]:
    def of(operators: list[str], fields: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        parts = st.tuples(st.sampled_from(operators), st.sampled_from(fields), values)
        return parts.map(lambda part: {part[0]: {part[1]: part[2]}})

    several = st.lists(words, min_size=1, max_size=3)
    either = words | sets
    return st.one_of(
        of(["=", "!="], [*text, *lists], either),
        of(["IN", "!="], [*text, *lists], st.lists(either, min_size=1, max_size=3)),
        of(["=", "!="], number, numbers),
        of(["IN"], number, st.lists(numbers, max_size=3)),
        of([">", ">=", "<", "<="], number, plain),
        of(["like"], [*text, *lists], patterns),
        searching([*text, *lists]),
        *([of(["CONTAINS_ALL", "EXCLUDES_ALL"], lists, several)] if lists else []),
    )


def groups(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: st.tuples(st.sampled_from(["AND", "OR", "NOT"]), st.lists(inner, max_size=4)).map(
            lambda p: {p[0]: p[1]}
        ),
        max_leaves=6,
    )


in_visit = groups(leaves(["place"], ["weight"], [])).map(lambda f: {"nested": {"path": "stays.visits", **f}})
in_stay = groups(leaves(["ward"], ["days"], []) | in_visit).map(lambda f: {"nested": {"path": "stays", **f}})
filters = groups(leaves(["sex", "stays.ward"], ["age", "marks"], ["tags"]) | in_stay | in_visit)


def linking(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.sampled_from(["project_id", "sex", "tags", "_case_id"])
    return st.builds(lambda field, part: {"linked": {"type": "case", "field": field, "filter": part}}, fields, inner)


# -- Arranger's grammar -----------------------------------------------------------


def sqon_leaves(text: list[str], number: list[str], lists: list[str]) -> st.SearchStrategy[Any]:
    def of(operators: list[str], fields: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        parts = st.tuples(st.sampled_from(operators), st.sampled_from(fields), values)
        return parts.map(lambda part: {"op": part[0], "content": {"fieldName": part[1], "value": part[2]}})

    word = words | sets | patterns | st.just("__missing__")
    membership = ["in", "not-in", "some-not-in"]
    both = plain | st.just("__missing__")
    searched = st.sampled_from([*text, *lists])
    return st.one_of(
        of(membership, [*text, *lists], word | st.lists(word, max_size=3)),
        of(membership, number, both | st.lists(both, max_size=3)),
        of(["gt", "gte", "lt", "lte"], number, plain | st.tuples(plain).map(list)),
        of(["between"], number, st.tuples(plain, plain).map(list)),
        *([of(["all"], lists, st.lists(words, min_size=1, max_size=3))] if lists else []),
        st.builds(
            lambda name, keyword: {"op": "filter", "content": {"fieldNames": [name], "value": keyword}},
            searched.filter(lambda name: name in ("sex", "tags")) if "sex" in text else searched,
            keywords,
        ),
    )


def sqon_groups(leaf: st.SearchStrategy[Any], **pivot: str) -> st.SearchStrategy[Any]:
    def group(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        parts = st.tuples(st.sampled_from(["and", "or", "not"]), st.lists(inner, max_size=4))
        return parts.map(lambda part: {"op": part[0], "content": part[1], **pivot})

    return group(st.recursive(leaf, group, max_leaves=5))


sqon_visit = sqon_groups(sqon_leaves(["stays.visits.place"], ["stays.visits.weight"], []), pivot="stays.visits")
sqon_stay = sqon_groups(
    sqon_leaves(["stays.ward"], ["stays.days"], [])
    | sqon_leaves(["stays.visits.place"], ["stays.visits.weight"], []).filter(lambda each: each["op"] != "filter")
    | sqon_visit,
    pivot="stays",
)
sqons = sqon_groups(
    sqon_leaves(["sex", "stays.ward"], ["age", "marks", "stays.days"], ["tags"]) | sqon_stay | sqon_visit | filters
)
every_form = st.one_of(
    filters, sqons, linking(filters | sqons), groups(linking(filters) | leaves(["sex"], ["age"], ["tags"]))
)


def parsed(filter: Any, rights: Rights) -> Filter:
    """A filter whose links lead to what `rights` say."""
    return parse(filter, TYPE, lambda _: (TYPE, rights), SETS)
