"""Parts of facets as DuckDB statements: the documents of each bucket, by the values of another field."""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

from ..catalog import Field
from ..masking import parts as parts_of
from ..requests import Part, Parts
from ..sql.names import quote
from .measures import Run, carried, counted, having, source
from .predicate import Binder


def parts(question: Parts, run: Run, max_buckets: int) -> list[Part]:
    """Counts by bucket and by the other field's value, the largest first.

    Raises
    ------
    BadRequest
        There are more than `max_buckets`.
    """
    binder = Binder()
    rights, nests = question.scope.rights, question.place.nests
    whole = {"documents": not nests}
    carry = carried(rights)
    outer = carry.replace("d.", "")
    key, other = question.place.field, question.other.field
    # A list can have several values in one bin, and counts once there.
    once = key.array and (question.step is not None or question.together)
    which = f", d.{quote('_eid' if nests else '_rid')} i" if once else ""
    scan = (
        f"select d.{quote(key.name)} k, d.{quote(other.name)} o{which}{carry} {source(question.scope, nests, binder)}"
    )
    inside = ["k is not null"]
    inside += [f"k >= {binder.bind(question.low)}"] if question.low is not None else []
    inside += [f"k < {binder.bind(question.high)}"] if question.high is not None else []
    i = ", i" if once else ""
    scan = f"select {_values('k', key)} k, o{i}{outer} from ({scan})"
    scan = (
        f"select {'distinct ' if once else ''}{_bucket(question, binder)} b, o{i}{outer} "
        f"from ({scan}) where {' and '.join(inside)}"
    )
    # The lists are taken apart one after the other: in one SELECT they would be side by side.
    scan = f"select b, {_values('o', other)} o{outer} from ({scan})"
    rows = run(
        f"select b, o, {counted(rights, **whole)} from ({scan}) "
        f"group by b, o {having(rights, 'o', binder, **whole)} limit {max_buckets + 1}",
        binder.values,
    )
    found = [(bucket, value, tuple(measures)) for bucket, value, *measures in rows]
    return parts_of(found, question, max_buckets)


def _values(column: str, field: Field) -> str:
    """Single values, of a list its different ones, and NULL where there is none."""
    if not field.array:
        return column
    elements = column if field.distinct else f"list_distinct({column})"
    return f"unnest(case when coalesce(len({column}), 0) = 0 then [null] else {elements} end)"


def _bucket(question: Parts, binder: Binder) -> str:
    """The bucket of a value: itself, or the number of its bin."""
    if question.step is None:
        return "0" if question.together else "k"
    origin, step = binder.bind(float(question.origin)), binder.bind(float(question.step))
    return f"floor((k - {origin}) / {step})::bigint"
