"""Whatever is asked: what is wrong is the client's fault and told so, and nothing of another project comes out."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.submission_service import case, ids

PLACES = [
    "/_dictionary", "/_dictionary/{}", "/template", "/template/{}", "/validation/upload_manifest",
    "/{}", "/P/{}", "/P/one", "/P/one/_dry_run", "/P/one/_dry_run/{}", "/P/one/bulk", "/P/one/bulk/_dry_run",
    "/P/one/_dictionary/{}", "/P/one/template/{}", "/P/one/entities/{}", "/P/one/entities/_dry_run/{}", "/P/one/export",
    "/P/one/manifest", "/P/one/upload_manifest", "/P/one/transactions/{}", "/P/one/transactions/{}/commit",
    "/P/one/transactions/{}/close", "/P/one/uploads", "/P/one/uploads/{}", "/P/one/releases", "/P/one/releases/{}",
    "/P/one/releases/{}/export", "/P/one/releases/{}/diff", "/P/one/review/_dry_run", "/P/one/files/{}",
    "/P/one/xml/clinical/bcr", "/admin/P/one/entities/{}/to_delete/{}", "/admin/P/one/files/{}/reassign",
]  # fmt: skip
ARGUMENTS = [
    "ids", "node_label", "format", "with_children", "category", "without_id", "fields", "async", "upload",
    "categories", "exclude", "to", "summary",
]  # fmt: skip
ODD = [
    "", "x", "-1", "0", "9" * 30, "\0", "٣", "null", "true", "xlsx", "json", "case", "data_file", "project", "root",
    "*", "..", ".", "a,b,,", ",", "%", "%2F", "'", '"', "\\", "{}", "[]", "x" * 9000, "\ud800", "_all", "e", "P", "one",
    "two",
]  # fmt: skip
METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"]
TYPES = ["application/json", "text/tsv", "text/csv", "text/x-yaml", "", "application/vnd.ms-excel", "x" * 2000]
HUNT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

odd = st.sampled_from(ODD) | st.text(max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | odd
KEYS = ["type", "submitter_id", "id", "experiments", "projects", "code", "name", "doc", "doc_format", "files", "ids"]
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner),
    max_leaves=12,
)
bodies = documents.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)


def path_of(place: str, word: str) -> str:
    return place.format(*[quote(word, safe="", errors="surrogatepass")] * place.count("{}"))


@pytest.fixture(scope="module")
def secret(api: Any) -> str:
    """The id of a record in the other project, which also holds a word of its own."""
    [id_] = ids(api.put(case("hidden", primary_site="SECRET"), path="/P/two"))
    return id_


@HUNT
@given(
    method=st.sampled_from(METHODS),
    place=st.sampled_from(PLACES),
    word=odd,
    query=st.lists(st.tuples(st.sampled_from(ARGUMENTS), odd), max_size=4),
    kind=st.sampled_from(TYPES),
    body=bodies,
)
def test_nothing_makes_the_service_fail_or_tell_of_another_project(
    caller: Callable[[str], Any],
    secret: str,
    method: str,
    place: str,
    word: str,
    query: list[Any],
    kind: str,
    body: bytes,
) -> None:
    """As who may read and write one project, and nothing beside."""
    path = f"{path_of(place, word)}?{urlencode(query, errors='surrogatepass')}"
    answer = caller("alice")(method, path, data=body, headers={"Content-Type": kind})
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    assert "SECRET" not in answer.text


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", PLACES)
def test_no_path_leads_to_a_record_of_another_project(
    api: Any, caller: Callable[[str], Any], secret: str, place: str, method: str
) -> None:
    """By its id in the path, in every argument and in every body that names records."""
    alice, path = caller("alice"), path_of(place, secret)
    document = json.dumps({"type": "case", "id": secret, "experiments": {"submitter_id": "e"}, "ids": [secret]})
    bulk = json.dumps([{"name": "x", "doc_format": "json", "doc": document}])
    for query in ("", f"?ids={secret}&with_children=true&format=json", f"?ids={secret}&fields=primary_site"):
        for body in ("", document, bulk):
            answer = alice(method, path + query, data=body)
            assert answer.status_code < 500 or answer.status_code == 501, answer.text
            assert "SECRET" not in answer.text
    assert api.export("case", "two")["hidden"]["primary_site"] == "SECRET"
