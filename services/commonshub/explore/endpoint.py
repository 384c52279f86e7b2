"""Running GraphQL requests. Everything here blocks, so it belongs on a worker thread.

All questions of one request are collected first and answered together, so that facets which see the same documents
share one scan whatever aliases, fragments or nesting the query has.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    execute,
    parse,
    validate,
)

from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, Unsupported

from .asking import Keeper
from .cache import Cache
from .catalog import DocType
from .filters import Filter, Sets, values_in
from .grammar import parse as parse_filter
from .requests import MAX_LISTED, TOO_MANY_LISTED, Away, Bucket, Part, Question, Reader, Rows
from .schema import build
from .shape import RULES, check_shape
from .tiers import Caller

MAX_ERRORS = 20
MAX_TOKENS = 20_000
MAX_QUESTIONS = 1_000
MAX_PAGES = 5
MAX_PATTERN_CHARS = 500
MAX_VALUES = 2_000_000
SINGLE_S = 60.0
# GraphQL knows no other way to write the name of a field.
_PERSONAL = ("sets", "saveSet", "deleteSets")
# About as much as Python takes for an id.
_SET_TEXT_BYTES = 100

log = logging.getLogger(__name__)


class Batch:
    """The questions of one request; see :class:`commonshub.explore.asking.Asking`."""

    def __init__(self, reader: Reader, asked: "Asked", max_first: int, cache: Cache, keeper: Keeper | None) -> None:
        self.caller = asked.caller
        self.max_first = max_first
        self._links = asked.caller.links(reader.run.doc_types)
        self._sets = asked.sets
        self._keeper = keeper
        self._reader = reader
        self._cache = cache
        self._request_bytes = asked.size_bytes
        self._waiting: list[tuple[Question, Callable[[Any], Any], asyncio.Future[Any]]] = []
        self._asked = 0
        self._rows = 0
        self._listed = 0
        self._values = 0
        # Whole answers may hang on one variable; what it was is held, so that nothing else gets its id.
        self._filters: dict[tuple[int, str], tuple[Any, Filter]] = {}

    def ask(self, question: Question, shape: Callable[[Any], Any] = lambda answer: answer) -> asyncio.Future[Any]:
        """A future of the answer; it comes with those of all other questions asked before the loop turns."""
        self._asked += 1
        if self._asked > MAX_QUESTIONS:
            raise BadRequest(f"The query asks for more than {MAX_QUESTIONS} results: split it.")
        if isinstance(question, Rows):
            self._rows += question.first or 0
            if self._rows > MAX_PAGES * self.max_first:
                raise BadRequest(f"The query asks for more than {MAX_PAGES * self.max_first} rows: split it.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        # A query that fails elsewhere awaits no other answer; what became of that is nothing to log.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        if not self._waiting:
            loop.call_soon(self._answer)
        self._waiting.append((question, shape, future))
        return future

    @property
    def keeper(self) -> Keeper:
        """The saved sets of whoever asks; there is one for every request that can name them."""
        assert self._keeper is not None
        return self._keeper

    def filter(self, document: Any, doc_type: DocType) -> Filter:
        """A filter of the request, checked against a document type; one that many fields have is read once.

        Raises
        ------
        BadRequest
            It is wrong, or all have more than :data:`MAX_VALUES` together.
        """
        key = id(document), doc_type.name
        if key not in self._filters:
            found = parse_filter(document, doc_type, self._links, self._sets)
            self._values += values_in(found)
            if self._values > MAX_VALUES:
                raise BadRequest(f"The filters have more than {MAX_VALUES} values together: split the query.")
            self._filters[key] = document, found
        return self._filters[key][1]

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The names that a regular expression finds."""
        if len(pattern) > MAX_PATTERN_CHARS:
            raise BadRequest(f"searchInput is longer than {MAX_PATTERN_CHARS} characters.")
        return self._reader.matching(names, pattern)

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            answers = self._cache.all([question for question, _, _ in waiting], self._reader.answer, self._size)
        except CommonsError as error:
            self._answer_singly(waiting, error)
            return
        except Exception as error:  # noqa: BLE001 - handed to every waiting resolver, reported by _error
            for _, _, future in waiting:
                future.set_exception(error)
            return
        for (_, shape, future), answer in zip(waiting, answers, strict=True):
            try:
                future.set_result(self._shaped(shape, answer))
            except BadRequest as error:
                future.set_exception(error)

    def _shaped(self, shape: Callable[[Any], Any], answer: Any) -> Any:
        """An answer for GraphQL. One that several fields have takes room for each."""
        if isinstance(answer, list) and answer and isinstance(answer[0], Bucket | Part):
            self._listed += len(answer)
            if self._listed > MAX_LISTED:
                raise BadRequest(TOO_MANY_LISTED)
        return shape(answer)

    def _size(self, answer: Any) -> int | None:
        """Bytes that a question with its answer takes, about; rows are held in whole answers only."""
        if isinstance(answer, list) and answer and not isinstance(answer[0], Bucket | Part):
            return None
        return 500 + self._request_bytes + 200 * (len(answer) if isinstance(answer, list) else 1)

    def _answer_singly(
        self, waiting: list[tuple[Question, Callable[[Any], Any], asyncio.Future[Any]]], error: CommonsError
    ) -> None:
        """One question was refused: answer the others, so that only its field fails; but not for ever."""
        end = time.monotonic() + SINGLE_S
        for question, shape, future in waiting:
            try:
                if not isinstance(error, BadRequest) or self._listed > MAX_LISTED or time.monotonic() > end:
                    raise error
                future.set_result(self._shaped(shape, self._reader.answer([question])[0]))
            except CommonsError as own:
                future.set_exception(own)


