"""The table of files, and the data objects that a caller names by it."""

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import selection
from .errors import Refused
from .objects import DataObject

if TYPE_CHECKING:
    import pandas as pd

MAX_FILES = 20_000  # of each type
_FIELDS = (
    "project_id",
    "submitter_id",
    "type",
    "object_id",
    "file_name",
    "file_size",
    "data_category",
    "data_type",
    "data_format",
    "md5sum",
)
_GUID_COLUMNS = ("object_id", "guid", "did", "GUID")


def listing(
    query: Callable[[str, Mapping[str, Any] | None], Mapping[str, Any]],
    known: Mapping[str, Mapping[str, Any]],
    project: str | None,
) -> "pd.DataFrame":
    """The files of a project, or of all: a row each, at most :data:`MAX_FILES` of each type.

    Parameters
    ----------
    query
        Gives the ``data`` of a GraphQL query with its variables.
    known
        The file types that are wanted, each with its properties in the dictionary.
    """
    import pandas as pd

    data = query(_query(known, project), {"project": [project]} if project else None) if known else {}
    rows = [row for node in known for row in data[node] or []]
    for node in known:
        if len(data[node] or []) == MAX_FILES:
            text = f"These are the first {MAX_FILES} of type {node}. Name a project, or use explore() with a filter."
            # Told of the line that asks the commons for its files.
            warnings.warn(text, stacklevel=3)
    for row in rows:
        # Where a dictionary has no object_id, the record's own id is the object's.
        row["object_id"] = row.get("object_id") or row.pop("id")
    if not rows:
        return pd.DataFrame(columns=list(_FIELDS))
    frame = pd.DataFrame(rows, columns=list(_FIELDS)).dropna(axis="columns", how="all").convert_dtypes()
    order = [name for name in ("project_id", "file_name", "submitter_id") if name in frame.columns]
    return frame.sort_values(order, ignore_index=True)


def _query(known: Mapping[str, Mapping[str, Any]], project: str | None) -> str:
    scope = ", project_id: $project" if project else ""
    parts = []
    for node, properties in known.items():
        fields = " ".join(each for each in _FIELDS if each in properties or each in ("project_id", "type"))
        parts.append(f"{selection.name(node)}(first: {MAX_FILES}{scope}) {{ id {fields} }}")
    head = "query($project: [String]) " if project else ""
    return f"{head}{{ {' '.join(parts)} }}"


def guids(given: Any) -> list[str]:
    """GUIDs of whatever names data objects: a GUID, an object, several, or a table.

    Raises
    ------
    Refused
        It is a table without a column of identifiers.
    """
    if isinstance(given, str | DataObject):
        given = [given]
    elif hasattr(given, "columns"):
        column = next((name for name in _GUID_COLUMNS if name in given.columns), None)
        if column is None:
            raise Refused(f"The table has no column of identifiers; name one {' or '.join(_GUID_COLUMNS)}.")
        given = given[column]
    return [each.guid if isinstance(each, DataObject) else str(each) for each in given]
