"""HTTP of records: ``/index/index…`` and the global ``/index/{guid}``.

Everybody may read; who may write is decided in :mod:`.permissions`.
"""

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar, cast

import orjson
import sqlalchemy as sa

from commonshub.core import names, records
from commonshub.core.errors import AuthenticationRequired, BadRequest, Conflict, NotFound, TooLarge
from commonshub.core.identity import ANONYMOUS, Identity
from commonshub.core.records import Draft, Made, Record
from commonshub.core.web import StorableHandler

from . import bundles, drs, filters, ledger, permissions, reads, store, validate, writes
from .contents import Budget, Contents
from .documents import Document
from .filters import Filter
from .rooms import Room

if TYPE_CHECKING:
    from .app import IndexApp

P = ParamSpec("P")
T = TypeVar("T")

# What to do where an answer would be too long.
FEWER = "Ask for fewer at once, by a smaller limit or with fewer ids."
ONE_VERSION = "Ask for its versions one by one, each by its GUID; …/latest is the newest."


class IndexHandler(StorableHandler):
    """Base of the handlers: SQL in the index's schema, and permissions.

    Attributes
    ----------
    public
        Whether what this handler does by other methods than GET is a read, too.
    """

    public: ClassVar[bool] = False

    @property
    def index(self) -> "IndexApp":
        """The application that this handler belongs to."""
        return cast("IndexApp", self.service)

    def identify(self) -> Identity:
        """The caller; where everybody may read, a bad token counts as none."""
        try:
            return super().identify()
        except AuthenticationRequired:
            if self.public or self.request.method == "GET":
                return ANONYMOUS
            raise

    def compute_etag(self) -> None:
        """None: the entity tag of a long list costs more than its being sent, and indexd gives none either."""

    async def sql(
        self, function: Callable[Concatenate[sa.Connection, str, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``function(connection, schema, …)`` in one transaction off the event loop."""
        return await self.service.database.run(function, self.index.schema, *args, **kwargs)

    async def read(
        self, function: Callable[Concatenate[sa.Connection, str, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for what only reads, without a transaction."""
        return await self.service.database.read(function, self.index.schema, *args, **kwargs)

    @cached_property
    def site(self) -> drs.Site:
        """What this answer's objects say of the commons."""
        return self.index.site

    @cached_property
    def budget(self) -> Budget:
        """Entries of bundles that this answer may still list."""
        return Budget(self.index.max_bundle_entries)

    def room(self, advice: str) -> Room:
        """The room that an answer has, and what is to be done where it does not suffice."""
        return Room(self.index.max_answer_bytes, advice)

    @property
    def prefix(self) -> str:
        """Prefix of this commons' GUIDs."""
        return self.service.commons.guid_prefix

    def arguments(self) -> filters.Arguments:
        """The query, decoded."""
        return {name: self.get_query_arguments(name, strip=False) for name in self.request.query_arguments}

    def single(self) -> Any:
        """The body as JSON, where it tells of one record or entry.

        Raises
        ------
        TooLarge
            It is longer than one may be.
        """
        self.require_single()
        return self.json()

    def require_single(self) -> None:
        """Raise :class:`TooLarge` for a body that is longer than one record or entry may be."""
        if len(self.request.body) > self.index.max_record_bytes:
            most = self.index.max_record_bytes
            raise TooLarge(f"What is told of one record may have {most} bytes (IndexApp.max_record_bytes).")

    async def existing(self, guid: str) -> Record:
        """The record with this GUID, with or without the commons' prefix; a write knows no baseid and no alias.

        Raises
        ------
        NotFound
            There is none.
        """
        record = await self.read(names.find, guid, prefix=self.prefix)
        if record is None:
            raise NotFound(f"no record found with the GUID {guid}")
        return record

    async def at_revision(self, guid: str) -> Record:
        """The record that a write names by GUID and ``rev``.

        Raises
        ------
        Conflict
            It has another revision. (That is checked again in the statement that writes.)
        """
        record = await self.existing(guid)
        rev = self.get_query_argument("rev", None)
        if record.rev != rev:
            raise Conflict(f"revision mismatch: the record has {record.rev}, the request says {rev}.")
        return record

    def require(self, method: str, *authz: list[str]) -> None:
        """Raise unless the caller may `method` records with all these authz paths."""
        permissions.require(self.service.policy, self.identity, method, [path for each in authz for path in each])

    def require_upload(self, method: str, authz: list[str], uploader: str | None) -> None:
        """Raise unless the caller may `method` a blank record."""
        permissions.require_upload(self.service.policy, self.identity, method, authz, uploader)

    def reply_identity(self, record: Record | Made, status: int = 200) -> None:
        """Answer a write."""
        self.reply({"did": record.did, "baseid": record.baseid, "rev": record.rev}, status)

    async def reply_found(self, name: str, *, aliases: bool = False) -> None:
        """Answer a read of a record or, where there is none, of a bundle."""
        try:
            document = await self.index.reads.document(name, aliases=aliases)
        except NotFound:
            family = await self.read(bundles.resolve, names.spellings(name, self.prefix), expand=False)
            self.reply(drs.bundle_document(family.bundle) | {"bundle_data": self.contents_of(family, expand=False)})
        else:
            self.reply_document(document)

    def reply_document(self, document: Document) -> None:
        """Answer a read; one who reads a record without a size waits for its upload."""
        if document.pending:
            self.index.worker.hasten(document.did)
        self.finish(document.text)

    async def reply_list(self, form: str) -> None:
        """Answer a list; of what, the query says, or else `form`."""
        wanted = filters.record_filter(self.arguments(), self.index.max_list_limit, form)
        if wanted.form == "object":
            found = await self._records(wanted)
        else:
            room = self.room(FEWER)
            both = await self.read(bundles.listing, reads.DOCUMENT, wanted, room, prefix=self.prefix)
            found = [each.json if isinstance(each, Document) else drs.bundle_document(each) for each in both]
        self.reply({"records": found, **wanted.echo()})

    async def _records(self, wanted: Filter) -> Any:
        """The records of a list, to be put into the answer."""
        if wanted.limit == 0:
            return []
        if wanted.page is None:
            return orjson.Fragment((await self.index.ahead.page(wanted)).text)
        pages, listed = self.index.pages, wanted.all_pages()
        start = pages.start(listed, wanted.page, time.monotonic())
        found, places = await self.read(store.page, wanted, start, self.room(FEWER), prefix=self.prefix)
        pages.note(listed, wanted.page, places, time.monotonic())
        return [each.json for each in found]

    def contents_of(self, family: bundles.Family, *, expand: bool) -> list[dict[str, Any]]:
        """What is in a bundle."""
        contents = Contents(family.below, family.names, lambda name: drs.uri(name, self.site), self.budget)
        return contents.of(family.bundle, expand=expand)


class RecordsHandler(IndexHandler):
    """``/index/index``: list and create."""

    async def get(self) -> None:
        await self.reply_list("object")

    async def post(self) -> None:
        draft = validate.draft(self.single())
        self.require("create", list(draft.authz))
        if len(self.request.body) > self.index.max_batched_bytes:
            [record] = await self.sql(records.create, [draft], prefix=self.prefix)
        else:
            record = await self.index.creations.store(draft)
        self.reply_identity(record)


class RecordHandler(IndexHandler):
    """``/index/index/{guid}``: read, change, delete, and add a version."""

    async def get(self, guid: str) -> None:
        await self.reply_found(guid)

    async def put(self, guid: str) -> None:
        body = self.single()
        record = await self.at_revision(guid)
        changes = validate.changes(body, record)
        self.require("update", record.authz, changes.get("authz", []))
        self.reply_identity(await self.sql(records.update, record.did, record.rev, changes))

    async def delete(self, guid: str) -> None:
        if self.get_query_argument("rev", None) is None:
            raise BadRequest("no revision specified: pass the record's rev as ?rev=.")
        record = await self.at_revision(guid)
        self.require("delete", record.authz)
        await self.sql(records.delete, record.did, record.rev)
        self.reply({})

    async def post(self, guid: str) -> None:
        draft = validate.draft(self.single())
        earlier = await self.existing(guid)
        self.require("update", earlier.authz, list(draft.authz))
        self.reply_identity(await self.sql(store.add_version, earlier, draft, prefix=self.prefix))


class AnyHandler(IndexHandler):
    """``/index/{anything}``: by GUID, baseid or alias."""

    async def get(self, name: str) -> None:
        await self.reply_found(name, aliases=True)


class BlanksHandler(IndexHandler):
    """``/index/index/blank``: a record whose bytes are to come."""

    async def post(self) -> None:
        values = validate.blank(self.single())
        self.require_upload("create", values.get("authz", []), values.get("uploader"))
        [record] = await self.sql(records.create, [Draft(**values, form=None)], prefix=self.prefix)
        self.reply_identity(record, 201)


class BlankHandler(IndexHandler):
    """``/index/index/blank/{guid}``: fill a blank record, or add a blank version to one."""

    async def put(self, guid: str) -> None:
        values = validate.measured(self.single())
        record = await self.at_revision(guid)
        self.require_upload("update", [*record.authz, *values.get("authz", [])], record.uploader)
        if not record.blank:
            raise BadRequest("update api is not supported for non-empty record!")
        self.reply_identity(await self.sql(records.update, record.did, record.rev, values))

    async def post(self, guid: str) -> None:
        values = validate.blank(self.single())
        earlier = await self.existing(guid)
        self.require("update", earlier.authz)
        if "authz" in values:
            self.require("create", values["authz"])
        else:
            values |= {"authz": earlier.authz, "acl": earlier.acl}
        version = await self.sql(store.add_version, earlier, Draft(**values, form=None), prefix=self.prefix)
        self.reply_identity(version, 201)


class VersionsHandler(IndexHandler):
    """``/index/index/{guid}/versions``."""

    async def get(self, guid: str) -> None:
        found = await self.read(store.versions, reads.DOCUMENT, guid, self.room(ONE_VERSION), prefix=self.prefix)
        self.reply({str(place): document.json for place, document in enumerate(found)})

    async def put(self, guid: str) -> None:
        changes = validate.grants(self.single())
        found = await self.read(store.versions, reads.RECORD, guid, self.room(ONE_VERSION), prefix=self.prefix)
        for record in found:
            self.require("update", record.authz, changes.get("authz", []))
        changed = await self.sql(writes.assign, {record.did: record.rev for record in found}, changes)
        answer = [changed[record.did] for record in found]
        self.reply([{"did": each.did, "baseid": each.baseid, "rev": each.rev} for each in answer])


class LatestHandler(IndexHandler):
    """``/index/index/{guid}/latest``."""

    async def get(self, guid: str) -> None:
        versioned = bool(filters.flag(self.arguments(), "has_version"))
        self.reply_document(await self.read(store.latest, guid, prefix=self.prefix, versioned=versioned))


class BlobHandler(IndexHandler):
    """``/index/index/{guid}/blob``: how far the upload of a record is."""

    async def get(self, guid: str) -> None:
        for did in names.spellings(guid, self.prefix):
            if found := await self.read(ledger.progress, did):
                break
        else:
            raise NotFound(f"Nothing was uploaded for {guid} through this commons.")
        if found.state == ledger.AWAITED:
            self.index.worker.hasten(did)
        self.reply({"did": did, **found._asdict()})


class AliasesHandler(IndexHandler):
    """``/index/index/{guid}/aliases``: list, add, replace, delete all."""

    async def get(self, guid: str) -> None:
        self._answer((await self.existing(guid)).aliases)

    async def post(self, guid: str) -> None:
        given = validate.aliases(self.single())
        record = await self.existing(guid)
        self.require("update", record.authz)
        self._answer(await self.sql(store.set_aliases, record.did, lambda held: _added(held, given)))

    async def put(self, guid: str) -> None:
        given = validate.aliases(self.single())
        record = await self.existing(guid)
        self.require("update", record.authz)
        self._answer(await self.sql(store.set_aliases, record.did, lambda held: given))

    async def delete(self, guid: str) -> None:
        record = await self.existing(guid)
        self.require("delete", record.authz)
        await self.sql(store.set_aliases, record.did, lambda held: [])
        self.reply("Aliases deleted successfully")

    def _answer(self, aliases: list[str]) -> None:
        self.reply({"aliases": [{"value": alias} for alias in aliases]})


class AliasHandler(IndexHandler):
    """``/index/index/{guid}/aliases/{alias}``: delete one."""

    async def delete(self, guid: str, alias: str) -> None:
        record = await self.existing(guid)
        self.require("delete", record.authz)
        await self.sql(store.set_aliases, record.did, lambda held: _without(held, alias))
        self.reply("Aliases deleted successfully")


def _added(held: list[str], given: list[str]) -> list[str]:
    if taken := [alias for alias in given if alias in held]:
        raise Conflict(f"The record has the alias {taken[0]!r} already.")
    return [*held, *given]


def _without(held: list[str], alias: str) -> list[str]:
    if alias not in held:
        raise NotFound(f"The record has no alias {alias!r}.")
    return [each for each in held if each != alias]
