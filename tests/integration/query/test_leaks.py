"""What is stored in other projects makes no difference to anything that a caller is told.

Every field and every argument of the schema is asked for, before and after records of other projects have come, gone
and changed, also below and above the caller's own: the answers must be the same to the letter. A field or an argument
that is new and is not asked for here fails the suite.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, get_named_type
from tests.integration.query.conftest import Client, writing
from tests.integration.query.model import RECORDS, Record, insert, program, project, record

from commonshub.core.dictionary import Dictionary
from commonshub.core.graph import Graph
from commonshub.query.schema import build

SECRETS: dict[str, Any] = {
    "primary_site": "Secret",
    "age": 7,
    "weight": 7.5,
    "alive": True,
    "consent_codes": ["secret"],
    "scores": [7],
    "odd": "secret",
    "state": "secret",
}
FILE = {"file_name": "secret", "state": "secret"}
# All of other projects, and tied to the caller's own records wherever links allow it.
HIDDEN: list[Record] = [
    program("Z"),
    project("P", "S"),
    project("Z", "T"),
    record("study", "hstudy", "P-R", ("projects", "project-Q"), topic="secret"),
    record("case", "b-before", "P-R", ("studies", "study1"), **SECRETS),
    record("case", "hcase", "P-R", ("studies", "study1"), **SECRETS),
    record("case", "zcase", "X-Y", ("studies", "hstudy"), **SECRETS),
    record("demographic", "hd", "P-R", ("cases", "c2"), gender="secret"),
    record("sample", "hsample", "P-R", ("cases", "c1"), ("cases", "zcase"), kind="secret"),
    record("aliquot", "haliquot", "P-R", ("samples", "s1"), ("cases", "c2")),
    record("aliquot", "haliquot2", "X-Y", ("samples", "hsample")),
    record(
        "reading", "hread", "P-R", ("aliquots", "a1"), ("samples", "hsample"), **FILE, file_size=7, object_id="secret"
    ),
    record("image", "himage", "X-Y", ("cases", "c1"), **FILE, dose=7),
    record("image", "himage2", "P-R", ("cases", "hcase"), **FILE, dose=7),
]


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


BASE: dict[str, str] = {
    "id": '"hcase"',
    "ids": '["hcase", "c1", "himage"]',
    "submitter_id": '["HCASE", "C1", "HIMAGE"]',
    "quick_search": '"h"',
    "first": "3",
    "offset": "1",
    "after": json.dumps(cursor("", "b")),
    "created_after": '"2020-01-01"',
    "created_before": '"2030-01-01"',
    "updated_after": '"2020-01-01"',
    "updated_before": '"2030-01-01"',
    "order_by_asc": '"submitter_id"',
    "order_by_desc": '"created_datetime"',
    "with_links": '["samples", "images"]',
    "with_links_any": '["images", "samples"]',
    "without_links": '["demographics"]',
    "with_path_to": '{type: "sample", kind: "secret"}',
    "with_path_to_any": '[{type: "image", dose: 7}, {type: "study", topic: "secret"}]',
    "without_path_to": '{type: "demographic", gender: "secret"}',
    "project_id": '["P-R", "P-Q", "X-Y"]',
    "filter": '{or: [{project_id: {in: ["P-R", "X-Y"]}}, {submitter_id: {prefix: "H"}}, {id: {gt: "b"}}]}',
}
CASE = {
    **BASE,
    **{key: json.dumps(value) for key, value in SECRETS.items()},
    "created_datetime": '["2026-01-02T00:00:00+00:00"]',
    "updated_datetime": '["2026-03-04T05:06:07.5+00:00"]',
    "scores": '["7"]',
    "not": "[{age: 9}]",
    "filter": '{not: {age: {lt: 5}}, or: [{primary_site: {contains: "e"}}, {scores: {contains_any: ["7"]}}]}',
}
SEVERAL = {**BASE, "of_type": '["case", "image", "sample"]', "category": '["data_file", "administrative"]'}
for _key in ("with_links", "with_links_any", "without_links"):
    # Links that all node types have are none.
    SEVERAL[_key] = "[]"
FILES = {
    **SEVERAL,
    "file_name": '"secret"',
    "file_size": "7",
    "object_id": '"secret"',
    "dose": "7",
    "state": '"secret"',
}
FILES["id"] = '"hread"'
FILES |= {key: CASE[key] for key in ("created_datetime", "updated_datetime")}
LOG = {
    "id": "2",
    "after": "1",
    "quick_search": "2",
    "type": '"upload"',
    "program": '"P"',
    "project": '"R"',
    "state": '"SUCCEEDED"',
    "order_by_asc": '"project"',
    "order_by_desc": '"id"',
    "is_dry_run": "false",
    "closed": "false",
    "committable": "false",
    "first": "3",
    "last": "1",
    "offset": "0",
    "committed_by": "7",
    "project_id": '["P-R", "P-Q"]',
    "entities": '["c1", "hcase"]',
    "related_cases": '["c1", "hcase"]',
}
ARGUMENTS: dict[str, dict[str, str]] = {"case": CASE, "node": SEVERAL, "datanode": FILES, "transaction_log": LOG}

# Fields of lists below lists below lists.
ONCE_MORE = ("transaction_log", "_case_aggregate")
# What is of no project, and the same for all.
CATALOGUE = ("{ standard", "{ _standard", "{ _node_type")

FAULTS = [
    '{ case(order_by_asc: "Secret") { id } }',
    '{ case(with_links: ["hcase"]) { id } }',
    '{ case(created_after: "secret") { id } }',
    '{ case(after: "secret") { id } }',
    '{ case(filter: {created_datetime: {gt: "secret"}}) { id } }',
    '{ _case_aggregate { _groups(by: ["secret"]) { key } } }',
    "{ _case_aggregate { age { histogram(width: 0) { key } } } }",
    "{ case { secret } }",
]


def shown(type_: GraphQLObjectType, depth: int) -> str:
    """All fields of a type; those of a list below a list, to a depth."""
    fields = []
    for name, each in type_.fields.items():
        below = get_named_type(each.type)
        if isinstance(below, GraphQLInterfaceType):
            fields.append(f"{name} {{ id type _cursor }}")
        elif not isinstance(below, GraphQLObjectType):
            fields.append(name)
        elif depth:
            grouped = next((key for key in ("project_id", "name", "label") if key in type_.fields), "")
            by = f'(by: "{grouped}")' if name == "_groups" else ""
            fields.append(f"{name}{by} {{ {shown(below, depth - 1)} }}")
    return " ".join(fields)


def queries(schema: GraphQLSchema) -> list[str]:
    root = schema.query_type
    assert root is not None
    asked = list(FAULTS)
    for name, field in root.fields.items():
        below = get_named_type(field.type)
        if name == "viewer":
            continue
        if isinstance(below, GraphQLObjectType):
            asked.append(f"{{ {name} {{ {shown(below, 3 if name in ONCE_MORE else 1)} }} }}")
        elif isinstance(below, GraphQLInterfaceType):
            asked.append(f"{{ {name}(first: 50) {{ id type submitter_id project_id _cursor }} }}")
        else:
            asked.append(f"{{ {name} viewer {{ {name} }} }}")
    for name, given in ARGUMENTS.items():
        assert given.keys() == root.fields[name].args.keys(), "every argument is tried here"
        asked += [f"{{ {name}({argument}: {value}) {{ id }} }}" for argument, value in given.items()]
    case = schema.type_map["case"]
    assert isinstance(case, GraphQLObjectType)
    assert SEVERAL.keys() == case.fields["_links"].args.keys()
    assert LOG.keys() == case.fields["_transaction_logs"].args.keys()
    for argument, value in CASE.items():
        asked += [
            f"{{ _case_count({argument}: {value}) }}",
            f"{{ _case_aggregate({argument}: {value}) {{ _totalCount age {{ histogram {{ key count sum }} }} }} }}",
            f"{{ study {{ cases({argument}: {value}) {{ id _cursor }} _cases_count({argument}: {value}) }} }}",
            f'{{ sample(with_path_to: {{type: "case", id: "c1"}}) {{ cases({argument}: {value}) {{ id }} }} }}',
        ]
    for argument, value in SEVERAL.items():
        links = f"_links({argument}: {value}) {{ id type }}"
        asked.append(f"{{ case {{ {links} }} study {{ {links} }} }}")
    for argument, value in LOG.items():
        asked += [
            f"{{ _transaction_log_count({argument}: {value}) }}",
            f"{{ case {{ _transaction_logs({argument}: {value}) {{ id }} }} }}",
            f"{{ case {{ _transaction_logs_count({argument}: {value}) }} }}",
        ]
    return asked


def log(connection: sa.Connection, graph: Graph, number: int, project_: str, entity: str) -> None:
    row = {"id": number, "submitter": "dave", "role": "update", "program": "P", "project": project_}
    more = {"is_dry_run": False, "state": "SUCCEEDED", "canonical_json": [], "closed": False, "committed_by": 7}
    connection.execute(graph.transaction_logs.insert(), row | more)
    snapshot = {"entity_id": entity, "transaction_id": number, "action": "create", "old_props": {}, "new_props": {}}
    connection.execute(graph.transaction_snapshots.insert(), snapshot)
    response = {"entities": [{"related_cases": [{"id": entity, "submitter_id": project_}]}]}
    document = {"transaction_id": number, "doc_format": "JSON", "doc": project_, "response_json": response}
    connection.execute(graph.transaction_documents.insert(), document)


Answers = Mapping[str, tuple[tuple[int, str], tuple[int, str]]]


@pytest.fixture(scope="module")
def answers(empty_client: Client, dictionary: Dictionary) -> dict[str, Answers]:
    """What each caller is told before and after, by query."""
    graph, asked = Graph(dictionary, "graph"), queries(build(dictionary))
    users = ("alice", "bob", "nobody")

    def ask(query: str, user: str) -> tuple[int, str]:
        answer = empty_client.post({"query": query}, user)
        return answer.status_code, answer.text

    with writing(empty_client.running) as connection:
        insert(connection, graph, RECORDS)
        log(connection, graph, 1, "Q", "c1")
    before = {user: {query: ask(query, user) for query in asked} for user in users}
    with writing(empty_client.running) as connection:
        insert(connection, graph, HIDDEN)
        log(connection, graph, 2, "R", "c1")
        connection.exec_driver_sql("delete from graph.node_aliquot where node_id = 'a3'")
        connection.exec_driver_sql(
            'update graph.node_case set _props = _props || \'{"age": 8, "odd": "secret"}\' where node_id = \'c3\''
        )
    return {user: {query: (before[user][query], ask(query, user)) for query in asked} for user in users}


@pytest.mark.parametrize("user", ["bob", "nobody"])
def test_other_projects_make_no_difference(answers: dict[str, Answers], user: str) -> None:
    assert {query: both for query, both in answers[user].items() if both[0] != both[1]} == {}


def test_no_answer_names_what_is_hidden(answers: dict[str, Answers]) -> None:
    for query, both in answers["bob"].items():
        for _, text in both:
            for hidden in ("hcase", "hsample", "P-R", "X-Y", "program-Z", "Secret", "study2"):
                assert hidden not in text or hidden in query, query


def test_nothing_but_the_faults_goes_wrong(answers: dict[str, Answers]) -> None:
    faulty = {query for query, both in answers["bob"].items() if {status for status, _ in both} != {200}}
    assert faulty == set(FAULTS)


def test_who_may_read_all_sees_the_difference(answers: dict[str, Answers]) -> None:
    """The suite would tell nothing of queries that never change."""
    same = [query for query, both in answers["alice"].items() if both[0] == both[1]]
    assert [query for query in same if query not in FAULTS and not query.startswith(CATALOGUE)] == []
