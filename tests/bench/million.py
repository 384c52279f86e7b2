"""A graph of a million records of the demo's dictionary, written by SQL: 100,000 cases and all that hangs on them."""

from typing import Any

CASES = 100_000
PROJECTS = 20
RECORDS = 10 * CASES

_COMMON = """jsonb_build_object('type', '{node}', 'submitter_id', '{node}-' || i, 'state', 'validated',
  'project_id', 'BENCH-P' || c % {projects}, 'created_datetime', '2026-01-01T00:00:00+00:00',
  'updated_datetime', '2026-01-01T00:00:00+00:00')"""
_NODE = """insert into graph.node_{table} (node_id, _props)
  select {id}, {common} || jsonb_build_object({props})
  from (select i, (i - 1) / {per_case} + 1 as c from generate_series(1, {count}) i) n"""
_EDGE = """insert into graph.{table} (src_id, dst_id)
  select {id}, {parent} from (select i, (i - 1) / {share} + 1 as p from generate_series(1, {count}) i) n"""
_FILE = """'file_name', 'f-' || i || '.dat', 'file_size', i * 1017, 'md5sum', md5(i::text),
  'object_id', md5('o' || i)::uuid,
  'data_format', (array['CSV', 'TSV', 'DCM'])[i % 3 + 1], 'data_category', 'Category ' || i % 7,
  'data_type', 'Type ' || i % 11"""

# Node type, records for each case, properties.
_NODES = (
    ("case", 1, "'primary_site', 'Site ' || i % 60, 'disease_type', 'Disease ' || i % 40, 'institution_code', "
                "'I' || i % 200"),
    ("demographic", 1, "'sex', (array['female', 'male', 'unknown'])[i % 3 + 1], 'age_at_enrollment_years', i % 99"),
    ("diagnosis", 1, "'primary_diagnosis', 'Diagnosis ' || i % 300, 'classification', 'Class ' || i % 5, "
                     "'vital_status', (array['alive', 'dead'])[i % 2 + 1], 'survival_days', i % 4000"),
    ("exposure", 1, "'meal_energy_kcal', i % 3000"),
    ("sample", 2, "'sample_type', 'Sample ' || i % 9, 'anatomic_site', 'Site ' || i % 60"),
    ("aliquot", 2, "'preparation', 'DNA extract', 'nuclear_radius_mean', i % 1000 / 10.0"),
    ("measurement_file", 1, _FILE),
    ("imaging_file", 1, _FILE + ", 'modality', (array['CT', 'MR', 'US'])[i % 3 + 1]"),
)  # fmt: skip
# Table, child, children for each case, parent; a parent of a case is its project.
_EDGES = (
    ("edge_demographicdescribescase", "demographic", 1, "case", 1),
    ("edge_diagnosisdescribescase", "diagnosis", 1, "case", 1),
    ("edge_exposuredescribescase", "exposure", 1, "case", 1),
    ("edge_samplederivedfromcase", "sample", 2, "case", 2),
    ("edge_aliquotderivedfromsample", "aliquot", 2, "sample", 1),
    ("edge_measurementfiledatafromcase", "measurement_file", 1, "case", 1),
    ("edge_imagingfiledatafromcase", "imaging_file", 1, "case", 1),
)


def fill(connection: Any) -> None:
    """Write the graph into the empty tables of a commons, and refresh the planner's statistics."""
    with connection.cursor() as cursor:
        for statement in _statements():
            cursor.execute(statement)
    connection.commit()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")


def _id(node: str, number: str) -> str:
    # As spread over the key space as random ones.
    return f"md5('{node}' || {number})::uuid::text"


def _statements() -> list[str]:
    program = "jsonb_build_object('type', 'program', 'name', 'BENCH', 'dbgap_accession_number', 'BENCH')"
    project = (
        "jsonb_build_object('type', 'project', 'code', 'P' || i, 'name', 'P' || i, 'dbgap_accession_number', 'P' || i)"
    )
    made = [
        f"insert into graph.node_program (node_id, _props) values ({_id('program', '1')}, {program})",
        f"insert into graph.node_project (node_id, _props) select {_id('project', 'i')}, {project} "
        f"from generate_series(0, {PROJECTS - 1}) i",
        f"insert into graph.edge_projectmemberofprogram (src_id, dst_id) select {_id('project', 'i')}, "
        f"{_id('program', '1')} from generate_series(0, {PROJECTS - 1}) i",
    ]
    for node, per_case, props in _NODES:
        common = _COMMON.format(node=node, projects=PROJECTS)
        table = node.replace("_", "")
        made.append(_NODE.format(table=table, id=_id(node, "i"), common=common, props=props, per_case=per_case,
                                 count=CASES * per_case))  # fmt: skip
    made.append(
        f"insert into graph.edge_casememberofproject (src_id, dst_id) "
        f"select {_id('case', 'i')}, {_id('project', f'(i % {PROJECTS})')} from generate_series(1, {CASES}) i"
    )
    for table, child, per_case, parent, share in _EDGES:
        made.append(_EDGE.format(table=table, id=_id(child, "i"), parent=_id(parent, "p"), share=share,
                                 count=CASES * per_case))  # fmt: skip
    return made
