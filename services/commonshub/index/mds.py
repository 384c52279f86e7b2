"""HTTP of the metadata service: ``/mds`` and ``/mds-admin``.

Everybody may read; changing needs ``access`` of ``mds_gateway`` on ``/mds_gateway``, under either prefix. (In Gen3 that
is asked by the proxy, before ``/mds-admin`` only.)
"""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, ClassVar

import sqlalchemy as sa

from commonshub.core import names, web
from commonshub.core.access import Asker, require_scope
from commonshub.core.downloads import Options, Wanted
from commonshub.core.errors import BadRequest, Conflict, NotFound, TooLarge, ValidationFailed
from commonshub.core.routing import Route
from commonshub.core.uploads import Wish

from . import metadata, permissions, plan, store, validate
from .documents import Document
from .filters import Arguments
from .handlers import IndexHandler

# `POST /objects/upload` has been a route of Gen3's.
RESERVED = frozenset({"upload"})
_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n"})
_NOT_FILTERS = frozenset({"data", "limit", "offset"})


class StatusHandler(web.StatusHandler):
    """``/_status``; the metadata service's is JSON."""

    async def get(self) -> None:
        if not self.request.path.startswith("/mds"):
            await super().get()
            return
        await self.service.check_health()
        self.reply({"status": "OK"})


class MetadataHandler(IndexHandler):
    """Base: permission, and arguments as this service's clients write them.

    Attributes
    ----------
    guarded
        Whether all but reading needs the permission to change metadata.
    """

    guarded: ClassVar[bool] = True

    def prepare(self) -> Any:
        """Find out who is asking, and whether he may."""
        found = super().prepare()
        if self.guarded and self.request.method != "GET":
            permissions.require_metadata(self.service.policy, self.identity)
        return found

    def truth(self, name: str, default: bool) -> bool:
        """A truth value of the query, in any of the ways that it is written.

        Raises
        ------
        BadRequest
            It is none.
        """
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise BadRequest(f"{name} must be true or false, not {text[:40]!r}.")

    def entry(self, guid: str) -> dict[str, dict[str, Any]]:
        """The entry that the request writes."""
        return {_checked_name("The GUID", guid): _checked_data("The body", self.single())}


class EntriesHandler(MetadataHandler):
    """``/metadata``: search, and write many."""

    async def get(self) -> None:
        limit = min(self.integer("limit", 10) or 0, self.index.max_metadata)
        offset = self.integer("offset", 0, high=validate.MAX_SIZE_BYTES) or 0
        wanted = metadata.Query(_filters(self.arguments()), limit, offset)
        if self.truth("data", False):
            room = self.room("Ask for fewer at once by a smaller limit, or for the GUIDs alone by data=False.")
            self.reply(await self.read(metadata.search, wanted, room))
        else:
            self.reply(await self.read(metadata.search_guids, wanted))

    async def post(self) -> None:
        overwrite = self.truth("overwrite", True)
        given = _batch(self.json(), self.index.max_metadata_batch, self.index.max_record_bytes)
        entries: dict[str, dict[str, Any]] = {}
        twice = []
        for guid, data in given:
            # What sequential writes would leave.
            if guid in entries and not overwrite:
                twice.append(guid)
            elif guid not in RESERVED:
                entries[guid] = data
        done = await self.sql(metadata.write, entries, overwrite=overwrite)
        bad = [guid for guid, _ in given if guid in RESERVED]
        conflict = [*done.conflict, *twice]
        self.reply({**done._asdict(), "conflict": conflict, "bad_input": bad}, 201)


class EntryHandler(MetadataHandler):
    """``/metadata/{guid}``: one entry."""

    async def get(self, name: str) -> None:
        self.reply(await self.read(metadata.get, name))

    async def post(self, guid: str) -> None:
        overwrite = self.truth("overwrite", False)
        entry = self.entry(guid)
        if guid in RESERVED:
            raise BadRequest(f"No entry can have the GUID {guid}.")
        done = await self.sql(metadata.write, entry, overwrite=overwrite)
        if done.conflict:
            raise Conflict(f"Conflict: {guid}")
        self.reply(entry[guid], 201 if done.created else 200)

    async def put(self, guid: str) -> None:
        merge = self.truth("merge", False)
        self.reply(await self.sql(metadata.update, guid, self.entry(guid)[guid], merge=merge))

    async def delete(self, guid: str) -> None:
        data = await self.sql(metadata.delete, guid)
        if data is None:
            raise NotFound(f"Not found: {guid}")
        self.reply(data)


