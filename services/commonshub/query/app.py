"""The query service's application."""

from typing import ClassVar

from traitlets import Bool, Integer

from commonshub.core.app import ServiceApplication
from commonshub.core.routing import Route

from .answers import Answers
from .document import Limits
from .handlers import DatasetProjectsHandler, DatasetsHandler, GraphQLHandler, SchemaHandler
from .sql import Tables

_DEFAULTS = Limits()


class QueryApp(ServiceApplication):
    """GraphQL over the graph of records (Gen3: Peregrine)."""

    name = "query"
    prefixes: ClassVar[tuple[str, ...]] = (
        "/api/v0/submission/graphql",
        "/api/v0/submission/getschema",
        "/api/v0/datasets",
    )

    max_query_bytes = Integer(
        _DEFAULTS.max_query_bytes, help="Longest query text, in bytes; variables are not counted."
    ).tag(config=True)
    max_tokens = Integer(_DEFAULTS.max_tokens, help="Most words and signs in a query's text.").tag(config=True)
    max_depth = Integer(_DEFAULTS.max_depth, help="Deepest nesting of fields in a query.").tag(config=True)
    max_fields = Integer(
        _DEFAULTS.max_fields,
        max=1_600,  # PostgreSQL's own limit of columns
        help="Most fields in a query, after its fragments are put in place.",
    ).tag(config=True)
    max_fragments = Integer(_DEFAULTS.max_fragments, help="Most operations and fragments in a query's text.").tag(
        config=True
    )
    max_parts = Integer(
        _DEFAULTS.max_parts, help="Most parameters, table aliases and path steps in a query's SQL statement."
    ).tag(config=True)
    max_errors = Integer(_DEFAULTS.max_errors, help="Most faults of a query that one answer tells.").tag(config=True)
    kept_documents = Integer(
        256, help="Queries that are kept parsed and validated, by their text; the least recently used go first."
    ).tag(config=True)
    public_datasets = Bool(
        False, help="Whether anybody may read how many records each project holds (/api/v0/datasets)."
    ).tag(config=True)

    def routes(self) -> list[Route]:
        """The public paths of this service."""
        return [
            (r"/api/v0/submission/graphql/?", GraphQLHandler),
            (r"/api/v0/submission/getschema/?", SchemaHandler),
            (r"/api/v0/datasets/?", DatasetsHandler),
            (r"/api/v0/datasets/projects/?", DatasetProjectsHandler),
        ]

    async def start_service(self) -> None:
        """Load the dictionary, and make the tables that it needs where they are missing."""
        # On the main thread, as nobody is waiting yet: a thread's memory arena would stay half empty for good.
        from commonshub.core.dictionary import load
        from commonshub.core.graph import Graph, edge_table, node_table

        from .store import tune

        dictionary = load(self.commons.dictionary)
        schema = self.database.settings.graph_schema
        self.database.call(Graph(dictionary, schema).create)
        self.database.engine.dispose()
        tune(self.database.engine)
        limits = Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})
        self.answers = Answers(dictionary, Tables(schema, node_table, edge_table), limits, self.kept_documents)
