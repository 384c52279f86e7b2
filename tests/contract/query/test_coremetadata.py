"""What a file is, as pages about files and who cites them ask for it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.dictionaries import FOLDERS, folder
from tests.integration.query.conftest import READERS, Statements, readers, writing
from tests.integration.query.model import RECORDS, TEXT, Record, insert, link, node, record, write_dictionary
from tests.tokens import bearer

from commonshub.core.dictionary import load
from commonshub.core.graph import Graph, edge_table, node_table
from commonshub.query import coremetadata
from commonshub.query.answers import Answers
from commonshub.query.app import QueryApp
from commonshub.query.document import Limits
from commonshub.query.scope import Scope
from commonshub.query.sql import GraphTables

NODES = [
    node(
        "core_metadata_collection",
        [link("projects", "core_metadata_collections", "project")],
        category="administrative",
        **dict.fromkeys(("title", "creator", "publisher", "description", "subject"), TEXT),
    ),
    node(
        "scan",
        [link("core_metadata_collections", "scans", "core_metadata_collection"), link("cases", "scans", "case")],
        category="data_file",
        **dict.fromkeys(("file_name", "object_id", "md5sum", "data_format"), TEXT),
        file_size={"type": "integer"},
    ),
]
MD5 = "bc575394b5565a1d3fa20abe2b132896"
HOSTILE = 'x"},\n{\\y'
MORE: list[Record] = [
    record(
        "core_metadata_collection",
        "m1",
        "P-Q",
        ("projects", "project-Q"),
        title="Scans",
        creator="Ada",
        publisher="NHS",
    ),
    record("core_metadata_collection", "m2", "P-R", ("projects", "project-R"), title="Secret", creator="Eve"),
    record(
        "scan",
        "x1",
        "P-Q",
        ("core_metadata_collections", "m1"),
        file_name="a.dcm",
        object_id="dg.1/7c-5",
        md5sum=MD5,
        file_size=12,
    ),
    record("scan", "x2", "P-Q", ("core_metadata_collections", "m2"), object_id="tied-to-another-project"),
    record("scan", "x3", "P-R", ("core_metadata_collections", "m1"), object_id="of-another-project"),
    record("scan", "x4", "P-Q", file_name=HOSTILE, object_id=HOSTILE),
]

Ask = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def running(run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    file: Path = write_dictionary(tmp_path_factory.mktemp("dictionary"), NODES)
    running = run_service(QueryApp, Commons={"dictionary": str(file)})
    running.hold(readers(READERS))
    with writing(running) as connection:
        insert(connection, Graph(load(str(file)), "graph"), [*RECORDS, *MORE])
    return running


@pytest.fixture(scope="module")
def ask(running: Any, token: Callable[..., str]) -> Iterator[Ask]:
    def ask(object_id: str, user: str | None = "bob", accept: str | None = "application/json", **more: str) -> Any:
        headers = {"Accept": accept, **(bearer(token(user)) if user else {}), **more}
        address = f"{running.url}/coremetadata/{requests.utils.quote(object_id, safe='/')}"
        return requests.get(address, headers=headers, timeout=60)

    return ask


KNOWN = {
    "description": None,
    "creator": "Ada",
    "publisher": "NHS",
    "subject": None,
    "type": "scan",
    "file_name": "a.dcm",
    "data_format": None,
    "file_size": 12,
    "project_id": "P-Q",
    "object_id": "dg.1/7c-5",
    "md5sum": MD5,
    "citation": "Ada, 2026: Scans. NHS, dg.1/7c-5.",
}


def test_g68_a_file_is_told_with_its_core_metadata(ask: Ask, running: Any) -> None:
    statements = Statements(running.app.database.engine)
    answer = ask("dg.1/7c-5")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == KNOWN
    assert len(statements.texts) == 1
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_g68_the_same_below_the_prefix_of_the_other_services(running: Any, ask: Ask, token: Any) -> None:
    address = f"{running.url}/api/v0/coremetadata/dg.1/7c-5"
    assert requests.get(address, headers=bearer(token("bob")), timeout=60).json() == ask("dg.1/7c-5").json()


def test_g68_a_file_without_core_metadata_is_told_by_itself(ask: Ask) -> None:
    found = ask("o1").json()
    assert (found["file_name"], found["file_size"], found["data_format"]) == ("r1.csv", 12, None)
    assert found["citation"] == "2026: o1."
    assert not found.keys() & set(coremetadata.COLLECTION_FIELDS)


def test_g68_a_bibliography_takes_it(ask: Ask) -> None:
    answer = ask("dg.1/7c-5", accept="x-bibtex")
    assert answer.headers["Content-Type"] == "application/x-bibtex; charset=utf-8"
    assert answer.text == (
        '@misc {dg.1/7c-5, creator = "Ada", publisher = "NHS", type = "scan", file_name = "a.dcm", file_size = "12", '
        f'project_id = "P-Q", object_id = "dg.1/7c-5", md5sum = "{MD5}", citation = "{KNOWN["citation"]}"}}'
    )


def test_g68_search_engines_take_it(ask: Ask, running: Any) -> None:
    answer = ask("dg.1/7c-5", accept="application/vnd.schemaorg.ld+json")
    assert answer.headers["Content-Type"] == "application/vnd.schemaorg.ld+json"
    assert answer.json() == {
        "@context": "http://schema.org",
        "@type": "Dataset",
        "@id": f"{running.app.commons.origin}/index/dg.1/7c-5",
        "identifier": [
            {"@type": "PropertyValue", "propertyID": "dataguid", "value": "dg.1/7c-5"},
            {"@type": "PropertyValue", "propertyID": "md5", "value": MD5},
        ],
        "publisher": {"@type": "Organization", "name": "NHS"},
        "author": {"name": "Ada"},
        "additionalType": "scan",
        "name": "a.dcm",
        "datePublished": "2026-03-04T05:06:07.5+00:00",
    }


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
        ("text/html, X-BibTeX;q=0.5, application/json;q=0.1", "application/x-bibtex; charset=utf-8"),
        ("application/x-bibtex", "application/x-bibtex; charset=utf-8"),
        ("application/ld+json", "application/vnd.schemaorg.ld+json"),
        ("", "application/json"),
    ],
)
def test_g68_the_first_form_is_taken_that_there_is(ask: Ask, accept: str, kind: str) -> None:
    assert ask("dg.1/7c-5", accept=accept).headers["Content-Type"] == kind


@pytest.mark.parametrize("object_id", ["zzz", "of-another-project", "dg.1/7c-5/", "DG.1/7c-5", "%", "' or true --"])
@pytest.mark.parametrize("accept", ["application/json", "x-bibtex"])
def test_g68_what_the_caller_may_not_read_is_not_there(ask: Ask, object_id: str, accept: str) -> None:
    answer = ask(object_id, accept=accept)
    assert (answer.status_code, answer.json()["message"]) == (404, f'object_id "{object_id}" not found')


def test_g68_core_metadata_of_another_project_are_not_told(ask: Ask) -> None:
    answer = ask("tied-to-another-project")
    assert answer.json()["citation"] == "2026: tied-to-another-project."
    assert not re.search("Secret|Eve", answer.text)
    assert ask("tied-to-another-project", "alice").json()["creator"] == "Eve"
    assert ask("of-another-project", "alice").json()["project_id"] == "P-R"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "Authentication Error: no authorization header provided"),
        ({"Authorization": "invalid"}, "Authentication Error: could not parse authorization header"),
    ],
)
def test_g68_nobody_is_told_without_a_token(ask: Ask, headers: dict[str, str], text: str) -> None:
    answer = ask("dg.1/7c-5", None, **headers)
    assert (answer.status_code, answer.json()["message"]) == (401, text)


def test_g68_values_stay_values_whatever_signs_they_have(ask: Ask) -> None:
    assert ask(HOSTILE).json()["file_name"] == HOSTILE
    entry = ask(HOSTILE, accept="x-bibtex").text
    assert entry.startswith("@misc {x______y, ")
    assert 'file_name = "x{"}\\},\n\\{{\\textbackslash}y"' in entry
    assert ask("a\0b").status_code == 404


@pytest.mark.parametrize("name", FOLDERS)
def test_g68_published_dictionaries_take_one_statement_within_the_limits(name: str) -> None:
    dictionary = load(folder(name))
    query = coremetadata.query(dictionary)
    answers = Answers(dictionary, GraphTables("graph", node_table, edge_table), Limits(), kept=1)
    # Where no file has an object id there is nothing to ask.
    assert query is None or answers.plan(query, {"id": "o"}, None, Scope(everything=True)).statement
