"""A graph database as psqlgraph, gen3datamodel and sheepdog make and fill it, from the documented definitions.

The node types are those of the small dictionary and :data:`READS`, whose tables have shortened names.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
import yaml
from sqlalchemy.dialects.postgresql import JSONB
from tests.submission_service import SMALL

READS: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "id": "submitted_aligned_reads",
    "title": "Submitted Aligned Reads",
    "type": "object",
    "category": "data_file",
    "additionalProperties": False,
    "systemProperties": ["id", "project_id", "state", "created_datetime", "updated_datetime", "file_state"],
    "required": ["type", "submitter_id", "aliquots"],
    "uniqueKeys": [["id"], ["project_id", "submitter_id"]],
    "links": [
        {
            "name": "aliquots", "backref": "submitted_aligned_reads_files", "label": "data_from",
            "target_type": "aliquot", "multiplicity": "one_to_many", "required": True,
        }
    ],
    "properties": {
        "$ref": "_definitions.yaml#/ubiquitous_properties",
        "type": {"enum": ["submitted_aligned_reads"]},
        "file_name": {"type": "string"},
        "file_size": {"type": "integer"},
        "md5sum": {"type": "string"},
        "object_id": {"type": "string"},
        "file_state": {"enum": ["registered", "uploaded", "validated"]},
        "aliquots": {"$ref": "_definitions.yaml#/parent"},
    },
}  # fmt: skip

ROOTS = {"program": "name", "project": "code"}
# Where the usual names would be longer than 40 characters: what stands for ``index_<table>`` and for ``submitter_id``.
KEYED = {
    "experiment": ("index_node_experiment", "index_node_experiment_submitter_id_lower", "index_e6a8ce53_expe"),
    "case": ("index_node_case", "index_node_case_submitter_id_lower", "index_2271f5c5_case"),
    "sample": ("index_node_sample", "index_node_sample_submitter_id_lower", "index_e23aa615_samp"),
    "aliquot": ("index_node_aliquot", "index_node_aliquot_submitter_id_lower", "index_a0d0337b_aliq"),
    "demographic": ("index_node_demographic", "index_c851b33d_demo_submitte_id_lower", "index_c851b33d_demo"),
    "readsfile": ("index_node_readsfile", "index_node_readsfile_submitter_id_lower", "index_071ea7dc_readfile"),
    "submittedalignedreads": (
        "index_1298ebb4_submaligread", "index_1298ebb4_submaligread_submitte_id_lower", "index_1298ebb4_submaligread",
    ),
}  # fmt: skip
EDGES = {
    "edge_projectmemberofprogram": ("project", "program"),
    "edge_experimentperformedforproject": ("experiment", "project"),
    "edge_casememberofexperiment": ("case", "experiment"),
    "edge_caseknowsexperiment": ("case", "experiment"),
    "edge_samplederivedfromcase": ("sample", "case"),
    "edge_aliquotderivedfromsample": ("aliquot", "sample"),
    "edge_aliquotderivedfromcase": ("aliquot", "case"),
    "edge_demographicdescribescase": ("demographic", "case"),
    "edge_readsfiledatafromaliquot": ("readsfile", "aliquot"),
    "edge_dde952be_sualredafral": ("submittedalignedreads", "aliquot"),
    "edge_datareleasedescribesroot": ("datarelease", "root"),
}

COMMON = """
    created timestamptz not null default now(), acl text[], _sysan jsonb default '{}', _props jsonb default '{}'"""

NODE = """
create table node_<n> (<common>, node_id text not null, constraint _<n>_id_uc primary key (node_id));
create index node_<n>_node_id_idx on node_<n> (node_id);
create index node_<n>__props_idx on node_<n> using gin (_props);
create index node_<n>__sysan_idx on node_<n> using gin (_sysan);
create index node_<n>__sysan__props_idx on node_<n> using gin (_sysan, _props);
"""

ROOT_KEY = """
create unique index index_node_<n>_<k> on node_<n> ((_props ->> '<k>') text_pattern_ops);
create index index_node_<n>_<k>_lower on node_<n> (lower(_props ->> '<k>') text_pattern_ops);
"""

KEYS = """
create index <i>_project_id on node_<n> ((_props ->> 'project_id') text_pattern_ops);
create index <i>_project_id_lower on node_<n> (lower(_props ->> 'project_id') text_pattern_ops);
create index <i>_<s> on node_<n> ((_props ->> 'submitter_id') text_pattern_ops);
create index <l> on node_<n> (lower(_props ->> 'submitter_id') text_pattern_ops);
create unique index <u>_project_id_submitte_id_un on node_<n> (
    lower(_props ->> 'project_id') text_pattern_ops, lower(_props ->> 'submitter_id') text_pattern_ops);
