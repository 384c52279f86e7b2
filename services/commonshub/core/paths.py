"""Resource paths: ``/programs/P/projects/Q``, compared by whole segments.

A path is parsed once, where it comes in, and refused unless it is written in the one way that such a path is written;
nothing is ever normalized, decoded or folded, so no spelling of a path can reach further than another.
"""

import re
from collections.abc import Iterable

from .errors import BadRequest

MAX_PATH_CHARS = 2048
# A decision looks at every path above the one that is asked for.
MAX_SEGMENTS = 64
# Segments without / % * \ and control characters, none of them . or ..
_CANONICAL = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[^/%*\\\x00-\x1f\x7f]+)+")

Path = tuple[str, ...]


def parse_path(path: str) -> Path:
    """Split a resource path into its segments, once and strictly.

    Raises
    ------
    BadRequest
        The path is relative, empty, the root, too long or too deep, or has an empty, ``.`` or ``..`` segment, a
        control character, ``%``, ``*`` or a backslash. None of those may ever widen a match.
    """
    if len(path) > MAX_PATH_CHARS or path.count("/") > MAX_SEGMENTS or not _CANONICAL.fullmatch(path):
        raise BadRequest(f"{path[:200]!r} is not a resource path like /programs/P/projects/Q.")
    return tuple(path[1:].split("/"))


def format_path(path: Path) -> str:
    """The text of a resource path."""
    return "/" + "/".join(path)


def ancestors(path: Path) -> list[Path]:
    """All paths above, from the top, and the path itself."""
    return [path[:depth] for depth in range(1, len(path) + 1)]


def outermost(paths: Iterable[Path]) -> frozenset[Path]:
    """Those of `paths` that lie below no other."""
    found = frozenset(paths)
    return frozenset(path for path in found if not any(path[:depth] in found for depth in range(1, len(path))))


def meet(left: frozenset[Path], right: frozenset[Path]) -> frozenset[Path]:
    """The paths covered by both sides."""
    return frozenset(
        path
        for one, other in ((left, right), (right, left))
        for path in one
        if any(above in other for above in ancestors(path))
    )


def covers(prefixes: Iterable[str], path: str) -> bool:
    """Whether `path` equals one of `prefixes` or lies below it, by whole segments."""
    segments = parse_path(path)
    return any(segments[: len(prefix)] == prefix for prefix in map(parse_path, prefixes))
