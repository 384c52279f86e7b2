"""Patterns that somebody could slow a commons down with.

What a dictionary's patterns cost on a text must not depend on who wrote them: those that a linear engine cannot take,
with look-around or references back, may take for ever on the right text. They are fine in a dictionary of the
operator's own; one that is sent must not have any.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft4Validator, RegexOptions

from .faults import Fault
from .model import Dictionary
from .wording import pointer

Where = tuple[str | int, ...]

MAX_PATTERN_BYTES = 2**20
"""Most that a pattern may take once it is compiled."""


def slow_patterns(dictionary: Dictionary) -> Iterator[Fault]:
    """The patterns that cannot be matched in linear time; in place of a file each names its node type."""
    for node in dictionary.nodes.values():
        for where, pattern in patterns(node.schema["properties"], ("properties",)):
            if not _is_linear(pattern):
                message = f"the pattern {pattern[:80]!r} is none that can be matched in linear time."
                yield Fault(node.id, None, pointer(where), message, "Write it without look-around and references back.")


def patterns(schema: Any, where: Where) -> Iterator[tuple[Where, str]]:
    """All regular expressions of a schema, with their places."""
    if isinstance(schema, dict):
        for key, each in schema.items():
            here = (*where, key)
            if key == "pattern" and isinstance(each, str):
                yield here, each
            elif key == "patternProperties" and isinstance(each, dict):
                yield from ((here, pattern) for pattern in each)
            if key != "enum" or not isinstance(each, list):
                yield from patterns(each, here)
    elif isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from patterns(each, (*where, index))


@lru_cache(maxsize=1024)
def _is_linear(pattern: str) -> bool:
    options = RegexOptions(size_limit=MAX_PATTERN_BYTES, dfa_size_limit=MAX_PATTERN_BYTES)
    try:
        Draft4Validator({"pattern": pattern}, pattern_options=options)
    except ValueError:
        return False
    return True
