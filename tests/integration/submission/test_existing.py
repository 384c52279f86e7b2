"""A graph database that sheepdog has made and filled is served, extended and exported as it is."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import requests
import sqlalchemy as sa
from tests import psqlgraph
from tests.checksums import published
from tests.submission_service import SNAPSHOT, Api
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.explore.app import ExploreApp
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

MAPPING = """\
mappings:
- name: test_case
  doc_type: case
  type: aggregator
  root: case
  props: [{name: submitter_id}, {name: project_id}, {name: consent_codes}, {name: disease_type}]
  parent_props: [{path: "experiments[experiment:submitter_id]"}]
  aggregated_props:
  - {name: demographics, path: demographics, fn: count}
  - {name: ages, path: demographics, src: age, fn: sum}
  - {name: born, path: demographics, src: year_of_birth, fn: max}
"""


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


# -- as it is ----------------------------------------------------------------------


def test_a_start_adds_tables_of_its_own_and_changes_none(existing: Existing) -> None:
    assert {name: existing.catalogue_then[name] for name in existing.catalogue} == existing.catalogue


def test_a_start_changes_no_row(existing: Existing) -> None:
    assert {name: existing.contents_then[name] for name in existing.contents} == existing.contents


def without_nulls(properties: dict[str, Any], *hidden: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None and name not in hidden}


def mine(kind: str) -> dict[str, dict[str, Any]]:
    """Records of the project ``one`` that no test changes, by id."""
    changed = (CHANGED, "no uuid", "no uuid/2", LINKED)
    return {
        id_: properties
        for id_, properties in NODES[kind.replace("_", "")].items()
        if (properties or {}).get("project_id") == "P-one" and id_ not in changed
    }


LINKS = {
    CASE: {"experiments": [(EXPERIMENT, "e"), (OTHER, "other")]},
    SAMPLE: {"cases": [(CASE, "Case-A")]},
    ALIQUOT: {"samples": [(SAMPLE, "s")], "cases": [("without a key", None)]},
    **{guid("d", number): {"cases": [(CASE, "Case-A")]} for number in range(2)},
    **{guid("e", number): {"aliquots": [(ALIQUOT, "a")]} for number in range(2)},
}
KINDS = ["case", "sample", "aliquot", "demographic", "reads_file", "submitted_aligned_reads"]


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_exported_as_they_are(api: Api, kind: str) -> None:
    answer = api("GET", f"/P/one/export?node_label={kind}&format=json").json()["data"]
    exported = {each["id"]: each for each in answer}
    for id_, properties in mine(kind).items():
        links = {
            name: [{"node_id": target, "submitter_id": key} for target, key in targets]
            for name, targets in LINKS.get(id_, {}).items()
        }
        expected = {**without_nulls(properties, "gone"), **links, "type": kind, "id": id_}
        if id_ == CASE:
            expected["consent_codes"] = ["a"]
        assert exported[id_] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_every_record_and_link(api: Api, kind: str) -> None:
    text = api("GET", f"/P/one/export?node_label={kind}&format=tsv").text
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text), delimiter="\t")}
    for id_, properties in mine(kind).items():
        row = rows[id_]
        shown = {name: value for name, value in without_nulls(properties).items() if name in row}
        assert {name: row[name] for name in shown} == {name: str(value) for name, value in shown.items()}
        for name, targets in LINKS.get(id_, {}).items():
            ids, keys = ([end or "" for end in ends] for ends in zip(*targets, strict=True))
            assert (row[f"{name}.id"], row[f"{name}.submitter_id"]) == (",".join(ids), ",".join(keys))


def test_an_entity_is_read_with_what_the_dictionary_no_longer_has(api: Api) -> None:
    [entity] = api("GET", f"/P/one/entities/{CASE}").json()["entities"]
    links = [{"id": id_, "submitter_id": key} for id_, key in LINKS[CASE]["experiments"]]
    expected = {**NODES["case"][CASE], "id": CASE, "type": "case", "links": links}
    assert entity == {"program": "P", "project": "one", "properties": expected}


def test_queries_answer_what_is_stored(ask: Callable[[str], Any]) -> None:
    data = ask(
        f"""{{ case(id: "{CASE}") {{ submitter_id disease_type consent_codes primary_site created_datetime
                 experiments {{ submitter_id }} demographics {{ submitter_id gender age }} }}
               aliquot {{ cases {{ id submitter_id }} samples {{ id }} submitted_aligned_reads_files {{ id }} }}
               project(first: 0) {{ project_id state }} datanode {{ id type }} }}"""
    )
    assert data == {
        "case": [
            {
                "submitter_id": "Case-A", "disease_type": "carcinoma", "consent_codes": ["a"], "primary_site": None,
                "created_datetime": MOMENT, "experiments": [{"submitter_id": "e"}, {"submitter_id": "other"}],
                "demographics": [
                    {"submitter_id": "d0", "gender": None, "age": 61.0},
                    {"submitter_id": "d1", "gender": "?", "age": None},
                ],
            }
        ],
        "aliquot": [
            {
                "cases": [{"id": "without a key", "submitter_id": None}], "samples": [{"id": SAMPLE}],
                "submitted_aligned_reads_files": [{"id": guid("e", 0)}, {"id": guid("e", 1)}],
            }
        ],
        "project": [{"project_id": "P-one", "state": "open"}, {"project_id": "P-two", "state": "open"}],
        "datanode": [
            {"id": READS, "type": "reads_file"},
            *({"id": guid("e", number), "type": "submitted_aligned_reads"} for number in range(2)),
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ('case(submitter_id: "Case-A", project_id: "P-one")', CASE),
        ('case(disease_type: "carcinoma", consent_codes: ["a"])', CASE),
        ('case(project_id: "P-two")', "elsewhere"),
        ('case(ids: ["null"])', "null"),
        ("demographic(age: 61)", guid("d", 0)),
        ('demographic(gender: "?", year_of_birth: 1500)', guid("d", 1)),
    ],
)
def test_filters_find_what_is_stored(ask: Callable[[str], Any], arguments: str, found: str) -> None:
    [each] = ask(f"{{ {arguments} {{ id }} }}").values()
    assert each == [{"id": found}]


def test_records_of_no_project_are_in_no_project(api: Api) -> None:
    assert api("GET", "/P/one/entities/null").status_code == 404
    assert api("DELETE", "/P/one/entities/empty").status_code == 400


def test_the_log_tells_of_earlier_transactions(ask: Callable[[str], Any]) -> None:
    fields = "id role state submitter documents { doc_format name } snapshots { id action }"
    data = ask(f"{{ transaction_log(first: {len(LOGS)}) {{ {fields} }} }}")["transaction_log"]
    expected = [
        {
            "id": str(number), "role": log["role"], "state": log.get("state", "SUCCEEDED"),
            "submitter": log.get("submitter", "ann"),
            "documents": [{"doc_format": log["doc_format"], "name": log.get("name")}] if "doc_format" in log else [],
            "snapshots": [{"id": id_, "action": action} for id_, action, *_ in log.get("snapshots", ())],
        }
        for number, log in enumerate(LOGS, 1)
    ]  # fmt: skip
    assert data == expected


def test_documents_of_the_explorer_are_built_of_it(
    existing: Existing, run_service: Callable[..., Any], token: Callable[..., str], tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("explore")
    (folder / "etlMapping.yaml").write_text(MAPPING)
    settings = {"mapping_file": str(folder / "etlMapping.yaml"), "index_dir": str(folder / "index")}
    explore = run_service(ExploreApp, **existing.settings, ExploreSettings=settings)
    explore.hold(SNAPSHOT)
    eventually(lambda: explore.app.active, 30)
    query = """{ case(filter: {in: {submitter_id: ["Case-A"]}}) {
                   _case_id submitter_id consent_codes disease_type demographics ages born experiment } }"""
    answer = requests.post(
        f"{explore.url}/guppy/graphql", json={"query": query}, headers=bearer(token("admin")), timeout=30
    ).json()
    [document] = answer["data"]["case"]
    assert {**document, "experiment": sorted(document["experiment"])} == {
        "_case_id": CASE, "submitter_id": "Case-A", "consent_codes": ["a"], "disease_type": "carcinoma",
        "demographics": 2, "ages": 61, "born": 1980, "experiment": ["e", "other"],
    }  # fmt: skip


# -- extended ----------------------------------------------------------------------


def cases(api: Api) -> dict[str | None, dict[str, Any]]:
    answer = api("GET", "/P/one/export?node_label=case&format=json").json()
    return {each.get("submitter_id"): each for each in answer["data"]}


def test_an_update_changes_what_it_names_and_keeps_all_else(api: Api, row: Row) -> None:
    before = row("node_case", CHANGED)
    answer = api.put({"type": "case", "submitter_id": "CHANGED", "primary_site": "skin",
                      "experiments": [{"submitter_id": "other"}]})  # fmt: skip
    assert (answer["success"], answer["updated_entity_count"]) == (True, 1), answer
    after = row("node_case", CHANGED)
    given = {"primary_site": "skin", "submitter_id": "CHANGED"}
    assert after["props"].pop("updated_datetime")
    assert after == {**before, "props": {**before["props"], **given}}
    assert before["acl"] == ["open"]
    assert before["_sysan"] == {"legacy": [1, None]}
    assert [each["submitter_id"] for each in cases(api)["CHANGED"]["experiments"]] == ["other"]


def test_earlier_states_are_kept_behind_those_that_were_there(api: Api, engine: sa.Engine) -> None:
    for site in ("lung", "skin"):
        assert api.put({**case("linked"), "primary_site": site})["code"] == 200
    query = "select key, properties from _voided_nodes where node_id = :i order by key"
    with engine.connect() as connection:
        [(first, old), (second, then)] = connection.execute(sa.text(query), {"i": LINKED}).all()
    assert old == NODES["case"][LINKED]
    assert then["primary_site"] == "lung"
    assert 1 < first < second


def test_new_records_hang_on_old_ones(api: Api) -> None:
    documents = [
        {"type": "sample", "submitter_id": "new", "cases": {"submitter_id": "LINKED"}},
        {"type": "demographic", "submitter_id": "new", "cases": {"submitter_id": "linked"}},
    ]
    assert api.put(*documents)["created_entity_count"] == 2
    assert api.export("sample")["new"]["cases"] == [{"node_id": LINKED, "submitter_id": "linked"}]


def test_rules_of_links_hold_for_new_ones(api: Api) -> None:
    """The case has two demographics already, which stay."""
    answer = api.put({"type": "demographic", "submitter_id": "third", "cases": {"submitter_id": "case-a"}})
    [error] = answer["entities"][0]["errors"]
    assert error["rule"] == "multiplicity"
    assert {"d0", "d1"} <= api.export("demographic").keys()


@pytest.mark.parametrize("size", [1, 1000])
def test_a_link_that_breaks_a_rule_may_be_sent_again(
    api: Api, existing: Existing, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Or nothing else of the record could be changed: the dictionary requires the link."""
    model = existing.submission.app.model
    tools = replace(model.tools, sizes=replace(model.tools.sizes, chunk=size))
    monkeypatch.setattr(existing.submission.app, "model", replace(model, tools=tools))
    reads = [
        {
            "type": "submitted_aligned_reads",
            "submitter_id": f"r{number}",
            "file_size": 4,
            "aliquots": {"submitter_id": "a"},
        }
        for number in range(2)
    ]
    answer = api.put(*reads, path="/P/one/_dry_run")
    assert (answer["success"], answer["entity_error_count"]) == (True, 0), answer
    third = api.put(*reads, {**reads[0], "submitter_id": "r3"}, path="/P/one/_dry_run")
    assert [not each["valid"] for each in third["entities"]] == [False, False, True]


