"""All that is derived from one dictionary: its schema, the documents checked against it, and the plans."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
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
from .sql import GraphTables, Tables
from .table import Table, table_of

KEPT_CONSTANTS = 4
"""Answers without data that are kept; one of them can have megabytes."""

TOKENS_OF_A_TYPE = 60
"""Words and signs of a query that each node type allows for: Gen3's portal has 40 to draw a project's model."""


class Answers:
    """Turns queries into plans; safe to use from several threads.

    Parameters
    ----------
    kept
        Documents to keep parsed and validated.
    """

    def __init__(self, dictionary: Dictionary, tables: GraphTables, limits: Limits, kept: int) -> None:
        self.dictionary = dictionary
        self.tables = tables
        self.limits = replace(limits, max_tokens=max(limits.max_tokens, TOKENS_OF_A_TYPE * len(dictionary.nodes)))
        self.schema = build(dictionary)
        self.documents = Documents(self.schema, self.limits, kept)
        self._planner = Planner(dictionary, tables, Paths(dictionary), self.limits)
        self._lock = threading.Lock()
        self._introspection: bytes | None = None
        self._constants: OrderedDict[tuple[str, str | None], Plan] = OrderedDict()

    def plan(
        self,
        text: str,
        variables: Mapping[str, Any],
        name: str | None,
        scope: Scope,
        tables: Tables | None = None,
        *,
        by_rows: bool = False,
    ) -> Plan:
        """The plan of a query for a caller who may read `scope`.

        Parameters
        ----------
        tables
            What to read in place of the graph.
        by_rows
            As :meth:`.planner.Planner.plan`.

        Raises
        ------
        Invalid, TooLarge
            The query breaks the grammar, the schema or a limit.
        """
        known = self._constants.get((text, name))
        if known is not None:
            return known
        operation = self.documents.operation(text, variables, name)
        selection = select(self.schema, operation, self.limits)
        planner = replace(self._planner, tables=tables) if tables else self._planner
        plan = planner.plan(
            selection,
            scope,
            lambda field: constants.answer(self.schema, self.dictionary, operation, field),
            by_rows=by_rows,
        )
        if plan.statement is None and not operation.definition.variable_definitions:
            self._keep((text, name), plan)
        return plan

    def table(self, text: str, variables: Mapping[str, Any], name: str | None) -> Table:
        """The table that the answer to a query makes.

        Raises
        ------
        Invalid, TooLarge
            As :meth:`plan`.
        BadRequest
            It makes none.
        """
        operation = self.documents.operation(text, variables, name)
        return table_of(self.schema, self.dictionary, select(self.schema, operation, self.limits))

    def _keep(self, asked: tuple[str, str | None], plan: Plan) -> None:
        """Keep a plan that depends on nothing but the text and the operation of it: introspection takes long."""
        with self._lock:
            self._constants[asked] = plan
            if len(self._constants) > KEPT_CONSTANTS:
                self._constants.popitem(last=False)

    def introspection(self) -> bytes:
        """The answer to the standard introspection query, computed once."""
        with self._lock:
            if self._introspection is None:
                self._introspection = orjson.dumps({"data": introspection_from_schema(self.schema)})
            return self._introspection
