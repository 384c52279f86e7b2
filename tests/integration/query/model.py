"""A small dictionary and a small graph of every shape that queries must cope with."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from commonshub.core.graph import Graph

Json = dict[str, Any]

_SYSTEM = ["id", "project_id", "state", "created_datetime", "updated_datetime"]
_COMMON: Json = {
    "id": {"type": "string"},
    "type": {"type": "string"},
    "submitter_id": {"type": "string"},
    "project_id": {"type": "string"},
    "state": {"type": "string"},
    "created_datetime": {"type": "string", "format": "date-time"},
    "updated_datetime": {"type": "string", "format": "date-time"},
}


def link(name: str, backref: str, target: str, multiplicity: str = "many_to_one", label: str = "part_of") -> Json:
    return {
        "name": name,
        "backref": backref,
        "label": label,
        "target_type": target,
        "multiplicity": multiplicity,
        "required": False,
    }


def node(id_: str, links: Sequence[Json] = (), category: str = "clinical", common: bool = True, **props: Json) -> Json:
    return {
        "id": id_,
        "title": id_.title(),
        "type": "object",
        "description": f"A {id_}.",
        "category": category,
        "additionalProperties": False,
        "links": list(links),
        "required": ["type"],
        "systemProperties": _SYSTEM,
        "uniqueKeys": [["id"], ["project_id", "submitter_id"]] if common else [["id"]],
        "properties": {
            **(_COMMON if common else {"id": {"type": "string"}, "type": {"type": "string"}}),
            **props,
            **{each["name"]: {"type": "object"} for each in links},
        },
    }


TEXT: Json = {"type": "string"}
NODES: list[Json] = [
    node("program", category="administrative", common=False, name=TEXT, dbgap_accession_number=TEXT),
    node(
        "project",
        [link("programs", "projects", "program", label="member_of")],
        category="administrative",
        common=False,
        name=TEXT,
        code=TEXT,
        dbgap_accession_number=TEXT,
    ),
    node("study", [link("projects", "studies", "project")], category="administrative", topic=TEXT),
    node(
        "case",
        [link("studies", "cases", "study")],
        category="administrative",
        primary_site={"enum": ["Lung", "Skin"]},
        age={"type": "integer"},
        weight={"type": ["number", "null"]},
        alive={"type": "boolean"},
        consent_codes={"type": "array", "items": {"type": "string"}},
        scores={"type": "array", "items": {"type": "number"}},
        odd={"oneOf": [{"type": "string"}, {"type": "number"}]},
    ),
    node("demographic", [link("cases", "demographics", "case", "one_to_one", "describes")], gender=TEXT),
    node("sample", [link("cases", "samples", "case", label="derived_from")], category="biospecimen", kind=TEXT),
    node(
        "aliquot",
        [
            link("samples", "aliquots", "sample", "many_to_many", "derived_from"),
            link("cases", "aliquots", "case", "many_to_many", "taken_of"),
        ],
        category="biospecimen",
    ),
    node(
        "reading",
        [
            link("aliquots", "readings", "aliquot", "many_to_many", "data_from"),
            link("samples", "readings", "sample", label="also_from"),
        ],
        category="data_file",
        file_name=TEXT,
        file_size={"type": "integer"},
        object_id=TEXT,
    ),
    node(
        "image",
        [link("cases", "images", "case", label="shows")],
        category="data_file",
        file_name=TEXT,
        dose={"type": "number"},
    ),
    node("standard", category="notation", common=False, label=TEXT),
]


@dataclass(frozen=True)
class Record:
    """One record: ``parents`` are pairs of link name and parent's id."""

    type: str
    id: str
    props: Json = field(default_factory=dict)
    parents: tuple[tuple[str, str], ...] = ()


def write_dictionary(folder: Path, more: Sequence[Json] = ()) -> Path:
    """The dictionary, with other node types beside."""
    file = folder / "dictionary.json"
    file.write_text(json.dumps({f"{each['id']}.yaml": each for each in (*NODES, *more)}))
    return file


def insert(connection: sa.Connection, graph: Graph, records: Iterable[Record]) -> None:
    """Put records and their links straight into the tables."""
    records = list(records)
    for each in records:
        connection.execute(graph.node(each.type).insert(), {"node_id": each.id, "_props": each.props})
    for each in records:
        links = graph.dictionary.nodes[each.type].links_by_name
        for name, parent in each.parents:
            connection.execute(graph.edge(links[name]).insert(), {"src_id": each.id, "dst_id": parent})


def program(name: str) -> Record:
    return Record("program", f"program-{name}", {"name": name, "dbgap_accession_number": name})


def project(program_name: str, code: str) -> Record:
    props = {"code": code, "name": f"Project {code}", "dbgap_accession_number": code}
    return Record("project", f"project-{code}", props, (("programs", f"program-{program_name}"),))


def record(type_: str, id_: str, project_id: str, *parents: tuple[str, str], **props: Any) -> Record:
    times = {"created_datetime": "2026-01-02T00:00:00+00:00", "updated_datetime": "2026-03-04T05:06:07.5+00:00"}
    own = {"submitter_id": id_.upper(), "project_id": project_id, "state": "validated", **times, **props}
    return Record(type_, id_, own, parents)


RECORDS: list[Record] = [
    program("P"),
    program("X"),
    project("P", "Q"),
    project("P", "R"),
    project("X", "Y"),
    Record("standard", "std1", {"label": "ISO"}),
    record("study", "study1", "P-Q", ("projects", "project-Q"), topic="lungs"),
    record("study", "study2", "P-R", ("projects", "project-R"), topic="skin"),
    record(
        "case",
        "c1",
        "P-Q",
        ("studies", "study1"),
        primary_site="Lung",
        age=61,
        weight=70.5,
        alive=True,
        consent_codes=["cc1", "cc2"],
        scores=[1, 2.5],
        odd="5",
    ),
    record(
        "case",
        "c2",
        "P-Q",
        ("studies", "study1"),
        primary_site="Skin",
        age=9,
        weight=None,
        alive=False,
        consent_codes=["xcc1"],
        odd=5,
        created_datetime="2026-02-02T00:00:00+00:00",
        gone="not in the dictionary",
    ),
    record("case", "c3", "P-R", ("studies", "study2"), primary_site="Lung", age=100),
    record("demographic", "d1", "P-Q", ("cases", "c1"), gender="male"),
    record("demographic", "d3", "P-R", ("cases", "c3"), gender="female"),
    record("sample", "s1", "P-Q", ("cases", "c1"), kind="blood"),
    record("sample", "s2", "P-Q", ("cases", "c1"), kind="tissue"),
    record("sample", "s3", "P-R", ("cases", "c3"), kind="blood"),
    record("aliquot", "a1", "P-Q", ("samples", "s1"), ("samples", "s2"), ("cases", "c1")),
    record("aliquot", "a3", "P-R", ("samples", "s3")),
    record(
        "reading", "r1", "P-Q", ("aliquots", "a1"), ("samples", "s1"), file_name="r1.csv", file_size=12, object_id="o1"
    ),
    record("reading", "r2", "P-Q", ("samples", "s2"), file_name='quo"te\n.csv', file_size=2**40),
    record("reading", "r3", "P-R", ("aliquots", "a3"), file_name="r3.csv", file_size=7),
    record("image", "i1", "P-Q", ("cases", "c2"), file_name="i1.dcm", dose=1.25),
    record("image", "i3", "P-R", ("cases", "c3"), file_name="i3.dcm"),
]
