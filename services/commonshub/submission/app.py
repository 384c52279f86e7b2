"""The submission service."""

import asyncio
from functools import partial
from typing import ClassVar

from traitlets import Bool, Float, Integer, Unicode

from ..core import versions
from ..core.app import ServiceApplication
from ..core.archive import Archive
from ..core.buckets import Buckets
from ..core.dictionary import Dictionary
from ..core.follower import Follower
from ..core.graph import Graph
from ..core.releases import Releases
from ..core.routing import Route
from ..core.storage import Storage
from ..core.versions import Version
from . import dictionaries, handlers, manifests, readers, releases, resumable, submitting, transactions
from .documents import Limits, read
from .jobs import Jobs, JobSettings
from .lifecycle import STEPS
from .model import Model
from .projects import Roots
from .store import Store
from .transaction import Sizes, Tools
from .uploads import Uploads
from .validate import Checkers

PREFIX = "/api/v0/submission"


class SubmissionApp(ServiceApplication):
    """Programs, projects and records of a commons."""

    name = Unicode("submission")
    prefixes: ClassVar[tuple[str, ...]] = (PREFIX,)
    version_handler = readers.DataVersionHandler
    closing = False
    previewing = False

    export_page_rows = Integer(5000, help="Records that an export reads from the database at a time.").tag(config=True)

    packed_at_once = Integer(
        2, min=1, help="Workbooks, exports with children and diffs that are written at the same time; others wait."
    ).tag(config=True)

    require_file_index_exists = Bool(
        False,
        help="Refuse file records whose data object the index does not know yet, instead of making its record.",
    ).tag(config=True)

    max_export_ids = Integer(10_000, help="Ids that one request may ask for or delete.").tag(config=True)

    max_retries = Integer(
        6, help="How often a submission is tried again that another one, running at the same time, got in the way of."
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

    memory_bytes = Integer(
        2**20,
        help="Longest body, in bytes, that is kept in memory; a longer one goes to a file, as a large submission.",
    ).tag(config=True)

    chunk_records = Integer(
        4000, min=1, help="Records of a submission that are worked on at a time; all of them are in one transaction."
    ).tag(config=True)

    max_told_records = Integer(
        10_000, help="Records that an answer tells of; where there are more, it has counts and faults."
    ).tag(config=True)

    max_told_faults = Integer(
        1000, help="Faulty records that an answer tells of, where it does not tell of all records."
    ).tag(config=True)

    large_at_once = Integer(
        2, min=1, help="Large submissions that are worked on at the same time; fewer than DatabaseSettings.pool_size."
    ).tag(config=True)

    max_large_of_user = Integer(20, help="Large submissions of one user that may wait or run at a time.").tag(
        config=True
    )

    large_timeout_s = Integer(
        3600, help="Time that a statement of a large submission or export may take, in seconds."
    ).tag(config=True)

    project_wait_s = Float(
        5, help="How long a step or the end of a project waits for submissions that are under way to it, in seconds."
    ).tag(config=True)

    report_s = Float(1, help="How often is told how far a large submission is, in seconds.").tag(config=True)

    lapse_s = Float(
        20, help="Time without a report after which a large submission is taken to be abandoned, in seconds."
    ).tag(config=True)

    upload_expiry_s = Integer(
        24 * 3600, min=60, help="Time without a new byte after which a resumable upload is given up, in seconds."
    ).tag(config=True)

    max_uploads = Integer(10, help="Resumable uploads that one user may have at a time.").tag(config=True)

    max_dictionary_bytes = Integer(16 * 2**20, help="Longest dictionary that is sent, in bytes.").tag(config=True)

    max_previewed_records = Integer(
        100, help="Records of one node type that the preview of a dictionary names as no longer valid; it counts all."
    ).tag(config=True)

    dictionary_wait_s = Float(
        10,
        min=0.01,
        help="Time that applying a dictionary waits for submissions under way, in seconds; others wait meanwhile.",
    ).tag(config=True)

    def routes(self) -> list[Route]:
        """Fixed words first: what is left is a program or a project."""
        project = rf"{PREFIX}/([^/]+)/([^/]+)"
        return [
            (rf"{PREFIX}/?", handlers.RootHandler),
            (rf"{PREFIX}/_dictionary/?", dictionaries.ApplyHandler),
            (rf"{PREFIX}/_dictionary/_preview/?", dictionaries.PreviewHandler),
            (rf"{PREFIX}/_dictionary/_versions/?", dictionaries.VersionsHandler),
            (rf"{PREFIX}/_dictionary(?:/([^/]+))?/?", readers.DictionaryHandler),
            (rf"{PREFIX}/template(?:/([^/]+))?/?", readers.TemplateHandler),
            (rf"{PREFIX}/validation/upload_manifest/?", manifests.ValidationHandler),
            (rf"{PREFIX}/admin/([^/]+)/([^/]+)/files/([^/]+)/reassign/?", manifests.FilesHandler),
            (rf"{PREFIX}/admin/([^/]+)/([^/]+)/entities/([^/]+)/to_delete/([^/]+)/?", handlers.MarkHandler),
            (rf"{project}/files/([^/]+)(?:/_dry_run)?/?", manifests.FilesHandler),
            (rf"{project}/xml/(?:biospecimen|clinical)/bcr(?:/_dry_run)?/?", manifests.XmlHandler),
            (rf"{project}/_dictionary(?:/([^/]+))?/?", readers.ProjectDictionaryHandler),
            (rf"{project}/template(?:/([^/]+))?/?", readers.ProjectTemplateHandler),
            (rf"{project}/entities/_dry_run/(.+?)/?", handlers.EntitiesDryRunHandler),
            (rf"{project}/entities/(.+?)/?", handlers.EntitiesHandler),
            (rf"{project}/export/?", readers.ExportHandler),
            (rf"{project}/(?:upload_)?manifest/?", manifests.ManifestHandler),
            (rf"{project}/transactions/([0-9]{{1,9}})/commit/?", transactions.CommitHandler),
            (rf"{project}/transactions/([0-9]{{1,9}})/close/?", transactions.CloseHandler),
            (rf"{project}/uploads/?", resumable.UploadsHandler),
            (rf"{project}/uploads/([^/]+)/?", resumable.UploadHandler),
            (rf"{project}/transactions/([0-9]{{1,9}})/?", transactions.TransactionHandler),
            (rf"{project}/releases/?", releases.ReleasesHandler),
            (rf"{project}/releases/([^/]+)/?", releases.ReleaseHandler),
            (rf"{project}/releases/([^/]+)/export/?", releases.ReleaseExportHandler),
            (rf"{project}/releases/([^/]+)/diff/?", releases.ReleaseDiffHandler),
            (rf"{project}/({'|'.join(STEPS)})(/_dry_run)?/?", handlers.StepHandler),
            (rf"{project}/bulk/_dry_run/?", submitting.BulkDryRunHandler),
            (rf"{project}/bulk/?", submitting.BulkHandler),
            (rf"{project}/_dry_run/?", submitting.DryRunHandler),
            (rf"{project}/?", submitting.ProjectHandler),
            (rf"{PREFIX}/([^/]+)/?", handlers.ProgramHandler),
        ]

    async def start_service(self) -> None:
        """Find the dictionary in force, and make the tables that are missing."""
        version = versions.start(self.database, self.commons.dictionary)
        self.buckets = Buckets(self.database, self.storage_settings)
        await self.buckets.start()
        self.storage = Storage(self.storage_settings)
        self.releases = Releases(self.database.settings.release_schema)
        await self.database.run(self.releases.create)
        self.archive: Archive[Dictionary] = Archive(self.database, lambda dictionary: dictionary)
        self.model = self._model(version)
        self.job_settings = JobSettings(
            folder=self.commons.path / "submissions",
            tries=self.max_retries,
            of_user=self.max_large_of_user,
            at_once=self.large_at_once,
            report_s=self.report_s,
            lapse_s=self.lapse_s,
        )
        self.packing = asyncio.Semaphore(self.packed_at_once)
        self.uploads = Uploads(self.job_settings.folder, self.upload_expiry_s, self.max_uploads)
        self.jobs = Jobs(self.database, self.model, self.renew, self.uploads, self.job_settings)
        self.follower = Follower(self.database, version, self._use)
        await self.follower.start()
        self.jobs.begin()

    async def renew(self) -> Model:
        """The data model in force, which is used from now on."""
        await self.follower.refresh()
        return self.model

    async def _use(self, version: Version) -> None:
        self.model = await asyncio.to_thread(self._model, version)
        self.jobs.use(self.model)

    def _model(self, version: Version) -> Model:
        settings, nodes = self.database.settings, version.dictionary.nodes
        graph = Graph(version.dictionary, settings.graph_schema)
        limits = Limits(self.max_cell_chars, self.max_workbook_bytes, self.max_workbook_cells)
        sizes = Sizes(self.chunk_records, self.max_told_records, self.max_told_faults, self.large_timeout_s)
        store, checkers = Store(graph, version.number), Checkers(nodes)
        return Model(
            number=version.number,
            dictionary=version.dictionary,
            read=partial(read, nodes=nodes, limits=limits),
            tools=Tools(
                store,
                checkers,
                settings.index_schema,
                self.storage,
                self.commons.guid_prefix,
                sizes,
                self.require_file_index_exists,
            ),
            roots=Roots(store, checkers, self.releases, settings.auth_schema, self.project_wait_s),
        )

    async def close(self) -> None:
        """Send away who follows a transaction, then stop as every service does."""
        self.closing = True
        await super().close()

    async def stop_service(self) -> None:
        """End large submissions, and follow dictionary and registered buckets no more."""
        await self.jobs.stop()
        await self.follower.stop()
        await self.buckets.stop()
