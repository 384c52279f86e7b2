"""What resolvers need of the request that they belong to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from .catalog import DocType
from .filters import Filter
from .requests import Question
from .tiers import Caller


@dataclass(frozen=True, slots=True)
class SavedSet:
    """What there is to know of a saved set beside its texts."""

    id: str
    owner: str
    created: datetime
    doc_type: str
    path: str
    size: int


class Keeper(Protocol):
    """The saved sets of whoever asks. Its methods block, and raise :class:`AuthenticationRequired` for nobody."""

    def check(self) -> None:
        """Raise where no set can be saved: nobody is signed in."""

    def save(self, doc_type: str, path: str, texts: Sequence[str]) -> SavedSet:
        """Keep the texts that documents of a type have in a field."""

    def page(self, first: int, offset: int) -> tuple[int, list[SavedSet]]:
        """How many there are, and some of them, the newest first."""

    def delete(self, ids: Sequence[str]) -> int:
        """Forget sets; how many of them there were."""


class Asking(Protocol):
    """One request: whose it is and how its questions get answered."""

    caller: Caller
    keeper: Keeper
    max_first: int

    def filter(self, document: Any, doc_type: DocType) -> Filter:
        """A filter of the request, checked against a document type."""

    def ask(self, question: Question, shape: Callable[[Any], Any] = ...) -> Any:
        """An awaitable of the answer, shaped for GraphQL."""

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The names that a regular expression finds."""
