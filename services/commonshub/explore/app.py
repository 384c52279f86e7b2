"""The explore service: ``/guppy``."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from traitlets.config import Configurable

from commonshub.core.app import ServiceApplication
from commonshub.core.database import migrate
from commonshub.core.errors import CommonsError
from commonshub.core.graph import CHANNEL as GRAPH_CHANNEL
from commonshub.core.identity import Identity
from commonshub.core.listen import Listener
from commonshub.core.policy import covers
from commonshub.core.routing import Route

from . import accounts, store
from .cache import Once
from .documents import DocumentHandler, DocumentsHandler
from .handlers import DownloadHandler, GraphqlHandler, GuppyStatusHandler, RefreshHandler
from .refresh import Refresher
from .settings import ExploreSettings
from .shelf import Shelf
from .tiers import Caller, Tiers

T = TypeVar("T")

SERVICE = "guppy"
METHOD = "read"


class ExploreApp(ServiceApplication):
    """Flat GraphQL over documents that are built from the graph."""

    name = "explore"
    description = "The explorer of a commons: documents built from the graph, and GraphQL over them."
    prefixes: ClassVar[tuple[str, ...]] = ("/guppy",)
    classes = [*ServiceApplication.classes, ExploreSettings]
    status_handler = GuppyStatusHandler

    def routes(self) -> list[Route]:
        """Guppy's routes."""
        return [
            (r"/guppy/graphql/?", GraphqlHandler),
            (r"/guppy/download/?", DownloadHandler),
            (r"/guppy/documents/?", DocumentsHandler),
            (r"/guppy/documents/(\w+)", DocumentHandler),
            (r"/guppy/_refresh/?", RefreshHandler),
        ]

    def load_settings(self) -> None:
        """Read the settings of the explorer as well."""
        super().load_settings()
        self.settings = ExploreSettings(parent=self)

    async def start_service(self) -> None:
        """Find the active run, follow submissions and new runs."""
        self.schema = self.database.settings.explore_schema
        await asyncio.to_thread(migrate, self.database.engine, self.schema, store.MIGRATIONS, store.HEAD)
        self.shelf = Shelf(self.settings)
        self._tiers = self.settings.tiers
        self.active: store.Active | None = None
        self._threads = ThreadPoolExecutor(self.settings.query_threads, thread_name_prefix="query")
        self._download_threads = ThreadPoolExecutor(self.settings.download_threads, thread_name_prefix="download")
        self.downloads = asyncio.Semaphore(self.settings.downloads_at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self.once = Once()
        await self.find_active()
        self.refresher = Refresher(self.settings, self._passed())
        self.accounts = accounts.watcher(self.database)
        self._listeners = [
            Listener(self.database, GRAPH_CHANNEL, lambda _: self.refresher.notify()),
            Listener(self.database, store.CHANNEL, lambda _: self._follow_active()),
        ]
        for listener in self._listeners:
            await listener.start()
        await self.accounts.start()
        self.refresher.start()

    async def stop_service(self) -> None:
        """End a build that is running, and close the index."""
        for listener in self._listeners:
            await listener.stop()
        await self.accounts.stop()
        await self.refresher.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in (self._threads, self._download_threads):
            threads.shutdown(wait=False, cancel_futures=True)
        self.shelf.close()

    def _passed(self) -> dict[str, Any]:
        """The settings that a build needs, as traitlets configuration."""
        parts: list[Configurable] = [self.commons, self.database.settings, self.storage_settings, self.settings]
        return {
            type(part).__name__: {name: getattr(part, name) for name in part.trait_names(config=True)} for part in parts
        }

    def _follow_active(self) -> None:
        task = asyncio.get_running_loop().create_task(self._find_active_again())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def find_active(self) -> None:
        """Use the run that is active now."""
        self.active = await self.database.run(store.active, self.schema)
        self.shelf.wanted = self.active.id if self.active else None
        if self.shelf.used:
            await self.query(self.shelf.current)

    async def _find_active_again(self) -> None:
        try:
            await self.find_active()
        except CommonsError as error:
            # The listener calls again when the database is back; a query reports a missing file by itself.
            self.log.warning("The new index is not in use yet: %s", error.message)

    async def query(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run something that reads the index on a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*arguments))

    async def download(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a step of a download on a thread that no query waits for: to sort or to write all rows takes long."""
        return await asyncio.get_running_loop().run_in_executor(self._download_threads, lambda: function(*arguments))

    def caller(self, identity: Identity, paths: frozenset[str]) -> Caller:
        """What the caller may learn of an index with these resource paths."""
        return _caller(self._tiers, tuple(self.policy.prefixes(identity, SERVICE, METHOD)), paths)


@lru_cache(maxsize=200)
def _caller(tiers: Tiers, prefixes: tuple[str, ...], paths: frozenset[str]) -> Caller:
    held = frozenset(path for path in paths if covers(prefixes, path)) if prefixes else frozenset()
    return Caller(tiers, held, whole=held == paths)
