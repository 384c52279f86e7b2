"""Documents with every kind of hole in them, and random filters on them."""

import random
from typing import Any

from hypothesis import strategies as st

from .model import PATHS, Document

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
            "project_id": "p-a",
            "auth_resource_path": chance.choice([*PATHS, None]),
            "stays": [stay(f"s{n}{k}") for k in range(chance.randrange(3))],
        }
        for n in range(count)
    ]


DOCUMENTS = make_documents(7, 120)

words = st.sampled_from(WORDS)
numbers = st.sampled_from([-1, 0, 1, 2, 3, 0.5, "no data"])
plain = st.sampled_from([-1, 0, 1, 2, 0.5])


def leaves(text: list[str], number: list[str], lists: list[str]) -> st.SearchStrategy[Any]:
    def of(operators: list[str], fields: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        parts = st.tuples(st.sampled_from(operators), st.sampled_from(fields), values)
        return parts.map(lambda part: {part[0]: {part[1]: part[2]}})

    several = st.lists(words, min_size=1, max_size=3)
    return st.one_of(
        of(["=", "!="], [*text, *lists], words),
        of(["IN", "!="], [*text, *lists], several),
        of(["=", "!="], number, numbers),
        of(["IN"], number, st.lists(numbers, max_size=3)),
        of([">", ">=", "<", "<="], number, plain),
        of(["like"], [*text, *lists], st.sampled_from(["*", "x", "x*", "*table", "'*p*", ".", "*;*"])),
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
filters = groups(leaves(["sex", "stays.ward"], ["age"], ["tags"]) | in_stay | in_visit)
