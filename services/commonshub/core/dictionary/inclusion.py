"""Whether one JSON Schema (draft 4) allows every value that another one allows.

The answer errs on one side: ``True`` is proved, ``False`` may only mean that it cannot be told. Proved is what changes
of dictionaries are made of: longer lists of values, further types and alternatives, bounds that move outwards.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

ASPECTS: Mapping[str, tuple[str, ...]] = {
    "type": ("type",),
    "values": ("enum",),
    "pattern": ("pattern", "format"),
    "range": (
        "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    ),
    "alternatives": ("anyOf", "oneOf", "allOf", "not"),
    "items": ("items", "additionalItems"),
    "fields": ("properties", "patternProperties", "additionalProperties", "required", "dependencies"),
}  # fmt: skip
"""The keywords that say what a value may be, by what they are about; all others are documentation."""

# A number that is no integer has the type "number" alone, so that a set of types is a set of values.
_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_CONCERNS = {
    "pattern": {"string"}, "format": {"string"}, "minLength": {"string"}, "maxLength": {"string"},
    "minimum": {"integer", "number"}, "maximum": {"integer", "number"}, "multipleOf": {"integer", "number"},
    "minItems": {"array"}, "maxItems": {"array"}, "uniqueItems": {"array"}, "items": {"array"},
    "fields": {"object"}, "minProperties": {"object"}, "maxProperties": {"object"},
}  # fmt: skip


def includes(wide: Schema, narrow: Schema, keywords: Collection[str] | None = None) -> bool:
    """Whether `wide` allows everything that `narrow` allows.

    Parameters
    ----------
    keywords
        Ask this only of these keywords of `wide`.
    """
    wide, narrow = essence(wide), essence(narrow)
    if keywords is not None:
        wide = {key: value for key, value in wide.items() if key in keywords}
    return wide == narrow or all(_implied(part, wide, narrow) for part in _parts(wide))


def essence(schema: Schema) -> dict[str, Any]:
    """What a schema says of values, without its documentation."""
    found = {key: schema[key] for keywords in ASPECTS.values() for key in keywords if key in schema}
    for key in ("anyOf", "oneOf", "allOf"):
        if key in found:
            found[key] = [essence(each) for each in found[key]]
    for key in ("not", "additionalItems", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = essence(found[key])
    if "items" in found:
        items = found["items"]
        found["items"] = essence(items) if isinstance(items, dict) else [essence(each) for each in items]
    for key in ("properties", "patternProperties"):
        if key in found:
            found[key] = {name: essence(each) for name, each in found[key].items()}
    return found


def _parts(schema: Schema) -> Iterator[str]:
    """Its keywords, those that only mean something together as one."""
    if any(key in schema for key in ASPECTS["fields"]):
        yield "fields"
    for key in schema:
        if key not in ASPECTS["fields"] and key not in ("exclusiveMinimum", "exclusiveMaximum", "additionalItems"):
            yield key


def _implied(part: str, wide: Schema, narrow: Schema) -> bool:
    """Whether every value of `narrow` keeps one rule of `wide`."""
    if part in _CONCERNS and _CONCERNS[part].isdisjoint(_types(narrow)):
        return True
    values = _values(narrow)
    if values is not None:
        valid = validator({key: wide[key] for key in _keywords(part) if key in wide})
        return all(valid(value) for value in values)
    return (
        _RULES.get(part, _equal)(part, wide, narrow)
        or any(_implied(part, wide, each) for each in narrow.get("allOf", ()))
        or any(all(_implied(part, wide, each) for each in cases) for cases in _cases(narrow))
    )


def _keywords(part: str) -> tuple[str, ...]:
    if part == "fields":
        return ASPECTS["fields"]
    joint = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum", "items": "additionalItems"}
    return (part, joint[part]) if part in joint else (part,)


def _cases(schema: Schema) -> Iterator[list[dict[str, Any]]]:
    """Lists of schemas of which every value of `schema` keeps at least one."""
    plain = {key: schema[key] for key in ("type",) if key in schema}
    for key in ("anyOf", "oneOf"):
        if key in schema:
            yield [{**plain, **each} for each in schema[key]]


def _values(schema: Schema) -> list[Any] | None:
    """All values that a schema may allow, where they can be listed."""
    if "enum" in schema:
        return list(schema["enum"])
    types = _types(schema)
    if types <= {"null", "boolean"}:
        return [*([None] if "null" in types else []), *([True, False] if "boolean" in types else [])]
    return None


def _types(schema: Schema) -> frozenset[str]:
    if "enum" in schema:
        return frozenset(_type_of(value) for value in schema["enum"])
    if "type" not in schema:
        return _TYPES
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return frozenset(types) | (frozenset({"integer"}) if "number" in types else frozenset())


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float):
        # Whether 1.0 is an integer is told differently from draft to draft.
        return "integer" if value.is_integer() else "number"
    names = {type(None): "null", int: "integer", str: "string", list: "array"}
    return names.get(type(value), "object")


def validator(schema: Schema) -> Callable[[Any], bool]:
    """What says whether a schema allows a value."""
    from jsonschema_rs import Draft4Validator

    return Draft4Validator(dict(schema), validate_formats=True).is_valid


def _disjoint(one: Schema, other: Schema) -> bool:
    """Whether no value keeps both; False where that cannot be told."""
    if _types(one).isdisjoint(_types(other)):
        return True
    for left, right in ((one, other), (other, one)):
        values = _values(left)
        if values is not None:
            valid = validator(right)
            return not any(valid(value) for value in values)
        if any(all(_disjoint(each, right) for each in cases) for cases in _cases(left)):
            return True
    return False


def _equal(part: str, wide: Schema, narrow: Schema) -> bool:
    return bool(wide[part] == narrow.get(part))


def _type(part: str, wide: Schema, narrow: Schema) -> bool:
    return _types(narrow) <= _types({"type": wide["type"]})


def _minimum(part: str, wide: Schema, narrow: Schema) -> bool:
    return _bound(part, "exclusiveMinimum", wide, narrow, 1)


def _maximum(part: str, wide: Schema, narrow: Schema) -> bool:
    return _bound(part, "exclusiveMaximum", wide, narrow, -1)


def _bound(part: str, exclusive: str, wide: Schema, narrow: Schema, sign: int) -> bool:
    if part not in narrow:
        return False
    inward = (narrow[part] - wide[part]) * sign
    return bool(inward > 0 or (inward == 0 and (not wide.get(exclusive) or narrow.get(exclusive))))


def _at_least(part: str, wide: Schema, narrow: Schema) -> bool:
    return bool(narrow.get(part, 0) >= wide[part])


def _at_most(part: str, wide: Schema, narrow: Schema) -> bool:
    return bool(part in narrow and narrow[part] <= wide[part])


def _unique(part: str, wide: Schema, narrow: Schema) -> bool:
    return not wide[part] or bool(narrow.get(part))


def _items(part: str, wide: Schema, narrow: Schema) -> bool:
    items, held = wide["items"], narrow.get("items", {})
    if isinstance(items, dict) and isinstance(held, dict):
        return includes(items, held)
    return bool(items == held and wide.get("additionalItems") == narrow.get("additionalItems"))


def _fields(part: str, wide: Schema, narrow: Schema) -> bool:
    if not set(wide.get("required", ())) <= set(narrow.get("required", ())):
        return False
    if "patternProperties" in wide or "patternProperties" in narrow:
        # Which fields a pattern concerns cannot be told beforehand.
        return all(wide.get(key) == narrow.get(key) for key in ASPECTS["fields"] if key != "required")
    if "dependencies" in wide and wide["dependencies"] != narrow.get("dependencies"):
        return False
    names = [*dict.fromkeys((*wide.get("properties", ()), *narrow.get("properties", ()))), None]
    return all(field_includes(field(wide, name), field(narrow, name)) for name in names)


def field(schema: Schema, name: str | None) -> Schema | None:
    """What an object's schema says of one field, by None of those that it does not name; None where it forbids it."""
    if name is not None and name in schema.get("properties", {}):
        found: Schema = schema["properties"][name]
        return found
    rest = schema.get("additionalProperties", True)
    return rest if isinstance(rest, Mapping) else {} if rest else None


