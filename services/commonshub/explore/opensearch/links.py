"""Linked clauses: OpenSearch joins nothing, so the values that one leads to are found first, and stand in its place."""

from commonshub.core.errors import BadRequest

from ..filters import All, Among, AnyOf, Filter, Linked, Not
from ..requests import Scope
from .facets import values
from .layout import MAX_TERMS
from .steps import Steps


def unlinked(filter: Filter) -> Steps[Filter]:
    """The filter with values in the place of its linked clauses.

    Raises
    ------
    BadRequest
        One leads to more than :data:`.layout.MAX_TERMS` values.
    """
    match filter:
        case All(parts) | AnyOf(parts):
            replaced = []
            for part in parts:
                other = yield from unlinked(part)
                replaced.append(other)
            return type(filter)(tuple(replaced))
        case Not(part):
            return Not((yield from unlinked(part)))
        case Linked(place, doc_type, rights, other, part):
            scope = Scope(doc_type, rights, (yield from unlinked(part)))
            groups = yield from values(scope, other, MAX_TERMS)
            if len(groups) > MAX_TERMS:
                raise BadRequest(f"The linked clause on {place.path} leads to more than {MAX_TERMS} values: narrow it.")
            return Among(place, tuple(value for value, _ in groups))
    return filter
