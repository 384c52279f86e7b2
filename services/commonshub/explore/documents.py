"""HTTP of the documents as data: what there is as Parquet, and a URL to fetch it from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from commonshub.core import audit
from commonshub.core.errors import NotFound
from commonshub.core.storage import Storage

from . import store
from .handlers import ExploreHandler
from .publishing import location_of


@dataclass(frozen=True, slots=True)
class Stored:
    """The Parquet files of the run that answers now.

    Parameters
    ----------
    sizes
        In bytes, by document type.
    allowed
        Those of which the caller may read every document.
    """

    run: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()


class DocumentsHandler(ExploreHandler):
    """``GET /guppy/documents``: the document types of which the caller may read every document."""

    async def get(self) -> None:
        found = await self.stored()
        documents = [{"type": name, "bytes": size} for name, size in found.sizes.items() if name in found.allowed]
        self.reply({"run": found.run, "format": "parquet", "documents": documents})

    async def stored(self) -> Stored:
        """What there is, and for the caller."""
        index = await self.index()
        if index.reader is None:
            return Stored()
        run = index.reader.run.id
        sizes = await self.explore.database.run(store.parquet, self.explore.schema, run) or {}
        return Stored(run, sizes, frozenset(filter(self.caller(index).may_read_all, sizes)))


class DocumentHandler(DocumentsHandler):
    """``GET /guppy/documents/TYPE``: a URL to fetch one of them from; in the audit trail, as that of any data."""

    async def get(self, name: str) -> None:  # type: ignore[override]
        found = await self.stored()
        if found.run is None or name not in found.allowed:
            await self._note(name, "denied" if name in found.sizes else "failed", {"status": NotFound.status})
            # The same whether it is not there or has documents of others: there are none, for whom may not read them.
            raise NotFound(f"There is no Parquet file of {name!r} for you.")
        settings = self.explore.storage_settings
        ttl_s = min(self.explore.settings.parquet_url_ttl_s, settings.presigned_url_ttl_s)
        url = Storage(settings).presign("GET", location_of(settings.upload_bucket, found.run, name), ttl_s)
        await self._note(name, "allowed", {"run": found.run, "protocol": "s3", "expires_in_s": ttl_s})
        self.set_header("Cache-Control", "no-store")
        self.reply({"url": url, "expires_in": ttl_s, "run": found.run, "bytes": found.sizes[name]})

    async def _note(self, name: str, decision: audit.Decision, detail: Mapping[str, Any]) -> None:
        """Enter a decision before anybody learns of it."""
        database = self.explore.database
        more = {"path": self.request.path[: audit.MAX_SUBJECT], **detail}
        entry = audit.Entry("download", f"documents/{name}", decision, more)
        schema = database.settings.auth_schema
        await database.run(audit.write_many, schema, self.identity, self.request_id, [entry])