def field_includes(wide: Schema | None, narrow: Schema | None) -> bool:
    """The same as :func:`includes`, of fields that may be forbidden."""
    return narrow is None or (wide is not None and includes(wide, narrow))


def _any_of(part: str, wide: Schema, narrow: Schema) -> bool:
    return any(includes(each, narrow) for each in wide[part])


def _one_of(part: str, wide: Schema, narrow: Schema) -> bool:
    if wide[part] == narrow.get(part):
        return True
    return any(
        includes(each, narrow)
        and all(_disjoint(other, narrow) for at, other in enumerate(wide[part]) if at != index)
        for index, each in enumerate(wide[part])
    )  # fmt: skip


def _all_of(part: str, wide: Schema, narrow: Schema) -> bool:
    return all(includes(each, narrow) for each in wide[part])


def _not(part: str, wide: Schema, narrow: Schema) -> bool:
    return _equal(part, wide, narrow) or _disjoint(wide[part], narrow)


_RULES: Mapping[str, Callable[[str, Schema, Schema], bool]] = {
    "type": _type,
    "minimum": _minimum,
    "maximum": _maximum,
    "minLength": _at_least,
    "minItems": _at_least,
    "minProperties": _at_least,
    "maxLength": _at_most,
    "maxItems": _at_most,
    "maxProperties": _at_most,
    "uniqueItems": _unique,
    "items": _items,
    "fields": _fields,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "allOf": _all_of,
    "not": _not,
}