"""

EDGE = """
create table <e> (<common>,
    src_id text not null references node_<s> on delete cascade deferrable initially deferred,
    dst_id text not null references node_<d> on delete cascade deferrable initially deferred,
    primary key (src_id, dst_id));
create index <e>_dst_id_src_id_idx on <e> (src_id, dst_id);
create index <e>_dst_id on <e> (dst_id);
create index <e>_src_id on <e> (src_id);
"""

OTHERS = """
create table edge_edge (<common>, src_id text, dst_id text);
create index edge_edge_dst_id_src_id_idx on edge_edge (src_id, dst_id);
create index edge_edge_dst_id on edge_edge (dst_id);
create index edge_edge_src_id on edge_edge (src_id);
create table _voided_nodes (
    key bigserial primary key, node_id text not null, created timestamptz not null default now(),
    voided timestamptz not null default now(), acl text[], system_annotations jsonb, properties jsonb,
    label text not null);
create table _voided_edges (
    key bigserial, src_id text, dst_id text, created timestamptz not null default now(),
    voided timestamptz not null default now(), acl text[], system_annotations jsonb, properties jsonb, label text,
    primary key (key, src_id, dst_id, label));
create table versioned_nodes (
    key bigserial primary key, label text not null, node_id text not null, project_id text not null,
    gdc_versions text[], created timestamptz not null, versioned timestamptz not null default now(), acl text[],
    system_annotations jsonb, properties jsonb, neighbors text[]);
create index submitted_node_id_idx on versioned_nodes (node_id);
create index submitted_node_gdc_versions_idx on versioned_nodes (node_id);
create table transaction_logs (
    id serial primary key, submitter text, role text not null, program text not null, project text not null,
    committed_by integer, is_dry_run boolean not null, state text not null, closed boolean not null,
    created_datetime timestamptz not null default now(), canonical_json jsonb not null);
create index transaction_logs_closed_idx on transaction_logs (closed);
create index transaction_logs_committed_by_idx on transaction_logs (committed_by);
create index transaction_logs_created_datetime_idx on transaction_logs (created_datetime);
create index transaction_logs_is_dry_run_idx on transaction_logs (is_dry_run);
create index transaction_logs_program_idx on transaction_logs (program);
create index transaction_logs_project_id_idx on transaction_logs ((program || '-' || project));
create index transaction_logs_project_idx on transaction_logs (project);
create index transaction_logs_state_idx on transaction_logs (state);
create index transaction_logs_submitter_idx on transaction_logs (submitter);
create table transaction_snapshots (
    id serial primary key, entity_id text not null, transaction_id integer references transaction_logs,
    action text not null, old_props jsonb not null, new_props jsonb not null);
create index ix_transaction_snapshots_entity_id on transaction_snapshots (entity_id);
create index ix_transaction_snapshots_transaction_id on transaction_snapshots (transaction_id);
create index snapshot_transaction_idx on transaction_snapshots (transaction_id);
create table transaction_documents (
    id serial, transaction_id integer not null references transaction_logs, name text, doc_format text not null,
    doc text not null, response_json jsonb, primary key (id, transaction_id));
