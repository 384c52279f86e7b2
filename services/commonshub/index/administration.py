"""HTTP of what administrators set up here: ``/index/buckets``.

Guarded as all administration is (:mod:`commonshub.core.administrators`). Browsers cannot be made to do it for somebody:
these routes know callers by their bearer token alone, and take no cookie.
"""

from typing import Any

from commonshub.core import administrators, audit
from commonshub.core.buckets import Bucket
from commonshub.core.errors import BadRequest, PermissionDenied
from commonshub.core.identity import Identity
from commonshub.core.web import BaseHandler

from .handlers import IndexHandler
from .registration import Author, document

_KINDS: dict[str, tuple[type, str]] = {
    "endpoint_url": (str, "a string"),
    "region": (str, "a string"),
    "public": (bool, "true or false"),
}
_KEYS = ("access_key", "secret_key")
_ACTIONS: dict[str, audit.BucketAction] = {"POST": "add_bucket", "PUT": "change_bucket", "DELETE": "remove_bucket"}
MAX_SECRET_CHARS = 1024


class BucketsHandler(IndexHandler):
    """``/index/buckets``: the registered buckets, and registering one."""

    async def prepare(self) -> None:
        """Judge who comes before anything of the request is looked at; a refused change leaves a row in the trail."""
        BaseHandler.prepare(self)
        self.set_header("Cache-Control", "no-store")
        policy = self.service.policy
        action = _ACTIONS.get(self.request.method or "")
        if action is None:
            administrators.require_administrator(policy, self.identity)
            return
        try:
            administrators.require_governor(policy, self.identity)
        except PermissionDenied:
            entry, schema = audit.Entry(action, self.request.path, "denied"), self.service.database.settings.auth_schema
            await self.service.database.run(audit.write_many, schema, self.identity, self.request_id, [entry])
            raise

    def identify(self) -> Identity:
        """The caller; a bad token is refused for reading, too."""
        return BaseHandler.identify(self)

    @property
    def author(self) -> Author:
        """The caller, for the trail."""
        return Author(self.identity, self.request_id)

    async def get(self) -> None:
        self.reply({"buckets": [document(each) for each in await self.index.registration.listing()]})

    async def post(self) -> None:
        body = self.json_object()
        name = body.pop("name", None)
        if not isinstance(name, str):
            raise BadRequest("name must be a string.")
        bucket, credentials = read_bucket(name, body)
        self.reply(document(await self.index.registration.add(self.author, bucket, credentials)), 201)


class BucketHandler(BucketsHandler):
    """``/index/buckets/{name}``: read, change and forget one."""

    async def get(self, name: str) -> None:  # type: ignore[override]
        self.reply(document(await self.index.registration.read(name)))

    async def put(self, name: str) -> None:
        body = self.json_object()
        if body.pop("name", name) != name:
            raise BadRequest("name cannot be changed; register another bucket.")
        bucket, credentials = read_bucket(name, body)
        seen = await self.index.registration.read(name)
        if "credentials" not in body and "credentials_file" in seen.store:
            # Nobody is told them, so nobody can send them again.
            bucket = bucket._replace(store={**bucket.store, "credentials_file": seen.store["credentials_file"]})
        self.reply(document(await self.index.registration.change(self.author, seen, bucket, credentials)))

    async def delete(self, name: str) -> None:
        await self.index.registration.remove(self.author, name)
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()

    def post(self, *_: str) -> None:  # type: ignore[override]
        self._unimplemented_method()


def read_bucket(name: str, body: dict[str, Any]) -> tuple[Bucket, dict[str, str] | None]:
    """A bucket and its credentials from a body.

    Raises
    ------
    BadRequest
        A field is unknown or of the wrong type; the message names it.
    """
    if unknown := sorted(body.keys() - {*_KINDS, "resources", "credentials"}):
        raise BadRequest(f"A bucket has no {unknown[0][:40]!r}.")
    store = {}
    for field, (kind, words) in _KINDS.items():
        value = body.get(field)
        if value is not None and not isinstance(value, kind):
            raise BadRequest(f"{field} must be {words}.")
        # An empty endpoint is AWS, where the commons' own store is another.
        if value is not None:
            store[field] = value
    return Bucket(name, store, _resources(body.get("resources"))), _credentials(body.get("credentials"))


def _resources(given: Any) -> dict[str, list[str]]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadRequest("resources must map prefixes (s3://bucket/folder) to lists of resource paths.")
    for prefix, paths in given.items():
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise BadRequest(f"resources[{prefix[:80]!r}] must be a list of resource paths.")
    return given


def _credentials(given: Any) -> dict[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or given.keys() != set(_KEYS):
        raise BadRequest("credentials must have access_key and secret_key, and nothing else.")
    for name in _KEYS:
        value = given[name]
        # An access key becomes a part of every URL that is signed with it.
        if not isinstance(value, str) or not 0 < len(value) <= MAX_SECRET_CHARS or not value.isprintable():
            raise BadRequest(f"credentials.{name} must be a string of 1 to {MAX_SECRET_CHARS} printable characters.")
    return given
