"""Patterns that somebody could slow a commons down with.

What a dictionary's patterns cost on a text must not depend on who wrote them: those that a linear engine cannot take,
with look-around or references back, may take for ever on the right text. They are fine in a dictionary of the
operator's own; one that is sent must not have any.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft4Validator, RegexOptions

from .model import Dictionary

MAX_PATTERN_BYTES = 2**20
"""Most that a pattern may take once it is compiled."""


def slow_patterns(dictionary: Dictionary) -> Iterator[dict[str, Any]]:
    """The faults of patterns that cannot be matched in linear time."""
    for node in dictionary.nodes.values():
        for path, pattern in _patterns(node.schema["properties"], f"{node.id}/properties"):
            if not _is_linear(pattern):
                message = f"the pattern {str(pattern)[:80]!r} is none that can be matched in linear time"
                yield {"file": node.id, "path": path.removeprefix(node.id), "message": message}


def _patterns(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name == "pattern" and isinstance(each, str):
                yield f"{path}/{name}", each
            elif name == "patternProperties" and isinstance(each, dict):
                yield from ((f"{path}/{name}", pattern) for pattern in each)
            yield from _patterns(each, f"{path}/{name}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _patterns(each, f"{path}/{place}")


@lru_cache(maxsize=1024)
def _is_linear(pattern: str) -> bool:
    options = RegexOptions(size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES)
    try:
        Draft4Validator({"pattern": pattern}, pattern_options=options)
    except ValueError:
        return False
    return True
