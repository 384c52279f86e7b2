"""What a bulk request asks for, and whether the records that there are allow it.

Vocabulary
----------
part
    ``create``, ``update`` or ``delete``: one list of a request.
change
    An item of ``update``: the GUID and revision of a record, and fields as ``PUT /index/index/{guid}`` takes them.
plan
    All parts of one request. A record occurs in it once, so that the order of the parts does not matter.
place
    Where an item stands in the request, ``records[17]``; every fault begins with one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from commonshub.core.errors import CommonsError, Conflict, NotFound, TooLarge, ValidationFailed
from commonshub.core.records import Draft, Record

from . import validate

T = TypeVar("T")

PARTS = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Target:
    """A record that is to change: which revision of it, and what fields it gets."""

    place: str
    did: str
    rev: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One bulk request.

    Attributes
    ----------
    creations
        New records by place.
    """

    creations: Mapping[str, Draft] = field(default_factory=dict)
    updates: Sequence[Target] = ()
    deletions: Sequence[Target] = ()

    @property
    def targets(self) -> list[Target]:
        """The records that must be there."""
        return [*self.updates, *self.deletions]


def read(parts: Mapping[str, Any], most: int, names: Mapping[str, str], most_bytes: int) -> Plan:
    """The plan in a request's parts, all of it sound.

    Parameters
    ----------
    most
        Items that all parts together may have.
    names
        What places call each part.
    most_bytes
        Longest JSON of an item.

    Raises
    ------
    ValidationFailed
        Names every fault by its place.
    TooLarge
        There are more items.
    """
    for part, items in parts.items():
        if part not in PARTS or not isinstance(items, list):
            raise ValidationFailed(f"The body must hold lists by the names {', '.join(PARTS)}; {part[:40]!r} is none.")
    count = sum(map(len, parts.values()))
    if count > most:
        raise TooLarge(f"At most {most} records can be written at once; these are {count}.")
    faults = _too_long(parts, names, most_bytes)
    if faults:
        raise validate.failed(faults)
    creations = _each(names.get("create", ""), parts.get("create", ()), lambda _, item: validate.draft(item), faults)
    updates = _each(names.get("update", ""), parts.get("update", ()), _change, faults)
    deletions = _each(names.get("delete", ""), parts.get("delete", ()), _deletion, faults)
    plan = Plan(creations, list(updates.values()), list(deletions.values()))
    faults += _repeated(plan)
    if faults:
        raise validate.failed(faults)
    return plan


def too_long(item: Any, most_bytes: int) -> str | None:
    """What is wrong with an item whose JSON is longer than one may be."""
    return f"has more than {most_bytes} bytes of JSON" if len(orjson.dumps(item)) > most_bytes else None


def _too_long(parts: Mapping[str, Any], names: Mapping[str, str], most_bytes: int) -> list[dict[str, str]]:
    placed = ((f"{names[part]}[{number}]", item) for part, items in parts.items() for number, item in enumerate(items))
    found = ((place, too_long(item, most_bytes)) for place, item in placed)
    return [{"field": place, "message": fault} for place, fault in found if fault]


def _each(
    name: str, items: Sequence[Any], check: Callable[[str, Any], T], faults: list[dict[str, str]]
) -> dict[str, T]:
    """What `check` makes of each item, by place; its faults are appended to `faults`."""
    found = {}
    for number, item in enumerate(items):
        place = f"{name}[{number}]"
        try:
            found[place] = check(place, item)
        except ValidationFailed as error:
            faults += located(place, error)
    return found


def located(place: str, error: ValidationFailed) -> Iterator[dict[str, str]]:
    """The faults of one item, by their place in the request."""
    if not error.details:
        yield {"field": place, "message": "must be a JSON object"}
    for each in error.details:
        yield {"field": f"{place}.{each['field']}", "message": each["message"]}


def _change(place: str, item: Any) -> Target:
    did, rev, fields = validate.change(item)
    return Target(place, did, rev, fields)


def _deletion(place: str, item: Any) -> Target:
    return Target(place, *validate.deletion(item))


def _repeated(plan: Plan) -> Iterator[dict[str, str]]:
    """Items that name the record of an earlier one."""
    named = [(place, draft.did) for place, draft in plan.creations.items() if draft.did]
    first: dict[str, str] = {}
    for place, did in [*named, *((each.place, each.did) for each in plan.targets)]:
        if first.setdefault(did, place) != place:
            yield {"field": f"{place}.did", "message": f"is the GUID of {first[did]}, too"}


def require_unchanged(targets: Sequence[Target], revisions: Mapping[str, str | None]) -> None:
    """Raise unless every target is there, in the revision that the request says.

    Parameters
    ----------
    revisions
        Of the records that there are, by GUID.

    Raises
    ------
    NotFound, Conflict
        Names every target that is not.
    """
    absent = [(each.place, f"names {each.did}, which does not exist") for each in targets if each.did not in revisions]
    if absent:
        raise _faulty(NotFound, absent)
    stale = [
        (each.place, f"says revision {each.rev} of {each.did}, which has {revisions[each.did]}")
        for each in targets
        if revisions[each.did] != each.rev
    ]
    if stale:
        raise _faulty(Conflict, stale)


def taken(places: Sequence[str], drafts: Sequence[Draft]) -> CommonsError:
    """The refusal of creations whose GUIDs exist already."""
    named = zip(places, drafts, strict=True)
    return _faulty(Conflict, [(f"{place}.did", f"{draft.did} exists already") for place, draft in named])


def _faulty(kind: type[CommonsError], faults: Sequence[tuple[str, str]]) -> CommonsError:
    details = [{"field": place, "message": message} for place, message in faults]
    return kind(validate.failed(details).message, details)


def changes(plan: Plan, held: Mapping[str, Record]) -> dict[str, dict[str, Any]]:
    """New values by GUID of what the plan updates, with the rules between old and new fields kept.

    Raises
    ------
    ValidationFailed
        Names every fault by its place.
    """
    found, faults = {}, []
    for each in plan.updates:
        try:
            found[each.did] = validate.changes(each.fields, held[each.did])
        except ValidationFailed as error:
            faults += list(located(each.place, error))
    if faults:
        raise validate.failed(faults)
    return found
