"""A selection as one SQL statement whose single row holds the finished JSON.

Every root field becomes one column, a JSON text. A list is ``json_agg`` over a subquery whose columns are the selected
fields; a list inside a list is a subquery of the same form that refers to the outer row. So the database does the
walking, and no record ever becomes a Python object.

What the database need not be asked for (``__typename``, the node types, introspection) is put in place by Python; a
query of such fields alone has no statement at all.
"""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import orjson

from commonshub.core.dictionary import Dictionary
from commonshub.core.errors import BadRequest

from .access import Access
from .document import Limits
from .equality import Equality
from .fields import Aggregate, AnyNeighbours, Count, Cursor, Listing, Neighbours, NodeTypes, Transactions, Value, Viewer
from .filters import Filters, ends
from .logbook import Logbook, limit_of
from .pages import ARGUMENTS, Order, Pages, is_plain
from .paths import Paths
from .predicates import Predicates
from .rendering import Written, array, object_of, objects, texts
from .scope import Scope
from .selection import Selected
from .sql import Statement, Tables, conjunction, literal
from .summaries import Summaries
from .values import NULL, shown

Args = Mapping[str, Any]
Constant = Callable[[Selected], Any]
LONG = 1000
"""Longest list that is always made as a whole."""
OVERSIZE = -1
"""Number of no column: where a text would stand that is too large to be sent at once, there is its size."""
Template = list["bytes | int"]
"""The answer in pieces: bytes as they are, and numbers of columns of the row."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and how to put the answer together.

    Parameters
    ----------
    statement
        SQL text with ``%(name)s`` placeholders, or None when nothing is to be asked.
    template
        Pieces of the ``data`` object.
    errors
        Faults of single root fields, which are null in the answer.
    max_bytes
        Most bytes of an answer, and of one item of a long list.
    listed
        Columns that are long lists.

    The statement gives one row of all columns, and their ``size`` behind them; where that is too large, they are null.
    If there are long lists, it gives a row for each other column and then one for each item of the lists: the number of
    the column, and a text; or :data:`OVERSIZE`, and the size, where the text is too large.
    """

    statement: str | None
    parameters: Mapping[str, Any]
    template: Template
    errors: tuple[str, ...]
    max_bytes: int
    listed: frozenset[int] = frozenset()

    def render(self, row: Sequence[str | None]) -> bytes:
        """The ``data`` object, of the one row that the statement gave."""
        return b"".join(
            piece if isinstance(piece, bytes) else (row[piece] or "null").encode() for piece in self.template
        )


@dataclass(frozen=True)
class Planner:
    """Plans selections on one dictionary.

    Parameters
    ----------
    limits
        Bounds of a statement.
    """

    dictionary: Dictionary
    tables: Tables
    paths: Paths
    limits: Limits

    def plan(self, selection: Sequence[Selected], scope: Scope, constant: Constant, *, by_rows: bool = False) -> Plan:
        """The plan for the root fields `selection` and a caller who may read `scope`.

        Parameters
        ----------
        constant
            Answers a field that needs no database: introspection and node types.
        by_rows
            Whether long lists may come row by row.
        """
        return _Compiler(self, scope, constant, by_rows).plan(selection)