class AliasesHandler(MetadataHandler):
    """``/metadata/{guid}/aliases``: list, give, replace or add to, take away."""

    async def get(self, guid: str) -> None:
        self._answer(guid, await self.read(metadata.aliases, guid))

    async def post(self, guid: str) -> None:
        given = _aliases(self.single())
        self._answer(guid, await self.sql(metadata.set_aliases, guid, lambda held: _first(guid, held, given)), 201)

    async def put(self, guid: str) -> None:
        given, merge = _aliases(self.single()), self.truth("merge", False)
        found = await self.sql(metadata.set_aliases, guid, lambda held: [*held, *given] if merge else given)
        self._answer(guid, found, 201)

    async def delete(self, guid: str) -> None:
        await self.sql(metadata.set_aliases, guid, lambda held: _none(guid, held))
        self.set_status(204)

    def _answer(self, guid: str, aliases: list[str], status: int = 200) -> None:
        self.reply({"guid": guid, "aliases": aliases}, status)


class AliasHandler(MetadataHandler):
    """``/metadata/{guid}/aliases/{alias}``: take one away."""

    async def delete(self, guid: str, alias: str) -> None:
        await self.sql(metadata.set_aliases, guid, lambda held: _without(guid, held, alias))
        self.set_status(204)


class PathsHandler(MetadataHandler):
    """``/metadata_index``."""

    async def get(self) -> None:
        self.reply(await self.read(metadata.paths))


class PathHandler(MetadataHandler):
    """``/metadata_index/{path}``."""

    async def post(self, path: str) -> None:
        await self.sql(metadata.add_path, _checked_name("The path", path))
        self.reply(path, 201)

    async def delete(self, path: str) -> None:
        await self.sql(metadata.drop_path, path)
        self.set_status(204)


class VersionHandler(MetadataHandler):
    """``/version``."""

    def get(self) -> None:
        self.reply(version("commonshub"))


class ObjectHandling(MetadataHandler):
    """Base of the routes on a record together with its metadata: permission as for the record."""

    guarded: ClassVar[bool] = False

    @property
    def asker(self) -> Asker:
        """Who asks, for the decision."""
        return Asker(self.service.policy, self.identity, self.request_id)

    async def document(self, name: str) -> Document | None:
        """The record that a name or alias means, also one of its metadata; None where these have no record.

        Raises
        ------
        NotFound
            There is neither.
        """
        try:
            return await self.index.reads.document(name, aliases=True)
        except NotFound:
            guid = await self.read(metadata.resolve, name)
        try:
            return await self.index.reads.document(guid) if guid != name else None
        except NotFound:
            return None


class ObjectsHandler(ObjectHandling):
    """``/objects``: begin an upload, with metadata from the start."""

    async def post(self) -> None:
        require_scope(self.identity)
        self.require_single()
        body = self.json_object()
        wish = Wish.read({"file_name": body.get("file_name"), "authz": _authz(body.get("authz"))})
        given = body.get("metadata")
        data = _checked_data("metadata", {} if given is None else given)
        aliases = list(dict.fromkeys(_aliases(body)))
        may_name = permissions.may_change_metadata(self.service.policy, self.identity)
        schema = self.index.schema

        def describe(connection: sa.Connection, guid: str) -> None:
            metadata.describe(connection, schema, guid, data, aliases, as_guids=may_name)

        guid, url = await self.index.uploads.create(self.asker, wish, describe)
        self.reply({"guid": guid, "aliases": aliases, "metadata": data, "upload_url": url}, 201)


class ObjectHandler(ObjectHandling):
    """``/objects/{guid}``: a record together with its metadata."""

    async def get(self, name: str) -> None:
        document = await self.document(name)
        if document is None:
            self.reply({"record": {}, "metadata": await self.read(metadata.get, name)})
        else:
            found = await self.read(metadata.find, document.did)
            self.reply({"record": document.json, "metadata": found or {}})

    async def delete(self, name: str) -> None:
        record = await self.read(names.find, name, prefix=self.prefix)
        guid = record.did if record else name
        if record is None:
            permissions.require_metadata(self.service.policy, self.identity)
        elif "delete_file_locations" in self.request.query_arguments:
            require_scope(self.identity)
            schema = self.index.schema
            await self.index.uploads.delete(
                self.asker, guid, lambda connection, did: metadata.delete(connection, schema, did)
            )
            self.set_status(204)
            return
        else:
            self.require("delete", record.authz)
        await self.sql(metadata.delete_object, guid, record)
        self.set_status(204)


class LatestObjectHandler(ObjectHandling):
    """``/objects/{guid}/latest``: the same of the newest version."""

    async def get(self, name: str) -> None:
        try:
            document = await self.read(store.latest, name, prefix=self.prefix)
        except NotFound:
            self.reply({"record": {}, "metadata": await self.read(metadata.get, name)})
        else:
            found = await self.read(metadata.find, document.did)
            self.reply({"record": document.json, "metadata": found or {}})


