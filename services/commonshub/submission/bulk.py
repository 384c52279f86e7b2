"""Several documents in one request: Gen3's bulk submission.

Each has a name and a format of its own. All of them together are one submission, so that links lead from any to any
other, and all are stored or none; each is told of by itself, with its own rows.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from ..core.errors import BadRequest
from .entity import Fault, Outcome
from .places import Places

if TYPE_CHECKING:
    from .documents import Reading

FORMATS = ("json", "tsv", "csv")
_KEYS = ("name", "doc_format", "doc")
_SHAPE = 'each is an object {"name", "doc_format", "doc"}, all of them texts'

ReadPart = Callable[[bytes, str], "Reading"]
"""Reads a document, given its bytes and its format."""


@dataclass
class Part:
    """One document of several.

    Parameters
    ----------
    index
        Which of them it is, from 0.
    begin
        What is added to its own numbers; known when it is being read.
    """

    index: int
    name: str | None
    reading: "Reading"
    begin: int = 0

    def __str__(self) -> str:
        return _called(self.index, self.name)


class BundlePlaces:
    """Places in several documents, which are numbered through."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    def index(self, number: int) -> int:
        """Which document a record is in."""
        return bisect_right(self._parts, number, key=lambda part: part.begin) - 1

    def place(self, number: int, key: str | None, pointer: str | None) -> Mapping[str, Any]:
        """The document, and the place in it."""
        part = self._parts[self.index(number)]
        return {"document": part.index, **part.reading.places.place(number - part.begin, key, pointer)}


class Bundle:
    """The records of several documents as ``(number, document)``, one document after the other.

    Going through it raises :class:`~commonshub.core.errors.BadRequest` where one of them cannot be read; the message
    says which.

    Attributes
    ----------
    places, faults, warnings
        As in :class:`.documents.Reading`.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.known: list[Part] = []
        self.places: Places = BundlePlaces(self.known)
        self.faults: dict[int, list[Fault]] = {}
        self.warnings: dict[int, list[Fault]] = {}

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        self.known.clear()
        self.faults.clear()
        self.warnings.clear()
        begin = 0
        for part in self.parts:
            part.begin = begin
            self.known.append(part)
            for inner, document in _read(part):
                begin = part.begin + inner
                for mine, its in ((self.faults, part.reading.faults), (self.warnings, part.reading.warnings)):
                    if found := its.pop(inner, None):
                        mine[begin] = found
                yield begin, document
                begin += 1


def _read(part: Part) -> Iterator[tuple[int, Any]]:
    try:
        yield from part.reading
    except BadRequest as error:
        raise BadRequest(f"{part}: {error.message}", error.details) from error


def _called(index: int, name: Any) -> str:
    return f"Document {index}" + (f" ({name[:80]!r})" if isinstance(name, str) else "")


def parse(body: bytes, read: ReadPart) -> Bundle:
    """The documents of a body: a JSON list of ``{"name", "doc_format", "doc"}``.

    Raises
    ------
    BadRequest
        It is something else, or one of the documents cannot be read.
    """
    try:
        value = orjson.loads(body)
        json.loads(body, object_pairs_hook=_without_duplicates)
    except BadRequest:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Unable to parse json: {str(error)[:300]}") from error
    if not isinstance(value, list):
        raise BadRequest(f"A bulk submission is a JSON list of documents; {_SHAPE}.")
    if not value:
        raise BadRequest("Nothing to submit")
    return Bundle([_part(index, each, read) for index, each in enumerate(value)])


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadRequest(f"Unable to parse json: a document has one of {', '.join(found)} more than once.")
    return found


def _part(index: int, entry: Any, read: ReadPart) -> Part:
    if not isinstance(entry, dict):
        raise BadRequest(f"Document {index} is no JSON object; {_SHAPE}.")
    name = entry.get("name")
    called = _called(index, name)
    if missing := [key for key in _KEYS if key not in entry]:
        raise BadRequest(f"{called}: missing {', '.join(missing)}; {_SHAPE}.")
    if wrong := [key for key in _KEYS if not isinstance(entry[key], str) and not (key == "name" and name is None)]:
        raise BadRequest(f"{called}: {wrong[0]} must be a text; {_SHAPE}.")
    if name and "\0" in name:
        raise BadRequest(f"Document {index}: its name has NUL characters, which cannot be stored.")
    kind = entry["doc_format"].lower()
    if kind not in FORMATS:
        raise BadRequest(f"{called}: doc_format must be one of {', '.join(FORMATS)}, not {kind[:40]!r}.")
    try:
        return Part(index, name, read(entry["doc"].encode(), kind))
    except BadRequest as error:
        raise BadRequest(f"{called}: {error.message}", error.details) from error


class Share(NamedTuple):
    """What there is to tell of one document."""

    name: str | None
    entities: list[dict[str, Any]]
    faults: list[Any]


@dataclass
class BulkOutcome(Outcome):
    """What became of several documents.

    Parameters
    ----------
    shares
        What is told of each.
    """

    shares: Sequence[Share] = ()

    def answer(self) -> dict[str, Any]:
        """The body of the answer, in which each document has an answer of its own."""
        whole = super().answer()
        told = {name: value for name, value in whole.items() if name != "entities"}
        answers = [self._share(share, told.get("untold_entity_count", 0)) for share in self.shares]
        return {
            **told,
            "message": f"Bulk Transaction {'succeeded' if self.success else 'failed'}.",
            "transactional_errors": [each for each in self.transactional_errors if document_of(each) is None],
            "document_error_count": sum(bool(share.faults) or _invalid(share) for share in self.shares),
            "subtransactions": answers,
        }

    def _share(self, share: Share, untold: int) -> dict[str, Any]:
        own = Outcome(self.transaction_id, share.entities, share.faults, self.dry_run, self.success_code)
        answer = own.answer()
        if own.success and not self.success:
            message = "Nothing of this document was stored, because of what is wrong with the request."
            answer |= {"success": False, "code": self.code, "message": message}
            answer |= {"created_entity_count": 0, "updated_entity_count": 0}
        if untold:
            # Nobody has counted them by document.
            del answer["created_entity_count"], answer["updated_entity_count"]
        return {"name": share.name, "response_json": answer}


def document_of(each: Any) -> int | None:
    """Which document a fault of the request is about; None where it is about all."""
    return each.get("document") if isinstance(each, dict) else None


def _invalid(share: Share) -> bool:
    return any(not entity["valid"] for entity in share.entities)


def divided(outcome: Outcome, reading: "Reading", numbers: Sequence[int]) -> Outcome:
    """The outcome of a submission, told document by document where there are several.

    Parameters
    ----------
    numbers
        Of the records that `outcome` tells of.
    """
    if not isinstance(reading, Bundle):
        return outcome
    places = BundlePlaces(reading.known)
    shares = [Share(part.name, [], []) for part in reading.parts]
    for number, entity in zip(numbers, outcome.entities, strict=True):
        shares[places.index(number)].entities.append(entity)
    for each in outcome.transactional_errors:
        if (index := document_of(each)) is not None:
            shares[index].faults.append(each)
    given = {each.name: getattr(outcome, each.name) for each in fields(Outcome)}
    return BulkOutcome(**given, shares=shares)
