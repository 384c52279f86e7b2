"""Documents, page by page.

An index never changes, and the number of a document decides where its sort keys do not. So pages follow one another by
``search_after`` alone: there is nothing that a point in time would have to hold still.
"""

from collections.abc import Iterator
from typing import Any

from ..requests import Order, Rows
from .layout import NUMBER, shown
from .steps import Body, Page, Send, Steps, side_by_side

PAGE_ROWS = 5_000
WINDOW = 10_000
"""Documents that OpenSearch gives at once, and that lie before them."""

Documents = list[dict[str, Any]]


def documents(rows: Rows) -> Steps[Documents]:
    """One page."""
    first = rows.first or 0
    body: Body = {"sort": _sort(rows)}
    if rows.offset + first <= WINDOW:
        body["from"] = rows.offset
    else:
        left = rows.offset
        while left:
            step = min(WINDOW, left)
            (hits,) = yield [Page(rows.scope, {**body, "size": step, "_source": False})]
            if len(hits) < step:
                return []
            left -= step
            body["search_after"] = hits[-1]["sort"]
    (hits,) = yield [Page(rows.scope, {**body, "size": first, "_source": _source(rows)})]
    return _shown(rows, hits)


def scan(rows: Rows, chunk_rows: int, send: Send) -> Iterator[Documents]:
    """All of them, a chunk at a time."""
    # Each page is a search of its own, so pages are larger than most chunks.
    size = max(chunk_rows, PAGE_ROWS)
    body: Body = {"sort": _sort(rows), "size": size, "_source": _source(rows)}
    while True:
        (hits,) = side_by_side([_one(Page(rows.scope, body))], send)
        for start in range(0, len(hits), chunk_rows):
            yield _shown(rows, hits[start : start + chunk_rows])
        if len(hits) < size:
            return
        body["search_after"] = hits[-1]["sort"]


def _one(page: Page) -> Steps[Documents]:
    (hits,) = yield [page]
    return hits  # type: ignore[no-any-return]


def _source(rows: Rows) -> Any:
    return True if rows.names is None else list(rows.names) or False


def _shown(rows: Rows, hits: Documents) -> Documents:
    doc_type = rows.scope.doc_type
    show = shown(doc_type, doc_type.names if rows.names is None else rows.names)
    return [show(hit.get("_source", {})) for hit in hits]


def _sort(rows: Rows) -> list[Body]:
    return [*(_order(each) for each in rows.order), {NUMBER: "asc"}]


def _order(order: Order) -> Body:
    """A sort key; of a list or a nest the smallest value counts, or the largest when descending."""
    descending = order.descending
    key: Body = {
        "order": "desc" if descending else "asc",
        "mode": "max" if descending else "min",
        "missing": "_last",
    }
    if order.place.nests:
        key["nested"] = {"path": ".".join(order.place.nests)}
    return {order.place.path: key}