class _Compiler:
    def __init__(self, planner: Planner, scope: Scope, constant: Constant, by_rows: bool) -> None:
        self.constant = constant
        self.by_rows = by_rows
        self.planner = planner
        self.dictionary = planner.dictionary
        self.tables = planner.tables
        self.statement = Statement(planner.limits.max_parts)
        self.access = Access(planner.dictionary, planner.tables, scope, self.statement)
        equality = Equality(self.statement)
        predicates = Predicates(self.statement, self.access, equality, planner.limits.max_filter_depth)
        self.filters = Filters(self.statement, self.access, planner.paths, equality, predicates)
        self.pages = Pages(self.statement, self.access)
        self.logbook = Logbook(self.statement, self.tables, self.access)
        self.summaries = Summaries(self.filters, planner.limits.max_buckets)
        self.columns: list[str] = []
        self.errors: list[str] = []
        self.listed: set[int] = set()

    def plan(self, selection: Sequence[Selected]) -> Plan:
        template, text = _joined(self._object(selection)), None
        if self.listed:
            # What comes as a whole is known before the first item of what does not.
            numbers = sorted(range(len(self.columns)), key=self.listed.__contains__)
            text = self.statement.text(" union all ".join(map(self._numbered, numbers)))
        elif self.columns:
            text = self.statement.text(self._row())
        most = self.planner.limits.max_answer_bytes
        return Plan(text, self.statement.parameters, template, tuple(self.errors), most, frozenset(self.listed))

    def _row(self) -> str:
        """All columns in one row. Without `offset 0` they would be computed once more for their size."""
        numbers, most = range(len(self.columns)), self.planner.limits.max_answer_bytes
        columns = ", ".join(f"({column})::text as c{number}" for number, column in enumerate(self.columns))
        sizes = ", ".join(f"octet_length(c.c{number})" for number in numbers)
        size = f"select coalesce(sum(each), 0) as size from unnest(array[{sizes}]) each"
        kept = ", ".join(f"case when s.size <= {most:d} then c.c{number} end" for number in numbers)
        return f"select {kept}, s.size from (select {columns} offset 0) c, lateral ({size}) s"

    def _numbered(self, number: int) -> str:
        """A column as rows that name it. Those of several columns stay in order, as there is nothing to sort."""
        column = self.columns[number]
        source = column if number in self.listed else f"select ({column})::text as item"
        fits = f"octet_length(i.item) <= {self.planner.limits.max_answer_bytes:d}"
        return (
            f"select case when {fits} is not false then {number} else {OVERSIZE} end,"
            f" case when {fits} then i.item else octet_length(i.item)::text end from ({source} offset 0) i"
        )

    # -- root ------------------------------------------------------------------

    def _object(self, selection: Sequence[Selected]) -> Template:
        pieces: Template = [b"{"]
        for number, each in enumerate(selection):
            pieces.append((b"," if number else b"") + orjson.dumps(each.key) + b":")
            pieces += self._root(each)
        return [*pieces, b"}"]

    def _root(self, selected: Selected) -> Template:
        match selected.meaning:
            case Viewer():
                return self._object(selected.fields)
            case None if selected.name == "__typename":
                return [orjson.dumps(selected.type)]
            case None | NodeTypes():
                return [orjson.dumps(self.constant(selected))]
        number, long = len(self.columns), self.by_rows and _is_long(selected)
        try:
            self.columns.append(self._column(selected, texts if long else array))
        except BadRequest as error:
            self.errors.append(error.message)
            return [b"null"]
        if long:
            self.listed.add(number)
        return [number]

    def _column(self, selected: Selected, written: Written) -> str:
        match selected.meaning:
            case Listing(types, separate_pages):
                return self._listing(types, separate_pages, selected, written)
            case Count(Listing() as of):
                return self._count(of.types, selected.args)
            case Aggregate(type_):
                return self.summaries.column(type_, selected)
            case Transactions(count):
                return self.logbook.count(selected.args) if count else self.logbook.rows(selected, written=written)
        raise LookupError(f"{selected.name} is no root field.")

    def _listing(self, types: tuple[str, ...], separate_pages: bool, selected: Selected, written: Written) -> str:
        # A cursor stands in one order of all records; pages of each type by themselves have none.
        separate_pages = separate_pages and selected.args.get("after") is None and not _shows_cursors(selected)
        if len(types) == 1 and not separate_pages and "DataNode" not in selected.children:
            alias = self.statement.alias()
            source = f"{self.tables.node(types[0])} {alias}"
            return self._records(types[0], alias, source, [], selected, written)
        asked = [type_ for type_ in types if self.filters.chooses(type_, selected.args)]
        arms = [self._arm(type_, asked, selected.args, separate_pages) for type_ in asked]
        return self._union(asked, arms, selected, written, paged=not separate_pages)

    def _count(self, types: tuple[str, ...], args: Args) -> str:
        (type_,), alias = types, self.statement.alias()
        asked = {key for key, value in args.items() if value is not None} - ARGUMENTS
        ids = self.filters.ids(type_, args) if asked == {"with_path_to"} else None
        if ids:
            return f"select count(*) from {ids} {alias}"
        conditions = self.filters.conditions(type_, alias, args)
        kept = self.tables.counts(type_) if self._of_projects(type_, asked) else None
        if kept:
            return f"select coalesce(sum({alias}.records), 0)::bigint from {kept} {alias}{conjunction(conditions)}"
        return f"select count(*) from {self.tables.node(type_)} {alias}{conjunction(conditions)}"

    def _of_projects(self, type_: str, asked: Set[str]) -> bool:
        """Whether nothing is counted but whole projects, whose numbers are known."""
        return type_ not in ("program", "project") and (
            not asked or (asked == {"project_id"} and "project_id" in self.dictionary.nodes[type_].properties)
        )

    # -- records of one type ---------------------------------------------------

    def _records(
        self, type_: str, alias: str, source: str, joined: list[str], selected: Selected, written: Written = array
    ) -> str:
        order = self.pages.order([type_], alias, selected.args, marked=_shows_cursors(selected))
        conditions = [*joined, *self.filters.conditions(type_, alias, selected.args)]
        columns = self._fields(type_, alias, selected.children.get(type_, ()), order)
        return objects(columns, self.pages.rows(order, alias, source, conditions, selected.args), written)

    def _fields(self, type_: str, alias: str, fields: Sequence[Selected], order: Order) -> dict[str, str]:
        return {each.key: self._field(type_, alias, each, order) for each in fields}

    def _field(self, type_: str, alias: str, selected: Selected, order: Order) -> str:
        match selected.meaning:
            case None:
                return f"{literal(selected.type)}::text"
            case Cursor():
                return order.cursor()
            case Value(name_):
                return self._value(type_, alias, name_)
            case Neighbours() as step:
                near, far, source = self._step(alias, step)
                return f"({self._records(step.type, far, source, [near], selected)})"
            case Count(Neighbours() as step):
                return self._neighbour_count(alias, step, selected.args)
            case AnyNeighbours(of):
                return f"({self._any_neighbours(of, alias, selected)})"
            case Transactions(count):
                logs = self.logbook.count(selected.args, alias) if count else self.logbook.rows(selected, alias)
                return f"({logs})"
        raise LookupError(f"{selected.name} is no field of a record.")

    def _value(self, type_: str, alias: str, name_: str) -> str:
        if name_ == "id":
            return f"{alias}.node_id"
        if name_ == "type":
            return f"{literal(type_)}::text"
        if name_ == "project_id" and type_ == "project":
            return self.access.project_id(alias)
        each = self.dictionary.nodes[type_].properties.get(name_)
        return shown(alias, each) if each else NULL

    def _step(self, alias: str, step: Neighbours) -> tuple[str, str, str]:
        """The condition that ties an edge to the near record, the far record's alias, and both tables."""
        edge, far = self.statement.alias(), self.statement.alias()
        near_id, far_id = ends(step)
        source = (
            f"{self.tables.edge(step.link)} {edge}"
            f" join {self.tables.node(step.type)} {far} on {far}.node_id = {edge}.{far_id}"
        )
        return f"{edge}.{near_id} = {alias}.node_id", far, source

    def _neighbour_count(self, alias: str, step: Neighbours, args: Args) -> str:
        near, far, source = self._step(alias, step)
        conditions = self.filters.conditions(step.type, far, args)
        if not conditions:
            edge = near.partition(".")[0]
            source = f"{self.tables.edge(step.link)} {edge}"
        return f"(select count(*) from {source}{conjunction([near, *conditions])})"

    # -- records of several types ----------------------------------------------

    def _arm(self, type_: str, types: Sequence[str], args: Args, separate: bool) -> str:
        """The records of one type: a page of its own, or as many as a page of all types needs, or all."""
        alias = self.statement.alias()
        conditions = self.filters.conditions(type_, alias, args)
        source = f"{self.tables.node(type_)} {alias}"
        if not separate and not is_plain(args):
            return f"{_rows(type_, alias)} from {source}{conjunction(conditions)}"
        order = self.pages.order(types, alias, args, kind=f"{literal(type_)}::text")
        rows = self.pages.rows(order, alias, source, conditions, args if separate else self.pages.within(args))
        return f"({_rows(type_, alias)} from {rows})"

    def _any_neighbours(self, type_: str, alias: str, selected: Selected) -> str:
        arms, types = [], []
        for step in self.planner.paths.neighbours(type_).values():
            if not self.filters.chooses(step.type, selected.args):
                continue
            near, far, source = self._step(alias, step)
            conditions = [near, *self.filters.conditions(step.type, far, selected.args)]
            arms.append(f"{_rows(step.type, far)} from {source}{conjunction(conditions)}")
            types.append(step.type)
        unique = list(dict.fromkeys(types))
        return self._union(unique, arms, selected, array, paged=True, distinct=len(unique) < len(types))

    def _union(
        self,
        types: Sequence[str],
        arms: Sequence[str],
        selected: Selected,
        written: Written,
        *,
        paged: bool,
        distinct: bool = False,
    ) -> str:
        """A list over the rows of `arms`; the fields are computed only for the rows of the page."""
        if not arms:
            return written("null::json", "(select where false) r")
        alias = self.statement.alias()
        order = self.pages.order(types, alias, selected.args, f"{alias}.type", marked=_shows_cursors(selected))
        page = ""
        if paged:
            page = self.pages.behind(order, selected.args) + self.pages.clause(order, selected.args)
        united = (" union " if distinct else " union all ").join(arms)
        united = f"({united}{self.pages.fence(selected.args)}) {alias}"
        same = selected.children.get("Node") or selected.children.get("DataNode")
        if same is not None:
            columns = {each.key: self._shared(types, alias, each, order) for each in same}
            return objects(columns, f"{united}{page}", written)
        cases = []
        for type_ in types:
            fields = self._fields(type_, alias, selected.children.get(type_, ()), order)
            cases.append(f"when {literal(type_)} then {object_of(fields)}")
        return written("r.o", f"(select case {alias}.type {' '.join(cases)} end as o from {united}{page}) r")

    def _shared(self, types: Sequence[str], alias: str, selected: Selected, order: Order) -> str:
        """A field that is the same for all types of a union, but for how each of them stores it."""
        if selected.meaning is None:
            return f"{alias}.type" if selected.type == "Node" else f"{literal(selected.type)}::text"
        if isinstance(selected.meaning, Cursor):
            return order.cursor()
        assert isinstance(selected.meaning, Value)
        wanted = selected.meaning.name
        if wanted == "type":
            return f"{alias}.type"
        stored: dict[str, list[str]] = {}
        for type_ in types:
            stored.setdefault(self._value(type_, alias, wanted), []).append(type_)
        if len(stored) == 1:
            return next(iter(stored))
        cases = " ".join(
            f"when {alias}.type in ({', '.join(map(literal, names))}) then to_json({expression})"
            for expression, names in stored.items()
            if expression != NULL
        )
        return f"case {cases} end"


def _is_long(selected: Selected) -> bool:
    """Whether a root field lists so much that it had better come row by row."""
    match selected.meaning:
        case Listing():
            first = selected.args.get("first")
            return first is not None and not 0 < first <= LONG
        case Transactions(count=False):
            return not 0 < limit_of(selected.args) <= LONG
    return False


def _shows_cursors(selected: Selected) -> bool:
    return any(isinstance(each.meaning, Cursor) for fields in selected.children.values() for each in fields)


def _rows(type_: str, alias: str) -> str:
    return f"select {alias}.node_id, {literal(type_)}::text as type, {alias}._props"


def _joined(pieces: Template) -> Template:
    """The same pieces with neighbouring bytes put together."""
    joined: Template = []
    for piece in pieces:
        if isinstance(piece, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
