"""Tiers over HTTP: cases are regular with a limit of two, projects are libre, files are private."""

from typing import Any

import pytest
from tests.opensearch import engine

from .conftest import Explorer
from .test_access import HIDDEN, LEAKS, LINKED

__all__ = ["engine"]

SETTINGS = {
    "tier_access_level": "regular",
    "tier_access_levels": {"project": "libre", "file": "private"},
    "tier_access_limit": 2,
    "allow_refresh": True,
}


def facets(explorer: Explorer, user: str | None, accessibility: str, selection: str) -> Any:
    text = f"{{ _aggregation {{ case(accessibility: {accessibility}) {{ {selection} }} }} }}"
    return explorer.query(text, user)["_aggregation"]["case"]


@pytest.mark.parametrize(
    ("user", "accessibility", "total", "sexes"),
    [
        ("all", "all", 4, {"female": 1, "male": 1, "intersex": 1, "no data": 1}),
        ("all", "unaccessible", 0, {}),
        ("one", "all", -1, {"female": -1, "male": -1, "no data": -1}),
        ("one", "accessible", 3, {"female": 1, "male": 1, "no data": 1}),
        ("one", "unaccessible", -1, {}),
        ("two", "all", 4, {"intersex": -1}),
        ("two", "unaccessible", 3, {}),
        (None, "all", 4, {}),
        (None, "accessible", 0, {}),
    ],
)
def test_counts_of_others_are_told_from_the_limit_on(
    explorer: Explorer, user: str | None, accessibility: str, total: int, sexes: dict[str, int]
) -> None:
    found = facets(explorer, user, accessibility, "_totalCount sex { histogram { key count } _cardinalityCount }")
    assert found["_totalCount"] == total
    assert {bucket["key"]: bucket["count"] for bucket in found["sex"]["histogram"]} == sexes
    assert found["sex"]["_cardinalityCount"] == len(sexes.keys() - {"no data"})


def test_a_group_of_enough_others_is_told_whole(explorer: Explorer) -> None:
    found = facets(explorer, "two", "all", "project_id { histogram { key count } }")["project_id"]["histogram"]
    assert found == [{"key": "P-one", "count": 3}, {"key": "P-two", "count": -1}]


def test_a_masked_bin_has_nothing_but_its_edges(explorer: Explorer) -> None:
    found = facets(explorer, "one", "all", "age { histogram { key count min max avg sum } }")["age"]["histogram"]
    assert found == [{"key": [40, 61], "count": -1, "min": None, "max": None, "avg": None, "sum": None}]


@pytest.mark.parametrize("query", LEAKS)
def test_regular_shows_nothing_of_few_others(explorer: Explorer, query: str) -> None:
    text = explorer.post("graphql", {"query": query}, "one").text
    # Projects are libre here, and what a query names itself comes back in no answer but an error's.
    hidden = [word for word in HIDDEN if word not in query and not ("project" in query and word.startswith("P-two"))]
    assert [word for word in hidden if word in text] == []


ROWS = '{ case(accessibility: %s, sort: {submitter_id: "asc"}) { submitter_id } }'


@pytest.mark.parametrize(
    ("user", "accessibility", "found"),
    [
        ("all", "all", "c1 c2 c3 c4"),
        ("all", "unaccessible", ""),
        ("one", "accessible", "c1 c2 c3"),
        ("one", "all", "c1 c2 c3"),
        ("one", "unaccessible", None),
        ("two", "all", None),
        ("two", "accessible", "c4"),
        (None, "all", None),
        (None, "accessible", ""),
    ],
)
def test_rows_of_others_are_never_shown(
    explorer: Explorer, user: str | None, accessibility: str, found: str | None
) -> None:
    answer = explorer.post("graphql", {"query": ROWS % accessibility}, user).json()
    body = {"type": "case", "fields": ["submitter_id"], "sort": {"submitter_id": "asc"}, "accessibility": accessibility}
    download = explorer.post("download", body, user)
    if found is None:
        assert [error["extensions"]["code"] for error in answer["errors"]] == [401]
        assert (answer["data"], download.status_code) == ({"case": None}, 401)
        assert "accessibility: accessible" in answer["errors"][0]["message"]
    else:
        assert [row["submitter_id"] for row in answer["data"]["case"]] == found.split()
        assert [row["submitter_id"] for row in download.json()] == found.split()


def test_a_narrow_question_does_not_tell_whether_it_meets_others(explorer: Explorer) -> None:
    query = "query($f: JSON) { case(filter: $f) { submitter_id } _aggregation { case(filter: $f) { _totalCount } } }"
    answers = [explorer.query(query, "one", f={"=": {"submitter_id": name}}) for name in ("c4", "nobody")]
    assert answers[0] == answers[1] == {"case": [], "_aggregation": {"case": {"_totalCount": -1}}}


def test_a_link_leads_to_nothing_that_the_caller_may_not_read(explorer: Explorer) -> None:
    query = "query($f: JSON) { case(accessibility: accessible, filter: $f) { submitter_id } }"
    assert explorer.query(query, "one", f=LINKED) == {"case": []}


@pytest.mark.parametrize("user", ["all", "one", None])
def test_libre_shows_everything_to_everybody(explorer: Explorer, user: str | None) -> None:
    found = explorer.query("{ project { code } _aggregation { project { _totalCount } } }", user)
    assert {each["code"] for each in found["project"]} >= {"one", "two", "B-C"}
    assert found["_aggregation"]["project"]["_totalCount"] == len(found["project"])


@pytest.mark.parametrize(("user", "codes"), [("all", "one two"), ("one", "one"), ("two", "two"), (None, "")])
def test_libre_leads_by_no_link_to_what_is_private(explorer: Explorer, user: str | None, codes: str) -> None:
    query = 'query($f: JSON) { project(filter: $f, sort: {code: "asc"}) { code } }'
    for other in ("file", "case"):
        found = explorer.query(query, user, f={"linked": {"type": other, "field": "project_id"}})["project"]
        assert [each["code"] for each in found] == codes.split()


@pytest.mark.parametrize(("user", "files"), [("all", 4), ("one", 3), (None, 0)])
def test_private_has_no_others(explorer: Explorer, user: str | None, files: int) -> None:
    found = explorer.query("{ file { file_name } _aggregation { file(accessibility: all) { _totalCount } } }", user)
    assert (len(found["file"]), found["_aggregation"]["file"]["_totalCount"]) == (files, files)


def test_answers_are_kept_for_each_caller_by_themselves(explorer: Explorer) -> None:
    text = "{ _aggregation { case { project_id { histogram { key count } } } } file { file_name } }"
    alone = {user: explorer.query(text, user) for user in ("all", "one", "two")}
    assert [explorer.query(text, user) for user in ("two", "one", "all")] == [
        alone[user] for user in ("two", "one", "all")
    ]
    assert len({str(answer) for answer in alone.values()}) == 3


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("one", 401), ("refresher", 200)])
def test_refreshing_takes_a_right_of_its_own(explorer: Explorer, user: str | None, status: int) -> None:
    assert explorer.post("_refresh", {}, user).status_code == status