def test_a_key_that_is_taken_in_other_letters_is_taken(api: Api) -> None:
    case = {"type": "case", "submitter_id": "CASE-a", "experiments": {"submitter_id": "e"}}
    [error] = api.put(case, method="POST")["entities"][0]["errors"]
    assert error["rule"] == "uniqueKeys"


def test_a_record_whose_id_is_no_uuid_is_deleted(api: Api) -> None:
    assert api("DELETE", "/P/one/entities/no uuid%2F2").json()["deleted_entity_count"] == 1


def test_an_old_project_is_changed(api: Api, row: Row) -> None:
    before = row("node_project", TWO)
    project = {"type": "project", "code": "two", "name": "Two", "dbgap_accession_number": "phs2"}
    assert api("PUT", "/P", project).status_code == 200
    after = row("node_project", TWO)
    assert without_nulls(after.pop("props")) == {**without_nulls(before.pop("props")), "name": "Two"}
    assert after == before
    assert api("PUT", "/P/two/review").status_code == 200
    assert api("PUT", "/P/two/open").status_code == 200


@pytest.mark.parametrize(
    ("number", "created"), [(2, "tried-tsv"), (3, "tried-xml"), (4, "tried-json")], ids=["TSV", "XML", "JSON"]
)
def test_an_old_dry_run_is_committed(api: Api, number: int, created: str, row: Row) -> None:
    answer = api("PUT", f"/P/one/transactions/{number}/commit").json()
    assert (answer["success"], answer["created_entity_count"]) == (True, 1)
    assert answer["transaction_id"] > len(LOGS)
    assert created in cases(api)


