"""HTTP of GA4GH DRS 1.5: ``/ga4gh/drs/v1``."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, ClassVar

from commonshub.core import records
from commonshub.core.access import Asker, open_to_all
from commonshub.core.downloads import Options, Wanted, sort_outcomes
from commonshub.core.errors import BadRequest, CommonsError, NotFound, TooLarge
from commonshub.core.records import Record

from . import drs, reads, store
from .handlers import IndexHandler

RETRY_AFTER_S = 2
NOT_VERIFIED = "The bytes of this object have not been verified yet."


class DrsHandler(IndexHandler):
    """Base: everybody may read what an object is, and errors have DRS's shape."""

    public: ClassVar[bool] = True

    def error_body(self, error: CommonsError) -> Any:
        """DRS's error, with the message where Gen3's clients look for it too."""
        return {"msg": error.message, "status_code": error.status, "message": error.message}

    def open_to_all(self, record: Record) -> bool:
        """Whether anonymous callers may have the bytes."""
        return open_to_all(self.service.policy, record)

    @property
    def asker(self) -> Asker:
        """Who asks, for the decision."""
        return Asker(self.service.policy, self.identity, self.request_id)

    def wishes(self, access_id: str) -> Options:
        """How the bytes of a location are wanted."""
        unsigned = self.get_query_argument("no_force_sign", "")
        return Options.read(access_id, self.integer("expires_in", low=1), unsigned)

    def object_of(self, record: Record) -> dict[str, Any]:
        """The object of a record."""
        return drs.drs_object(record, self.index.site, self.open_to_all(record))

    async def bulk_records(self) -> tuple[list[str], dict[str, Record]]:
        """The ids of a bulk request and what there is of them."""
        ids = drs.bulk_ids(self.json())
        self.bound(len(ids))
        return ids, await self.records_of(ids)

    def bound(self, count: int) -> None:
        """Raise :class:`TooLarge` for more objects than one request may be about."""
        most = self.index.max_drs_bulk
        if count > most:
            raise TooLarge(f"At most {most} objects can be asked for at once (IndexApp.max_drs_bulk), not {count}.")

    async def records_of(self, ids: Iterable[str]) -> dict[str, Record]:
        """What there is of some objects, by id as it was asked for."""
        spelt = {each: reads.spellings(each, self.prefix) for each in ids}
        found = await self.read(records.get_many, [name for names in spelt.values() for name in names])
        hits = {each: next((found[name] for name in names if name in found), None) for each, names in spelt.items()}
        return {each: record for each, record in hits.items() if record}


class ServiceInfoHandler(DrsHandler):
    """``GET /service-info``."""

    async def get(self) -> None:
        found = await self.sql(store.totals)
        commons = self.service.commons
        release, most = version("commonshub"), self.index.max_drs_bulk
        self.reply(drs.service_info(commons.name, commons.origin, release, most, found.records, found.size_bytes))


class ObjectHandler(DrsHandler):
    """``/objects/{id}``: what an object is, and how it can be had."""

    async def get(self, guid: str) -> None:
        record = await self.index.reads.record(guid)
        if record.blank:
            # DRS's word for bytes that are on their way.
            self.index.worker.hasten(record.did)
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            self.reply({"msg": NOT_VERIFIED, "status_code": 202}, 202)
            return
        self.reply(self.object_of(record))

    async def post(self, guid: str) -> None:
        await self.get(guid)

    async def options(self, guid: str) -> None:
        record = await self.index.reads.record(guid)
        self.reply(drs.authorizations(record, self.index.site, self.open_to_all(record)))


class ObjectsHandler(DrsHandler):
    """``/objects``: the same for many."""

    async def post(self) -> None:
        ids, found = await self.bulk_records()
        self.reply(drs.bulk(ids, found, self.object_of))

    async def options(self) -> None:
        ids, found = await self.bulk_records()
        self.reply(
            drs.bulk(ids, found, lambda record: drs.authorizations(record, self.index.site, self.open_to_all(record)))
        )


class AccessHandler(DrsHandler):
    """``/objects/{id}/access/{access_id}``: a URL that gives the bytes."""

    async def get(self, guid: str, access_id: str) -> None:
        record = await self.index.reads.record(guid)
        if record.blank:
            raise NotFound(NOT_VERIFIED)
        wanted = Wanted(self.asker, record.did, self.wishes(access_id), record, self.request.path)
        self.reply({"url": await self.index.downloads.url(wanted)})

    async def post(self, guid: str, access_id: str) -> None:
        drs.refuse_passports(self.json_object() if self.request.body else {})
        await self.get(guid, access_id)


class NoAccessHandler(DrsHandler):
    """``/objects/{id}/access``: the name of the location is missing."""

    def get(self, guid: str) -> None:
        raise BadRequest(
            f"Which location of {guid}? Ask for /access/<access_id>; the object lists its access_id values."
        )

    def post(self, guid: str) -> None:
        self.get(guid)


class BulkAccessHandler(DrsHandler):
    """``/objects/access``: the same for many, decided as single ones are."""

    async def post(self) -> None:
        body = self.json_object()
        drs.refuse_passports(body)
        asked = drs.bulk_access_ids(body)
        self.bound(len(asked))
        found = await self.records_of({guid for guid, _ in asked})
        there = [(guid, name) for guid, name in asked if guid in found and not found[guid].blank]
        asker = self.asker
        path = self.request.path
        wanted = [Wanted(asker, found[guid].did, self.wishes(name), found[guid], path) for guid, name in there]
        outcomes = dict(zip(there, await self.index.downloads.urls(wanted), strict=True))
        urls, failed = sort_outcomes((each, outcomes.get(each) or NotFound(NOT_VERIFIED)) for each in asked)
        answer = drs.bulk_access(len(asked), urls, failed)
        most_frequent = max(failed, key=lambda each: len(each["object_ids"]), default=None)
        self.reply(answer, most_frequent["error_code"] if most_frequent and not urls else 200)
