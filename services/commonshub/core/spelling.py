"""What somebody is likely to have meant by a word that is none of those known."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

MAX_ALLOWED = 20
"""Known words that are named; the others are counted."""
MAX_NEAREST = 3
MAX_COMPARED_CHARS = 200
"""So much of a text is compared; what is longer is a typing error of nothing."""

# From where on, of 100, two texts are taken for spellings of one: one slip in a word of four letters passes.
_ALIKE = 65
# So far behind the best one another is still worth naming.
_AS_GOOD = 15
_SPACES = str.maketrans("_-./", "    ")


def meant(candidates: Sequence[str]) -> str:
    """The suggestion of values that are nearly right."""
    return f"Did you mean {' or '.join(repr(each) for each in candidates)}?"


def nearest(given: str, choices: tuple[str, ...], limit: int = MAX_NEAREST) -> tuple[str, ...]:
    """The choices that `given` is likely a spelling of, best first.

    Where none is alike, those that it is the beginning of count: ``F`` for ``female``.
    """
    start = _plain(given[:MAX_COMPARED_CHARS])
    if not start:
        return ()
    ranked = _ranked(given[:MAX_COMPARED_CHARS], choices)
    least = max(_ALIKE, ranked[0][1] - _AS_GOOD) if ranked else _ALIKE
    found = tuple(choice for choice, score in ranked if score >= least)
    return (found or tuple(each for each in choices if _plain(each).startswith(start)))[:limit]


def nearest_first(given: Any, choices: tuple[str, ...]) -> list[str]:
    """So many of the choices as a fault can name, those first that are most like `given`."""
    return [choice for choice, _ in _ranked(str(given)[:MAX_COMPARED_CHARS], choices)]


@lru_cache(maxsize=128)
def _ranked(given: str, choices: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    # Four megabytes, for those alone whose rows have a fault.
    from rapidfuzz import fuzz, process

    found = process.extract(_plain(given), _prepared(choices), scorer=fuzz.ratio, limit=MAX_ALLOWED)
    return tuple((choices[index], score) for _, score, index in found)


@lru_cache(maxsize=64)
def _prepared(choices: tuple[str, ...]) -> list[str]:
    return [_plain(each) for each in choices]


def _plain(text: str) -> str:
    """A text as it is compared: case, and what stands between words, do not matter."""
    return " ".join(text.casefold().translate(_SPACES).split())
