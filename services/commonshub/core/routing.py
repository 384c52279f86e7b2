"""Routes by the first segment of their paths.

Tornado holds a request against one pattern after the other. A service with fifty routes spends as much on that as on
the answer, unless it leaves those of other segments aside.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

Route = tuple[Any, ...]
# The slash after it must be there: `/portal/?` is also the path without one.
_FIRST_SEGMENT = re.compile(r"/[\w-]+(?=/(?![?*{]))")


def common(prefixes: Iterable[str], path: str) -> str:
    """Pattern of a path that a service has at the root and below each of its prefixes."""
    return f"(?:{'|'.join(map(re.escape, prefixes))})?{path}"


def grouped(routes: Sequence[Route]) -> list[Route]:
    """The routes, in their order, with neighbours that begin with the same literal segment as one route of routes."""
    found: list[Route] = []
    for segment, group in groupby(routes, lambda route: _first_segment(route[0])):
        routes_of = list(group)
        found += [(f"{segment}/.*", routes_of)] if segment else routes_of
    return found


def _first_segment(pattern: str) -> str | None:
    literal = _FIRST_SEGMENT.match(pattern)
    return literal[0] if literal else None
