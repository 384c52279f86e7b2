"""The index service: routes and start."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from traitlets import Integer, Unicode

from commonshub.core.app import ServiceApplication
from commonshub.core.batches import Batches
from commonshub.core.buckets import Buckets
from commonshub.core.database import migrate
from commonshub.core.downloads import Downloads
from commonshub.core.routing import Route
from commonshub.core.storage import Storage
from commonshub.core.uploads import Uploads

from . import administration, bulk, compounds, ga4gh, handlers, legacy, mds, notices, queries, store
from .ahead import Ahead, Page
from .blobs import BlobSettings, Worker
from .creations import Creations
from .drs import CLOUDS, Site
from .filters import Filter
from .pages import Pages
from .passports.clearinghouse import Clearinghouse
from .passports.settings import PassportSettings
from .reads import Reads
from .registration import Registration
from .rooms import Room
from .sweeper import Sweeper

HEAD = "0008"
MIGRATIONS = Path(__file__).parent / "migrations"


class IndexApp(ServiceApplication):
    """Records of data objects, as indexd and GA4GH DRS serve them, and the worker that verifies uploads."""

    name = "index"
    prefixes: ClassVar[tuple[str, ...]] = ("/index", "/ga4gh/drs", "/mds", "/mds-admin")
    status_handler = mds.StatusHandler
    classes = [*ServiceApplication.classes, BlobSettings, PassportSettings]

    max_record_bytes = Integer(
        4 * 2**20,
        min=1024,
        help="Longest JSON that creates or changes one record, or one entry of metadata, in bytes. A larger one could "
        "fill an answer alone (max_answer_bytes), and nobody would get past it in a list.",
    ).tag(config=True)

    max_list_limit = Integer(1024, help="Largest `limit` of a list, in records.").tag(config=True)

    max_bulk_guids = Integer(10_000, help="Most GUIDs in one POST /index/bulk/documents.").tag(config=True)

    max_bulk_records = Integer(10_000, help="Most records that one bulk request creates, updates and deletes.").tag(
        config=True
    )

    max_bulk_hashes = Integer(10_000, help="Most hashes in one POST /index/bulk/hashes.").tag(config=True)

    max_answer_bytes = Integer(
        64 * 2**20, min=1, help="Longest list of records, or of metadata, in one answer, in bytes."
    ).tag(config=True)

    create_batch = Integer(64, min=1, help="Most single creations that share one transaction.").tag(config=True)

    create_batches = Integer(
        2, min=1, help="Transactions with creations that one process has open at the same time; the others wait."
    ).tag(config=True)

    max_batched_bytes = Integer(
        65_536, help="A creation with a larger body gets a transaction of its own, so that others need not wait for it."
    ).tag(config=True)

    max_url_records = Integer(10_000, help="Largest `limit` of GET /index/_query/urls/q, in records.").tag(config=True)

    max_minted_guids = Integer(10_000, help="Most GUIDs in one GET /index/guid/mint.").tag(config=True)

    max_bundle_members = Integer(10_000, help="Most members of one bundle.").tag(config=True)

    max_bundle_entries = Integer(
        100_000, help="Most entries in one answer about a bundle, all levels of `expand` together."
    ).tag(config=True)

    event_secret_file = Unicode(
        help="File (mode 0600) with the secret, of 16 characters or more, that object stores send with events of their "
        "buckets to `/index/events`; several, one a line, are all good. Empty: no events are taken."
    ).tag(config=True)

    max_event_bytes = Integer(2**20, help="Largest body of `POST /index/events`, in bytes.").tag(config=True)

    max_drs_bulk = Integer(1000, help="Most objects in one bulk request of DRS (maxBulkRequestLength).").tag(
        config=True
    )

    max_metadata = Integer(
        2000, help="Largest `limit` of GET /mds/metadata, in entries; a larger one is taken for it."
    ).tag(config=True)

    max_metadata_batch = Integer(10_000, help="Most entries in one POST /mds-admin/metadata.").tag(config=True)

    max_pages_ahead = Integer(
        8, min=0, help="Pages of lists that one process reads before they are asked for, two for each who reads on."
    ).tag(config=True)

    pages_ahead_s = Integer(
        2, min=0, help="How long such a page is kept; also, how long none is read after one was of no use. Seconds."
    ).tag(config=True)

    read_batch = Integer(
        64, min=1, help="Most reads of single records that share one statement; those that arrive together do."
    ).tag(config=True)

    read_batches = Integer(
        2, min=1, help="Statements with reads of single records that one process runs at the same time."
    ).tag(config=True)

    max_known_pages = Integer(
        10_000, min=0, help="Beginnings of pages that one process remembers, so that `page=` far on is no slower."
    ).tag(config=True)

    known_pages_s = Integer(
        60, min=0, help="How long the beginning of a page is remembered, in seconds; 0: count at every page."
    ).tag(config=True)

    @cached_property
    def site(self) -> Site:
        """What DRS objects say of this commons."""
        clouds = {scheme: cloud for scheme, cloud in CLOUDS.items() if scheme != "s3" or not self.foreign_store}
        return Site(urlsplit(self.commons.origin).netloc, self.commons.issuer, clouds, self.region_of)

    def region_of(self, bucket: str) -> str:
        """Region of an S3 bucket of this commons; empty where nobody has said."""
        storage = self.downloads.storage
        if bucket not in storage.buckets:
            return ""
        told = storage.settings.stores.get(bucket, {})
        store = storage.store(bucket)
        # Another store than Amazon's has the default region for its signatures only.
        return store.region if "region" in told or not store.endpoint_url else ""

    @property
    def foreign_store(self) -> bool:
        """Whether S3 is somebody else's than Amazon's."""
        return bool(self.storage_settings.endpoint_url)

    @property
    def schema(self) -> str:
        """PostgreSQL schema of the index."""
        return str(self.database.settings.index_schema)

    @property
    def kept_credentials(self) -> Path:
        """Folder with the credentials of buckets that were sent over HTTP."""
        return self.commons.secrets / "buckets"

    def prepare_database(self) -> None:
        """Bring the tables up to date."""
        migrate(self.database.engine, self.schema, MIGRATIONS, HEAD)

    async def start_service(self) -> None:
        """Bring the tables up to date and start the worker."""
        await asyncio.to_thread(self.prepare_database)
        self.buckets = Buckets(self.database, self.storage_settings)
        await self.buckets.start()
        self.registration = Registration(self.database, self.storage_settings, self.kept_credentials)
        await self.registration.sweep()
        await self.tell_of_old_tables()
        storage = Storage(self.storage_settings)
        prefix, most, at_once = self.commons.guid_prefix, self.read_batch, self.read_batches
        self.reads = Reads(self.database, self.schema, prefix=prefix, most=most, at_once=at_once)
        self.totals = Batches(self._count, most, 1)
        self.pages = Pages(self.max_known_pages, self.known_pages_s)
        self.ahead = Ahead(self._list, self._turn, self._view, self.max_pages_ahead, self.pages_ahead_s)
        self.downloads = Downloads(self.database, storage, prefix)
        self.uploads = Uploads(self.downloads)
        self.creations = Creations(
            self.database, self.schema, self.commons.guid_prefix, most=self.create_batch, at_once=self.create_batches
        )
        passports = PassportSettings(parent=self)
        self.clearinghouse = Clearinghouse(passports) if passports.enabled else None
        blobs = BlobSettings(parent=self)
        self.worker = Worker(self.database, self.schema, storage, blobs)
        await self.worker.start()
        self.sweeper = Sweeper(self.database, self.schema, storage, blobs)
        self.sweeper.start()

    async def tell_of_old_tables(self) -> None:
        """Say so where an older indexd's records are beside ours, which would be empty without a conversion."""
        if await self.database.run(legacy.waiting, self.schema):
            self.log.warning(
                "Schema %s has records of an older indexd and none of this index; they are not served before "
                "`commonshub index convert --from %s`.",
                *[self.schema] * 2,
            )

    async def _list(self, wanted: Filter) -> Page:
        room = Room(self.max_answer_bytes, handlers.FEWER)
        return await self.database.read(store.listing, self.schema, wanted, room, prefix=self.commons.guid_prefix)

    async def _turn(self, wanted: Filter) -> str | None:
        return await self.database.read(store.turn, self.schema, wanted)

    async def _view(self) -> str:
        return await self.database.read(store.view)

    async def _count(self, moments: Sequence[datetime | None]) -> list[store.Totals]:
        """What there is in all, or was before a moment. To count takes a while, so one count runs at a time."""
        found = {each: await self.database.read(store.totals, self.schema, each) for each in dict.fromkeys(moments)}
        return [found[each] for each in moments]

    async def stop_service(self) -> None:
        """Leave unfinished uploads and deletions to the next process."""
        await self.ahead.close()
        await self.sweeper.stop()
        await self.worker.stop()
        self.registration.close()
        self.uploads.close()
        await self.buckets.stop()
        if self.clearinghouse:
            self.clearinghouse.close()

    def routes(self) -> list[Route]:
        """Routes whose paths end in a word come before those that end in a GUID, because a GUID may hold slashes."""
        return [
            (r"/index/index/?", handlers.RecordsHandler),
            (r"/index/index/blank/?", handlers.BlanksHandler),
            (r"/index/index/blank/(.+?)/?", handlers.BlankHandler),
            (r"/index/index/(.+)/versions/?", handlers.VersionsHandler),
            (r"/index/index/(.+)/latest/?", handlers.LatestHandler),
            (r"/index/index/(.+)/blob/?", handlers.BlobHandler),
            (r"/index/index/(.+)/aliases/?", handlers.AliasesHandler),
            (r"/index/index/(.+)/aliases/(.+?)/?", handlers.AliasHandler),
            (r"/index/index/(.+?)/?", handlers.RecordHandler),
            (r"/index/bulk/documents/?", queries.DocumentsHandler),
            (r"/index/bulk/records/?", bulk.BulkHandler),
            (r"/index/bulk/hashes/?", bulk.HashesHandler),
            (r"/index/buckets/?", administration.BucketsHandler),
            (r"/index/buckets/([^/]+?)/?", administration.BucketHandler),
            (r"/index/events/?", notices.EventsHandler),
            (r"/index/urls/?", queries.UrlsHandler),
            (r"/index/_query/urls/q/?", queries.UrlQueryHandler),
            (r"/index/_query/urls/metadata/q/?", queries.UrlMetadataQueryHandler),
            (r"/index/_stats/?", queries.StatsHandler),
            (r"/index/_dist/?", queries.DistHandler),
            (r"/index/guid/mint/?", queries.MintHandler),
            (r"/index/guid/prefix/?", queries.PrefixHandler),
            (r"/index/bundle/?", compounds.BundlesHandler),
            (r"/index/bundle/(.+?)/?", compounds.BundleHandler),
            (r"/index/alias/(.+)", queries.OldAliasHandler),
            (r"/index/(.+?)/?", handlers.AnyHandler),
            (r"/ga4gh/drs/v1/service-info/?", ga4gh.ServiceInfoHandler),
            (r"/ga4gh/drs/v1/objects/?", ga4gh.ObjectsHandler),
            (r"/ga4gh/drs/v1/objects/access/?", ga4gh.BulkAccessHandler),
            (r"/ga4gh/drs/v1/objects/(.+)/access/([^/]+)/?", ga4gh.AccessHandler),
            (r"/ga4gh/drs/v1/objects/(.+)/access/?", ga4gh.NoAccessHandler),
            (r"/ga4gh/drs/v1/objects/(.+?)/?", ga4gh.ObjectHandler),
            *mds.ROUTES,
        ]
