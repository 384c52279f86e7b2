"""Plans, without a database: what is asked in how many statements, and that values never become SQL."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType, build_client_schema, validate_schema
from hypothesis import given
from hypothesis import strategies as st

from commonshub.core.dictionary import Dictionary, Link, NodeType, Property
from commonshub.core.dictionary.metaschema import RESERVED
from commonshub.core.errors import ValidationFailed
from commonshub.query.answers import Answers
from commonshub.query.document import Limits
from commonshub.query.paths import Paths
from commonshub.query.planner import Plan
from commonshub.query.schema import build
from commonshub.query.scope import Scope
from commonshub.query.sql import GraphTables, ReleaseTables, literal, name


def prop(name_: str, kind: Any = "string", item_kind: str | None = None) -> Property:
    return Property(name_, kind, item_kind, (), True, False, False, "")


def node(id_: str, links: tuple[Link, ...] = (), *props: Property) -> NodeType:
    common = (prop("id"), prop("type"), prop("submitter_id"), prop("project_id"), *props)
    properties = {each.name: each for each in common}
    category = "data_file" if id_ == "file" else "clinical"
    return NodeType(id_, id_, category, "", {"id": id_}, properties, links, (), frozenset(), frozenset(), ())


def link(source: str, target: str, name_: str, backref: str) -> Link:
    return Link(name_, backref, "part_of", source, target, "many_to_many", False)


def dictionary(*nodes: NodeType) -> Dictionary:
    backlinks: dict[str, tuple[Link, ...]] = {}
    for each in (each for one in nodes for each in one.links):
        backlinks[each.target] = (*backlinks.get(each.target, ()), each)
    return Dictionary({each.id: each for each in nodes}, {}, "", backlinks)


SMALL = dictionary(
    node("program"),
    node("project", (link("project", "program", "programs", "projects"),)),
    node(
        "case",
        (link("case", "project", "projects", "cases"),),
        prop("age", "integer"),
        prop("tags", "array"),
        prop("alive", "boolean"),
    ),
    node("sample", (link("sample", "case", "cases", "samples"), link("sample", "sample", "parents", "children"))),
    node("file", (link("file", "sample", "samples", "files"), link("file", "case", "cases", "files"))),
)
TABLES = GraphTables("graph", lambda type_: f"node_{type_}", lambda each: f"edge_{each.source}_{each.target}")
ANSWERS = Answers(SMALL, TABLES, Limits(), 10)


def plan(query: str, variables: Mapping[str, Any] | None = None, scope: Scope | None = None) -> Plan:
    return ANSWERS.plan(query, variables or {}, None, scope or Scope(everything=True))


def test_the_portal_may_ask_for_all_types_of_a_large_dictionary() -> None:
    case = node("case")
    types = [node(f"type_{n}", (link(f"type_{n}", "case", "cases", f"type_{n}s"),)) for n in range(150)]
    large = Answers(dictionary(case, *types), TABLES, Limits(), 1)
    parts = [
        f'_type_{n}_count(project_id: "P-q") l{n}: type_{n}(with_links: ["cases"], first: 1, project_id: "P-q") {{id}}'
        for n in range(150)
    ]
    assert large.plan(f"{{ {' '.join(parts)} }}", {}, None, Scope(everything=True)).statement


def test_the_schema_is_valid_and_can_be_rebuilt_from_its_introspection() -> None:
    assert validate_schema(ANSWERS.schema) == []
    rebuilt = build_client_schema(orjson.loads(ANSWERS.introspection())["data"])
    assert set(rebuilt.type_map) == set(ANSWERS.schema.type_map)


def test_a_query_of_constants_has_no_statement() -> None:
    found = plan("{ a: __typename viewer { __typename } }")
    assert found.statement is None
    assert found.render(()) == b'{"a":"Root","viewer":{"__typename":"Root"}}'


@pytest.mark.parametrize("name", [None, "Named"])
def test_what_depends_on_the_schema_alone_is_worked_out_once(name: str | None) -> None:
    query = "query Named { __schema { queryType { name } } }"
    first, again = (ANSWERS.plan(query, {}, name, Scope(everything=True)) for _ in range(2))
    assert again is first


def test_an_operation_is_not_answered_with_another_of_the_same_text() -> None:
    query = "query a { x: __typename } query b { y: __typename }"
    answers = [ANSWERS.plan(query, {}, name, Scope(everything=True)).render(()) for name in ("a", "b", "a")]
    assert answers == [b'{"x":"Root"}', b'{"y":"Root"}', b'{"x":"Root"}']


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((), "Where it was."),
        (("Lung", "Breast"), "Where it was.\n\nOne of: Lung, Breast."),
        (tuple(map(str, range(22))), f"Where it was.\n\nOne of: {', '.join(map(str, range(20)))}, and 2 more."),
    ],
)
def test_the_meaning_of_a_property_names_its_values(values: tuple[str, ...], told: str) -> None:
    site = Property("site", "string", None, values, True, False, False, "Where it was.")
    record = build(dictionary(node("case", (), site))).type_map["case"]
    assert isinstance(record, GraphQLObjectType)
    assert record.fields["site"].description == told


def test_every_argument_and_every_way_through_the_graph_is_described() -> None:
    # What the dictionary says nothing of is not told.
    properties = {key for each in SMALL.nodes.values() for key in each.properties}
    silent = []
    for type_ in (ANSWERS.schema.type_map[each] for each in ("Root", *SMALL.nodes)):
        assert isinstance(type_, GraphQLObjectType)
        for key, each in type_.fields.items():
            if each.args and not each.description:
                silent.append(f"{type_}.{key}")
            silent += [
                f"{type_}.{key}({name_})"
                for name_, arg in each.args.items()
                if not arg.description and name_ not in properties - {"submitter_id", "project_id", "id"}
            ]
    assert silent == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", None),
        ("Where it was.", "Where it was."),
        ("Where it was. In which organ, e.g. of the lung.", "Where it was."),
        ("One of:\n a, b", "One of:\n a, b"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
    ],
)
def test_an_argument_is_told_as_the_first_sentence_of_its_property(text: str, told: str | None) -> None:
    site = Property("site", "string", None, (), True, False, False, text)
    root = build(dictionary(node("case", (), site))).query_type
    assert root is not None
    assert root.fields["case"].args["site"].description == told


def test_links_are_told_as_the_dictionary_has_them() -> None:
    case, sample = (ANSWERS.schema.type_map[name_] for name_ in ("case", "sample"))
    assert isinstance(case, GraphQLObjectType)
    assert isinstance(sample, GraphQLObjectType)
    assert sample.fields["cases"].description == "Parents of type case: part of, many to many."
    assert case.fields["samples"].description == "Children of type sample: part of, many to many."
    assert case.fields["_samples_count"].description == "How many samples it has."


def test_the_answer_keeps_the_order_of_the_query() -> None:
    found = plan("{ z: _case_count viewer { y: __typename x: _sample_count } w: _case_count }")
    assert found.render(["1", "2", None]) == b'{"z":1,"viewer":{"y":"Root","x":2},"w":null}'


def test_a_path_filter_grows_with_the_links_and_not_with_the_paths() -> None:
    layers = [node("program"), node("project", (link("project", "program", "programs", "projects"),))]
    above = ["project"]
    for layer in range(8):
        names = [f"n{layer}a", f"n{layer}b"]
        layers += [
            node(each, tuple(link(each, parent, f"{parent}s", f"{each}s") for parent in above)) for each in names
        ]
        above = names
    deep = Answers(dictionary(*layers), TABLES, Limits(), 1)
    query = '{ _n7a_count(with_path_to: {type: "program"}) }'
    statement = deep.plan(query, {}, None, Scope(everything=True)).statement
    assert statement is not None
    assert statement.count(" as (select") == 16


def test_paths_end_where_a_type_links_to_itself() -> None:
    paths = Paths(SMALL)
    assert paths.reachable("sample", up=True) == {"sample", "case", "project", "program"}
    assert paths.reachable("case", up=False) == {"sample", "file"}
    assert plan('{ sample(with_path_to: {type: "program"}) { id } }').statement


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_values_are_bound_and_never_part_of_the_statement(text: str) -> None:
    query = """query ($t: String, $l: [String]) {
        case(id: $t, ids: $l, submitter_id: $l, tags: $l, project_id: $l, quick_search: $t, not: [{submitter_id: $t}],
             filter: {submitter_id: {eq: $t, in: $l, lt: $t, contains: $t}, id: {nin: $l}, tags: {contains_any: $l}},
             with_path_to: {type: "file", submitter_id: $t}) { id }
        node(of_type: $l, category: $l) { id } transaction_log(state: $t, project_id: $l) { id } }"""
    first = plan(query, {"t": text, "l": [text]}, Scope(projects=frozenset([(text, text)])))
    second = plan(query, {"t": "x", "l": ["x"]}, Scope(projects=frozenset([(text, text)])))
    assert first.statement == second.statement


@given(text=st.text())
def test_names_are_quoted(text: str) -> None:
    for quoted, quote in ((name(text), '"'), (literal(text), "'")):
        assert re.fullmatch(rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}", quoted)
        assert "%" not in quoted.replace("%%", "")


@pytest.mark.parametrize("scope", [Scope(), Scope(projects=frozenset([("P", "Q")])), Scope(programs=frozenset("P"))])
def test_every_table_of_records_is_limited_to_the_scope(scope: Scope) -> None:
    query = '{ case(with_path_to: {type: "file"}, with_links: ["files"]) { samples { files { id } _cases_count } } }'
    statement = plan(query, scope=scope).statement or ""
    read = re.findall(r'"graph"\."node_(?:case|sample|file)" (t\d+)', statement)
    assert len(read) >= 6
    for alias in read:
        assert scope.nothing or f"{alias}._props->>'project_id'" in statement


ONE = Scope(projects=frozenset([("P", "Q")]))


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        ("first: 20, offset: 5", ["25"] * 5 + ["20"]),
        ('first: 20, order_by_desc: "type", category: ["clinical"]', ["20"] * 5),
        ('first: 20, of_type: ["case", "file"]', ["20"] * 3),
        ("first: 0", []),
        # Where few of a type may match, its records are not walked in order until they do.
        ('first: 20, quick_search: "x"', ["20"]),
    ],
)
def test_no_more_is_read_of_each_type_than_a_page_of_all_needs(arguments: str, limits: list[str]) -> None:
    statement = plan(f"{{ node({arguments}) {{ id }} }}", scope=ONE).statement or ""
    assert re.findall(r" limit (\d+)", statement) == limits


@pytest.mark.parametrize(("asked", "found"), [("P-Q", ["P-Q"]), ("P-R", None), (["P-R", "P-Q"], ["P-Q"])])
def test_nothing_is_looked_for_where_it_may_not_be_seen(asked: Any, found: list[str] | None) -> None:
    query = "query ($p: [String]) { case(project_id: $p) { id } }"
    planned = plan(query, {"p": asked}, ONE)
    assert (found in planned.parameters.values()) == (found is not None)
    assert ("where false" in (planned.statement or "")) == (found is None)


@pytest.mark.parametrize(
    ("arguments", "fenced"),
    [
        ('id: "x"', False),
        ('without_links: ["files"]', True),
        ('without_path_to: {type: "file"}', True),
        ('without_path_to: {type: "file"}, first: 0', False),
        ('with_links: ["files"]', False),
    ],
)
def test_the_few_that_something_is_missing_from_are_found_all_at_once(arguments: str, fenced: bool) -> None:
    statement = plan(f"{{ case({arguments}) {{ id }} }}").statement or ""
    assert ("offset 0) t" in statement) == fenced


@pytest.mark.parametrize(
    "query",
    [
        '{ case(with_path_to: {type: "file"}, with_links: ["files"]) { samples { files { id } _cases_count } } }',
        '{ node(project_id: "P-Q") { id ... on case { _links { id } } } _case_count project { project_id } }',
    ],
)
def test_a_release_is_read_from_its_own_tables_alone(query: str) -> None:
    release = ReleaseTables("release", 7, lambda each: f"{each.source}.{each.name}")
    statement = ANSWERS.plan(query, {}, None, Scope(everything=True), release).statement or ""
    assert '"graph"' not in statement
    read = re.findall(r'from "release"\.release_(?:nodes|edges) where (.*?)\)', statement)
    assert len(read) == statement.count('"release"') > 5
    assert all(re.fullmatch(r"release = 7 and (?:type|link) = '[a-z.]+'", each) for each in read)


@pytest.mark.parametrize("query", ["{ transaction_log { id } }", "{ _transaction_log_count }"])
def test_a_release_has_no_submission_log(query: str) -> None:
    found = ANSWERS.plan(query, {}, None, Scope(everything=True), ReleaseTables("release", 7, lambda each: each.name))
    assert (found.statement, len(found.errors)) == (None, 1)


def test_a_name_that_graphql_cannot_have_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationFailed, match="cannot be queried"):
        build(dictionary(node("program"), node("project"), node("case", (), prop("__x"))))


def test_no_dictionary_can_take_a_name_that_every_schema_has() -> None:
    fields = ANSWERS.schema.query_type.fields if ANSWERS.schema.query_type else {}
    names = {name for name in (*ANSWERS.schema.type_map, *fields) if not name.startswith("_")}
    # A node type's own names begin or end with it.
    begin, end = tuple(SMALL.nodes), tuple(f"_{each}" for each in SMALL.nodes)
    assert {name for name in names if not name.startswith(begin) and not name.endswith(end)} == RESERVED


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("{ _case_count }", True),
        ('{ _case_count(project_id: "P-Q") }', True),
        ('{ _case_count(project_id: ["P-Q", "P-R"], id: null) }', True),
        ('{ _case_count(submitter_id: "c1") }', False),
        ('{ _case_count(project_id: "P-Q", age: 3) }', False),
        ("{ _project_count }", False),
        ('{ _project_count(project_id: "P-Q") }', False),
        ("{ case { _samples_count } }", False),
    ],
)
@pytest.mark.parametrize("everything", [True, False])
def test_records_of_whole_projects_are_not_counted_anew(query: str, kept: bool, everything: bool) -> None:
    scope = Scope(everything=True) if everything else Scope(projects=frozenset({("P", "Q")}))
    assert ("node_counts" in str(plan(query, scope=scope).statement)) == kept
