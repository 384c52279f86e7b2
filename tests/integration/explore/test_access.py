"""Nothing that a caller may not read shows, whatever they ask."""

from typing import Any

import pytest
import requests
from tests.opensearch import engine

from .conftest import Explorer

__all__ = ["engine"]

HIDDEN = ("P-two", "projects/two", "Secret", "Hidden", "intersex", "c4", "1000", "secret.dcm")

LEAKS = [
    "{ case(first: 1000) { submitter_id site sex project_id samples { sample_type aliquots { radius } } } }",
    "{ case(accessibility: unaccessible, first: 1000) { submitter_id } }",
    '{ case(filter: {eq: {auth_resource_path: "/programs/P/projects/two"}}) { submitter_id } }',
    '{ case(filter: {OR: [{eq: {sex: "no data"}}, {eq: {project_id: "P-two"}}]}) { submitter_id } }',
    '{ case(filter: {OR: [{excludes_any: {sex: ["x"]}}, {eq: {project_id: "P-two"}}]}) { submitter_id } }',
    '{ case(filter: {eq: {project_id: "P-two"}, or: []}) { submitter_id } }',
    '{ case(sort: [{auth_resource_path: "desc"}], offset: 0) { submitter_id auth_resource_path } }',
    '{ case(filter: {search: {keyword: "Secret"}}) { site _matched { field highlights } } }',
    "{ _aggregation { case(filterSelf: false) { auth_resource_path { histogram { key count } } } } }",
    '{ _aggregation { case(filterSelf: false, accessibility: all, filter: {AND: [{IN: {auth_resource_path: '
    '["/programs/P/projects/one"]}}]}) { auth_resource_path { histogram { key count } _cardinalityCount } } } }',
    "{ _aggregation { case(accessibility: unaccessible) { project_id { histogram { key count } } } } }",
    "{ _aggregation { case { samples { sample_type { histogram { key count } } aliquots { radius { histogram"
    "(rangeStep: 100) { key min max sum } asTextHistogram { key } } } } } } }",
    "{ _aggregation { case { age { histogram { key max } asTextHistogram { key } } sex { histogram { key } } } } }",
    "{ project { code project_id } file { file_name } }",
]  # fmt: skip


@pytest.mark.parametrize("user", ["one", "near", "nobody", None])
@pytest.mark.parametrize("query", LEAKS)
def test_no_query_shows_what_the_caller_may_not_read(explorer: Explorer, user: str | None, query: str) -> None:
    text = explorer.post("graphql", {"query": query}, user).text
    asked = [word for word in HIDDEN if word in query]
    assert [word for word in HIDDEN if word not in asked and word in text] == []
    assert '"c4"' not in text


@pytest.mark.parametrize(("user", "cases"), [("all", 4), ("one", 3), ("two", 1), ("near", 0), ("nobody", 0), (None, 0)])
def test_counts_are_of_what_the_caller_may_read(explorer: Explorer, user: str | None, cases: int) -> None:
    assert explorer.count(None, user=user) == cases
    assert explorer.count({"OR": [{"=": {"project_id": "P-one"}}, {"=": {"project_id": "P-two"}}]}, user=user) == cases


LINKED = {"linked": {"type": "case", "field": "license", "filter": {"=": {"sex": "intersex"}}}}


@pytest.mark.parametrize(("user", "cases"), [("all", 4), ("one", 0), ("two", 1), (None, 0)])
def test_a_link_leads_to_nothing_that_the_caller_may_not_read(explorer: Explorer, user: str | None, cases: int) -> None:
    assert explorer.count(LINKED, user=user) == cases


def test_a_join_brings_nothing_of_another_project(explorer: Explorer) -> None:
    assert explorer.query("{ tumor { license alike } }")["tumor"] == [{"license": "CC0", "alike": 3}]


def test_nobody_sees_documents_whose_project_cannot_be_told(explorer: Explorer) -> None:
    assert explorer.count({"search": {"keyword": "unclear", "fields": ["submitter_id"]}}, user="all") == 0
    assert explorer.count({"=": {"auth_resource_path": "no data"}}, user="all") == 0


@pytest.mark.parametrize("accessibility", ["all", "accessible", "unaccessible", None])
@pytest.mark.parametrize(("user", "found"), [("one", ["c1", "c2", "c3"]), ("two", ["c4"]), ("near", []), (None, [])])
def test_a_download_has_only_what_the_caller_may_read(
    explorer: Explorer, accessibility: str | None, user: str | None, found: list[str]
) -> None:
    body = {"type": "case", "accessibility": accessibility, "sort": [{"submitter_id": "asc"}]}
    assert [row["submitter_id"] for row in explorer.post("download", body, user).json()] == found


@pytest.mark.parametrize("path", ["graphql", "download"])
@pytest.mark.parametrize("claims", [{"exp": 1}, {"pur": "api_key"}, {"aud": ["x"]}], ids=str)
def test_a_bad_token_is_refused(explorer: Explorer, token: Any, path: str, claims: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {token('all', **claims)}"}
    body = {"query": "{ case { sex } }", "type": "case"}
    assert requests.post(f"{explorer.url}/guppy/{path}", json=body, headers=headers).status_code == 401


def test_refreshing_is_off_unless_it_was_allowed(explorer: Explorer) -> None:
    assert explorer.post("_refresh", {}, "all").status_code == 404
