"""Graph queries on the simulated set of 50,000 records, and on 20 times as many; beside them the same JSON by SQL."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import faults
import psycopg2
from graph import API, DATA, DICTIONARY, load, project, put, records
from harness import Commons, Figure, milliseconds
from load import Call, Client

PROJECT = "BENCH-P1"
COPIES = 19
KINDS = ("case", "demographic", "sample", "aliquot", "submitted_methylation")
# Edges between copied records, and those to a record that all copies share.
COPIED_EDGES = (
    "edge_demographicdescribescase",
    "edge_samplederivedfromcase",
    "edge_aliquotderivedfromsample",
    "edge_submittedmethylationdatafromaliquot",
)
SHARED_EDGES = ("edge_casememberofexperiment", "edge_980b791d_sumedafrcomeco")
FIELDS = "id submitter_id project_id type created_datetime updated_datetime disease_type primary_site"
GROWTH = 2.0

_CASES = "select _props->>'submitter_id' as submitter_id from graph.node_case where _props->>'project_id' = 'BENCH-P1'"
_NESTED = """
select json_agg(row_to_json(c)) from (
  select c._props->>'submitter_id' as submitter_id, (
    select json_agg(row_to_json(s)) from (
      select s._props->>'submitter_id' as submitter_id, (
        select json_agg(row_to_json(a)) from (
          select a._props->>'submitter_id' as submitter_id, (
            select json_agg(json_build_object('submitter_id', f._props->>'submitter_id'))
            from graph.edge_submittedmethylationdatafromaliquot e
            join graph.node_submittedmethylation f on f.node_id = e.src_id where e.dst_id = a.node_id
          ) as submitted_methylation_files
          from graph.edge_aliquotderivedfromsample e join graph.node_aliquot a on a.node_id = e.src_id
          where e.dst_id = s.node_id) a) as aliquots
      from graph.edge_samplederivedfromcase e join graph.node_sample s on s.node_id = e.src_id
      where e.dst_id = c.node_id) s) as samples
  from (select node_id, _props from graph.node_case order by node_id limit 100) c) c
"""
_ALL = """
select json_agg(row_to_json(c)) from (
  select node_id as id, _props->>'submitter_id' as submitter_id, _props->>'project_id' as project_id, 'case' as type,
         _props->>'created_datetime' as created_datetime, _props->>'updated_datetime' as updated_datetime,
         _props->>'disease_type' as disease_type, _props->>'primary_site' as primary_site
  from graph.node_case where _props->>'project_id' = 'BENCH-P1') c
"""
_PATH = """
select json_agg(json_build_object('submitter_id', c._props->>'submitter_id')) from graph.node_case c
where c.node_id in (
  select e.dst_id from graph.edge_samplederivedfromcase e join graph.node_sample s on s.node_id = e.src_id
  where s._props @> %(like)s::jsonb)
