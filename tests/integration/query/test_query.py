"""GraphQL over real rows: what each field and argument answers."""

from typing import Any

import pytest
from tests.integration.query.conftest import Client
from tests.integration.query.model import RECORDS


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["id"] for row in rows)


ARGUMENTS: list[tuple[str, list[str]]] = [
    ("case", ["c1", "c2", "c3"]),
    ('case(id: "c1")', ["c1"]),
    ('case(ids: ["c1", "c3", "zz"])', ["c1", "c3"]),
    ('case(submitter_id: "C1")', ["c1"]),
    ('case(submitter_id: ["C1", "C2"])', ["c1", "c2"]),
    ('case(project_id: "P-R")', ["c3"]),
    ('case(project_id: ["P-R", "P-Q"])', ["c1", "c2", "c3"]),
    ("case(project_id: [])", ["c1", "c2", "c3"]),
    ('case(quick_search: "2")', ["c2"]),
    ('case(quick_search: "C")', ["c1", "c2", "c3"]),
    ('case(quick_search: "%")', []),
    ('case(quick_search: "")', ["c1", "c2", "c3"]),
    ('case(primary_site: "Lung")', ["c1", "c3"]),
    ('case(primary_site: ["Lung", "Skin"])', ["c1", "c2", "c3"]),
    ('case(primary_site: "lung")', []),
    ("case(primary_site: null)", ["c1", "c2", "c3"]),
    ("case(age: 61)", ["c1"]),
    ("case(age: 61.0)", ["c1"]),
    ("case(age: [9, 100])", ["c2", "c3"]),
    ("case(weight: 70.5)", ["c1"]),
    ("case(weight: [null])", ["c2", "c3"]),
    ("case(alive: true)", ["c1"]),
    ("case(alive: [true, false])", ["c1", "c2"]),
    ('case(consent_codes: "cc1")', ["c1"]),
    ('case(consent_codes: ["cc1", "cc2"])', ["c1"]),
    ('case(consent_codes: ["cc1", "xcc1"])', []),
    ('case(scores: "2.50")', ["c1"]),
    ('case(odd: "5")', ["c1", "c2"]),
    ('case(not: [{primary_site: "Lung"}])', ["c2"]),
    ("case(not: [{alive: true}])", ["c2", "c3"]),
    ('case(not: [{primary_site: "Lung", alive: true}])', ["c2", "c3"]),
    ('case(not: [{primary_site: "Skin"}, {age: 100}])', ["c1"]),
    ('case(created_after: "2026-01-15")', ["c2"]),
    ('case(created_before: "2026-02-02T01:00:00+01:00")', ["c1", "c3"]),
    ('case(updated_after: "2026-03-04T05:06:07Z")', ["c1", "c2", "c3"]),
    ('case(updated_before: "2026-03-04")', []),
    ('case(with_links: ["samples"])', ["c1", "c3"]),
    ('case(with_links: ["samples", "images"])', ["c3"]),
    ('case(with_links_any: ["samples", "images"])', ["c1", "c2", "c3"]),
    ('case(without_links: ["samples"])', ["c2"]),
    ('case(with_links: ["studies"], without_links: ["demographics", "samples"])', ["c2"]),
    ('project(project_id: "P-Q")', ["project-Q"]),
    ('project(project_id: ["P-Q", "FAKE"])', ["project-Q"]),
    ('project(code: "R")', ["project-R"]),
    ('program(name: ["P"])', ["program-P"]),
    ("standard", ["std1"]),
    ("reading(file_size: 1099511627776)", ["r2"]),
    ('node(ids: ["c1", "s1", "program-P"])', ["c1", "program-P", "s1"]),
    ('node(of_type: ["sample"])', ["s1", "s2", "s3"]),
    ('node(of_type: ["sample", "zz"], project_id: "P-R")', ["s3"]),
    ('node(category: "data_file", project_id: "P-Q")', ["i1", "r1", "r2"]),
    ('node(category: "administrative", submitter_id: "C1")', ["c1"]),
    ('node(project_id: "X-Y")', ["project-Y"]),
    ("datanode", ["i1", "i3", "r1", "r2", "r3"]),
    ('datanode(object_id: "o1")', ["r1"]),
    ('datanode(file_name: ["i1.dcm", "r3.csv"])', ["i1", "r3"]),
    ('datanode(of_type: "image")', ["i1", "i3"]),
    ("case(filter: {})", ["c1", "c2", "c3"]),
    ("case(filter: null)", ["c1", "c2", "c3"]),
    ("case(filter: {age: {}, weight: null, alive: {eq: null}, and: null})", ["c1", "c2", "c3"]),
    ('case(filter: {primary_site: {eq: "Lung"}})', ["c1", "c3"]),
    ('case(filter: {primary_site: {ne: "Lung"}})', ["c2"]),
    ('case(filter: {primary_site: {in: ["Lung", "Skin"], nin: ["Skin"]}})', ["c1", "c3"]),
    ("case(filter: {primary_site: {in: []}})", []),
    ("case(filter: {primary_site: {nin: []}})", ["c1", "c2", "c3"]),
    ("case(filter: {weight: {in: [null]}})", ["c2", "c3"]),
    ("case(filter: {weight: {nin: [null]}})", ["c1"]),
    ("case(filter: {weight: {ne: 70.5}})", ["c2", "c3"]),
    ("case(filter: {weight: {exists: true}})", ["c1"]),
    ("case(filter: {weight: {exists: false}})", ["c2", "c3"]),
    ("case(filter: {age: {gt: 9}})", ["c1", "c3"]),
    ("case(filter: {age: {gte: 9, lt: 100}})", ["c1", "c2"]),
    ("case(filter: {age: {lte: 61}})", ["c1", "c2"]),
    ("case(filter: {alive: {eq: false}})", ["c2"]),
    ("case(filter: {alive: {ne: false}})", ["c1", "c3"]),
    ('case(filter: {primary_site: {lt: "M"}})', ["c1", "c3"]),
    ('case(filter: {primary_site: {contains: "UN"}})', ["c1", "c3"]),
    ('case(filter: {primary_site: {prefix: "s"}})', ["c2"]),
    ('case(filter: {primary_site: {contains: "%"}})', []),
    ('case(filter: {primary_site: {prefix: "_"}})', []),
    ('case(filter: {odd: {eq: "5"}})', ["c1", "c2"]),
    ('case(filter: {consent_codes: {contains_any: ["cc1", "xcc1"]}})', ["c1", "c2"]),
    ('case(filter: {consent_codes: {contains_all: ["cc1", "cc2"]}})', ["c1"]),
    ("case(filter: {consent_codes: {contains_any: []}})", []),
    ("case(filter: {consent_codes: {exists: false}})", ["c3"]),
    ('case(filter: {scores: {contains_any: ["2.50", "7"]}})', ["c1"]),
    ('case(filter: {id: {in: ["c1", "zz", null]}})', ["c1"]),
    ('case(filter: {id: {ne: "c1"}})', ["c2", "c3"]),
    ('case(filter: {submitter_id: {prefix: "c"}, project_id: {eq: "P-R"}})', ["c3"]),
    ('case(filter: {created_datetime: {gt: "2026-01-15"}})', ["c2"]),
    ('case(filter: {created_datetime: {lte: "2026-01-02T01:00:00+01:00", exists: true}})', ["c1", "c3"]),
    ('case(filter: {not: {primary_site: {eq: "Lung"}}})', ["c2"]),
    ("case(filter: {not: {weight: {gt: 1}}})", ["c2", "c3"]),
    ("case(filter: {not: {}})", []),
    ("case(filter: {or: []})", []),
    ("case(filter: {and: []})", ["c1", "c2", "c3"]),
    ('case(filter: {or: [{age: {lt: 10}}, {age: {gt: 99}, primary_site: {eq: "Lung"}}]})', ["c2", "c3"]),
    ("case(filter: {or: {age: {lt: 10}}, and: [{alive: {eq: false}}, {not: {age: {eq: 61}}}]})", ["c2"]),
    ("case(filter: {not: {or: [{age: {lt: 10}}, {not: {age: {lt: 100}}}]}})", ["c1"]),
    ('project(filter: {project_id: {in: ["P-Q", "X-Y"]}})', ["project-Q", "project-Y"]),
    ('project(filter: {project_id: {prefix: "p-"}, code: {gt: "Q"}})', ["project-R"]),
    ('node(filter: {id: {eq: "c1"}})', ["c1"]),
    ('node(filter: {project_id: {eq: "P-R"}, submitter_id: {lt: "D"}})', ["a3", "c3"]),
    ("node(filter: {submitter_id: {exists: false}, project_id: {in: [null]}})", ["program-P", "program-X", "std1"]),
    ('node(of_type: "case", filter: {created_datetime: {gt: "2026-01-15"}})', ["c2"]),
    ('node(of_type: ["standard", "case"], filter: {submitter_id: {nin: ["C1", "C2"]}})', ["c3", "std1"]),
    ("datanode(filter: {file_size: {gt: 10}})", ["r1", "r2"]),
    ("datanode(filter: {or: [{dose: {exists: true}}, {file_size: {lte: 7}}]})", ["i1", "r3"]),
]


