"""Which documents a build takes over from an earlier index, and what it reads for the others."""

from pathlib import Path

import pytest

import commonshub.hub.demo as demo
from commonshub.core.dictionary import load
from commonshub.explore.compiler import compile_mapping
from commonshub.explore.inputs import Job, inputs, job, marks
from commonshub.explore.plan import Plan

DICTIONARY = load(str(Path(demo.__file__).parent / "dictionary"))
EARLIER = Path("1.duckdb")
MAPPING = """\
mappings:
- {name: a, doc_type: plain, type: aggregator, root: case, props: [{name: submitter_id}]}
- name: b
  doc_type: rich
  type: aggregator
  root: case
  props: [{name: submitter_id}]
  flatten_props: [{path: demographics, props: [{name: sex}]}]
  aggregated_props: [{name: n, path: exposures, fn: count}]
  filter: {op: or, logics: [{prop: diagnoses.state, op: contains, value: x}, {prop: submitter_id, op: '=', value: y}]}
  nested_props:
  - name: samples
    path: samples
    props: [{name: sample_type}]
    nested_props: [{path: aliquots, props: [{name: submitter_id}], filter: {prop: state, op: '=', value: x}}]
  joining_props: [{index: file, join_on: project_id, props: [{name: files, fn: count}]}]
- name: f
  doc_type: file
  type: collector
  root: None
  category: data_file
  props: [{name: file_size}]
  injecting_props: {case: {props: [{name: _case_id, src: id}]}}
"""
ALL = {"plain", "rich", "file"}


def compiled(text: str = MAPPING) -> Plan:
    return compile_mapping(text, DICTIONARY)


PLAN = compiled()
TABLES = dict.fromkeys(inputs(PLAN.documents, PLAN.program).tables, "1:1:1")


def again(tables: dict[str, str], plan: Plan = PLAN) -> Job:
    return job(plan, tables, EARLIER, marks(PLAN, TABLES))


@pytest.mark.parametrize(
    ("table", "kept"),
    [
        ("node_demographic", {"plain", "file"}),
        ("edge_demographicdescribescase", {"plain", "file"}),
        ("edge_exposuredescribescase", {"plain", "file"}),
        ("node_diagnosis", {"plain", "file"}),
        # What files lie below is between them and their cases; and who takes from them changes with them.
        ("node_aliquot", {"plain"}),
        ("node_imagingfile", {"plain"}),
        ("node_case", set()),
        ("node_program", set()),
        ("edge_projectmemberofprogram", set()),
        ("node_other", ALL),
    ],
)
def test_a_change_of_a_table_leaves_the_documents_that_do_not_read_it(table: str, kept: set[str]) -> None:
    todo = again({**TABLES, table: "2:3:2"})
    assert (todo.kept, todo.earlier) == (kept, EARLIER if kept else None)


def test_a_table_that_is_gone_or_new_counts_as_changed() -> None:
    gone = {name: mark for name, mark in TABLES.items() if name != "node_demographic"}
    assert again(gone).kept == {"plain", "file"}
    assert job(PLAN, TABLES, EARLIER, marks(PLAN, gone)).kept == {"plain", "file"}


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("- {name: a", "# Said in other words.\n- {name: a", ALL),
        ("{name: n, path: exposures", "{name: m, path: exposures", {"plain", "file"}),
        ("props: [{name: file_size}]", "props: [{name: file_size}, {name: file_name}]", {"plain"}),
        ("name: b", "name: another_index", {"plain", "file"}),
        (MAPPING[MAPPING.index("- {name: a") : MAPPING.index("- name: b")], "", {"rich", "file"}),
    ],
)
def test_a_change_of_an_entry_leaves_the_others(old: str, new: str, kept: set[str]) -> None:
    plan = compiled(MAPPING.replace(old, new))
    assert again(TABLES, plan).kept == kept


def test_without_an_earlier_index_all_is_made() -> None:
    assert job(PLAN, TABLES).made == PLAN
    assert job(PLAN, TABLES, EARLIER, {}).earlier is None


def test_only_what_is_made_is_read() -> None:
    made = again({**TABLES, "node_imagingfile": "2:3:2"}).made
    assert [document.doc_type.name for document in made.documents] == ["rich", "file"]
    made = again({**TABLES, "node_other": "2:3:2"}).made
    assert (made.documents, set(made.nodes), made.links) == ((), {"program", "project"}, (PLAN.program,))
