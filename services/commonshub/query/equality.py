"""Which records have a property of a value, whatever has been stored of it and by whatever index it is found."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from commonshub.core.dictionary import Property

from .sql import Statement, disjunction, literal, storable
from .values import text

_KEYS = frozenset(["submitter_id", "project_id"])
_MOST_CONTAINED = 8
# What PostgreSQL writes for a number or a truth value of JSON.
_NO_TEXT = re.compile(r"-?[0-9]+(\.[0-9]+)?|true|false")


@dataclass(frozen=True)
class Equality:
    """Compiles equality into conditions, for one statement."""

    statement: Statement

    def matches(self, alias: str, each: Property, values: Sequence[Any]) -> str:
        """Whether a property has one of `values`; an array, all of them. Null stands for no value."""
        given = [value for value in values if value is not None]
        stored = f"{alias}._props->{literal(each.name)}"
        as_text = text(alias, each.name)
        if each.kind == "array":
            return self._array_holds(stored, each, given)
        options = []
        if given and self._found_by_containment(each, given):
            options += [f"{alias}._props @> {self._object(each, value)}" for value in given]
        elif given and each.kind == "string":
            options.append(self._equal(as_text, [_text(value) for value in given], "text"))
        elif given:
            options.append(self._equal(f"({stored})", [_scalar(each, value) for value in given], "jsonb"))
        if len(given) < len(values):
            options.append(f"{as_text} is null")
        return disjunction(options) if len(options) != 1 else options[0]

    def _found_by_containment(self, each: Property, values: Sequence[Any]) -> bool:
        """Whether the index on all properties finds what is equal.

        Containment tells texts from numbers, of which an earlier dictionary may have left some; and keys have indexes
        of their own.
        """
        if each.name in _KEYS or len(values) > _MOST_CONTAINED:
            return False
        return each.kind != "string" or not any(_NO_TEXT.fullmatch(_text(value)) for value in values)

    def _object(self, each: Property, value: Any) -> str:
        held = storable(_text(value)) if each.kind == "string" else orjson.Fragment(_scalar(each, value))
        return self.statement.bind(orjson.dumps({each.name: held}).decode(), "jsonb")

    def _equal(self, expression: str, values: list[str], type_: str) -> str:
        if len(values) == 1:
            return f"{expression} = {self.statement.bind(values[0], type_)}"
        return f"{expression} = any({self.statement.bind(values, f'{type_}[]')})"

    def _array_holds(self, stored: str, each: Property, values: Sequence[Any]) -> str:
        if each.item_kind in ("integer", "number", "boolean"):
            items = [_item(storable(_text(value))) for value in values]
        else:
            items = [storable(_text(value)) for value in values]
        wanted = self.statement.bind(orjson.dumps(items).decode(), "jsonb")
        # A single value, left from an earlier dictionary, is a list of one; null is none.
        listed = f"case jsonb_typeof({stored}) when 'array' then {stored} when 'null' then null"
        return f"({listed} else jsonb_build_array({stored}) end @> {wanted} and {stored} is not null)"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _scalar(each: Property, value: Any) -> str:
    """A number or boolean as JSON; jsonb compares numbers by value, so 1980 equals 1980.0."""
    if each.kind in ("integer", "number") and isinstance(value, str):
        value = _item(storable(value))
    return orjson.dumps(value).decode()


def _item(value: Any) -> Any:
    """A text as the JSON scalar that it spells, if it spells one."""
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return found if isinstance(found, int | float) else value