"""


@dataclass(frozen=True)
class Form:
    """One figure: a query, what its answer must hold, and its floor.

    Parameters
    ----------
    holds
        Whether an answer's data are right; timed answers are not looked at.
    """

    name: str
    text: str
    bound: float
    holds: Callable[[Any], bool]
    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def measure() -> Iterator[Figure]:
    if not (DICTIONARY.exists() and DATA.exists()):
        raise RuntimeError("The simulated set of 50,000 records is not there; nothing else was measured elsewhere.")
    commons = Commons(DICTIONARY)
    try:
        graph = Graph(commons)
        graph.fill()
        small = {}
        for form in forms(graph):
            small[form.name] = graph.milliseconds(form)
            yield Figure(f"query.{form.name}_ms", small[form.name], "ms", floor=graph.floor(form), bound=form.bound)
        yield Figure("query.typename_ms", graph.ask_ms("{__typename}", runs=200), "ms", bound=1)
        yield Figure("query.model_graph_ms", graph.ask_ms(model_graph(graph.dictionary), runs=20), "ms", bound=25)
        yield Figure("query.faults_ms", max(graph.fault_ms(*each) for each in faults.queries()), "ms", bound=50)
        yield graph.export()
        graph.grow()
        for form in forms(graph)[:4]:
            ratio = graph.milliseconds(form) / small[form.name]
            yield Figure(f"query.{form.name}_growth", ratio, "", floor=None, bound=GROWTH)
    finally:
        commons.close()


def forms(graph: "Graph") -> list[Form]:
    """Those of the figures that are one query with a floor; the first four are measured on the large set too."""
    nested = "submitted_methylation_files(first:0){submitter_id}"
    nested = f"samples(first:0){{submitter_id aliquots(first:0){{submitter_id {nested}}}}}"
    counts = " ".join(f"_{kind}_count" for kind in KINDS)
    counted = ", ".join(f"(select count(*) from graph.node_{kind.replace('_', '')})" for kind in KINDS)
    sample = records("sample")[0]["submitter_id"]
    listed = f"select json_agg(row_to_json(t)) from ({_CASES} limit 100) t"
    return [
        Form("first_100", "{case(first:100){submitter_id}}", 3, lambda data: len(data["case"]) == 100, listed),
        Form("nested_100", f"{{case(first:100){{submitter_id {nested}}}}}", 25, _is_nested, _NESTED),
        Form("counts", f"{{{counts}}}", 6, graph.is_counted, f"select json_build_array({counted})"),
        Form(
            "path",
            f'{{case(with_path_to:[{{type:"sample",submitter_id:"{sample}"}}]){{submitter_id}}}}',
            5,
            lambda data: len(data["case"]) == 1,
            _PATH,
            {"like": json.dumps({"submitter_id": sample})},
        ),
        Form(
            "path_count",
            '{_case_count(with_path_to:[{type:"demographic",gender:"male"}])}',
            5,
            lambda data: data["_case_count"] > 1000,
            """select count(*) from graph.node_case where node_id in (
                 select e.dst_id from graph.edge_demographicdescribescase e
                 join graph.node_demographic d on d.node_id = e.src_id where d._props @> '{"gender": "male"}')""",
        ),
        Form("all_10000", f"{{case(first:0){{{FIELDS}}}}}", 120, lambda data: len(data["case"]) == 10_000, _ALL),
    ]


def _is_nested(data: Any) -> bool:
    files = [
        file
        for case in data["case"]
        for sample in case["samples"]
        for aliquot in sample["aliquots"]
        for file in aliquot["submitted_methylation_files"]
    ]
    return len(data["case"]) == 100 and len(files) >= 50


def model_graph(dictionary: Mapping[str, Any]) -> str:
    """What the portal asks to draw a project's model: a count for each type, and a probe for each link."""
    parts = []
    for name, node in sorted(dictionary.items()):
        if name.startswith("_") or name in ("metaschema", "root", "program") or "links" not in node:
            continue
        parts.append(f'_{name}_count(project_id:"{PROJECT}")')
        for number, link in enumerate(_links(node["links"])):
            links = f'with_links:["{link}"]'
            parts.append(f'l{number}_{name}: {name}({links},first:1,project_id:"{PROJECT}"){{submitter_id}}')
    return f"{{{' '.join(parts)}}}"