@pytest.mark.parametrize(("call", "expected"), ARGUMENTS, ids=[call for call, _ in ARGUMENTS])
def test_g55_g56_g59_g61_g62_arguments_choose_records(client: Client, call: str, expected: list[str]) -> None:
    call = call.replace("(", "(first: 0, ", 1) if "(" in call else f"{call}(first: 0)"
    data = client.ask(f"{{ found: {call} {{ id }} }}")
    assert ids(data["found"]) == expected


PATHS: list[tuple[str, list[str]]] = [
    ('case(with_path_to: {type: "reading"})', ["c1", "c3"]),
    ('case(with_path_to: {type: "reading", file_name: "r1.csv"})', ["c1"]),
    ('reading(with_path_to: {type: "case"})', ["r1", "r2", "r3"]),
    ('reading(with_path_to: {type: "case", submitter_id: "C1"})', ["r1", "r2"]),
    ('reading(with_path_to: {type: "case", id: "c3"})', ["r3"]),
    ('reading(with_path_to: {type: "case", age: 61})', ["r1", "r2"]),
    ('reading(with_path_to: {type: "case", alive: true})', ["r1", "r2"]),
    ('reading(with_path_to: {type: "case", consent_codes: ["cc2"]})', ["r1", "r2"]),
    ('aliquot(with_path_to: {type: "project"})', ["a1", "a3"]),
    ('aliquot(with_path_to: {type: "project", code: "R"})', ["a3"]),
    ('aliquot(with_path_to: {type: "project", project_id: "P-Q"})', ["a1"]),
    ('project(with_path_to: {type: "program", name: "P"})', ["project-Q", "project-R"]),
    ('program(with_path_to: {type: "image", dose: 1.25})', ["program-P"]),
    ('sample(with_path_to: [{type: "case", id: "c1"}, {type: "aliquot"}])', ["s1", "s2"]),
    ('sample(with_path_to: [{type: "aliquot"}, {type: "zz"}])', []),
    ('sample(with_path_to: [{type: "zz"}, {type: "aliquot"}])', []),
    ("sample(with_path_to: [])", ["s1", "s2", "s3"]),
    ('case(with_path_to_any: [{type: "image"}, {type: "demographic", gender: "male"}])', ["c1", "c2", "c3"]),
    ("case(with_path_to_any: [])", []),
    ('case(without_path_to: {type: "reading"})', ["c2"]),
    ('case(with_path_to: {type: "image", not: [{dose: 1.25}]})', ["c3"]),
    ('case(with_path_to: {type: "zz"})', []),
    ('case(without_path_to: {type: "zz"})', ["c1", "c2", "c3"]),
    ('case(with_path_to: {type: "image", gender: "male"})', []),
    ('sample(with_path_to: {type: "demographic"})', []),
    (
        'node(with_path_to: {type: "study", topic: "skin"})',
        ["a3", "c3", "d3", "i3", "program-P", "project-R", "r3", "s3"],
    ),
]


