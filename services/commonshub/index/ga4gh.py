"""HTTP of GA4GH DRS 1.5: ``/ga4gh/drs/v1``."""

import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, ClassVar

from commonshub.core import records
from commonshub.core.access import Asker, Shown, closed_paths, open_to_all
from commonshub.core.attempts import Attempt, is_among
from commonshub.core.downloads import Options, Wanted, sort_outcomes
from commonshub.core.errors import AuthenticationRequired, BadRequest, CommonsError, NotFound, TooLarge
from commonshub.core.names import spellings
from commonshub.core.records import Record

from . import bundles, drs, filters, reads
from .bundles import Family
from .handlers import FEWER, IndexHandler

RETRY_AFTER_S = 2
NOT_VERIFIED = "The bytes of this object have not been verified yet."


class ObjectReader(IndexHandler):
    """Base: records and bundles as objects of DRS."""

    public: ClassVar[bool] = True

    def open_to_all(self, record: Record) -> bool:
        """Whether anonymous callers may have the bytes."""
        return open_to_all(self.service.policy, record)

    def visa_issuers(self, record: Record) -> Sequence[str]:
        """Whose visas can open the bytes."""
        clearinghouse = self.index.clearinghouse
        return clearinghouse.issuers_for(closed_paths(self.service.policy, record)) if clearinghouse else ()

    def names(self, object_id: str) -> list[str]:
        """The GUIDs that an id may stand for: itself, and what it means as a compact identifier."""
        expanded = drs.expanded(object_id)
        return [name for each in (object_id, expanded) if each for name in spellings(each, self.prefix)]

    async def found(self, object_id: str, *, expand: bool = False) -> Record | Family:
        """The record or the bundle with an id.

        Raises
        ------
        NotFound
            There is neither.
        """
        try:
            return await self.index.reads.record(object_id)
        except NotFound:
            names = self.names(object_id)
            there = await self.read(records.get_many, names)
            if name := next((each for each in names if each in there), None):
                return there[name]
            return await self.read(bundles.resolve, names, expand=expand)

    def object_of(self, found: Record | Family, *, expand: bool = False) -> dict[str, Any]:
        """The object of a record or bundle."""
        if isinstance(found, Record):
            return drs.drs_object(found, self.site, self.open_to_all(found), self.visa_issuers(found))
        return drs.bundle_object(found.bundle, self.contents_of(found, expand=expand), self.site)

    def authorizations_of(self, found: Record | Family) -> dict[str, Any]:
        """How the bytes of a record or bundle can be had."""
        if isinstance(found, Record):
            return drs.authorizations(found, self.site, self.open_to_all(found), self.visa_issuers(found))
        return drs.open_bundle(found.bundle.id)

    @property
    def expand(self) -> bool:
        """Whether the query asks for everything below a bundle."""
        return self.get_query_argument("expand", "").lower() == "true"


class DrsHandler(ObjectReader):
    """Base: everybody may read what an object is, and errors have DRS's shape."""

    def error_body(self, error: CommonsError) -> Any:
        """DRS's error, with the message where Gen3's clients look for it too."""
        return {"msg": error.message, "status_code": error.status, "message": error.message}

    def asker(self, shown: Shown) -> Asker:
        """Who asks, for the decision, and what he has shown."""
        return Asker(self.service.policy, self.identity, self.request_id, shown)

    async def shown(self, body: Mapping[str, Any]) -> Shown:
        """What the passports in the body of this request open.

        Raises
        ------
        BadRequest
            None are taken here, or not beside a token, or they are malformed.
        AuthenticationRequired
            One of them is not valid.
        TooManyRequests
            There were too many of those.
        """
        if "passports" not in body:
            return Shown()
        if self.index.clearinghouse is None:
            raise BadRequest("This commons does not take passports (PassportSettings.enabled); send a bearer token.")
        if "Authorization" in self.request.headers:
            raise BadRequest("Send passports or a bearer token, not both.")
        attempts, address = self.service.attempts, self.client_address
        shared = is_among(address, self.service.limits.proxy_addresses)
        attempt = Attempt(address, self.request.body[-4096:].decode(errors="replace"), shared)
        attempts.check(attempt, time.monotonic())
        try:
            return await self.index.clearinghouse.shown(body["passports"])
        except AuthenticationRequired:
            attempts.failed(attempt, time.monotonic())
            raise

    def wishes(self, access_id: str) -> Options:
        """How the bytes of a location are wanted."""
        unsigned = self.get_query_argument("no_force_sign", "")
        return Options.read(access_id, self.integer("expires_in", low=1), unsigned)

    async def bulk_found(self, *, expand: bool = False) -> tuple[list[str], dict[str, Record | Family]]:
        """The ids of a bulk request and what there is of them; no record whose bytes are not known yet."""
        ids = drs.bulk_ids(self.json())
        self.bound(len(ids))
        found: dict[str, Record | Family] = {**await self.records_of(ids)}
        rest = {each: self.names(each) for each in ids if each not in found}
        if rest:
            found |= await self.read(bundles.families, rest, expand=expand)
        return ids, {each: one for each, one in found.items() if isinstance(one, Family) or drs.complete(one)}

    def bound(self, count: int) -> None:
        """Raise :class:`TooLarge` for more objects than one request may be about."""
        most = self.index.max_drs_bulk
        if count > most:
            raise TooLarge(f"At most {most} objects can be asked for at once (IndexApp.max_drs_bulk), not {count}.")

    async def records_of(self, ids: Iterable[str]) -> dict[str, Record]:
        """What there is of some objects, by id as it was asked for."""
        spelt = {each: self.names(each) for each in ids}
        names = [name for each in spelt.values() for name in each]
        found = await self.read(reads.many, reads.RECORD, names, self.room("Ask for fewer objects at once."))
        hits = {each: next((found[name] for name in names if name in found), None) for each, names in spelt.items()}
        return {each: record for each, record in hits.items() if record}


