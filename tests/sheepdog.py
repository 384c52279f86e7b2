"""A graph database that Sheepdog has made and filled, with what such a one may hold, and our services on it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import requests
import sqlalchemy as sa
from tests import psqlgraph
from tests.submission_service import SNAPSHOT, Api
from tests.tokens import bearer

from commonshub.query.app import QueryApp
from commonshub.submission.app import SubmissionApp

ONE = {"project_id": "P-one", "state": "validated"}
MOMENT = "2019-03-31T01:59:59.123456+02:00"
FILE = {"file_name": "r", "file_size": 3, "md5sum": "0" * 32, "file_state": "registered"}


def guid(letter: str, number: int) -> str:
    return f"{letter * 8}-0000-4000-8000-{number:012}"


PROGRAM, PROJECT, TWO, EXPERIMENT, OTHER = (guid("a", number) for number in range(5))
CASE, CHANGED, LINKED = (guid("c", number) for number in range(3))
SAMPLE, ALIQUOT, READS = guid("b", 0), guid("b", 1), guid("f", 0)

NODES: dict[str, dict[str, Any]] = {
    "root": {"root": {"schema_version": "-1234567"}},
    "program": {PROGRAM: {"name": "P", "dbgap_accession_number": "phs1"}},
    "project": {
        PROJECT: {"code": "one", "name": "one", "dbgap_accession_number": "phs1", "state": "open", "released": False},
        TWO: {"code": "two", "dbgap_accession_number": "phs2", "state": "open", "availability_type": None},
    },
    "experiment": {EXPERIMENT: {"submitter_id": "e", **ONE}, OTHER: {"submitter_id": "other", **ONE}},
    "case": {
        # A value and a property that the dictionary no longer has, a single value where a list is asked for.
        CASE: {
            "submitter_id": "Case-A", "primary_site": None, "disease_type": "carcinoma", "consent_codes": "a",
            "gone": {"deep": [1, None, "é😀"]}, "created_datetime": MOMENT, "updated_datetime": MOMENT, **ONE,
        },
        CHANGED: {"submitter_id": "Changed", "disease_type": "carcinoma", "gone": 1.0, "created_datetime": MOMENT,
                  "consent_codes": "b", **ONE},
        LINKED: {"submitter_id": "linked", **ONE},
        "no uuid": {"submitter_id": "by-name", **ONE},
        "no uuid/2": {"submitter_id": "by-id", **ONE},
        "null": None,
        "empty": {},
        "nobody's": {"submitter_id": "nobody's"},
        "without a key": {"primary_site": "lung", **ONE},
        "elsewhere": {"submitter_id": "CASE-A", "project_id": "P-two"},
    },
    "sample": {SAMPLE: {"submitter_id": "s", "is_ffpe": "yes", "longest_dimension": "1.50", **ONE}},
    "aliquot": {ALIQUOT: {"submitter_id": "a", **ONE}},
    "demographic": {
        guid("d", 0): {"submitter_id": "d0", "year_of_birth": "1980", "age": 61.0, "alive": "true", **ONE},
        guid("d", 1): {"submitter_id": "d1", "year_of_birth": 1.5e3, "gender": "?", **ONE},
    },
    "readsfile": {READS: {"submitter_id": "r", "object_id": "dg.1/x", **FILE, **ONE}},
    "submittedalignedreads": {
        guid("e", number): {"submitter_id": f"r{number}", **FILE, **ONE} for number in range(2)
    },
}  # fmt: skip
# A case of two experiments, a case with two demographics, an aliquot of a sample and a case, and with two files.
EDGES = {
    "edge_projectmemberofprogram": [(PROJECT, PROGRAM), (TWO, PROGRAM)],
    "edge_experimentperformedforproject": [(EXPERIMENT, PROJECT), (OTHER, PROJECT)],
    "edge_casememberofexperiment": [
        *((id_, EXPERIMENT) for id_ in (CASE, CHANGED, LINKED, "no uuid", "no uuid/2")),
        (CASE, OTHER),
        (CHANGED, OTHER),
    ],
    "edge_samplederivedfromcase": [(SAMPLE, CASE)],
    "edge_aliquotderivedfromsample": [(ALIQUOT, SAMPLE)],
    "edge_aliquotderivedfromcase": [(ALIQUOT, "without a key")],
    "edge_demographicdescribescase": [(guid("d", number), CASE) for number in range(2)],
    "edge_dde952be_sualredafral": [(guid("e", number), ALIQUOT) for number in range(2)],
}  # fmt: skip

TABLE = "type\tsubmitter_id\texperiments.submitter_id\ncase\ttried-tsv\te\n"


def case(key: str) -> dict[str, Any]:
    return {"type": "case", "submitter_id": key, "experiments": {"submitter_id": "e"}}


LOGS: list[dict[str, Any]] = [
    {"role": "create", "state": "SUCCEEDED", "doc_format": "JSON", "doc": "[{}]", "canonical_json": [{"id": CASE}],
     "snapshots": [(CASE, "create", {}, NODES["case"][CASE])], "response_json": {"success": True, "entities": []}},
    {"role": "update", "is_dry_run": True, "doc_format": "TSV", "doc": TABLE, "canonical_json": [case("tried-tsv")]},
    {"role": "create", "is_dry_run": True, "doc_format": "XML", "doc": "<x/>", "canonical_json": [case("tried-xml")]},
    {"role": "create", "is_dry_run": True, "doc_format": "JSON", "doc": "", "canonical_json": case("tried-json")},
    {"role": "delete", "is_dry_run": True, "doc_format": "N/A", "doc": "",
     "snapshots": [("no uuid", "delete", NODES["case"]["no uuid"], NODES["case"]["no uuid"])]},
    {"role": "review", "is_dry_run": True, "doc_format": "N/A", "doc": ""},
    {"role": "create", "state": "PENDING", "submitter": None},
    {"role": "update", "state": "ERRORED", "doc_format": "CSV", "doc": "\u2028", "name": "x.csv"},
]  # fmt: skip


def fill_logs(connection: sa.Connection) -> None:
    for number, log in enumerate(LOGS, 1):
        row = {"submitter": "ann", "is_dry_run": False, "state": "SUCCEEDED", "canonical_json": [], **log}
        snapshots = row.pop("snapshots", [])
        names = ("doc_format", "doc", "name", "response_json")
        sent = {name: row.pop(name) for name in names if name in row}
        psqlgraph.insert(connection, "transaction_logs", program="P", project="one", closed=False, **row)
        for id_, action, old, new in snapshots:
            values = {"entity_id": id_, "transaction_id": number, "action": action, "old_props": old, "new_props": new}
            psqlgraph.insert(connection, "transaction_snapshots", **values)
        if sent:
            psqlgraph.insert(connection, "transaction_documents", transaction_id=number, **sent)
    past = {"label": "case", "voided": MOMENT, "system_annotations": {}, "properties": {"submitter_id": "old"}}
    psqlgraph.insert(connection, "_voided_nodes", node_id=CASE, **past)


Row = Callable[[str, str], dict[str, Any]]


class Existing(NamedTuple):
    """The database before our services have seen it, and once they have started."""

    catalogue: dict[str, psqlgraph.Layout]
    contents: dict[str, list[str]]
    catalogue_then: dict[str, psqlgraph.Layout]
    contents_then: dict[str, list[str]]
    settings: dict[str, Any]
    submission: Any
    query: Any


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def existing(engine: sa.Engine, run_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Existing:
    with engine.begin() as connection:
        psqlgraph.create(connection)
        psqlgraph.fill(connection, NODES, EDGES)
        fill_logs(connection)
    with engine.connect() as connection:
        before = psqlgraph.catalogue(connection), psqlgraph.contents(connection)
    dictionary = psqlgraph.dictionary(tmp_path_factory.mktemp("existing") / "dictionary")
    settings = {"Commons": {"dictionary": str(dictionary)}, "DatabaseSettings": {"graph_schema": "public"}}
    submission, query = run_service(SubmissionApp, **settings), run_service(QueryApp, **settings)
    for running in (submission, query):
        running.hold(SNAPSHOT)
    with engine.connect() as connection:
        then = psqlgraph.catalogue(connection), psqlgraph.contents(connection)
    return Existing(*before, *then, settings, submission, query)


@pytest.fixture(scope="module")
def api(existing: Existing, token: Callable[..., str]) -> Api:
    return Api(existing.submission.url, bearer(token("admin")))


@pytest.fixture(scope="module")
def ask(existing: Existing, token: Callable[..., str]) -> Callable[[str], Any]:
    def post(query: str) -> Any:
        url = f"{existing.query.url}/api/v0/submission/graphql"
        answer = requests.post(url, json={"query": query}, headers=bearer(token("admin")), timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return post


@pytest.fixture(scope="module")
def row(engine: sa.Engine) -> Row:
    """One row of a node table."""

    def read(table: str, node_id: str) -> dict[str, Any]:
        with engine.connect() as connection:
            query = f"select to_jsonb(t) - '_props' || jsonb_build_object('props', _props) from {table} t"
            return dict(connection.execute(sa.text(f"{query} where node_id = :i"), {"i": node_id}).scalar_one())

    return read


def without_nulls(properties: dict[str, Any], *hidden: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None and name not in hidden}
