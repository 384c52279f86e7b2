"""Aggregations as SQL.

The records that are asked for are read once, into a common table expression that holds the properties in question
alone; every figure and every histogram is taken from that.
"""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from commonshub.core.errors import BadRequest

from .fields import Bucket, Figure, Histogram, Statistics, Summary
from .filters import Filters
from .rendering import object_of, objects
from .selection import Selected
from .sql import conjunction, literal, name
from .values import shown, text

DEFAULT_BUCKETS = 10
"""Ranges of a histogram of numbers when neither ``width`` nor ``buckets`` is sent."""

MOST_GROUPED = 3
"""Most properties that records are counted by at once."""

_FIGURES: Mapping[str, str] = {
    "values": "count({0})",
    "missing": "count(*) - count({0})",
    "distinct": "count(distinct {0})",
    "min": "min({0})",
    "max": "max({0})",
    "avg": "trim_scale(avg({0}))",
    "sum": "sum({0})",
}


@dataclass(frozen=True)
class Summaries:
    """Compiles aggregations, for one statement.

    Parameters
    ----------
    max_buckets
        Most buckets of one histogram.
    """

    filters: Filters
    max_buckets: int

    def column(self, type_: str, selected: Selected) -> str:
        """A JSON object of what is selected of the records that the arguments choose."""
        filters = self.filters
        alias = filters.statement.alias()
        conditions = filters.conditions(type_, alias, selected.args)
        key = f"records_{alias}"
        records = _Records(self, type_, alias, name(key))
        fields = {each.key: records.top(each) for each in selected.fields}
        columns = ", ".join(f"{expression} as {column}" for expression, column in records.columns.items())
        source = f"{filters.access.tables.node(type_)} {alias}{conjunction(conditions)}"
        filters.statement.expression(key, lambda: f"(select {columns} from {source})")
        if not records.figures:
            return f"select {object_of(fields)}"
        figures = ", ".join(f"{expression} as {column}" for expression, column in records.figures.items())
        return f"select {object_of(fields)} from (select {figures} from {name(key)}) f"

    def most(self, given: int | None, argument: str, default: int | None = None) -> int:
        """How many buckets a histogram has at most.

        Raises
        ------
        BadRequest
            More are asked for than the commons gives, or none.
        """
        wanted = (default or self.max_buckets) if given is None else int(given)
        if not 0 < wanted <= self.max_buckets:
            raise BadRequest(f"{argument}: a histogram has 1 to {self.max_buckets} buckets, not {wanted}.")
        return wanted


