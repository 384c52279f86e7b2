"""HTTP of GA4GH DRS 1.5: ``/ga4gh/drs/v1``."""

from importlib.metadata import version
from typing import Any, ClassVar

from commonshub.core import records
from commonshub.core.access import Asker, open_to_all
from commonshub.core.downloads import Options, Wanted
from commonshub.core.errors import BadRequest, CommonsError, NotFound, TooLarge
from commonshub.core.records import Record

from . import drs, store
from .handlers import IndexHandler

RETRY_AFTER_S = 2


class DrsHandler(IndexHandler):
    """Base: everybody may read what an object is, and errors have DRS's shape."""

    public: ClassVar[bool] = True

    def error_body(self, error: CommonsError) -> Any:
        """DRS's error, with the message where Gen3's clients look for it too."""
        return {"msg": error.message, "status_code": error.status, "message": error.message}

    def open_to_all(self, record: Record) -> bool:
        """Whether anonymous callers may have the bytes."""
        return open_to_all(self.service.policy, record)

    def object_of(self, record: Record) -> dict[str, Any]:
        """The object of a record."""
        return drs.drs_object(record, self.index.site, self.open_to_all(record))

    async def bulk_records(self) -> tuple[list[str], dict[str, Record]]:
        """The ids of a bulk request and what there is of them."""
        ids = drs.bulk_ids(self.json())
        if len(ids) > self.index.max_drs_bulk:
            raise TooLarge(f"At most {self.index.max_drs_bulk} objects can be asked for at once; these are {len(ids)}.")
        spelt = {each: store.spellings(each, self.prefix) for each in ids}
        found = await self.sql(records.get_many, [name for names in spelt.values() for name in names])
        hits = {each: next((found[name] for name in names if name in found), None) for each, names in spelt.items()}
        return ids, {each: record for each, record in hits.items() if record}


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
        record = await self.sql(store.resolve, guid, prefix=self.prefix)
        if record.blank:
            # DRS's word for bytes that are on their way.
            self.index.worker.hasten(record.did)
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            self.reply({"msg": "The bytes of this object have not been verified yet.", "status_code": 202}, 202)
            return
        self.reply(self.object_of(record))

    async def post(self, guid: str) -> None:
        await self.get(guid)

    async def options(self, guid: str) -> None:
        record = await self.sql(store.resolve, guid, prefix=self.prefix)
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

    public: ClassVar[bool] = False

    async def get(self, guid: str, access_id: str) -> None:
        record = await self.sql(store.resolve, guid, prefix=self.prefix)
        if record.blank:
            raise NotFound("The bytes of this object have not been verified yet.")
        asker = Asker(self.service.policy, self.identity, self.request_id)
        self.reply({"url": await self.index.downloads.url(Wanted(asker, record.did, Options(access_id), record))})

    async def post(self, guid: str, access_id: str) -> None:
        body = self.json_object() if self.request.body else {}
        if body.get("passports"):
            raise BadRequest("This commons does not take passports; send a bearer token.")
        await self.get(guid, access_id)