def _links(links: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for link in links:
        if "subgroup" in link:
            yield from _links(link["subgroup"])
        else:
            yield link["name"]


class Graph:
    """The records of a commons, asked for past its proxy."""

    def __init__(self, commons: Commons) -> None:
        self.commons = commons
        self.client = Client(commons.service("query"))
        self.headers = {"Authorization": str(commons.session.headers["Authorization"])}
        self.copies = 0

    @cached_property
    def dictionary(self) -> dict[str, Any]:
        """The schemas of all node types."""
        answer = self.commons.session.get(f"{self.commons.origin}{API}/_dictionary/_all", timeout=60)
        found: dict[str, Any] = answer.json()
        return found

    def fill(self) -> None:
        """Submit the simulated set."""
        project(self.commons)
        put(self.commons, f"/{PROJECT.replace('-', '/')}", records("core_metadata_collection"))
        for kind in KINDS:
            load(self.commons, kind)
        self.sql("vacuum analyze")

    def grow(self) -> None:
        """Copy every record, with its links, by SQL."""
        for kind in KINDS:
            self.sql(_COPY_NODES.format(table=f"node_{kind.replace('_', '')}"), {"copies": COPIES})
        for edge in COPIED_EDGES:
            self.sql(_COPY_EDGES.format(table=edge, end="md5(dst_id || n)::uuid::text"), {"copies": COPIES})
        for edge in SHARED_EDGES:
            self.sql(_COPY_EDGES.format(table=edge, end="dst_id"), {"copies": COPIES})
        self.copies = COPIES
        self.sql("vacuum analyze")

    def sql(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """All rows of a statement, where it gives any."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else None

    @cached_property
    def _connection(self) -> Any:
        embedded = json.loads((self.commons.data_dir / "run" / "embedded.json").read_text())
        connection = psycopg2.connect(
            embedded["DatabaseSettings"]["url"].replace("postgresql+psycopg2:", "postgresql:"),
            options="-c statement_timeout=0",
        )
        connection.autocommit = True
        return connection

    def ask(self, text: str) -> bytes:
        """The answer to a query, as it comes."""
        body = json.dumps({"query": text}).encode()
        return self.client.send(Call(f"{API}/graphql", body, self.headers))

    def ask_ms(self, text: str, runs: int = 50) -> float:
        """Median time of a query."""
        return milliseconds(lambda: self.ask(text), runs=runs, warm=5)

    def fault_ms(self, name: str, text: str, value: Any) -> float:
        """Median time of the refusal of a faulty query.

        Raises
        ------
        RuntimeError
            It is not refused as one.
        """
        body = json.dumps({"query": text, "variables": {"x": value}}).encode()
        call = Call(f"{API}/graphql", body, self.headers)
        status, answer = self.client.answer(call)
        if status != 400 or not json.loads(answer)["errors"]:
            raise RuntimeError(f"A faulty query of the kind {name!r} is answered with {status}: {answer[:1000]!r}")
        return milliseconds(lambda: self.client.answer(call), runs=5, warm=1)

    def is_counted(self, data: Any) -> bool:
        """Whether five counts are those of all records."""
        return all(count == 10_000 * (self.copies + 1) for count in data.values())

    def milliseconds(self, form: Form) -> float:
        """Median time of a form, after a look at its answer.

        Raises
        ------
        RuntimeError
            The answer is wrong, and so would be its time.
        """
        answer = json.loads(self.ask(form.text))
        if answer.get("errors") or not form.holds(answer["data"]):
            raise RuntimeError(f"{form.text} is answered wrongly: {str(answer)[:1000]}")
        return self.ask_ms(form.text)

    def floor(self, form: Form) -> float:
        """Median time of the same by SQL."""
        return milliseconds(lambda: self.sql(form.sql, form.parameters), runs=20)

    def export(self) -> Figure:
        """All cases as a table, beside PostgreSQL's own."""
        client = Client(self.commons.service("submission"))
        path = f"{API}/{PROJECT.replace('-', '/')}/export?node_label=case&format=tsv"
        call = Call(path, headers=self.headers)
        times = []
        for _ in range(10):
            begin = time.perf_counter()
            table = client.send(call)
            times.append(1000 * (time.perf_counter() - begin))
        lines = table.count(b"\n")
        if lines < 10_000:
            raise RuntimeError(f"The export has {lines} lines.")
        floor = milliseconds(lambda: self.sql(f"select string_agg(t::text, E'\\n') from ({_CASES}) t"), runs=10)
        return Figure("query.export_10000_ms", statistics.median(times), "ms", floor=floor, bound=80)


_COPY_NODES = """
insert into graph.{table} (node_id, _props)
select md5(node_id || n)::uuid::text,
       _props || jsonb_build_object('submitter_id', (_props->>'submitter_id') || '_' || n)
from graph.{table}, generate_series(1, %(copies)s) n
"""
_COPY_EDGES = """
insert into graph.{table} (src_id, dst_id)
select md5(src_id || n)::uuid::text, {end} from graph.{table}, generate_series(1, %(copies)s) n
"""