@dataclass
class _Records:
    """What is taken from one set of records.

    Parameters
    ----------
    table
        The expression that holds them.
    columns, figures
        SQL of each property that is read, and of each number that is taken of all records, with the name of its column.
    """

    summaries: Summaries
    type: str
    alias: str
    table: str
    columns: dict[str, str] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)

    def top(self, selected: Selected) -> str:
        match selected.meaning:
            case Figure():
                return self._figure("count(*)")
            case Histogram():
                return self._grouped(selected)
            case Summary(name_):
                column, kind = self._column(name_)
                return object_of({each.key: self._summary(column, kind, each) for each in selected.fields})
        return f"{literal(selected.type)}::text"

    def _column(self, name_: str) -> tuple[str, str]:
        """The column of a property, and its kind."""
        access = self.summaries.filters.access
        each = access.dictionary.nodes[self.type].properties.get(name_)
        if each is None:
            expression, kind = access.project_id(self.alias), "string"
        elif each.kind == "array":
            expression, kind = shown(self.alias, each), each.kind
        elif each.kind in ("integer", "number"):
            stored = f"{self.alias}._props->{literal(name_)}"
            # What is no number, left from an earlier dictionary, cannot be counted with.
            expression, kind = f"case jsonb_typeof({stored}) when 'number' then ({stored})::numeric end", each.kind
        else:
            expression, kind = text(self.alias, name_), each.kind
        return self.columns.setdefault(expression, f"c{len(self.columns)}"), kind

    def _figure(self, expression: str) -> str:
        return f"f.{self.figures.setdefault(expression, f'a{len(self.figures)}')}"

    def _summary(self, column: str, kind: str, selected: Selected) -> str:
        match selected.meaning:
            case Figure("distinct") if kind == "array":
                return f"(select count(distinct v) from {self._items(column)})"
            case Figure(figure):
                return self._figure(_FIGURES[figure].format(column))
            case Statistics():
                return object_of({each.key: self._summary(column, kind, each) for each in selected.fields})
            case Histogram("ranges"):
                return f"({self._ranges(column, selected)})"
            case Histogram():
                source = self._items(column) if kind == "array" else f"(select {column} as v from {self.table}) e"
                return f"({self._values(source, selected)})"
        return f"{literal(selected.type)}::text"

    def _items(self, column: str) -> str:
        """The items of lists, each once for a record."""
        items = f"select distinct jsonb_array_elements_text({column}) as v"
        return f"(select i.v from {self.table} cross join lateral ({items}) i) e"

    def _values(self, source: str, selected: Selected) -> str:
        most = self.summaries.most(selected.args.get("first"), "first")
        columns = {each.key: self._of_bucket(each, {"key": "v::text", "total": "count(*)"}) for each in selected.fields}
        return objects(columns, f"{source} where v is not null group by v order by count(*) desc, v limit {most}")

    def _grouped(self, selected: Selected) -> str:
        most = self.summaries.most(selected.args.get("first"), "first")
        wanted = list(dict.fromkeys(selected.args["by"]))
        if not 0 < len(wanted) <= MOST_GROUPED:
            raise BadRequest(f"by: takes 1 to {MOST_GROUPED} properties, not {len(wanted)}.")
        keys = [self._group_key(each) for each in wanted]
        shown_as = {"key": f"json_build_array({', '.join(f'{each}::text' for each in keys)})", "total": "count(*)"}
        columns = {each.key: self._of_bucket(each, shown_as) for each in selected.fields}
        listed = ", ".join(keys)
        page = f" group by {listed} order by count(*) desc, {listed} limit {most}"
        return f"({objects(columns, self.table + page)})"

    def _group_key(self, name_: str) -> str:
        known = self.summaries.filters.access.dictionary.nodes[self.type].properties
        if name_ not in known and not (name_ == "project_id" and self.type == "project"):
            raise BadRequest(f"by: {name_[:100]!r} is no property of {self.type}.")
        if name_ in known and (known[name_].kind == "array" or name_ in ("id", "type")):
            raise BadRequest(f"by: records cannot be grouped by {name_}.")
        return self._column(name_)[0]

    def _ranges(self, column: str, selected: Selected) -> str:
        """Ranges of numbers in order, with those that are empty between others."""
        ranges = self._division(column, selected.args)
        most = self.summaries.most(selected.args.get("first"), "first")
        figures = ", ".join(f"{_FIGURES[each].format(column)} as {each}" for each in ("min", "max", "avg", "sum"))
        counted = f"select {ranges.place} as p, count(*) as total, {figures} from {self.table} cross join m"
        counted += f" where {column} is not null group by 1"
        ends = ", ".join(f"trim_scale({ranges.start} + ({each}) * {ranges.step})" for each in ("g.p", "g.p + 1"))
        shown_as = {"key": f"json_build_array({ends})", "total": "coalesce(h.total, 0)"}
        columns = {each.key: self._of_bucket(each, shown_as) for each in selected.fields}
        last = f"least({ranges.last}, {ranges.first} + {most - 1})"
        series = f"generate_series({ranges.first}::numeric, {last}::numeric) g(p)"
        joined = f"m cross join lateral {series} left join h on h.p = g.p where m.lo is not null order by g.p"
        extent = f"select min({column}) as lo, max({column}) as hi from {self.table}"
        return f"with m as ({extent}), h as ({counted}) {objects(columns, joined)}"

    def _division(self, column: str, args: Mapping[str, Any]) -> "_Division":
        width, number = args.get("width"), args.get("buckets")
        if width is None:
            default = min(DEFAULT_BUCKETS, self.summaries.max_buckets)
            return _by_number(column, self.summaries.most(number, "buckets", default))
        if number is not None:
            raise BadRequest("histogram: takes width or buckets, not both.")
        if not width > 0:
            raise BadRequest("histogram: width must be more than 0.")
        return _by_width(column, self.summaries.filters.statement.bind(width, "numeric"))

    def _of_bucket(self, selected: Selected, columns: Mapping[str, str]) -> str:
        match selected.meaning:
            case Bucket():
                return columns["key"]
            case Figure(figure):
                return columns.get(figure, f"h.{figure}")
        return f"{literal(selected.type)}::text"


@dataclass(frozen=True, slots=True)
class _Division:
    """How numbers are divided into ranges, as SQL beside the least and greatest of them, ``m.lo`` and ``m.hi``.

    Parameters
    ----------
    place
        Number of the range that a value belongs to.
    start, step
        Where range 0 begins, and how wide each is.
    first, last
        Numbers of the ranges that there are.
    """

    place: str
    start: str
    step: str
    first: str
    last: str


def _by_width(column: str, width: str) -> _Division:
    return _Division(f"floor({column} / {width})", "0", width, f"floor(m.lo / {width})", f"floor(m.hi / {width})")


def _by_number(column: str, number: int) -> _Division:
    # The greatest value belongs to the last range; values that are all the same, to one range of no width.
    place = f"case when m.hi > m.lo then least(floor(({column} - m.lo) * {number} / (m.hi - m.lo)), {number - 1})"
    last = f"case when m.hi > m.lo then {number - 1} else 0 end"
    return _Division(f"{place} else 0 end", "m.lo", f"((m.hi - m.lo) / {number})", "0", last)
