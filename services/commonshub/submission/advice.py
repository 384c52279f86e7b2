"""What a person can do about a fault.

Suggestions are sentences. Beside them the nearest of what would have been right (:mod:`~commonshub.core.spelling`) is
given as a list, which programs can take from.
"""

from collections.abc import Mapping
from typing import Any

from ..core.spelling import MAX_COMPARED_CHARS

_KINDS: Mapping[str, str] = {
    "integer": "Give a whole number, such as 12, without a unit.",
    "number": "Give a number, such as 12.5, without a unit.",
    "boolean": "Give true or false.",
    "string": "Give a text.",
    "array": "Give a list; in a table, its values are parted by commas.",
    "object": "Give an object.",
}
_FORMATS: Mapping[str, str] = {
    "date-time": "Write it like 2024-01-31T12:00:00Z.",
    "date": "Write it like 2024-01-31.",
    "uri": "Give a whole address, such as https://example.org/x.",
    "email": "Give an e-mail address.",
}
_LIMITS: Mapping[str, str] = {
    "minimum": "Give {0} or more.",
    "maximum": "Give {0} or less.",
    "minLength": "Give at least {0} characters.",
    "maxLength": "Give at most {0} characters.",
    "minItems": "Give at least {0} values.",
    "maxItems": "Give at most {0} values.",
    "multipleOf": "Give a multiple of {0}.",
    "pattern": "Write it so that it matches {0}.",
    "uniqueItems": "Give each value once.",
}
_RULES: Mapping[str, str] = {
    "required": "Fill in {column}.",
    "additionalProperties": "Take {column} out: records of this type have no such property.",
    "enum": "Use one of the allowed values.",
    "nodeType": "Name a node type of the dictionary.",
    "link": 'Name the target by its submitter_id or id: a column {column}.submitter_id, or {{"submitter_id": "…"}}.',
    "target": "Submit the target first or in the same request, or name one that is there.",
    "multiplicity": "Link {column} to one record only, and to one that has no other.",
    "exclusive": "Keep one of these links and leave the others out.",
    "uniqueKeys": "Give each record a submitter_id of its own. One that exists is changed by PUT, under its own id.",
    "project": "Submit it to the project that it belongs to, or leave {column} out.",
    "id": "Leave the id out; the commons gives one.",
    "object": "Compare object_id, md5sum, file_size and urls with the data object in the index.",
    "systemProperties": "Leave {column} out; the commons sets it.",
    "cells": "Quote cells that hold the delimiter or a line break, or remove what stands beyond the header.",
    "blanks": "Take the blanks at its ends away.",
    "digits": "Format the column as text, and write the value anew.",
    "formula": "Replace the formula by its value (copy, then paste as values).",
}


def advice(rule: str, column: str | None = None, bound: Any = None) -> str:
    """What to do about a broken rule, where nothing more particular is known.

    Parameters
    ----------
    rule
        Keyword of the JSON Schema, or one of the commons' own rules.
    column
        The property or column concerned.
    bound
        What the schema says under that keyword.
    """
    if rule == "type":
        kinds = [bound] if isinstance(bound, str) else list(bound or ())
        return next((_KINDS[kind] for kind in kinds if kind in _KINDS), "Give a value of the right kind.")
    if rule == "format":
        return _FORMATS.get(str(bound), f"Write it as a {bound}.")
    if rule in _LIMITS:
        return _LIMITS[rule].format(str(bound)[:MAX_COMPARED_CHARS])
    return _RULES.get(rule, "Correct the value; the message says what is wrong with it.").format(
        column=repr(column) if rule != "link" else column
    )
