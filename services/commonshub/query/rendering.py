"""Rows as JSON, made by the database."""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

from collections.abc import Callable, Mapping

import orjson

from .sql import MAX_NAME_BYTES, literal, name

Written = Callable[[str, str], str]
"""How the objects of a list are selected: SQL of one object, and of the rows that they are made of."""


def array(row: str, rows: str) -> str:
    """A list, in one row."""
    return f"select coalesce(json_agg({row}), '[]') from {rows}"


def texts(row: str, rows: str) -> str:
    """The objects as texts, in the column ``item`` of a row for each."""
    return f"select to_json({row})::text as item from {rows}"


def objects(columns: Mapping[str, str], source: str, written: Written = array) -> str:
    """A list of objects with `columns`, over the rows of `source`."""
    return written(*_rows(columns, source))


def _rows(columns: Mapping[str, str], source: str) -> tuple[str, str]:
    if all(len(key) <= MAX_NAME_BYTES for key in columns):
        listed = ", ".join(f"{expression} as {name(key)}" for key, expression in columns.items())
        return "r", f"(select {listed} from {source}) r"
    listed = ", ".join(f"{expression} as c{number}" for number, expression in enumerate(columns.values()))
    row = object_of({key: f"r.c{number}" for number, key in enumerate(columns)})
    return row, f"(select {listed} from {source}) r"


def object_of(columns: Mapping[str, str]) -> str:
    """An object of any number of keys of any length (a row's column names are cut, a function's arguments few)."""
    pairs = [
        f"{literal(orjson.dumps(key).decode() + ':')} || coalesce(to_json({expression})::text, 'null')"
        for key, expression in columns.items()
    ]
    # An array is flat, where a chain of `||` nests deeper with each key.
    return f"('{{' || array_to_string(array[{', '.join(pairs)}], ',') || '}}')::json" if pairs else "'{}'::json"
