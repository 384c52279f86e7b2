"""Kinds of values: of a property of the dictionary, of what several have in common, and of what replaces others."""

import math

from .catalog import Field, Kind

_KINDS: dict[str, Kind] = {"string": "string", "number": "number", "integer": "integer", "boolean": "boolean"}
# Beyond it not every whole number is a double.
_EXACT = 2**53


def field_of(name: str, kind: str, item_kind: str | None) -> Field:
    """A property of the dictionary as a field."""
    if kind == "array":
        return Field(name, _KINDS.get(item_kind or "", "string"), array=True)
    return Field(name, _KINDS[kind])


def common(name: str, fields: list[Field]) -> Field:
    """The type that can hold the values of all: a mix of numbers and text is text, a list wins over a single value."""
    kinds = {field.kind for field in fields}
    if len(kinds) > 1:
        kinds = {"number"} if kinds <= {"integer", "number"} else {"string"}
    return Field(name, kinds.pop() if kinds else "string", any(field.array for field in fields))


def text_of(value: object) -> str:
    """A value of YAML as the text that a property of the same value is."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_written(kind: Kind, values: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Replacements whose old values are written as an engine writes values of that kind: 2 as ``2.0`` among numbers."""
    return tuple((_written(kind, old), new) for old, new in values)


def _written(kind: Kind, text: str) -> str:
    number = _number(text) if kind in ("integer", "number") else None
    if number is None:
        return text
    return str(number) if kind == "number" else f"{number:.15g}"


def kind_replaced(kind: Kind, news: list[str]) -> Kind:
    """The kind that holds the values and what replaces some of them."""
    if not news or kind == "string":
        return kind
    numbers = [_number(new) for new in news]
    if kind == "boolean" or None in numbers:
        return "string"
    whole = all(number is not None and number.is_integer() and abs(number) < _EXACT for number in numbers)
    return kind if whole else "number"


def _number(text: str) -> float | None:
    """What a text says, if that is a number that is not endless."""
    if "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
