"""What resolvers need of the request that they belong to."""

from collections.abc import Callable
from typing import Any, Protocol

from .filters import Links
from .requests import Question
from .tiers import Caller


class Asking(Protocol):
    """One request: whose it is and how its questions get answered."""

    caller: Caller
    links: Links
    max_first: int

    def ask(self, question: Question, shape: Callable[[Any], Any] = ...) -> Any:
        """An awaitable of the answer, shaped for GraphQL."""

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The names that a regular expression finds."""
