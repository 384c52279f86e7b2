"""What a property's schema says that its author can hardly have meant."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..spelling import nearest
from .inclusion import ASPECTS, validator
from .wording import listed, one_of

Where = tuple[str | int, ...]
Schema = Mapping[str, Any]

KEYWORDS = frozenset(key for keywords in ASPECTS.values() for key in keywords)
_DOCUMENTATION = frozenset(
    {
        "$schema", "comment", "default", "definitions", "deprecated_enum", "description", "downloadable", "enumDef",
        "example", "examples", "id", "note", "notes", "preferred", "source", "systemAlias", "term", "terms", "title",
        "units",
    }
)  # fmt: skip
_FORMATS = ("date", "date-time", "email", "hostname", "ipv4", "ipv6", "regex", "time", "uri")
_BOUNDS = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
)


class Caution(NamedTuple):
    """One thing to look at again."""

    where: Where
    message: str
    fix: str


def sound(schema: Schema) -> bool:
    """Whether it is a JSON Schema; of others nothing can be said."""
    from jsonschema_rs import ValidationError

    try:
        validator(schema)
    except ValidationError:
        return False
    return True


def cautions(schema: Schema) -> Iterator[Caution]:
    """All of them in one sound schema, and in what it is made of."""
    for look in (_alike, _odd_values, _unheld, _bounds, _format, _misspelt, _shadowed, _default):
        yield from look(schema)
    for where, inner in _inner(schema):
        yield from (each._replace(where=(*where, *each.where)) for each in cautions(inner))


def _inner(schema: Schema) -> Iterator[tuple[Where, Schema]]:
    for key in ("anyOf", "oneOf", "allOf", "items"):
        each = schema.get(key)
        if isinstance(each, Mapping):
            yield (key,), each
        for index, inner in enumerate(each if isinstance(each, list) else ()):
            yield (key, index), inner
    for name, inner in schema.get("properties", {}).items():
        yield ("properties", name), inner


def _alike(schema: Schema) -> Iterator[Caution]:
    """Values that a person takes for one."""
    first: dict[str, str] = {}
    for index, value in enumerate(schema.get("enum", ())):
        if not isinstance(value, str):
            continue
        plain = " ".join(value.casefold().split())
        if plain not in first:
            first[plain] = value
        elif first[plain] == value:
            yield Caution(("enum", index), f"{value!r} is listed twice.", "Take one of them out.")
        else:
            message = f"{value!r} and {first[plain]!r} differ in case or spaces only."
            yield Caution(("enum", index), message, "Keep one; change the records that hold the other.")


def _odd_values(schema: Schema) -> Iterator[Caution]:
    """``Yes``, ``No``, ``On`` and ``Off`` without quotes, which YAML takes for truths, and numbers among texts."""
    values = schema.get("enum", ())
    if not any(isinstance(value, str) for value in values):
        return
    for index, value in enumerate(values):
        if value is not None and not isinstance(value, str):
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            fix = "Put the word that is meant in quotes; without them YAML reads Yes, No, On and Off as truths."
            yield Caution(("enum", index), f"{shown} is no text, among values that are.", fix)


def _unheld(schema: Schema) -> Iterator[Caution]:
    """Values that the other rules beside the list refuse."""
    rules = {key: schema[key] for key in KEYWORDS & schema.keys() if key != "enum"}
    if "enum" in schema and rules:
        takes = validator(rules)
        refused = [value for value in schema["enum"] if value is not None and not takes(value)]
        if refused:
            message = f"the values {_values(refused)} are refused by the rules beside the list."
            yield Caution(("enum",), message, "Let the list and these rules agree.")


def _bounds(schema: Schema) -> Iterator[Caution]:
    for low, high in _BOUNDS:
        if low in schema and high in schema and schema[low] > schema[high]:
            message = f"{low} {schema[low]} is above {high} {schema[high]}: no value can be right."
            yield Caution((low,), message, "Exchange them.")


def _format(schema: Schema) -> Iterator[Caution]:
    known = schema.get("format")
    if isinstance(known, str) and known not in _FORMATS:
        yield Caution(("format",), f"nothing is checked by the format {known!r}.", one_of(known, _FORMATS))


def _misspelt(schema: Schema) -> Iterator[Caution]:
    for key in schema.keys() - KEYWORDS - _DOCUMENTATION:
        likely = nearest(key, (*KEYWORDS, "default", "description"), 1)
        if likely:
            yield Caution((key,), f"{key!r} is no keyword of JSON Schema, and nothing reads it.", f"Write {likely[0]}.")


def _shadowed(schema: Schema) -> Iterator[Caution]:
    """Values that two alternatives of ``oneOf`` take: then neither does."""
    alternatives = schema.get("oneOf", ())
    if len(alternatives) < 2:
        return
    takes = [validator(each) for each in alternatives]
    for index, each in enumerate(alternatives):
        twice = [value for value in each.get("enum", ()) if sum(take(value) for take in takes) > 1]
        if twice:
            message = f"the values {_values(twice)} are taken by two alternatives of oneOf, and so refused."
            yield Caution(("oneOf", index, "enum"), message, "Write anyOf, or keep them in one alternative.")


def _default(schema: Schema) -> Iterator[Caution]:
    value = schema.get("default")
    if value is not None and not validator(_rules(schema))(value):
        yield Caution(("default",), f"the default {value!r} is no value that is allowed.", "Write one that is.")


def takes_lists(schema: Schema) -> bool:
    """Whether a list of records may be a link's value."""
    takes = validator(_rules(schema))
    return any(takes([{key: "x"}, {key: "y"}]) for key in ("submitter_id", "code", "id"))


def _rules(schema: Schema) -> Schema:
    return {key: schema[key] for key in KEYWORDS & schema.keys()}


def _values(values: Iterable[Any]) -> str:
    return listed(list(dict.fromkeys(map(repr, values))))