@pytest.mark.parametrize(("call", "expected"), PATHS, ids=[call for call, _ in PATHS])
def test_g60_path_filters_follow_links_up_or_down_without_duplicates(
    client: Client, call: str, expected: list[str]
) -> None:
    data = client.ask(f"{{ found: {call.replace('(', '(first: 100, ', 1)} {{ id }} }}")
    assert ids(data["found"]) == expected


@pytest.mark.parametrize(
    ("call", "expected"), [each for each in PATHS if not each[0].startswith("node")], ids=lambda each: str(each)
)
def test_g60_as_many_are_counted_as_are_found(client: Client, call: str, expected: list[str]) -> None:
    assert client.ask(f"{{ found: _{call.replace('(', '_count(', 1)} }}") == {"found": len(expected)}


def test_counts_take_the_same_filters_and_no_page(client: Client) -> None:
    data = client.ask(
        """{ _case_count all: _case_count(first: 1, offset: 2) _reading_count(with_path_to: {type: "case", id: "c1"})
             lung: _case_count(primary_site: "Lung") _image_count(project_id: "P-Q") }"""
    )
    assert data == {"_case_count": 3, "all": 3, "_reading_count": 2, "lung": 2, "_image_count": 1}


def test_every_kind_of_value_comes_out_as_the_schema_types_it(client: Client) -> None:
    (case,) = client.ask(
        '{ case(id: "c1") { __typename id type submitter_id project_id age weight alive consent_codes scores odd } }'
    )["case"]
    assert case == {
        "__typename": "case",
        "id": "c1",
        "type": "case",
        "submitter_id": "C1",
        "project_id": "P-Q",
        "age": 61,
        "weight": 70.5,
        "alive": True,
        "consent_codes": ["cc1", "cc2"],
        "scores": ["1", "2.5"],
        "odd": "5",
    }