class DownloadHandler(ObjectHandling):
    """``/objects/{guid}/download``: a URL that gives the bytes."""

    async def get(self, name: str) -> None:
        document = await self.document(name)
        wanted = Wanted(self.asker, document.did if document else name, Options(), path=self.request.path)
        self.reply({"url": await self.index.downloads.url(wanted)})


def _filters(arguments: Arguments) -> dict[tuple[str, ...], list[str]]:
    """What the query asks of the data: ``a.b=1``, ``a.b=*`` for any value, ``a.b=\\*`` for the star itself."""
    found = {}
    for name, values in arguments.items():
        if name not in _NOT_FILTERS:
            literal = ["*" if each == r"\*" else each for each in values]
            found[tuple(_key(name).split("."))] = [] if "*" in values else literal
    return found


def _key(name: str) -> str:
    """The name of an argument; tornado decodes names as Latin-1."""
    try:
        key = name.encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The name of an argument is not UTF-8.") from error
    if "\0" in key:
        raise BadRequest("The name of an argument must not contain NUL.")
    return key


def _batch(body: Any, most: int, most_bytes: int) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(body, list):
        raise ValidationFailed('The body must be a list of {"guid", "data"}.')
    if len(body) > most:
        raise TooLarge(f"At most {most} entries can be written at once; these are {len(body)}.")
    entries = []
    for place, each in enumerate(body):
        if not isinstance(each, dict):
            raise ValidationFailed(f'[{place}] must be {{"guid", "data"}}.')
        if fault := plan.too_long(each, most_bytes):
            raise ValidationFailed(f"[{place}] {fault}.")
        guid, data = each.get("guid"), each.get("data")
        entries.append((_checked_name(f"[{place}].guid", guid), _checked_data(f"[{place}].data", data)))
    return entries


def _checked_name(what: str, value: Any) -> str:
    if fault := validate.indexed(value):
        raise ValidationFailed(f"{what} {fault}.")
    if not value or value != value.strip("/"):
        raise ValidationFailed(f"{what} must not be empty, nor begin or end with a slash.")
    return str(value)


def _checked_data(what: str, value: Any) -> dict[str, Any]:
    if fault := validate.json_object(value):
        raise ValidationFailed(f"{what} {fault}.")
    data: dict[str, Any] = value
    return data


def _aliases(body: Any) -> list[str]:
    given = body.get("aliases") if isinstance(body, dict) else None
    if given is None and isinstance(body, dict):
        return []
    if not isinstance(given, list):
        raise ValidationFailed('The body must be {"aliases": [alias, …]}.')
    return [_checked_name(f"aliases[{place}]", each) for place, each in enumerate(given)]


def _authz(given: Any) -> Any:
    """The resource paths; some clients send them with the version of that form."""
    if isinstance(given, dict):
        if given.keys() - {"version", "resource_paths"}:
            raise BadRequest("authz may hold version and resource_paths, and nothing else.")
        return given.get("resource_paths")
    return given


def _first(guid: str, held: list[str], given: Iterable[str]) -> Iterable[str]:
    if held:
        raise Conflict(f"{guid} has aliases already; replace or add to them with PUT.")
    return given


def _none(guid: str, held: list[str]) -> list[str]:
    if not held:
        raise NotFound(f"{guid} has no aliases.")
    return []


def _without(guid: str, held: list[str], alias: str) -> list[str]:
    if alias not in held:
        raise NotFound(f"{guid} has no alias {alias!r}.")
    return [each for each in held if each != alias]


_PREFIX = r"/mds(?:-admin)?"
# Paths that end in a word before those that end in a GUID, which may hold slashes.
ROUTES: list[Route] = [
    (rf"{_PREFIX}/version/?", VersionHandler),
    (rf"{_PREFIX}/metadata/?", EntriesHandler),
    (rf"{_PREFIX}/metadata/(.+)/aliases/?", AliasesHandler),
    (rf"{_PREFIX}/metadata/(.+)/aliases/(.+?)/?", AliasHandler),
    (rf"{_PREFIX}/metadata/(.+?)/?", EntryHandler),
    (rf"{_PREFIX}/metadata_index/?", PathsHandler),
    (rf"{_PREFIX}/metadata_index/([^/]+)/?", PathHandler),
    (rf"{_PREFIX}/objects/?", ObjectsHandler),
    (rf"{_PREFIX}/objects/(.+)/latest/?", LatestObjectHandler),
    (rf"{_PREFIX}/objects/(.+)/download/?", DownloadHandler),
    (rf"{_PREFIX}/objects/(.+?)/?", ObjectHandler),
]
