"""The submission service."""

import gc
from typing import ClassVar

from traitlets import Integer, Unicode

from ..core.app import ServiceApplication
from ..core.buckets import Buckets
from ..core.dictionary import load
from ..core.graph import Graph
from ..core.routing import Route
from ..core.storage import Storage
from . import handlers, readers
from .documents import Limits
from .projects import Roots
from .store import Store
from .transaction import Tools
from .validate import Checkers

PREFIX = "/api/v0/submission"


class SubmissionApp(ServiceApplication):
    """Programs, projects and records of a commons."""

    name = Unicode("submission")
    prefixes: ClassVar[tuple[str, ...]] = (PREFIX,)

    export_page_rows = Integer(2000, help="Records that an export reads from the database at a time.").tag(config=True)

    max_export_ids = Integer(10_000, help="Ids that one request may ask for or delete.").tag(config=True)

    max_retries = Integer(
        3, help="How often a submission is tried again that another one, running at the same time, got in the way of."
    ).tag(config=True)

    max_cell_chars = Integer(
        131_072, help="Longest cell of a table, and longest text of a JSON document, in characters."
    ).tag(config=True)

    max_workbook_bytes = Integer(
        128 * 2**20, help="Longest workbook (.xlsx) that is read, in bytes of its unzipped parts."
    ).tag(config=True)

    max_workbook_cells = Integer(
        5_000_000, help="Most cells of a workbook (.xlsx) that is read, those without a value included."
    ).tag(config=True)

    def routes(self) -> list[Route]:
        """Fixed words first: what is left is a program or a project."""
        project = rf"{PREFIX}/([^/]+)/([^/]+)"
        return [
            (rf"{PREFIX}/?", handlers.RootHandler),
            (rf"{PREFIX}/_dictionary(?:/([^/]+))?/?", readers.DictionaryHandler),
            (rf"{PREFIX}/template(?:/([^/]+))?/?", readers.TemplateHandler),
            (rf"{project}/_dictionary(?:/([^/]+))?/?", readers.ProjectDictionaryHandler),
            (rf"{project}/template(?:/([^/]+))?/?", readers.ProjectTemplateHandler),
            (rf"{project}/entities/_dry_run/(.+?)/?", handlers.EntitiesDryRunHandler),
            (rf"{project}/entities/(.+?)/?", handlers.EntitiesHandler),
            (rf"{project}/export/?", readers.ExportHandler),
            (rf"{project}/(?:upload_)?manifest/?", readers.ManifestHandler),
            (rf"{project}/transactions/([0-9]{{1,9}})/commit/?", handlers.CommitHandler),
            (rf"{project}/transactions/([0-9]{{1,9}})/close/?", handlers.CloseHandler),
            (rf"{project}/open/?", handlers.OpenHandler),
            (rf"{project}/_dry_run/?", handlers.DryRunHandler),
            (rf"{project}/?", handlers.ProjectHandler),
            (rf"{PREFIX}/([^/]+)/?", handlers.ProgramHandler),
        ]

    async def start_service(self) -> None:
        """Load the dictionary and make the tables that are missing."""
        settings = self.database.settings
        self.dictionary = load(self.commons.dictionary)
        graph = Graph(self.dictionary, settings.graph_schema)
        made = await self.database.run(graph.create)
        if made:
            self.log.info("Made %d tables and indexes of the graph.", len(made))
        store, checkers = Store(graph), Checkers(self.dictionary.nodes)
        self.buckets = Buckets(self.database, self.storage_settings)
        await self.buckets.start()
        storage = Storage(self.storage_settings)
        self.read_limits = Limits(self.max_cell_chars, self.max_workbook_bytes, self.max_workbook_cells)
        self.tools = Tools(store, checkers, settings.index_schema, storage, self.commons.guid_prefix)
        self.roots = Roots(store, checkers, settings.auth_schema)

    async def stop_service(self) -> None:
        """Follow the registered buckets no more."""
        await self.buckets.stop()

    def start(self) -> None:
        """Run until stopped."""
        # Modules stay for good: the collector, which every large submission wakes, need not look at them again.
        gc.freeze()
        super().start()