def test_absent_and_null_values_are_null(client: Client) -> None:
    (case,) = client.ask('{ case(id: "c2") { weight scores odd } }')["case"]
    assert case == {"weight": None, "scores": None, "odd": "5"}


def test_text_of_any_kind_survives(client: Client) -> None:
    (reading,) = client.ask('{ reading(id: "r2") { file_name file_size } }')["reading"]
    assert reading == {"file_name": 'quo"te\n.csv', "file_size": 2**40}


def test_links_are_followed_both_ways_to_any_depth(client: Client) -> None:
    (case,) = client.ask(
        """{ case(id: "c1") { studies { projects { project_id programs { name } } }
             samples(order_by_asc: "id") { id kind aliquots { id readings { file_name } } } _samples_count } }"""
    )["case"]
    assert case == {
        "studies": [{"projects": [{"project_id": "P-Q", "programs": [{"name": "P"}]}]}],
        "samples": [
            {"id": "s1", "kind": "blood", "aliquots": [{"id": "a1", "readings": [{"file_name": "r1.csv"}]}]},
            {"id": "s2", "kind": "tissue", "aliquots": [{"id": "a1", "readings": [{"file_name": "r1.csv"}]}]},
        ],
        "_samples_count": 2,
    }


def test_arguments_of_a_link_choose_among_the_neighbours(client: Client) -> None:
    (case,) = client.ask(
        """{ case(id: "c1") { samples(kind: "tissue") { id } first: samples(first: 1) { id }
             second: samples(first: 1, offset: 1) { id } _samples_count(kind: "blood")
             read: samples(with_path_to: {type: "reading", file_name: "r1.csv"}) { id }
             compared: samples(filter: {kind: {gt: "c"}}) { id } few: _samples_count(filter: {kind: {lt: "c"}})
             any: _links(filter: {submitter_id: {prefix: "S1"}}) { id } } }"""
    )["case"]
    assert case == {
        "samples": [{"id": "s2"}],
        "first": [{"id": "s1"}],
        "second": [{"id": "s2"}],
        "_samples_count": 1,
        "read": [{"id": "s1"}, {"id": "s2"}],
        "compared": [{"id": "s2"}],
        "few": 1,
        "any": [{"id": "s1"}],
    }


def test_links_of_every_kind_come_as_nodes(client: Client) -> None:
    (case,) = client.ask(
        """{ case(id: "c1") { _links(order_by_asc: "type") { id type ... on sample { kind } }
             few: _links(of_type: ["study", "aliquot"]) { id } } }"""
    )["case"]
    assert [(each["id"], each["type"]) for each in case["_links"]] == [
        ("a1", "aliquot"),
        ("d1", "demographic"),
        ("s1", "sample"),
        ("s2", "sample"),
        ("study1", "study"),
    ]
    assert case["_links"][2]["kind"] == "blood"
    assert ids(case["few"]) == ["a1", "study1"]


def test_g57_a_list_gives_ten_records_unless_told_otherwise(client: Client) -> None:
    data = client.ask("{ ten: node { id } all: node(first: 0) { id } minus: node(first: -1) { id } }")
    assert [len(data[key]) for key in ("ten", "all", "minus")] == [10, len(RECORDS), len(RECORDS)]


def test_g57_pages_are_disjoint_without_an_order(client: Client) -> None:
    data = client.ask("{" + " ".join(f"p{i}: node(first: 5, offset: {5 * i}) {{ id }}" for i in range(5)) + "}")
    found = [row["id"] for page in data.values() for row in page]
    assert len(found) == len(set(found)) == len(RECORDS)


def test_g64_datanode_pages_each_type_by_itself(client: Client) -> None:
    data = client.ask('{ datanode(first: 1, order_by_desc: "id") { id } rest: datanode(offset: 1) { id } }')
    assert ids(data["datanode"]) == ["i3", "r3"]
    assert ids(data["rest"]) == ["i3", "r2", "r3"]


