"""Compiling mappings: what comes out, and that every fault is named by its line."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commonshub.hub.demo as demo
from commonshub.core.dictionary import Dictionary, load
from commonshub.core.errors import ValidationFailed
from commonshub.explore.catalog import Field, dump
from commonshub.explore.catalog import load as load_catalog
from commonshub.explore.compiler import compile_mapping
from commonshub.explore.plan import Aggregator, Collector, Plan

DEMO = Path(demo.__file__).parent

HEAD = """\
mappings:
- name: a_case
  doc_type: case
  type: aggregator
  root: case
"""
PROPS = "  props: [{name: submitter_id}]\n"
FILES = "- {name: f, doc_type: file, type: collector, root: None, category: data_file, props: [{name: file_size}]}\n"
OF_AGGREGATORS = (
    "nested_props", "flatten_props", "aggregated_props", "parent_props", "joining_props", "joining", "filter",
    "settings",
)  # fmt: skip


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return load(str(DEMO / "dictionary"))


def case(text: str, dictionary: Dictionary) -> Aggregator:
    document = compile_mapping(HEAD + text, dictionary).documents[0]
    assert isinstance(document, Aggregator)
    return document


def test_the_demos_mapping_compiles(dictionary: Dictionary) -> None:
    plan = compile_mapping((DEMO / "etlMapping.yaml").read_text(), dictionary)
    assert [doc_type.name for doc_type in plan.doc_types] == ["case", "file"]
    assert plan.warnings == ()


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ("  props: [{name: submitter_id}]", Field("submitter_id", "string")),
        ("  props: [{name: x, src: id}]", Field("x", "string")),
        ("  props: []\n  flatten_props:\n  - {path: demographics, props: [{name: age_at_enrollment_years}]}",
         Field("age_at_enrollment_years", "integer")),
        ("  props: []\n  flatten_props:\n  - {path: diagnoses, props: [{name: s, src: vital_status, fn: set}]}",
         Field("s", "string", array=True, distinct=True)),
        ("  props: []\n  parent_props: [{path: 'projects[code]'}]", Field("code", "string", array=True, distinct=True)),
        ("  props: []\n  parent_props: [{path: 'projects[c:code]', relation: 1-1}]", Field("c", "string")),
        ("  props: []\n  parent_props: [{path: 'projects.programs[p:name]'}]",
         Field("p", "string", array=True, distinct=True)),
        ("  props: []\n  aggregated_props: [{name: n, path: samples.aliquots, fn: count}]", Field("n", "integer")),
        ("  props: []\n  aggregated_props: [{name: n, path: diagnoses, src: survival_days, fn: sum}]",
         Field("n", "number")),
        ("  props: []\n  aggregated_props: [{name: n, path: diagnoses, src: survival_days, fn: list}]",
         Field("n", "integer", array=True)),
        ("  props: []\n  aggregated_props: [{name: n, path: diagnoses, src: vital_status, fn: max}]",
         Field("n", "string")),
        ("  props: []\n  flatten_props:\n  - path: demographics\n    props: [{name: a, src: age_at_enrollment_years, "
         "value_mappings: [{61: sixty}]}]", Field("a", "string")),
    ],
)  # fmt: skip
def test_a_block_gives_its_field(dictionary: Dictionary, block: str, field: Field) -> None:
    assert case(block, dictionary).doc_type.field(field.name) == field


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (HEAD + "  props: [{name: nope}]", 6, "nope"),
        (HEAD + "  props: [{src: submitter_id}]", 6, "name is missing"),
        (HEAD + "  props: [{name: submitter_id, value_mapping: [{a: b}]}]", 6, "value_mappings"),
        (HEAD + "  props: [{name: bad-name, src: submitter_id}]", 6, "bad-name"),
        (HEAD + "  props: [{name: __x, src: submitter_id}]", 6, "__x"),
        (HEAD + "  props: [{name: x, src: submitter_id}, {name: X, src: submitter_id}]", 6, "only by case"),
        (HEAD + PROPS + "  agregated_props: []", 7, "aggregated_props"),
        (HEAD + PROPS.replace("props", "Props"), 6, "was props meant"),
        (HEAD + PROPS + "  flatten_props:\n  - path: nowhere\n    props: [{name: sex}]", 8, "nowhere"),
        (HEAD + PROPS + "  flatten_props:\n  - path: diagnoses\n    props: [{name: vital_status}]", 8, "sorted_by"),
        (HEAD + PROPS + "  flatten_props:\n  - path: diagnoses\n    sorted_by: nope\n    props: [{name: vital_status}]",
         9, "nope"),
        (HEAD + PROPS + "  flatten_props:\n  - path: diagnoses\n    sorted_by: state, up\n    props: []", 9, "up"),
        (HEAD + PROPS + "  aggregated_props: [{name: n, path: samples, fn: median}]", 7, "median"),
        (HEAD + PROPS + "  aggregated_props: [{name: n, path: samples}]", 7, "fn is missing"),
        (HEAD + PROPS + "  aggregated_props: [{name: n, path: samples, src: sample_type, fn: sum}]", 7, "no sum"),
        (HEAD + PROPS + "  aggregated_props: [{name: n, path: samples.nope, fn: count}]", 7, "aliquots"),
        (HEAD + PROPS + "  parent_props: [{path: 'projects[code'}]", 7, "cannot read"),
        (HEAD + PROPS + "  parent_props: [{path: 'projects[nope]'}]", 7, "nope"),
        (HEAD + PROPS + "  parent_props: [{path: 'projects[code]', relation: 2-2}]", 7, "2-2"),
        (HEAD + PROPS + "  nested_props: [{name: n, path: samples, props: [{name: nope}]}]", 7, "nope"),
        (HEAD + PROPS + "  nested_props: [{name: n, props: []}]", 7, "path is missing"),
        (HEAD + PROPS + "  joining_props: [{index: nope, join_on: a, props: []}]", 7, "nope"),
        (HEAD + PROPS + "  joining_props: [{index: file, join_on: nope, props: []}]\n" + FILES, 7, "nope"),
        (HEAD + PROPS + "  joining_props: [{index: file, join_on: project_id, props: [{name: nope}]}]\n" + FILES,
         7, "nope"),
        (HEAD + PROPS + "  filter: {prop: nope, op: '=', value: 1}", 7, "nope"),
        (HEAD + PROPS + "  filter: {prop: state, op: like, value: 1}", 7, "like"),
        (HEAD + PROPS + "  filter: {prop: samples.state, op: '=', value: 1}", 7, "contains"),
        (HEAD.replace("root: case", "root: nope") + PROPS, 5, "nope"),
        (HEAD.replace("root: case", "root: program") + PROPS, 2, "project_id"),
        (HEAD.replace("aggregator", "injection") + PROPS, 4, "injection"),
        (HEAD.replace("doc_type: case", "doc_type: _case") + PROPS, 3, "_case"),
        (HEAD + PROPS + "- {name: other, doc_type: case, type: aggregator, root: case, props: []}", 7, "twice"),
        (HEAD + PROPS + FILES.replace("data_file", "nothing"), 7, "nothing"),
        (HEAD + PROPS + FILES.replace("file_size", "nope"), 7, "nope"),
        (HEAD + PROPS + FILES.replace("props", "injecting_props: {nope: {props: []}}, props"), 7, "nope"),
        (HEAD + PROPS + FILES.replace("props", "injecting_props: {exposure: {props: []}}, props"), 7, "exposure"),
        ("mappings: 5", 1, "list"),
        ("mappings: []", 1, "at least one"),
        ("nothing: []", 1, "mappings"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_its_line(dictionary: Dictionary, text: str, line: int, told: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        compile_mapping(text, dictionary)
    assert [line] == sorted({fault["line"] for fault in caught.value.details} & {line}), caught.value.message
    assert told in caught.value.message


@pytest.mark.parametrize("text", ["", "a: [", "a: 1\na: 2", "? [1]\n: 2", "\t"], ids=repr)
def test_a_file_that_is_no_mapping_is_refused(dictionary: Dictionary, text: str) -> None:
    with pytest.raises(ValidationFailed):
        compile_mapping(text, dictionary)


def test_all_faults_come_at_once(dictionary: Dictionary) -> None:
    text = HEAD + "  props: [{name: nope}]\n  aggregated_props: [{name: n, path: x, fn: count}]\n  filters: 1\n"
    with pytest.raises(ValidationFailed) as caught:
        compile_mapping(text, dictionary)
    assert sorted(fault["line"] for fault in caught.value.details) == [6, 7, 8]


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("  props: [{name: state}, {name: state, src: id}]\n", "twice"),
        (PROPS + FILES.replace("props", "target_nodes: [], props"), "target_nodes"),
        (PROPS + "  special_props: []\n", "special_props"),
        (PROPS + "  injecting_props: {}\n", "injecting_props: has no effect in an entry of type aggregator"),
        *(
            (PROPS + FILES.replace("props", f"{block}: [], props"), f"{block}: has no effect in an entry of type coll")
            for block in OF_AGGREGATORS
        ),
        (PROPS + FILES.replace("file_size}", "file_size, fn: max}"), "'fn' has no effect"),
        (PROPS + "  comment: what it is for\n", "comment"),
        ("  props: [{name: submitter_id, fn: set}]\n", "'fn'"),
        (PROPS + "  flatten_props: [{name: people, path: demographics, props: [{name: sex}]}]\n", "'name'"),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_a_warning(dictionary: Dictionary, block: str, told: str) -> None:
    plan = compile_mapping(HEAD + block, dictionary)
    assert [told in warning for warning in plan.warnings] == [True]


@pytest.mark.parametrize("name", ["project_id", "auth_resource_path"])
def test_nothing_can_redefine_whose_a_document_is(dictionary: Dictionary, name: str) -> None:
    block = (
        f"  props: [{{name: {name}, src: state}}]\n  aggregated_props: [{{name: {name}, path: samples, fn: count}}]\n"
    )
    document = case(block, dictionary)
    assert [field.kind for field in document.doc_type.fields if field.name == name] == ["string"]
    assert document.takes == ()
    assert document.reduce == ()


def test_a_path_need_not_be_read_twice(dictionary: Dictionary) -> None:
    plan = compile_mapping(HEAD + PROPS + FILES, dictionary)
    assert set(plan.nodes) == {"case", "program", "project", "measurement_file", "imaging_file"}
    assert [link.target for link in plan.links] == ["program"]


def test_a_collector_reads_only_links_that_lead_where_it_injects(dictionary: Dictionary) -> None:
    text = HEAD + PROPS + FILES.replace("props", "injecting_props: {case: {props: [{name: c, src: id}]}}, props")
    collector = compile_mapping(text, dictionary).documents[1]
    assert isinstance(collector, Collector)
    assert {(link.source, link.target) for link in collector.links} == {
        ("measurement_file", "case"),
        ("measurement_file", "aliquot"),
        ("imaging_file", "case"),
        ("aliquot", "sample"),
        ("sample", "case"),
    }


@pytest.mark.parametrize(
    ("block", "name"),
    [("{path: samples, props: []}", "samples"), ("{path: samples.aliquots, props: []}", "samples_aliquots"),
     ("{name: n, path: samples, props: []}", "n")],
)  # fmt: skip
def test_a_nest_without_a_name_has_that_of_its_path(dictionary: Dictionary, block: str, name: str) -> None:
    document = case(f"{PROPS}  nested_props: [{block}]\n", dictionary)
    assert [nest.name for nest in document.doc_type.nests] == [name]


def test_the_digest_follows_the_text(dictionary: Dictionary) -> None:
    plans: list[Plan] = [compile_mapping(HEAD + PROPS + tail, dictionary) for tail in ("", "", "# more\n")]
    assert plans[0].digest == plans[1].digest != plans[2].digest


def test_the_catalogue_survives_json(dictionary: Dictionary) -> None:
    block = PROPS + "  nested_props: [{name: n, path: samples, props: [{name: state}], nested_props: " \
        "[{name: m, path: aliquots, props: [{name: state}]}]}]\n"  # fmt: skip
    doc_types = compile_mapping(HEAD + block, dictionary).doc_types
    assert tuple(load_catalog(dump(doc_types)).values()) == doc_types


yamls = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["case", "samples", "fn", "count", "a.b", "[", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "path", "props", "src", "fn", "op", "logics"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(["props", "flatten_props", "aggregated_props", "parent_props", "nested_props", "joining",
                            "filter", "settings"]), value=yamls)  # fmt: skip
def test_any_block_compiles_or_is_refused(key: str, value: object) -> None:
    import json

    text = HEAD + ("" if key == "props" else PROPS) + f"  {key}: {json.dumps(value)}\n" + FILES
    with suppress(ValidationFailed):
        compile_mapping(text, _DICTIONARY)


_DICTIONARY = load(str(DEMO / "dictionary"))
