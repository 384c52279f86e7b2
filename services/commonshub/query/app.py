"""The query service's application."""

import asyncio
from typing import TYPE_CHECKING, ClassVar

from traitlets import Bool, Integer

from commonshub.core.app import ServiceApplication
from commonshub.core.routing import Route

from .answers import Answers
from .document import Limits
from .handlers import CoreMetadataHandler, DatasetProjectsHandler, DatasetsHandler, GraphQLHandler, SchemaHandler
from .sql import GraphTables

if TYPE_CHECKING:
    from commonshub.core.dictionary import Dictionary
    from commonshub.core.versions import Version

_DEFAULTS = Limits()


class QueryApp(ServiceApplication):
    """GraphQL over the graph of records (Gen3: Peregrine)."""

    name = "query"
    prefixes: ClassVar[tuple[str, ...]] = (
        "/api/v0/submission/graphql",
        "/api/v0/submission/getschema",
        "/api/v0/datasets",
        "/api/v0/coremetadata",
        "/coremetadata",
    )

    max_request_bytes = Integer(
        8 * 2**20, help="Longest request, in bytes: a query with its variables, or a list of them."
    ).tag(config=True)
    max_query_bytes = Integer(
        _DEFAULTS.max_query_bytes, help="Longest query text, in bytes; variables are not counted."
    ).tag(config=True)
    max_tokens = Integer(
        _DEFAULTS.max_tokens,
        help="Most words, signs and comments in a query's text. It bounds the time that a faulty query may take to be "
        "refused. A dictionary of more than 50 node types raises it by 60 for each: Gen3's portal asks for all.",
    ).tag(config=True)
    max_argument_tokens = Integer(
        _DEFAULTS.max_argument_tokens, help="Most words and signs in the arguments of one field."
    ).tag(config=True)
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
    max_filter_depth = Integer(
        _DEFAULTS.max_filter_depth,
        max=16,  # what a text of the deepest nesting can hold
        help="Deepest nesting of and, or and not in an argument filter.",
    ).tag(config=True)
    max_buckets = Integer(_DEFAULTS.max_buckets, min=1, help="Most buckets of one histogram of an aggregation.").tag(
        config=True
    )
    max_answer_bytes = Integer(
        _DEFAULTS.max_answer_bytes,
        min=1,
        max=2**30,  # what PostgreSQL can hold
        help="Largest answer that is made as a whole, in bytes, or all of a batch, or item of a long list. The service "
        "holds it some times over.",
    ).tag(config=True)
    max_errors = Integer(_DEFAULTS.max_errors, help="Most faults of a query that one answer tells.").tag(config=True)
    max_batch = Integer(50, min=1, help="Most queries that one request asks, as a list.").tag(config=True)
    streams_at_once = Integer(
        2, min=1, help="Long lists that are sent at the same time; fewer than DatabaseSettings.pool_size."
    ).tag(config=True)
    max_stream_s = Integer(
        600, min=1, help="Time that a long list may take to be sent, in seconds; meanwhile it holds a connection."
    ).tag(config=True)
    packed_at_once = Integer(
        2, min=1, help="Tables in Parquet that are written at the same time, each by a process of its own; others wait."
    ).tag(config=True)
    kept_documents = Integer(
        256, help="Queries that are kept parsed and validated, by their text; the least recently used go first."
    ).tag(config=True)
    public_datasets = Bool(
        False, help="Whether anybody may read how many records each project holds (/api/v0/datasets)."
    ).tag(config=True)

    @property
    def max_body_bytes(self) -> int:
        """Largest request body that this service accepts."""
        return min(self.max_request_bytes, self.commons.max_body_bytes)

    def routes(self) -> list[Route]:
        """The public paths of this service."""
        return [
            (r"/api/v0/submission/graphql/?", GraphQLHandler),
            (r"/api/v0/submission/getschema/?", SchemaHandler),
            (r"/api/v0/datasets/?", DatasetsHandler),
            (r"/api/v0/datasets/projects/?", DatasetProjectsHandler),
            (r"/api/v0/coremetadata/(.+)", CoreMetadataHandler),
            (r"/coremetadata/(.+)", CoreMetadataHandler),
        ]

    async def start_service(self) -> None:
        """Find the dictionary in force, and make the tables that it needs where they are missing."""
        # On the main thread, as nobody is waiting yet: a thread's memory arena would stay half empty for good.
        from commonshub.core import versions
        from commonshub.core.follower import Follower
        from commonshub.core.releases import Releases

        from .releases import Shelf
        from .store import tune

        self.streams = asyncio.Semaphore(self.streams_at_once)
        self.packing = asyncio.Semaphore(self.packed_at_once)
        version = versions.start(self.database, self.commons.dictionary)
        releases = Releases(self.database.settings.release_schema)
        self.database.call(releases.create)
        self.database.engine.dispose()
        tune(self.database.engine)
        self.answers = self._answers(version.dictionary)
        self.shelf = Shelf(self.database, releases, self._answers)
        self._follower = Follower(self.database, version, self._use)
        await self._follower.start()

    async def stop_service(self) -> None:
        """Follow the dictionary no more."""
        await self._follower.stop()

    async def _use(self, version: "Version") -> None:
        self.answers = await asyncio.to_thread(self._answers, version.dictionary)

    def _answers(self, dictionary: "Dictionary") -> Answers:
        from commonshub.core.graph import edge_table, node_table

        limits = Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})
        tables = GraphTables(self.database.settings.graph_schema, node_table, edge_table)
        return Answers(dictionary, tables, limits, self.kept_documents)
