"""Where faults stand in what was sent, as its sender would look for them.

Vocabulary
----------
number
    What a reader gives each record to find it by: its index in JSON, its row in a table.
row
    A line of a table as a spreadsheet numbers it, the header being 1; in JSON the record's index, from 0.
column
    A cell of the header as it was sent; where it is missing, what it would be called.
pointer
    A place in a JSON document (RFC 6901).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import orjson

from .advice import advice
from .entity import Entity, Fault

MAX_VALUE_CHARS = 100
"""So much of a value is told."""


class Places(Protocol):
    """The places of one body."""

    def place(self, number: int, key: str | None, pointer: str | None) -> Mapping[str, Any]:
        """What is told of a place in a record: ``row``, ``column``, and what else the format has.

        Parameters
        ----------
        key
            The property; None for the whole record.
        pointer
            Where it is within the record, where that is deeper than `key` says.
        """
        ...


class JsonPlaces:
    """Places in a list of JSON objects, or in a single one."""

    def __init__(self, single: bool) -> None:
        self._single = single

    def place(self, number: int, key: str | None, pointer: str | None) -> Mapping[str, Any]:
        """The index, the property and the pointer."""
        steps = pointer or ("" if key is None else pointer_of((key,)))
        return {"row": number, "column": key, "pointer": steps if self._single else f"/{number}{steps}"}


class TablePlaces:
    """Places in a table with one header.

    Parameters
    ----------
    header
        The cells of the header as they were sent.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._header = header

    @cached_property
    def _columns(self) -> Mapping[str, str]:
        columns: dict[str, str] = {}
        for cell in self._header:
            name = cell.strip().lstrip("*")
            columns.setdefault(name, cell)
            columns.setdefault(name.partition(".")[0], cell)
        return columns

    def column(self, key: str) -> str:
        """The header's cell of a property or link."""
        return self._columns.get(key, key)

    def place(self, number: int, key: str | None, pointer: str | None) -> Mapping[str, Any]:
        """The row and the column."""
        return {"row": number, "column": None if key is None else self.column(key)}


def pointer_of(steps: Iterable[str | int]) -> str:
    """The JSON pointer of these steps."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def spoken(place: Mapping[str, Any]) -> str:
    """Where a record stands, at the beginning of a sentence."""
    row = f"Row {place['row']}"
    if "sheet" in place:
        return f"{row} of sheet {place['sheet']!r}"
    return f"{row} of document {place['document']}" if "document" in place else row


def locate(entity: Entity, places: Places) -> None:
    """Tell of every fault of a record where it stands, what stands there, and what to do."""
    for each in (*entity.errors, *entity.warnings):
        key = _key(each, entity)
        each.update(places.place(entity.number, key, each.pop("pointer", None)))
        each.setdefault("value", shown(entity.document.get(key)) if key is not None else None)
        if each.get("suggestion") is None:
            each["suggestion"] = advice(each["rule"] or "", key)


def _key(each: Fault, entity: Entity) -> str | None:
    keys: Sequence[str] = each["keys"]
    if each["rule"] == "uniqueKeys":
        return keys[-1]
    return next((key for key in keys if key in entity.document), keys[0] if keys else None)


def shown(value: Any) -> Any:
    """A value as a fault tells it: links by what names their targets, and nothing of any length."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict | list):
        targets = value if isinstance(value, list) else [value]
        names = [_name(each) for each in targets[:MAX_VALUE_CHARS]]
        text = ", ".join(names) if all(names) else orjson.dumps(value).decode()
    else:
        text = str(value)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[: MAX_VALUE_CHARS - 1]}…"


def _name(target: Any) -> str:
    if not isinstance(target, dict):
        return ""
    name = target.get("submitter_id") or target.get("code") or target.get("id")
    return name[:MAX_VALUE_CHARS] if isinstance(name, str) else ""
