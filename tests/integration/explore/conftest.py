"""A small graph of two projects, and the explore service over it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.waiting import eventually

import commonshub.hub.demo as demo
from commonshub.core.dictionary import load
from commonshub.core.graph import Graph
from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User
from commonshub.explore.app import ExploreApp
from commonshub.explore.settings import ExploreSettings
from commonshub.explore.spark.session import session

SMALL = {
    "spark.sql.shuffle.partitions": "1",
    # Compiling takes longer than running what is compiled, where there are few rows.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
"""Spark's settings for graphs of a few records."""
DEMO = Path(demo.__file__).parent
DICTIONARY = DEMO / "dictionary"

MAPPING = """\
mappings:
- name: test_case
  doc_type: case
  type: aggregator
  root: case
  props:
  - {name: submitter_id}
  - {name: project_id}
  - {name: site, src: primary_site, value_mappings: [{Lung: lung}]}
  parent_props:
  - {path: "projects[project_name:name,code].programs[program_names:name]"}
  - {path: "projects[license]", relation: 1-1}
  flatten_props:
  - path: demographics
    props: [{name: sex}, {name: age, src: age_at_enrollment_years}]
  - path: diagnoses
    sorted_by: survival_days, desc
    props: [{name: vital_status}]
  aggregated_props:
  - {name: _samples_count, path: samples, fn: count}
  - {name: _aliquots_count, path: samples.aliquots, fn: count}
  - {name: sample_types, src: sample_type, path: samples, fn: set}
  - {name: all_sample_types, src: sample_type, path: samples, fn: list}
  - {name: radius_sum, src: nuclear_radius_mean, path: samples.aliquots, fn: sum}
  - {name: radius_min, src: nuclear_radius_mean, path: samples.aliquots, fn: min}
  - {name: radius_max, src: nuclear_radius_mean, path: samples.aliquots, fn: max}
  nested_props:
  - name: samples
    path: samples
    props: [{name: submitter_id}, {name: sample_type}]
    nested_props:
    - {name: aliquots, path: aliquots, props: [{name: submitter_id}, {name: radius, src: nuclear_radius_mean}]}
  joining_props:
  - {index: file, join_on: _case_id, props: [{name: data_format, fn: set}, {name: file_total, src: file_size, fn: sum}]}
- name: test_file
  doc_type: file
  type: collector
  root: None
  category: data_file
  props: [{name: object_id}, {name: file_name}, {name: file_size}, {name: data_format}, {name: modality},
          {name: source_node}]
  injecting_props:
    case:
      props: [{name: _case_id, src: id, fn: set}, {name: case_submitter_id, src: submitter_id}, {name: project_id}]
- name: test_project
  doc_type: project
  type: aggregator
  root: project
  props: [{name: code}]
- name: test_tumor
  doc_type: tumor
  type: aggregator
  root: case
  parent_props: [{path: "projects[license]", relation: 1-1}]
  settings: {bypass_multiplicity_check: true}
  props: [{name: submitter_id}, {name: kind, src: type}]
  filter:
    op: and
    logics:
    - {prop: samples.sample_type, op: contains, value: Tumor}
    - {op: or, logics: [{prop: primary_site, op: in, value: [Lung, Skin]}, {prop: submitter_id, op: '=', value: c3}]}
  flatten_props:
  - {path: diagnoses, props: [{name: vital_states, src: vital_status, fn: set}]}
  - {path: diagnoses, props: [{name: survival_days}]}
  - {path: projects.programs, props: [{name: program, src: name}]}
  nested_props:
  - {name: tumors, path: samples, filter: {prop: sample_type, op: '!=', value: Tumor}, props: [{name: submitter_id}]}
  - {name: pieces, path: samples.aliquots, filter: {prop: nuclear_radius_mean, op: '>', value: 2}, props: [
      {name: submitter_id}]}
  joining_props:
  - index: case
    join_on: submitter_id,project_id
    props: [{name: sex}, {name: all_types, src: sample_types, fn: set}]
  - {index: case, join_on: license, props: [{name: alike, fn: count}]}
  - {index: file, join_on: project_id, props: [{name: files, fn: count}, {name: formats, src: data_format, fn: list}]}
"""


