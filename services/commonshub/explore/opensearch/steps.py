"""Answering many questions in as few requests as they allow.

Each question is answered by a generator that yields what it has to ask of the index, and is sent the answers; several
go on side by side, and what they ask in one round becomes one request. Counts over the same documents become
aggregations of one search.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from commonshub.core.errors import CommonsError

from ..requests import Scope
from .client import TooManyBuckets
from .predicate import EVERYTHING, Query, query

T = TypeVar("T")
Body = dict[str, Any]

MAX_BUCKETS = 50_000
"""Buckets that one search may make; OpenSearch's own limit is 65,535."""


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregation over the documents of a scope; its result is the answer.

    Parameters
    ----------
    buckets
        How many it may make at most.
    divisible
        Whether whoever asks can ask for a part of it: the answer is None where OpenSearch would have to make too many.
    """

    scope: Scope
    aggregation: Body
    buckets: int = 1
    divisible: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents of a scope; the answer is the list of hits.

    Parameters
    ----------
    limits
        What they meet beside.
    """

    scope: Scope
    body: Body
    limits: Query = field(default_factory=lambda: EVERYTHING)


Ask = Measure | Page
Steps = Generator[list[Ask], list[Any], T]
Search = tuple[Scope, Body]
Send = Callable[[list[Search]], list[dict[str, Any] | CommonsError]]
"""Carries out searches; gives OpenSearch's answers, or what is wrong with a search."""


def side_by_side(steps: Sequence[Steps[T]], send: Send) -> list[T]:
    """What the generators return, in order."""
    found: dict[int, T] = {}
    answers: dict[int, list[Any]] = {}
    waiting = dict(enumerate(steps))
    while waiting:
        asked: dict[int, list[Ask]] = {}
        for number, step in list(waiting.items()):
            try:
                # The first `send` to a generator must be None, which starts it.
                asked[number] = step.send(answers.pop(number, None))  # type: ignore[arg-type]
            except StopIteration as end:
                found[number] = end.value
                del waiting[number]
        flat = [ask for asks in asked.values() for ask in asks]
        replies = iter(_ask(flat, send) if flat else ())
        answers = {number: [next(replies) for _ in asks] for number, asks in asked.items()}
    return [found[number] for number in range(len(steps))]


def _ask(asks: list[Ask], send: Send) -> list[Any]:
    searches: list[Search] = []
    # Of each ask: which search it went into, and as which aggregation.
    places: list[tuple[int, str | None]] = []
    together: dict[Scope, tuple[int, int]] = {}
    for ask in asks:
        body: Body = {"query": query(ask.scope), "track_total_hits": False}
        if isinstance(ask, Page):
            places.append((len(searches), None))
            searches.append((ask.scope, {**ask.body, **body, "query": query(ask.scope, ask.limits)}))
            continue
        search, used = together.get(ask.scope, (-1, MAX_BUCKETS))
        if used + ask.buckets > MAX_BUCKETS:
            search, used = len(searches), 0
            searches.append((ask.scope, {**body, "size": 0, "aggs": {}}))
        together[ask.scope] = search, used + ask.buckets
        aggregations = searches[search][1]["aggs"]
        name = f"a{len(aggregations)}"
        aggregations[name] = ask.aggregation
        places.append((search, name))
    replies = send(searches)
    return [_answer(ask, replies[search], name) for ask, (search, name) in zip(asks, places, strict=True)]


def _answer(ask: Ask, reply: dict[str, Any] | CommonsError, name: str | None) -> Any:
    if isinstance(reply, TooManyBuckets) and isinstance(ask, Measure) and ask.divisible:
        return None
    if isinstance(reply, CommonsError):
        raise reply
    return reply["aggregations"][name] if name else reply["hits"]["hits"]
