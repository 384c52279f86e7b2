"""Documents, page by page.

An index never changes, and the number of a document decides where its sort keys do not. So pages follow one another by
``search_after`` alone: there is nothing that a point in time would have to hold still.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from ..requests import Order, Rows
from .layout import NUMBER, shown
from .predicate import bounded
from .steps import Ask, Body, Measure, Page, Send, Steps, side_by_side

PAGE_ROWS = 5_000
AHEAD = 3
"""Pages that are asked for at the same time: a cluster reads them on as many cores."""
AHEAD_ROWS = 2_000
"""Documents of each of these, at most."""
SPARSE = 10
"""Where fewer than one of so many documents is wanted, most pages by number would have next to none."""
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
    for hits in _in_order(rows, send) if rows.order else _by_number(rows, send):
        for start in range(0, len(hits), chunk_rows):
            yield _shown(rows, hits[start : start + chunk_rows])


def _in_order(rows: Rows, send: Send) -> Iterator[Documents]:
    """Pages of which each is found by the end of the one before."""
    body: Body = {"sort": _sort(rows), "size": PAGE_ROWS, "_source": _source(rows)}
    while True:
        hits: Documents = side_by_side([_one(Page(rows.scope, body))], send)[0]
        yield hits
        if len(hits) < PAGE_ROWS:
            return
        body["search_after"] = hits[-1]["sort"]


def _by_number(rows: Rows, send: Send) -> Iterator[Documents]:
    """Pages of documents with neighbouring numbers, of which the next are asked for while one is read."""
    (found,) = side_by_side([_one(Measure(rows.scope, {"stats": {"field": NUMBER}}))], send)
    if not found["count"]:
        return
    first, last = int(found["min"]), int(found["max"])
    if last - first >= SPARSE * found["count"] + PAGE_ROWS:
        yield from _in_order(rows, send)
        return
    body: Body = {"sort": _sort(rows), "size": AHEAD_ROWS, "_source": _source(rows)}

    def page(start: int) -> Documents:
        limits = bounded(NUMBER, {"gte": start, "lt": start + AHEAD_ROWS})
        hits: Documents = side_by_side([_one(Page(rows.scope, body, limits))], send)[0]
        return hits

    threads = ThreadPoolExecutor(AHEAD, thread_name_prefix="pages")
    try:
        starts = iter(range(first, last + 1, AHEAD_ROWS))
        waiting = deque(threads.submit(page, start) for start in islice(starts, AHEAD))
        while waiting:
            hits = waiting.popleft().result()
            waiting.extend(threads.submit(page, start) for start in islice(starts, 1))
            yield hits
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _one(ask: Ask) -> Steps[Any]:
    (answer,) = yield [ask]
    return answer


def _source(rows: Rows) -> Any:
    """What OpenSearch sends of a document; to take a document apart costs it more than to send the whole."""
    names = rows.names
    return True if names is None or 2 * len(names) > len(rows.scope.doc_type.names) else list(names) or False


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
