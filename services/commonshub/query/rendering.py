"""Rows as JSON, made by the database."""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted, see sql.py

from collections.abc import Mapping

import orjson

from .sql import MAX_NAME_BYTES, literal, name


def array_of(columns: Mapping[str, str], source: str) -> str:
    """A list of objects with `columns`, over the rows of `source`."""
    row, rows = _rows(columns, source)
    return f"select coalesce(json_agg({row}), '[]') from {rows}"


def texts_of(columns: Mapping[str, str], source: str) -> str:
    """The same objects, each as a text in a row of its own."""
    row, rows = _rows(columns, source)
    return f"select to_json({row})::text from {rows}"


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
