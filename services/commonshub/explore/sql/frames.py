"""The frames of a plan: the documents of each entry, before entries are joined to one another.

A frame has ``_rid``, by which documents are told apart and ordered, ``_id``, its node, and a column for each field.
Other columns of helper tables begin with two underscores, as no field does.
"""

# ruff: noqa: S608 - names come from the mapping and the dictionary and are quoted, values are literals

from collections.abc import Iterable, Sequence

from ..catalog import AUTH_FIELD, PROJECT_FIELD, DocType
from ..extract import Progress
from ..plan import Aggregator, Collector, Document, Flatten, Plan, Reduce, Take
from .expressions import chain, columns, empty, listed, replaced, value, where
from .names import edge, node, quote
from .stage import Stage

PROJECTS = "projects of documents"


def frame_of(doc_type: str) -> str:
    """The name of a frame's table."""
    return f"frame of {doc_type}"


class Frames:
    """Builds the frames of a plan."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage = stage
        self.dialect = stage.dialect
        self.plan = plan

    def build(self, progress: Progress) -> None:
        """All frames."""
        self.stage.keep(PROJECTS, self._projects())
        for number, document in enumerate(self.plan.documents):
            progress("flattening", number, len(self.plan.documents))
            select = self._aggregated(document) if isinstance(document, Aggregator) else self._collected(document)
            self.stage.keep(
                frame_of(document.doc_type.name),
                f"select {self.dialect.numbered('f._id')} as _rid, f._id{listed(self._fields(document))} "
                f"from ({select}) f left join {quote(PROJECTS)} j on j.project_id = f.{PROJECT_FIELD}",
            )

    def _fields(self, document: Document) -> list[str]:
        """The fields of a frame, in their types: what others take from it is what they could take from documents."""
        joins = document.joins if isinstance(document, Aggregator) else ()
        elsewhere = {document.doc_type.key, *(take.field.name for join in joins for take in join.takes)}
        of_project = {*document.project_parts, AUTH_FIELD}
        return [
            f"({'j' if field.name in of_project else 'f'}.{quote(field.name)})::{self.dialect.type_of(field)} "
            f"as {quote(field.name)}"
            for field in document.doc_type.fields
            if field.name not in elsewhere
        ]

    def _projects(self) -> str:
        """The resource path of every project; one that could mean two projects opens none."""
        return (
            "select project_id, any_value(_id) as _id, "
            "any_value(program_name) as program_name, any_value(project_code) as project_code, "
            f"case when count(*) = 1 and not bool_or(odd) then any_value(path) end as {AUTH_FIELD} from ("
            "select j._id, p.name || '-' || j.code as project_id, p.name as program_name, j.code as project_code, "
            "'/programs/' || p.name || '/projects/' || j.code as path, "
            "contains(p.name, '/') or contains(j.code, '/') as odd "
            f"from {node('project')} j join {edge(self.plan.program)} e on e.src = j._id "
            f"join {node('program')} p on p._id = e.dst) where project_id is not null group by project_id"
        )

    def _aggregated(self, document: Aggregator) -> str:
        root = node(document.root)
        keys = self.stage.table(f"select r._id from {root} r where {where(self.dialect, document.condition, 'r')}")
        project, source = f"r.{PROJECT_FIELD}", f"{keys} k join {root} r on r._id = k._id"
        if document.root == "project":
            project, source = "o.project_id", f"{source} left join {quote(PROJECTS)} o on o._id = r._id"
        selected = columns(self.dialect, document.takes, "r", document.root)
        blocks: tuple[Flatten | Reduce, ...] = (*document.flatten, *document.reduce)
        for number, block in enumerate(blocks):
            part = self._flatten(block, keys) if isinstance(block, Flatten) else self._reduce(block, keys)
            source += f" left join {part} b{number} on b{number}.__key = k._id"
            selected += self._joined(block.takes, f"b{number}")
        return f"select k._id, {project} as {PROJECT_FIELD}{listed(selected)} from {source}"

    def _flatten(self, block: Flatten, keys: str) -> str:
        joins, last = chain(block.path, "k._id", "e")
        target = block.path[-1].node
        order = f"n.{quote(block.order[0])} {'desc' if block.order[1] else 'asc'} nulls last, " if block.order else ""
        return self.stage.first(
            "k._id",
            f"{order}n._id",
            columns(self.dialect, block.takes, "n", target),
            f"from {keys} k {joins} join {node(target)} n on n._id = {last}",
        )

    def _reduce(self, block: Reduce, keys: str) -> str:
        joins, last = chain(block.path, "k._id", "e")
        target = block.path[-1].node
        found = f"from {keys} k {joins} join {node(target)} n on n._id = {last}"
        return self.stage.reduced("k._id", found, self._valued(block.takes, target))

    def _valued(self, takes: Sequence[Take], node_id: str) -> list[tuple[Take, str]]:
        return [(take, value(self.dialect, take, "n", node_id)) for take in takes]

    def _collected(self, document: Collector) -> str:
        names = dict.fromkeys(take.field.name for _, takes in document.leaves for take in takes)
        parts = [self._leaf(document.doc_type, leaf, takes, names) for leaf, takes in document.leaves]
        leaves = self.stage.table(" union all ".join(parts))
        source = f"{leaves} l"
        selected = [f"l.{quote(name)}" for name in names]
        above = self._ancestors(document, leaves) if document.inject else ""
        for number, (label, takes) in enumerate(document.inject):
            if takes:
                found = f"from {above} a join {node(label)} n on n._id = a._id "
                found += f"where a.label = {self.dialect.literal(label)}"
                part = self.stage.reduced("a.leaf", found, self._valued(takes, label))
                source += f" left join {part} b{number} on b{number}.__key = l._id"
                selected += self._joined(takes, f"b{number}")
        return f"select l._id, l.{PROJECT_FIELD}{listed(selected)} from {source}"

    def _leaf(self, doc_type: DocType, leaf: str, takes: Sequence[Take], names: Iterable[str]) -> str:
        """The nodes of a type, with all fields of the leaves in their common types."""
        having = {take.field.name: self._as_type(doc_type, take, leaf) for take in takes}
        types = {field.name: self.dialect.type_of(field) for field in doc_type.fields}
        selected = [f"({having.get(name, 'null')})::{types[name]} as {quote(name)}" for name in names]
        label = self.dialect.literal(leaf)
        return f"select n._id, {label} as __label, n.{PROJECT_FIELD}{listed(selected)} from {node(leaf)} n"

    def _as_type(self, doc_type: DocType, take: Take, leaf: str) -> str:
        """A leaf's value, in a list where other leaves have one, and as text where others have text."""
        field = doc_type.field(take.field.name)
        assert field is not None
        column = replaced(self.dialect, take, value(self.dialect, take, "n", leaf))
        as_text = field.kind == "string" and take.field.numeric
        if take.field.array:
            return self.dialect.changed(column, self.dialect.text) if as_text else column
        if as_text:
            column = self.dialect.text(column)
        return f"case when {column} is not null then {self.dialect.listed([column])} end" if field.array else column

    def _ancestors(self, document: Collector, leaves: str) -> str:
        """All nodes above each leaf, over the links of the plan; a node counts once, so cycles end."""
        literal = self.dialect.literal
        ups = [
            f"select {literal(link.source)} as sl, src, {literal(link.target)} as dl, dst from {edge(link)}"
            for link in document.links
        ]
        up = self.stage.table(" union all ".join(ups) or "select '' as sl, '' as src, '' as dl, '' as dst where false")
        step = "u.dl as label, u.dst as _id from {} join {} u on u.sl = {} and u.src = {}"
        return self.stage.closure(
            f"select l._id as leaf, {step.format(f'{leaves} l', up, 'l.__label', 'l._id')}",
            lambda above: f"select a.leaf, {step.format(f'{above} a', up, 'a.label', 'a._id')}",
        )

    def _joined(self, takes: Sequence[Take], alias: str) -> list[str]:
        return [
            f"{empty(self.dialect, take, f'{alias}.{quote(take.field.name)}')} as {quote(take.field.name)}"
            for take in takes
        ]