class Builder:
    """Puts records and links into the graph, as committed submissions do."""

    def __init__(self, database_url: str) -> None:
        self.engine = sa.create_engine(database_url)
        self.dictionary = load(str(DICTIONARY))
        self.graph = Graph(self.dictionary, "graph")
        self.ids: dict[str, str] = {}
        self._inserts: list[sa.Insert] = []
        with self.engine.begin() as connection:
            self.graph.create(connection)

    def add(self, node: str, name: str, parents: dict[str, list[str]] | None = None, /, **props: Any) -> None:
        """A record named `name`, with the names of its parents by link."""
        self.ids[name] = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        links = self.dictionary.nodes[node].links_by_name
        if node not in ("program", "project"):
            props = {"submitter_id": name, "type": node, **props}
        self._inserts.append(sa.insert(self.graph.node(node)).values(node_id=self.ids[name], _props=props))
        for link, targets in (parents or {}).items():
            for target in targets:
                ends = {"src_id": self.ids[name], "dst_id": self.ids[target]}
                self._inserts.append(sa.insert(self.graph.edge(links[link])).values(ends))

    def commit(self, notify: bool = True) -> None:
        """Write what was added in one transaction, and tell the services."""
        with self.engine.begin() as connection:
            for insert in self._inserts:
                connection.execute(insert)
            if notify:
                connection.execute(sa.select(sa.func.pg_notify("commonshub_graph", "P-one")))
        self._inserts = []


@pytest.fixture(scope="module")
def graph(database_url: str) -> Iterator[Builder]:
    builder = Builder(database_url)
    builder.add("program", "P", name="P")
    for code in ("one", "two"):
        builder.add("project", code, {"programs": ["P"]}, code=code, name=f"Project {code}", license="CC0")
    one, two = {"project_id": "P-one"}, {"project_id": "P-two"}
    builder.add("case", "c1", {"projects": ["one"]}, primary_site="Lung", **one)
    builder.add("case", "c2", {"projects": ["one"]}, primary_site="Breast", **one)
    builder.add("case", "c3", {"projects": ["one"]}, **one)
    builder.add("case", "c4", {"projects": ["two"]}, primary_site="Secret", **two)
    builder.add("demographic", "d1", {"cases": ["c1"]}, sex="female", age_at_enrollment_years=61, **one)
    builder.add("demographic", "d2", {"cases": ["c2"]}, sex="male", age_at_enrollment_years=40, **one)
    builder.add("demographic", "d4", {"cases": ["c4"]}, sex="intersex", age_at_enrollment_years=99, **two)
    builder.add("diagnosis", "g1", {"cases": ["c1"]}, vital_status="alive", survival_days=10, **one)
    builder.add("diagnosis", "g2", {"cases": ["c1"]}, vital_status="dead", survival_days=20, **one)
    builder.add("sample", "s1", {"cases": ["c1"]}, sample_type="Tumor", **one)
    builder.add("sample", "s2", {"cases": ["c1"]}, sample_type='Blood, "whole"\nand fresh', **one)
    builder.add("sample", "s3", {"cases": ["c2"]}, sample_type="Tumor", **one)
    builder.add("sample", "s4", {"cases": ["c4"]}, sample_type="Hidden", **two)
    for name, sample, radius in (("a1", "s1", 1.5), ("a2", "s1", 3.0), ("a3", "s2", 7.25), ("a4", "s3", 2.0)):
        builder.add("aliquot", name, {"samples": [sample]}, nuclear_radius_mean=radius, **one)
    builder.add("aliquot", "a5", {"samples": ["s4"]}, nuclear_radius_mean=1000.0, **two)
    big = {"file_size": 5_000_000_000, "data_format": "CSV"}
    builder.add("measurement_file", "f1", {"cases": ["c1", "c2"]}, file_name="m.csv", **big, **one)
    builder.add(
        "imaging_file", "f2", {"cases": ["c1"]}, file_name="i.dcm", file_size=7, data_format="DCM", modality="CT", **one
    )
    builder.add(
        "measurement_file", "f3", {"aliquots": ["a4"]}, file_name="x.csv", file_size=1, data_format="TSV", **one
    )
    builder.add("imaging_file", "f4", {"cases": ["c4"]}, file_name="secret.dcm", file_size=3, data_format="DCM", **two)
    # Whose these are cannot be told from their project_id, or would need a path of more segments than it has.
    for number, (program, code) in enumerate((("A", "B-C"), ("A-B", "C"), ("P/projects/one", "z"))):
        builder.add("program", f"program {number}", name=program)
        builder.add("project", f"project {number}", {"programs": [f"program {number}"]}, code=code, name=code)
        project_id = f"{program}-{code}"
        builder.add("case", f"unclear {number}", {"projects": [f"project {number}"]}, project_id=project_id)
    builder.commit()
    yield builder
    builder.engine.dispose()


