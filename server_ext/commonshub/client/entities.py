"""Rows to entities of a submission and back, and faults pinned to row and column.

A table has one row per entity. A link to another node is a column ``<link>.submitter_id`` (``<link>.id``,
``projects.code``), several targets are separated by commas. An empty cell means that the property is not mentioned.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import Refused

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]


def rows_of(data: "pd.DataFrame | Row | Iterable[Row]") -> tuple[list[Hashable], list[Row]]:
    """Labels and rows of a DataFrame, one record, or several.

    Raises
    ------
    Refused
        It is something else.
    """
    if isinstance(data, Mapping):
        return [0], [data]
    frame: Any = data
    if hasattr(frame, "itertuples"):
        columns = [str(name) for name in frame.columns]
        lines = frame.itertuples(index=False, name=None)
        return list(frame.index), [dict(zip(columns, line, strict=True)) for line in lines]
    rows = list(data)
    for position, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise Refused(f"Record {position} is a {type(row).__name__}; submit a DataFrame or a list of dictionaries.")
    return list(range(len(rows))), rows


def entity(row: Row, node: str | None = None) -> dict[str, Any]:
    """The entity of one row, as the submission API takes it.

    Parameters
    ----------
    node
        Its ``type``, where the row has none.
    """
    document: dict[str, Any] = {}
    links: dict[str, list[dict[str, Any]]] = {}
    for column, given in row.items():
        value = _plain(given)
        if value is None:
            continue
        name, dot, target = str(column).removeprefix("*").partition(".")
        if dot:
            values = value if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
            aims = links.setdefault(name, [])
            for position, each in enumerate(values):
                if position == len(aims):
                    aims.append({})
                aims[position][target] = each
        else:
            document[name] = value
    for name, aims in links.items():
        document.setdefault(name, aims[0] if len(aims) == 1 else aims)
    if node is not None:
        document.setdefault("type", node)
    return document


def flat(document: Row) -> dict[str, Any]:
    """The row of an exported entity: links as columns ``<link>.submitter_id``, so that it can be submitted again."""
    row: dict[str, Any] = {}
    for name, value in document.items():
        targets = value if isinstance(value, list) else [value]
        if targets and all(isinstance(each, Mapping) for each in targets):
            key = next(
                (key for key in ("submitter_id", "code", "node_id", "id") if all(key in t for t in targets)), None
            )
            if key is not None:
                column = f"{name}.{'id' if key == 'node_id' else key}"
                row[column] = ",".join(str(each[key]) for each in targets)
                continue
        row[name] = value
    return row


def results(labels: Sequence[Hashable], rows: Sequence[Row], answer: Row) -> "pd.DataFrame":
    """What became of each row, as a table with the labels of the submitted one."""
    import pandas as pd

    lines = []
    for row, each in _paired(rows, answer):
        lines.append(
            {
                "submitter_id": _name(each, row),
                "type": each.get("type"),
                "action": each.get("action"),
                "valid": bool(each.get("valid", True)),
                "id": each.get("id"),
                "warnings": "; ".join(_message(warning) for warning in each.get("warnings") or ()),
            }
        )
    columns = ["submitter_id", "type", "action", "valid", "id", "warnings"]
    frame = pd.DataFrame(lines, columns=columns, index=pd.Index(labels[: len(lines)], name="row"))
    frame.attrs["transaction_id"] = answer.get("transaction_id")
    frame.attrs["message"] = answer.get("message")
    return frame


def faults(labels: Sequence[Hashable], rows: Sequence[Row], answer: Row) -> list[dict[str, Any]]:
    """Every fault that the commons found, with the row and the column that it belongs to."""
    found: list[dict[str, Any]] = []
    for position, (row, each) in enumerate(_paired(rows, answer)):
        label = labels[position] if position < len(labels) else None
        for error in each.get("errors") or ():
            told = error if isinstance(error, Mapping) else {}
            # This commons names the one column to look at; others name all properties that play a part.
            for key in [told["column"]] if "column" in told else told.get("keys") or [None]:
                column = _column(row, key)
                found.append(
                    {
                        "row": label,
                        "submitter_id": _name(each, row),
                        "column": column,
                        "value": _plain(row.get(column, told.get("value"))) if column is not None else None,
                        "message": _message(error),
                        "rule": told.get("rule"),
                        "suggestion": told.get("suggestion"),
                        "nearest": list(told.get("nearest") or ()),
                    }
                )
    general: dict[str, Any] = {
        **dict.fromkeys(("row", "submitter_id", "column", "value", "rule", "suggestion")),
        "nearest": [],
    }
    found += [{**general, "message": _message(error)} for error in answer.get("transactional_errors") or ()]
    return found


def summary(found: Sequence[Row], count: int, answer: Row) -> str:
    """The message of a refused submission: what was refused, and the first faults."""
    bad = len({fault["row"] for fault in found if fault["row"] is not None})
    head = f"{bad} of {count} rows were refused" if bad else str(answer.get("message") or "The submission was refused")
    lines = [_line(fault) for fault in found[:10]]
    if len(found) > 10:
        lines.append(f"  … and {len(found) - 10} more, see .frame")
    return "\n".join([f"{head.rstrip('.')}; nothing was stored. Correct these and submit again:", *lines])


def _line(fault: Row) -> str:
    if fault["row"] is None:
        return f"  {fault['message']}"
    name = f" ({fault['submitter_id']})" if fault["submitter_id"] else ""
    column = f", column {fault['column']!r}" if fault["column"] else ""
    message = str(fault["message"])
    message = message if len(message) <= 200 else f"{message[:200]}…"
    return f"  row {fault['row']}{name}{column}: {message} {fault.get('suggestion') or ''}".rstrip()


def _paired(rows: Sequence[Row], answer: Row) -> list[tuple[Row, Row]]:
    """The answer's entities with the rows that they stand for; the answer keeps the order of the request."""
    entities = [each for each in answer.get("entities") or () if isinstance(each, Mapping)]
    if len(entities) == len(rows):
        return list(zip(rows, entities, strict=True))
    by_name = {_plain(row.get("submitter_id")): row for row in rows}
    return [(by_name.get(_name(each, {}), {}), each) for each in entities]


def _name(each: Row, row: Row) -> Any:
    keys = each.get("unique_keys") or ()
    first = keys[0] if keys and isinstance(keys[0], Mapping) else {}
    return first.get("submitter_id") or _plain(row.get("submitter_id"))


def _column(row: Row, key: Any) -> str | None:
    """The column that a property or link stands in."""
    if not isinstance(key, str):
        return None
    if key in row or f"*{key}" in row:
        return key if key in row else f"*{key}"
    return next((str(column) for column in row if str(column).removeprefix("*").startswith(f"{key}.")), key)


def _message(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, Mapping) else str(error)


def _plain(value: Any) -> Any:
    """A value as JSON has it: no numpy, no pandas, None for what is missing."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in _MISSING:
        return None
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, str) and not value.strip():
        return None
    return value


_MISSING = frozenset({"NAType", "NaTType"})
