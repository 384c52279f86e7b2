"""The argument ``filter`` as one condition on rows.

A comparison with a value that a record does not have is false, and ``not`` turns true and false around: so ``ne`` and
``nin`` keep the records without a value, as ``not`` does. What is null is not asked for; null among the values of a
list stands for no value. An empty object is true, an empty ``or`` and an empty ``in`` are false.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from commonshub.core.dictionary import Property
from commonshub.core.errors import TooLarge

from .access import Access
from .equality import Equality
from .sql import Statement, disjunction
from .values import TIMES, moment, ordered, pattern, text

Args = Mapping[str, Any]

COMPARED = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
"""Operators of ranges, as SQL writes them."""


@dataclass(frozen=True, slots=True)
class _Operand:
    """What is compared: a property of a record, or its id or project id, which are none.

    Parameters
    ----------
    text
        SQL of its text, null where there is none.
    """

    text: str
    alias: str
    property: Property | None


@dataclass(frozen=True)
class Predicates:
    """Compiles ``filter``, for one statement.

    Parameters
    ----------
    max_depth
        How deep ``and``, ``or`` and ``not`` may be nested.
    """

    statement: Statement
    access: Access
    equality: Equality
    max_depth: int

    def condition(self, type_: str, alias: str, given: Args, place: str = "filter", depth: int = 1) -> str:
        """What `given`, found at `place` of the arguments, asks of the rows of `type_`.

        Raises
        ------
        BadRequest
            A time is none.
        TooLarge
            It is nested too deep.
        """
        if depth > self.max_depth:
            raise TooLarge(f"{place[:200]}: and, or and not are nested more than {self.max_depth} deep.")
        terms = []
        for key, value in given.items():
            here = f"{place}.{key}"
            if value is None:
                continue
            if key in ("and", "or"):
                parts = [
                    self.condition(type_, alias, each, f"{here}[{number}]", depth + 1)
                    for number, each in enumerate(value)
                ]
                terms.append(_all_of(parts) if key == "and" else disjunction(parts))
            elif key == "not":
                terms.append(_not(self.condition(type_, alias, value, here, depth + 1)))
            else:
                terms += self._comparisons(type_, alias, key, value, here)
        return _all_of(terms)

    def _comparisons(self, type_: str, alias: str, name: str, operators: Args, place: str) -> list[str]:
        operand = self._operand(type_, alias, name)
        return [
            self._missing(operator, value) if operand is None else self._operator(operand, operator, value, place)
            for operator, value in operators.items()
            if value is not None
        ]

    def _operand(self, type_: str, alias: str, name: str) -> _Operand | None:
        if name == "id":
            return _Operand(f"{alias}.node_id", alias, None)
        if name == "project_id" and type_ == "project":
            return _Operand(self.access.project_id(alias), alias, None)
        each = self.access.dictionary.nodes[type_].properties.get(name)
        return _Operand(f"({text(alias, name)})", alias, each) if each else None

    def _missing(self, operator: str, value: Any) -> str:
        """A comparison with a property that records of the type do not have."""
        holds = {
            "exists": value is False,
            "ne": True,
            "in": operator == "in" and None in value,
            "nin": operator == "nin" and None not in value,
        }
        return "true" if holds.get(operator) else "false"

    def _operator(self, operand: _Operand, operator: str, value: Any, place: str) -> str:
        match operator:
            case "exists":
                return f"{operand.text} is {'not ' if value else ''}null"
            case "eq" | "contains_all":
                return self._equals(operand, value if operator == "contains_all" else [value])
            case "ne":
                return _not(self._equals(operand, [value]))
            case "in":
                return self._equals(operand, value) if value else "false"
            case "nin":
                return _not(self._equals(operand, value)) if value else "true"
            case "contains_any":
                return disjunction([self._equals(operand, [each]) for each in value if each is not None])
            case "contains" | "prefix":
                wanted = self.statement.bind(pattern(value, anywhere=operator == "contains"), "text")
                return f"lower({operand.text}) like lower({wanted})"
        return self._compared(operand, COMPARED[operator], value, f"{place}.{operator}")

    def _equals(self, operand: _Operand, values: Sequence[Any]) -> str:
        if operand.property is not None:
            return self.equality.matches(operand.alias, operand.property, values)
        given = [each for each in values if each is not None]
        return f"{operand.text} = any({self.statement.bind(given, 'text[]')})"

    def _compared(self, operand: _Operand, sign: str, value: Any, place: str) -> str:
        each = operand.property
        if each is not None and each.name in TIMES:
            return f"{operand.text}::timestamptz {sign} {self.statement.bind(moment(place, value), 'timestamptz')}"
        if each is None or each.kind == "string":
            return f"{operand.text} {sign} {self.statement.bind(value, 'text')}"
        stored = ordered(operand.alias, each)
        bound = self.statement.bind(orjson.dumps(value).decode(), "jsonb")
        # What is no number has its place above or below all of them, where an earlier dictionary has left it.
        return f"({stored} {sign} {bound} and jsonb_typeof({stored}) = 'number')"


def _all_of(conditions: Sequence[str]) -> str:
    return f"({' and '.join(conditions)})" if conditions else "true"


def _not(condition: str) -> str:
    return f"({condition} is not true)"