create index document_transaction_idx on transaction_documents (transaction_id);
"""


def dictionary(folder: Path) -> Path:
    """The dictionary of such a database, as files in a new folder."""
    shutil.copytree(SMALL, folder)
    (folder / "submitted_aligned_reads.yaml").write_text(yaml.safe_dump(READS))
    return folder


def create(connection: sa.Connection) -> None:
    """Make the tables and indexes in the schema ``public``."""
    for text in _definitions():
        connection.exec_driver_sql(text.replace("<common>", COMMON))


def _definitions() -> Iterator[str]:
    for name in (*ROOTS, *KEYED, "root", "datarelease", "node"):
        yield NODE.replace("<n>", name)
    for name, key in ROOTS.items():
        yield ROOT_KEY.replace("<n>", name).replace("<k>", key)
    for name, (index, lower, unique) in KEYED.items():
        short = "submitter_id" if index == f"index_node_{name}" else "submitte_id"
        text = KEYS.replace("<n>", name).replace("<i>", index).replace("<l>", lower)
        yield text.replace("<u>", unique).replace("<s>", short)
    for name, (source, target) in EDGES.items():
        yield EDGE.replace("<e>", name).replace("<s>", source).replace("<d>", target)
    yield OTHERS


# -- what is in it -----------------------------------------------------------------

CREATED = "2019-03-31 01:59:59.123456+02:00"


def insert(connection: sa.Connection, table: str, **values: Any) -> None:
    """One row, dicts and lists of properties as JSON."""
    json = (
        "_props",
        "_sysan",
        "canonical_json",
        "old_props",
        "new_props",
        "response_json",
        "properties",
        "system_annotations",
    )
    columns = [sa.column(name, JSONB(none_as_null=True) if name in json else None) for name in values]
    connection.execute(sa.insert(sa.table(table, *columns)).values(**values))


def fill(connection: sa.Connection, nodes: dict[str, dict[str, Any]], edges: dict[str, list[tuple[str, str]]]) -> None:
    """Rows of nodes, ``{type: {node_id: _props}}``, each with annotations, ACL and a moment, and of edges."""
    for name, rows in nodes.items():
        for node_id, props in rows.items():
            more = {"acl": ["open"], "_sysan": {"legacy": [1, None]}, "created": CREATED}
            insert(connection, f"node_{name}", node_id=node_id, _props=props, **more)
    for name, pairs in edges.items():
        for source, target in pairs:
            insert(connection, name, src_id=source, dst_id=target, _props={"old": True}, created=CREATED)


class Layout(NamedTuple):
    """How PostgreSQL describes a table."""

    columns: frozenset[str]
    constraints: frozenset[str]
    indexes: frozenset[str]


def catalogue(connection: sa.Connection, schema: str = "public") -> dict[str, Layout]:
    """The tables of a schema, which their descriptions do not name."""
    queries = {
        "columns": """
            select c.relname, concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                                        pg_get_expr(d.adbin, d.adrelid)) from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
            left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
            where c.relnamespace = :s::regnamespace and c.relkind = 'r'""",
        "constraints": """
            select c.relname, pg_get_constraintdef(o.oid) from pg_constraint o join pg_class c on c.oid = o.conrelid
            where o.connamespace = :s::regnamespace and o.contype <> 'n'""",
        "indexes": "select tablename, indexdef from pg_indexes where schemaname = :s",
    }
    found: dict[str, dict[str, set[str]]] = {}
    for kind, query in queries.items():
        for table, text in connection.execute(sa.text(query.replace(":s::", "cast(:s as text)::")), {"s": schema}):
            found.setdefault(table, {name: set() for name in queries})[kind].add(text.replace(f"{schema}.", ""))
    return {table: Layout(**{name: frozenset(texts) for name, texts in each.items()}) for table, each in found.items()}


def contents(connection: sa.Connection) -> dict[str, list[str]]:
    """All rows of all tables, each as one text."""
    tables = connection.exec_driver_sql("select tablename from pg_tables where schemaname = 'public'").scalars()
    return {
        name: list(connection.exec_driver_sql(f'select t::text from public."{name}" t order by 1').scalars())
        for name in tables
    }