ORDERS: list[tuple[str, list[str]]] = [
    ('case(order_by_asc: "submitter_id")', ["c1", "c2", "c3"]),
    ('case(order_by_desc: "id")', ["c3", "c2", "c1"]),
    ('case(order_by_asc: "age")', ["c2", "c1", "c3"]),
    ('case(order_by_desc: "age", first: 2)', ["c3", "c1"]),
    ('case(order_by_desc: "age", offset: 1)', ["c1", "c2"]),
    ('case(order_by_asc: "type")', ["c1", "c2", "c3"]),
    ('case(order_by_desc: "submitter_id", without_path_to: {type: "zz"})', ["c3", "c2", "c1"]),
    ('project(order_by_desc: "project_id")', ["project-Y", "project-R", "project-Q"]),
    ('case(order_by_desc: "created_datetime", first: 1)', ["c2"]),
    ('node(of_type: ["case", "image"], order_by_desc: "type", first: 3)', ["i1", "i3", "c1"]),
    ('datanode(of_type: "reading", order_by_desc: "file_size")', ["r2", "r1", "r3"]),
]


@pytest.mark.parametrize(("call", "expected"), ORDERS, ids=[call for call, _ in ORDERS])
def test_g58_lists_are_ordered_as_asked_and_numbers_as_numbers(client: Client, call: str, expected: list[str]) -> None:
    assert [row["id"] for row in client.ask(f"{{ found: {call} {{ id }} }}")["found"]] == expected


def test_g53_fragments_variables_aliases_and_directives(client: Client) -> None:
    data = client.ask(
        """query Find($site: [String], $with: Boolean!, $none: String) {
             lung: case(primary_site: $site, quick_search: $none, first: 0) { ...basic ... on case { age } ... { alive }
             }
             node(ids: ["s1", "c1"]) { type ... on sample { kind cases { id } } ... on Node { submitter_id } ...basic }
             viewer { viewer { _sample_count @include(if: $with) } skipped: _case_count @skip(if: $with) }
           }
           fragment basic on case { name: submitter_id site: primary_site samples @include(if: $with) { ...kind } }
           fragment kind on sample { kind }""",
        {"site": ["Lung"], "with": True},
    )
    lung = sorted(data["lung"], key=lambda each: each["name"])
    assert lung[0] == {
        "name": "C1",
        "site": "Lung",
        "samples": [{"kind": "blood"}, {"kind": "tissue"}],
        "age": 61,
        "alive": True,
    }
    assert data["node"] == [
        {
            "type": "case",
            "submitter_id": "C1",
            "name": "C1",
            "site": "Lung",
            "samples": [{"kind": "blood"}, {"kind": "tissue"}],
        },
        {"type": "sample", "kind": "blood", "cases": [{"id": "c1"}], "submitter_id": "S1"},
    ]
    assert data["viewer"] == {"viewer": {"_sample_count": 3}}


def test_equal_fields_merge(client: Client) -> None:
    data = client.ask('{ case(id: "c1") { id } case(id: "c1") { age samples { id } samples { kind } } }')
    assert data == {
        "case": [{"id": "c1", "age": 61, "samples": [{"id": "s1", "kind": "blood"}, {"id": "s2", "kind": "tissue"}]}]
    }


def test_an_alias_may_be_longer_than_a_database_name(client: Client) -> None:
    long = "submitted_unaligned_reads_core_metadata_collections_to_core_metadata_collection_link"
    data = client.ask(f'{{ {long}: case(id: "c1") {{ {long}: samples(first: 1) {{ {long}_x: id kind }} age }} }}')
    assert data == {long: [{long: [{f"{long}_x": "s1", "kind": "blood"}], "age": 61}]}


def test_nothing_selected_is_an_empty_object(client: Client) -> None:
    assert client.ask('{ case(id: "c1") { id @skip(if: true) } }') == {"case": [{}]}


def test_what_the_dictionary_knows_asks_no_database(client: Client) -> None:
    data = client.ask(
        '{ __typename __schema { queryType { name } } __type(name: "case") { kind } '
        "_node_type(first: -1) { id category } "
        'files: _node_type(category: "data_file", order_by_desc: "id") { id title } }',
        statements=0,
    )
    assert data["__typename"] == "Root"
    assert data["__schema"] == {"queryType": {"name": "Root"}}
    assert data["__type"] == {"kind": "OBJECT"}
    assert {"id": "case", "category": "administrative"} in data["_node_type"]
    assert data["files"] == [{"id": "reading", "title": "Reading"}, {"id": "image", "title": "Image"}]