@dataclass(frozen=True)
class Asked:
    """One request, checked for its form.

    Parameters
    ----------
    sets
        The saved sets that it names, as far as the caller has them. One never changes, so their ids stand for them.
    """

    caller: Caller
    query: str
    operation: str | None
    variables: bytes
    sets: Sets = field(default_factory=dict, compare=False)
    set_ids: frozenset[str] = frozenset()

    @property
    def personal(self) -> bool:
        """Whether it may be about the sets of whoever asks: its answer is for nobody else, and not for another time."""
        return any(name in self.query for name in _PERSONAL)

    @property
    def size_bytes(self) -> int:
        """What it takes to remember it."""
        return len(self.query) + len(self.variables) + sum(_SET_TEXT_BYTES * len(texts) for texts in self.sets.values())


class Endpoint:
    """GraphQL over one open index, or over none."""

    def __init__(self, reader: Reader | None, max_first: int, cache_bytes: int) -> None:
        self._reader = reader
        self._max_first = max_first
        self._cache = Cache(cache_bytes)
        self._schema: GraphQLSchema = build(reader.run.doc_types.values() if reader else ())

    def read(self, body: Mapping[str, Any], caller: Caller) -> Asked:
        """Check ``{"query", "variables", "operationName"}``.

        Raises
        ------
        BadRequest
            The body has another form.
        """
        query, variables, operation = body.get("query"), body.get("variables"), body.get("operationName")
        if not isinstance(query, str) or not query.strip():
            raise BadRequest("The body must have a GraphQL query in `query`.")
        if variables is not None and not isinstance(variables, dict):
            raise BadRequest("`variables` must be an object.")
        if operation is not None and not isinstance(operation, str):
            raise BadRequest("`operationName` must be text.")
        return Asked(caller, query, operation, _written(variables))

    def known(self, asked: Asked) -> tuple[int, bytes] | None:
        """The answer, if it was given before."""
        found: tuple[int, bytes] | None = self._cache.get(asked)
        return found

    def answer(self, asked: Asked, keeper: Keeper | None = None) -> tuple[int, bytes]:
        """HTTP status and JSON of the answer.

        Parameters
        ----------
        keeper
            The saved sets of whoever asks, for requests that are personal.

        Raises
        ------
        Away
            What holds the index does not answer.
        BadRequest
            The query is nested too deeply to be read.
        """
        status, document = self._answer(asked, keeper)
        answer = status, orjson.dumps(document)
        if status == 200 and "errors" not in document and not asked.personal:
            self._cache.put(asked, answer, len(answer[1]) + asked.size_bytes)
        return answer

    def _answer(self, asked: Asked, keeper: Keeper | None) -> tuple[int, dict[str, Any]]:
        try:
            document = parse(asked.query, max_tokens=MAX_TOKENS)
            faults = validate(self._schema, document, RULES, max_errors=MAX_ERRORS)
            if faults and self._reader is None:
                return 200, {"data": None, "errors": [_NO_INDEX]}
            faults = faults or check_shape(document)
        except GraphQLSyntaxError as error:
            return 400, {"errors": [_error(error, "GRAPHQL_PARSE_FAILED")]}
        except RecursionError as error:
            raise BadRequest("The query is nested too deeply.") from error
        if faults:
            return 400, {"errors": [_error(fault, "GRAPHQL_VALIDATION_FAILED") for fault in faults]}
        result = asyncio.run(self._execute(document, asked, keeper))
        answer: dict[str, Any] = {"data": result.data}
        for fault in result.errors or ():
            if isinstance(fault.original_error, Away):
                raise fault.original_error
        if result.errors:
            answer["errors"] = [_error(error) for error in result.errors]
        return 200, answer

    async def _execute(self, document: DocumentNode, asked: Asked, keeper: Keeper | None) -> ExecutionResult:
        batch = Batch(self._reader, asked, self._max_first, self._cache, keeper) if self._reader else None
        variables = orjson.loads(asked.variables)
        result = execute(
            self._schema, document, context_value=batch, variable_values=variables, operation_name=asked.operation
        )
        return result if isinstance(result, ExecutionResult) else await result


def _written(variables: Any) -> bytes:
    try:
        return orjson.dumps(variables)
    except orjson.JSONEncodeError as error:
        # What was read from JSON can only be too deep for it.
        raise BadRequest("The variables are nested too deeply.") from error


_NO_INDEX = {
    "message": "This commons has no explorer index yet. It is built a few seconds after the first submission; "
    "`commonshub etl status` tells why when it is not.",
    "extensions": {"code": "NO_INDEX"},
}


def _error(error: GraphQLError, code: str | int = "BAD_USER_INPUT") -> dict[str, Any]:
    """The JSON of an error. Faults of our own are logged, and tell nothing of themselves."""
    cause = error.original_error
    told = error.formatted
    if cause is not None and not isinstance(cause, GraphQLError):
        if isinstance(cause, BadRequest):
            code = "BAD_USER_INPUT"
        elif isinstance(cause, AuthenticationRequired):
            code = cause.status
        elif isinstance(cause, Unsupported):
            code = "NOT_SUPPORTED"
        else:
            code = "INTERNAL_SERVER_ERROR"
        if not isinstance(cause, CommonsError):
            log.error("A GraphQL field failed.", exc_info=cause)
        message = cause.message if isinstance(cause, CommonsError) else "internal server error"
        told = {**told, "message": message}
    return {**told, "extensions": {"code": code}}
