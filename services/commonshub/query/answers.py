"""All that is derived from one dictionary: its schema, the documents checked against it, and the plans."""

import threading
from collections.abc import Mapping
from typing import Any

import orjson
from graphql import introspection_from_schema

from commonshub.core.dictionary import Dictionary

from . import constants
from .document import Documents, Limits
from .paths import Paths
from .planner import Plan, Planner
from .schema import build
from .scope import Scope
from .selection import select
from .sql import Tables


class Answers:
    """Turns queries into plans; safe to use from several threads.

    Parameters
    ----------
    kept
        Documents to keep parsed and validated.
    """

    def __init__(self, dictionary: Dictionary, tables: Tables, limits: Limits, kept: int) -> None:
        self.dictionary = dictionary
        self.tables = tables
        self.limits = limits
        self.schema = build(dictionary)
        self.documents = Documents(self.schema, limits, kept)
        self._planner = Planner(dictionary, tables, Paths(dictionary))
        self._lock = threading.Lock()
        self._introspection: bytes | None = None

    def plan(self, text: str, variables: Mapping[str, Any], name: str | None, scope: Scope) -> Plan:
        """The plan of a query for a caller who may read `scope`.

        Raises
        ------
        Invalid, TooLarge
            The query breaks the grammar, the schema or a limit.
        """
        operation = self.documents.operation(text, variables, name)
        selection = select(self.schema, operation, self.limits)
        return self._planner.plan(
            selection, scope, lambda field: constants.answer(self.schema, self.dictionary, operation, field)
        )

    def introspection(self) -> bytes:
        """The answer to the standard introspection query, computed once."""
        with self._lock:
            if self._introspection is None:
                self._introspection = orjson.dumps({"data": introspection_from_schema(self.schema)})
            return self._introspection
