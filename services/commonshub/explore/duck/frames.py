"""The frames of a plan in DuckDB: the documents of each entry, before entries are joined to one another.

A frame has ``_rid``, the number of the document, ``_id``, its node, and a column for each field.
"""

# ruff: noqa: S608 - names come from the mapping and the dictionary and are quoted, values are literals

from collections.abc import Sequence

import duckdb

from commonshub.core.graph import edge_table

from ..catalog import AUTH_FIELD, PROJECT_FIELD, Field
from ..extract import Progress
from ..plan import Aggregator, Collector, Flatten, Plan, Reduce, Take
from .expressions import chain, columns, empty, listed, reduced, replaced, value, where
from .load import edge, literal, node, type_of
from .predicate import quote


def frame_of(doc_type: str) -> str:
    """The table of a frame."""
    return f"stage.{quote(f'frame of {doc_type}')}"


class Stage:
    """Helper tables, numbered."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._tables = 0

    def run(self, statement: str) -> None:
        """Execute a statement."""
        self.connection.execute(statement)

    def table(self, select: str) -> str:
        """A helper table with the rows of a query."""
        self._tables += 1
        name = f"stage.part_{self._tables}"
        self.run(f"create table {name} as {select}")
        return name

    def reduced(self, key: str, found: str, takes: Sequence[tuple[Take, str]]) -> str:
        """A table of ``_key`` and the reduced takes over ``select key … found``.

        Takes over single values share one query; each over a list has its own, because it takes the list apart.
        """
        plain = [pair for pair in takes if not pair[0].from_list]
        parts = [self._group(key, found, plain)] if plain else []
        parts += [self._group(key, found, [(take, f"unnest({column})")]) for take, column in takes if take.from_list]
        if len(parts) == 1:
            return parts[0]
        return self.table(f"from {parts[0]}" + "".join(f" full join {part} using (_key)" for part in parts[1:]))

    def _group(self, key: str, found: str, takes: Sequence[tuple[Take, str]]) -> str:
        inner = [f"{column} as v{number}" for number, (take, column) in enumerate(takes) if take.source]
        outer = [
            f"{reduced(take, replaced(take, f'v{number}'))} as {quote(take.field.name)}"
            for number, (take, _) in enumerate(takes)
        ]
        return self.table(
            f"select _key{listed(outer)} from (select {key} as _key{listed(inner)} {found}) group by _key"
        )


class Frames:
    """Builds the frames of a plan."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage = stage
        self.plan = plan

    def build(self, progress: Progress) -> None:
        """All frames."""
        self._projects()
        for number, document in enumerate(self.plan.documents):
            progress("flattening", number, len(self.plan.documents))
            select = self._aggregated(document) if isinstance(document, Aggregator) else self._collected(document)
            parts = [f"j.{name}" for name in (*document.project_parts, AUTH_FIELD)]
            self.stage.run(
                f"create table {frame_of(document.doc_type.name)} as "
                f"select row_number() over (order by f._id) as _rid, f.*{listed(parts)} "
                f"from ({select}) f left join stage.project j on j.project_id = f.{PROJECT_FIELD}"
            )

    def _projects(self) -> None:
        """``stage.project``: the resource path of every project; one that could mean two projects opens none."""
        link = self.plan.program
        self.stage.run(
            "create table stage.project as select project_id, any_value(_id) as _id, "
            "any_value(program_name) as program_name, any_value(project_code) as project_code, "
            f"case when count(*) = 1 and not bool_or(odd) then any_value(path) end as {AUTH_FIELD} from ("
            "select j._id, p.name || '-' || j.code as project_id, p.name as program_name, j.code as project_code, "
            "'/programs/' || p.name || '/projects/' || j.code as path, "
            "contains(p.name, '/') or contains(j.code, '/') as odd "
            f"from {node('project')} j join {edge(edge_table(link))} e on e.src = j._id "
            f"join {node('program')} p on p._id = e.dst) where project_id is not null group by project_id"
        )

    def _aggregated(self, document: Aggregator) -> str:
        root = node(document.root)
        keys = self.stage.table(f"select r._id from {root} r where {where(document.condition, 'r')}")
        project, source = f"r.{PROJECT_FIELD}", f"{keys} k join {root} r on r._id = k._id"
        if document.root == "project":
            project, source = "o.project_id", f"{source} left join stage.project o on o._id = r._id"
        selected = columns(document.takes, "r", document.root)
        blocks: tuple[Flatten | Reduce, ...] = (*document.flatten, *document.reduce)
        for number, block in enumerate(blocks):
            part = self._flatten(block, keys) if isinstance(block, Flatten) else self._reduce(block, keys)
            source += f" left join {part} b{number} on b{number}._key = k._id"
            selected += _joined(block.takes, f"b{number}")
        return f"select k._id, {project} as {PROJECT_FIELD}{listed(selected)} from {source}"

    def _flatten(self, block: Flatten, keys: str) -> str:
        joins, last = chain(block.path, "k._id", "e")
        target = block.path[-1].node
        order = f"n.{quote(block.order[0])} {'desc' if block.order[1] else 'asc'} nulls last, " if block.order else ""
        return self.stage.table(
            f"select k._id as _key{listed(columns(block.takes, 'n', target))} "
            f"from {keys} k {joins} join {node(target)} n on n._id = {last} "
            f"qualify row_number() over (partition by k._id order by {order}n._id) = 1"
        )

    def _reduce(self, block: Reduce, keys: str) -> str:
        joins, last = chain(block.path, "k._id", "e")
        target = block.path[-1].node
        found = f"from {keys} k {joins} join {node(target)} n on n._id = {last}"
        return self.stage.reduced("k._id", found, [(take, value(take, "n", target)) for take in block.takes])

    def _collected(self, document: Collector) -> str:
        parts = []
        for leaf, takes in document.leaves:
            selected = [
                f"{_as_type(document.doc_type.field(take.field.name), take, leaf)} as {quote(take.field.name)}"
                for take in takes
            ]
            parts.append(
                f"select n._id, {literal(leaf)} as _label, n.{PROJECT_FIELD}{listed(selected)} from {node(leaf)} n"
            )
        leaves = self.stage.table(" union all by name ".join(parts))
        source, injected = f"{leaves} l", []
        above = self._ancestors(document, leaves) if document.inject else ""
        for number, (label, takes) in enumerate(document.inject):
            if takes:
                found = f"from {above} a join {node(label)} n on n._id = a._id where a.label = {literal(label)}"
                part = self.stage.reduced("a.leaf", found, [(take, value(take, "n", label)) for take in takes])
                source += f" left join {part} b{number} on b{number}._key = l._id"
                injected += _joined(takes, f"b{number}")
        return f"select l.* exclude (_label){listed(injected)} from {source}"

    def _ancestors(self, document: Collector, leaves: str) -> str:
        """All nodes above each leaf, over the links of the plan; a node counts once, so cycles end."""
        ups = [
            f"select {literal(link.source)} as sl, src, {literal(link.target)} as dl, dst from {edge(edge_table(link))}"
            for link in document.links
        ]
        up = self.stage.table(" union all ".join(ups) or "select '' as sl, '' as src, '' as dl, '' as dst where false")
        return self.stage.table(
            "with recursive above(leaf, label, _id) as ("
            f"select l._id, u.dl, u.dst from {leaves} l join {up} u on u.sl = l._label and u.src = l._id union "
            f"select a.leaf, u.dl, u.dst from above a join {up} u on u.sl = a.label and u.src = a._id) "
            "select * from above"
        )


def _joined(takes: Sequence[Take], alias: str) -> list[str]:
    return [f"{empty(take, f'{alias}.{quote(take.field.name)}')} as {quote(take.field.name)}" for take in takes]


def _as_type(field: Field | None, take: Take, leaf: str) -> str:
    """A leaf's value in the common type of all leaves."""
    assert field is not None
    column = replaced(take, value(take, "n", leaf))
    if field.array and not take.field.array:
        column = f"case when {column} is null then null else [{column}] end"
    return f"({column})::{type_of(field)}"