class ServiceInfoHandler(DrsHandler):
    """``GET /service-info``."""

    async def get(self) -> None:
        found = await self.index.totals.put(None)
        commons = self.service.commons
        release, most = version("commonshub"), self.index.max_drs_bulk
        info = drs.service_info(commons.name, commons.origin, release, most, found.records, found.size_bytes)
        if clearinghouse := self.index.clearinghouse:
            info["drs"]["authorizations"] = drs.ways_in(self.site, clearinghouse.visa_issuers)
        self.reply(info)


class ObjectHandler(DrsHandler):
    """``/objects/{id}``: what an object is, and how it can be had."""

    async def get(self, guid: str) -> None:
        await self._reply(guid, self.expand)

    async def post(self, guid: str) -> None:
        body = self.json_object() if self.request.body else {}
        # What an object is, everybody may know; a passport that is not valid is refused nevertheless.
        await self.shown(body)
        await self._reply(guid, drs.wants_expanded(body, self.expand))

    async def _reply(self, guid: str, expand: bool) -> None:
        found = await self.found(guid, expand=expand)
        if isinstance(found, Record) and not drs.complete(found):
            # DRS's word for bytes that are on their way.
            self.index.worker.hasten(found.did)
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            self.reply({"msg": NOT_VERIFIED, "status_code": 202}, 202)
            return
        self.reply(self.object_of(found, expand=expand))

    async def options(self, guid: str) -> None:
        self.reply(self.authorizations_of(await self.found(guid)))


class ObjectsHandler(DrsHandler):
    """``/objects``: the same for many; and, as in Gen3 but not in DRS, a list of them."""

    async def get(self) -> None:
        wanted = filters.record_filter(self.arguments(), self.index.max_list_limit, "all")
        found = await self.read(bundles.objects, wanted, self.room(FEWER), prefix=self.prefix)
        self.reply({"drs_objects": [self.object_of(each) for each in found]})

    async def post(self) -> None:
        body = self.json_object()
        await self.shown(body)
        expand = drs.wants_expanded(body, self.expand)
        ids, found = await self.bulk_found(expand=expand)
        self.reply(drs.bulk(ids, {each: self.object_of(one, expand=expand) for each, one in found.items()}))

    async def options(self) -> None:
        ids, found = await self.bulk_found()
        self.reply(drs.bulk(ids, {each: self.authorizations_of(one) for each, one in found.items()}))


class AccessHandler(DrsHandler):
    """``/objects/{id}/access/{access_id}``: a URL that gives the bytes."""

    async def get(self, guid: str, access_id: str) -> None:
        await self._reply(guid, access_id, Shown())

    async def post(self, guid: str, access_id: str) -> None:
        shown = await self.shown(self.json_object() if self.request.body else {})
        await self._reply(guid, access_id, shown)

    async def _reply(self, guid: str, access_id: str, shown: Shown) -> None:
        record = await self.found(guid)
        if not isinstance(record, Record):
            raise NotFound("A bundle has no bytes of its own; ask for the objects in its contents.")
        if record.blank:
            raise NotFound(NOT_VERIFIED)
        wanted = Wanted(self.asker(shown), record.did, self.wishes(access_id), record, self.request.path)
        self.reply({"url": await self.index.downloads.url(wanted)})


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
        asked = drs.bulk_access_ids(body)
        self.bound(len(asked))
        shown = await self.shown(body)
        found = await self.records_of({guid for guid, _ in asked})
        there = [(guid, name) for guid, name in asked if guid in found and not found[guid].blank]
        asker = self.asker(shown)
        path = self.request.path
        wanted = [Wanted(asker, found[guid].did, self.wishes(name), found[guid], path) for guid, name in there]
        outcomes = dict(zip(there, await self.index.downloads.urls(wanted), strict=True))
        urls, failed = sort_outcomes((each, outcomes.get(each) or NotFound(NOT_VERIFIED)) for each in asked)
        answer = drs.bulk_access(len(asked), urls, failed)
        most_frequent = max(failed, key=lambda each: len(each["object_ids"]), default=None)
        self.reply(answer, most_frequent["error_code"] if most_frequent and not urls else 200)
