"""How places, lists and likely names are written in what is told of a dictionary."""

from collections.abc import Iterable, Sequence

from ..spelling import nearest

SHOWN = 5


def pointer(path: Iterable[str | int]) -> str:
    """A path as a JSON pointer; ``/`` for the whole."""
    return "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)


def listed(words: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    rest = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def instead(given: str, known: Iterable[str], otherwise: str) -> str:
    """What to write: the known word that is likely meant, where there is one."""
    likely = nearest(given, tuple(known), 1)
    return f"Write {likely[0]}." if likely else otherwise


def one_of(given: str, known: Sequence[str]) -> str:
    """What to write, where only these may be written."""
    return instead(given, known, f"Write one of {', '.join(known)}.")
