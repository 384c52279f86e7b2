"""HTTP of the documents as data: what there is as Parquet, and a URL to fetch it from."""

from commonshub.core.errors import NotFound
from commonshub.core.storage import Storage

from . import store
from .handlers import ExploreHandler
from .publishing import location_of


class DocumentsHandler(ExploreHandler):
    """``GET /guppy/documents``: the document types of which the caller may read every document."""

    async def get(self) -> None:
        run, sizes = await self.readable()
        documents = [{"type": name, "bytes": size} for name, size in sizes.items()]
        self.reply({"run": run, "format": "parquet", "documents": documents})

    async def readable(self) -> tuple[int | None, dict[str, int]]:
        """The run that answers now, and the sizes of its files that the caller may have."""
        index = await self.index()
        if index.reader is None:
            return None, {}
        sizes = await self.explore.database.run(store.parquet, self.explore.schema, index.reader.run.id)
        caller = self.caller(index)
        allowed = {name: size for name, size in (sizes or {}).items() if caller.may_read_all(name)}
        return index.reader.run.id, allowed


class DocumentHandler(DocumentsHandler):
    """``GET /guppy/documents/TYPE``: a URL to fetch one of them from."""

    async def get(self, name: str) -> None:  # type: ignore[override]
        run, sizes = await self.readable()
        if run is None or name not in sizes:
            # The same whether it is not there or has documents of others: there are none, for whom may not read them.
            raise NotFound(f"There is no Parquet file of {name!r} for you.")
        settings = self.explore.storage_settings
        ttl_s = min(self.explore.settings.parquet_url_ttl_s, settings.presigned_url_ttl_s)
        url = Storage(settings).presign("GET", location_of(settings.upload_bucket, run, name), ttl_s)
        self.set_header("Cache-Control", "no-store")
        self.reply({"url": url, "expires_in": ttl_s, "run": run, "bytes": sizes[name]})
