"""All that follows from one dictionary: how records are read, checked, written, and found again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..core.dictionary import Dictionary
from .documents import Read
from .projects import Roots
from .transaction import Tools


@dataclass(frozen=True)
class Model:
    """The data model that requests work with; each keeps to the one that it began with.

    Attributes
    ----------
    number
        Of the dictionary's version.
    """

    number: int
    dictionary: Dictionary
    read: Read
    tools: Tools
    roots: Roots


Renew = Callable[[], Awaitable[Model]]