def rights(**paths: list[str]) -> Snapshot:
    """Policies by which each named user may read documents at and below some paths; a refresher may refresh."""
    read = frozenset({Permission("guppy", "read")})
    policies = {
        name: Policy(name, read, frozenset(tuple(path[1:].split("/")) for path in found))
        for name, found in paths.items()
    }
    refresh = frozenset({Permission("guppy", "admin_access")})
    policies["refresher"] = Policy("refresher", refresh, frozenset({("guppy_admin",)}))
    return Snapshot(policies=policies, users={name: User(policies=(Binding(name),)) for name in policies})


class Explorer:
    """The running service as a client sees it."""

    def __init__(self, running: Any, token: Callable[..., str]) -> None:
        self.running = running
        self.url = running.url
        self._token = token

    def post(self, path: str, body: Any, user: str | None = "all", **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token(user)}"} if user else {}
        return requests.post(f"{self.url}/guppy/{path}", json=body, headers=headers, timeout=30, **options)

    def query(self, text: str, user: str | None = "all", **variables: Any) -> Any:
        """Data of a query that must succeed."""
        answer = self.post("graphql", {"query": text, "variables": variables}, user).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def count(self, filter: Any, doc_type: str = "case", user: str | None = "all") -> int:
        text = f"query($f: JSON) {{ _aggregation {{ {doc_type}(filter: $f) {{ _totalCount }} }} }}"
        found: int = self.query(text, user, f=filter)["_aggregation"][doc_type]["_totalCount"]
        return found


@pytest.fixture(scope="module")
def engine() -> dict[str, Any]:
    """Settings that choose the engine, for modules that do not run over each."""
    return {}


@pytest.fixture(scope="module")
def explorer(
    run_service: Callable[..., Any],
    graph: Builder,
    token: Callable[..., str],
    tmp_path_factory: Any,
    request: pytest.FixtureRequest,
    engine: dict[str, Any],
) -> Explorer:
    """The service, after its first build; with the ``SETTINGS`` and the ``MAPPING`` that a module names."""
    folder = tmp_path_factory.mktemp("explore")
    (folder / "etlMapping.yaml").write_text(getattr(request.module, "MAPPING", MAPPING))
    running = run_service(
        ExploreApp,
        Commons={"dictionary": str(DICTIONARY)},
        ExploreSettings={
            "mapping_file": str(folder / "etlMapping.yaml"), "index_dir": str(folder / "index"), "debounce_s": 0.3,
            **engine, **getattr(request.module, "SETTINGS", {}),
        },
    )  # fmt: skip
    running.hold(
        rights(
            all=["/programs"],
            one=["/programs/P/projects/one"],
            two=["/programs/P/projects/two"],
            near=["/programs/P/projects/on"],
        )
    )
    found = Explorer(running, token)
    # Over a second engine, the run of the first is the active one until there is another.
    app = running.app
    eventually(lambda: app.active and app.shelf.indexes.has(app.active.id))
    return found


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExploreSettings]:
    """Settings of builds by Spark, which runs as long as the tests do: it takes seconds to start."""
    for needed, there in (("pyspark", importlib.util.find_spec("pyspark")), ("Java", shutil.which("java"))):
        if there is None:
            pytest.skip(f"Spark needs {needed}, which is not installed")
    folder = tmp_path_factory.mktemp("spark")
    own = {**SMALL, "spark.pyspark.python": str(bare_python(folder))}
    found = ExploreSettings(builder="spark", spark_settings=own)
    with session(found, folder):
        yield found


def bare_python(folder: Path) -> Path:
    """Python as Spark's other machines have it: with what is installed, and without what is developed here."""
    program = folder / "python"
    installed = sysconfig.get_path("purelib")
    program.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{installed}" exec {sys.executable} -S "$@"\n')
    program.chmod(0o755)
    return program


def etl(
    database_url: str, folder: Path, *command: str, storage: dict[str, Any] | None = None, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run an operator command with settings of its own; no Parquet is stored without a `storage`."""
    config = {
        "Commons": {"data_dir": str(folder), "dictionary": str(DICTIONARY)},
        "DatabaseSettings": {"url": database_url},
        "StorageSettings": storage or {},
        "ExploreSettings": {"parquet": storage is not None, **settings},
    }
    full = [sys.executable, "-P", "-m", "commonshub.explore", "etl", *command, "--settings-stdin"]
    environment = {**os.environ, "COMMONSHUB_DATA_DIR": str(folder)}
    return subprocess.run(full, input=json.dumps(config), capture_output=True, text=True, timeout=60, env=environment)
