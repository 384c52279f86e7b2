"""HTTP of the index beyond single records: bulk reads, URLs, totals, new GUIDs."""

from datetime import datetime
from itertools import islice
from typing import ClassVar

from commonshub.core import records
from commonshub.core.errors import BadRequest, Unsupported

from . import filters, store, validate
from .handlers import FEWER, IndexHandler


class DocumentsHandler(IndexHandler):
    """``POST /index/bulk/documents``: many records by GUID, those that exist, in the order asked for."""

    public: ClassVar[bool] = True

    async def post(self) -> None:
        guids = validate.guids(self.json(), self.index.max_bulk_guids)
        self.finish(await self.read(store.documents_of, guids, self.room("Ask for fewer GUIDs at once.")))


class UrlsHandler(IndexHandler):
    """``GET /index/urls``."""

    async def get(self) -> None:
        arguments = self.arguments()
        limit = filters.integer(arguments, "limit", 100, self.index.max_list_limit)
        start = filters.integer(arguments, "start", 0)
        wanted = filters.Filter(
            size=filters.integer(arguments, "size", None),
            hashes=filters.hashes(arguments),
            ids=filters.guids(arguments),
        )
        found = await self.read(store.urls, wanted, start or 0, limit or 0, self.room(FEWER), prefix=self.prefix)
        self.reply({"urls": found, "limit": limit, "start": start, "size": wanted.size, "hashes": wanted.hashes})


class UrlQueryHandler(IndexHandler):
    """``GET /index/_query/urls/q``: records by parts of their URLs."""

    async def get(self) -> None:
        arguments = self.arguments()
        filters.only(arguments, ["include", "exclude", "versioned", "fields", "limit", "offset"])
        keys = filters.fields(arguments, ["did", "urls"])
        wanted = store.UrlQuery(
            include=filters.text(arguments, "include"),
            exclude=filters.text(arguments, "exclude"),
            versioned=filters.flag(arguments, "versioned"),
            limit=filters.integer(arguments, "limit", 1000, self.index.max_url_records) or 0,
            offset=filters.integer(arguments, "offset", 0) or 0,
        )
        found = await self.read(store.find_urls, wanted, self.room(FEWER))
        self.reply([{key: each[key] for key in keys} for each in found])


class UrlMetadataQueryHandler(IndexHandler):
    """``GET /index/_query/urls/metadata/q``: records by the metadata of their URLs."""

    async def get(self) -> None:
        arguments = self.arguments()
        filters.only(arguments, ["key", "value", "url", "versioned", "fields", "limit", "offset"])
        keys = filters.fields(arguments, ["did", "urls", "rev"])
        key, value = filters.text(arguments, "key"), filters.text(arguments, "value")
        if key is None or value is None:
            raise BadRequest("key and value are both required.")
        wanted = store.UrlQuery(
            include=filters.text(arguments, "url"),
            metadata=(key, value),
            versioned=filters.flag(arguments, "versioned"),
            limit=filters.integer(arguments, "limit", 1000, self.index.max_url_records) or 0,
            offset=filters.integer(arguments, "offset", 0) or 0,
        )
        found = await self.read(store.find_urls, wanted, self.room(FEWER))
        self.reply([{name: each[name] for name in keys} for each in found])


class StatsHandler(IndexHandler):
    """``GET /index/_stats``: all records, or those made until the end of a month."""

    async def get(self) -> None:
        arguments = self.arguments()
        month, year = (filters.integer(arguments, name, None, most) for name, most in (("month", 12), ("year", 9998)))
        if (month is None) != (year is None):
            raise BadRequest("month and year must be given together.")
        before = None
        if month is not None and year is not None:
            if not month or not year:
                raise BadRequest("month and year count from 1.")
            before = datetime(year + month // 12, month % 12 + 1, 1)  # noqa: DTZ001 -- records hold naive UTC
        found = await self.index.totals.put(before)
        self.reply({"fileCount": found.records, "totalFileSize": found.size_bytes})


class DistHandler(IndexHandler):
    """``GET /index/_dist``: this commons asks no other index."""

    def get(self) -> None:
        self.reply([])


class MintHandler(IndexHandler):
    """``GET /index/guid/mint``: new GUIDs, which nothing uses yet."""

    def get(self) -> None:
        count = filters.integer(self.arguments(), "count", 1, self.index.max_minted_guids) or 0
        self.reply({"guids": list(islice(records.minted(self.prefix), count))})


class PrefixHandler(IndexHandler):
    """``GET /index/guid/prefix``."""

    def get(self) -> None:
        self.reply({"prefix": self.prefix})


class OldAliasHandler(IndexHandler):
    """``/index/alias/{name}``, which indexd itself has deprecated since 2019."""

    def put(self, name: str) -> None:
        raise Unsupported(
            "Records of aliases are not kept; give a record aliases with POST /index/index/{guid}/aliases."
        )

    get = delete = put