def test_an_old_dry_run_of_deleting_is_committed(api: Api) -> None:
    answer = api("PUT", "/P/one/transactions/5/commit").json()
    assert (answer["success"], answer["deleted_entity_count"]) == (True, 1)
    assert "by-name" not in cases(api)


@pytest.mark.parametrize(
    ("number", "message"), [(1, "not a dry run"), (6, "has no records"), (7, "not a dry run"), (8, "not a dry run")]
)
def test_what_cannot_be_committed_is_refused(api: Api, number: int, message: str) -> None:
    answer = api("PUT", f"/P/one/transactions/{number}/commit")
    assert (answer.status_code, message in answer.json()["message"]) == (400, True)


def test_all_that_was_there_and_not_touched_is_as_it_was(existing: Existing, engine: sa.Engine) -> None:
    """Whatever the tests above have done."""
    with engine.connect() as connection:
        now = psqlgraph.contents(connection)
    touched = (CHANGED, LINKED, TWO, "no uuid", "(2,", "(3,", "(4,", "(5,")
    for table, rows in existing.contents.items():
        kept = [row for row in rows if not any(each in row for each in touched)]
        assert [row for row in kept if row not in now[table]] == []


# -- frozen ------------------------------------------------------------------------


def test_a_release_has_every_record_as_it_is_stored(api: Api) -> None:
    made = api("POST", "/P/one/releases", {}).json()
    export = f"/P/one/releases/{made['id']}/export?format=json&node_label="
    exports = [api("GET", export + label).text for label in made["counts"]]
    assert published()["checksum"](exports) == made["checksum"]
    [case] = [each for each in json.loads(exports[list(made["counts"]).index("case")])["data"] if each["id"] == CASE]
    assert (case["gone"], case["consent_codes"]) == ({"deep": [1, None, "é😀"]}, "a")
    assert len(case["experiments"]) == 2
