"""Queries over the graph and over the explorer's flat documents."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import selection
from .errors import QueryFailed, Refused
from .session import Session

if TYPE_CHECKING:
    import pandas as pd

FLAT = "/guppy"


def graphql(
    session: Session, path: str, text: str, variables: Mapping[str, Any] | None = None, release: str | None = None
) -> dict[str, Any]:
    """The ``data`` of a GraphQL query, on the graph or on a release.

    Raises
    ------
    QueryFailed
        The commons could not answer all of it.
    """
    answer = session.request("POST", path, json=_body(text, variables, release), changes=False, refused=False)
    document = answer.json()
    if document.get("errors") or document.get("data") is None:
        raise _failed(document)
    data: dict[str, Any] = document["data"]
    return data


def graph_table(
    session: Session, path: str, text: str, variables: Mapping[str, Any] | None = None, release: str | None = None
) -> "pd.DataFrame":
    """The rows that a GraphQL query on the graph or on a release makes; see :meth:`commonshub.client.Commons.table`."""
    import pandas as pd

    def ask(form: str) -> bytes:
        body = {**_body(text, variables, release), "format": form}
        answer = session.request("POST", path, json=body, changes=False, refused=False)
        if not answer.is_success:
            raise _failed(answer.json())
        return answer.content

    rows = [json.loads(line) for line in ask("ndjson").splitlines()]
    if rows:
        return pd.DataFrame(rows).convert_dtypes()
    # No row tells what the columns are; the first line of a table does.
    return pd.DataFrame(columns=ask("tsv").decode().rstrip("\n").split("\t"))


def _body(text: str, variables: Mapping[str, Any] | None, release: str | None) -> dict[str, Any]:
    given = {"variables": variables or None, "release": release}
    return {"query": text, **{name: value for name, value in given.items() if value is not None}}


def _failed(document: Mapping[str, Any]) -> QueryFailed:
    """Why the commons could not answer."""
    errors = document.get("errors") or ()
    messages = [str(each.get("message", each)) if isinstance(each, dict) else str(each) for each in errors]
    said = document.get("message") or document.get("error") or "the commons answered without data"
    return QueryFailed(messages or [str(said)], document.get("data"))


def document_types(session: Session) -> list[str]:
    """The types of flat documents."""
    data = graphql(session, f"{FLAT}/graphql", "{ __schema { queryType { fields { name } } } }")
    return [each["name"] for each in data["__schema"]["queryType"]["fields"] if not each["name"].startswith("_")]


def flat_rows(
    session: Session,
    doc_type: str,
    fields: Sequence[str] | None,
    filter: selection.Filter | None,
    sort: selection.Sort | None,
    first: int | None,
    offset: int,
    accessibility: str,
) -> "pd.DataFrame":
    """Rows of flat documents; see :meth:`commonshub.client.Commons.explore`.

    A GraphQL query answers a window of rows; what lies beyond comes from the download route, which answers all of them.
    """
    if offset < 0 or (first is not None and first < 1):
        raise Refused("first must be at least 1, and offset at least 0.")
    columns = list(fields) if fields is not None else _plain_columns(session, doc_type)
    wanted, order = selection.filter_of(filter), selection.sort_of(sort)
    room = selection.MAX_WINDOW_ROWS - offset
    limit = room if first is None else first
    if 0 < limit <= room:
        text = selection.flat_query(doc_type, columns, limit, offset, accessibility)
        data = graphql(session, f"{FLAT}/graphql", text, {"filter": wanted, "sort": order})
        if first is not None or data["_aggregation"][doc_type]["_totalCount"] <= selection.MAX_WINDOW_ROWS:
            return _table(data[doc_type] or [], columns)
    body = {"type": doc_type, "fields": columns, "filter": wanted, "sort": order, "accessibility": accessibility}
    rows = session.read(f"{FLAT}/download", {key: value for key, value in body.items() if value})
    return _table(rows[offset : None if first is None else offset + first], columns)


def counts(session: Session, doc_type: str, field: str, filter: selection.Filter | None) -> "pd.DataFrame":
    """The number of documents of each value of a field."""
    import pandas as pd

    text = selection.histogram_query(doc_type, field, "accessible")
    data = graphql(session, f"{FLAT}/graphql", text, {"filter": selection.filter_of(filter)})
    at: Any = data["_aggregation"][doc_type]
    for part in field.split("."):
        at = at[part]
    return pd.DataFrame(at["asTextHistogram"], columns=["key", "count"]).rename(columns={"key": field})


def _plain_columns(session: Session, doc_type: str) -> list[str]:
    """The fields of a document type that are not nested."""
    selection.name(doc_type, "document type")
    paths = graphql(session, f"{FLAT}/graphql", f"{{ _mapping {{ {doc_type} }} }}")["_mapping"][doc_type]
    return [path for path in paths if "." not in path]


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    """Rows with nested objects as dotted columns; lists of objects stay lists."""
    import pandas as pd

    if not rows:
        return pd.DataFrame(columns=list(columns))
    return pd.json_normalize(list(rows))
