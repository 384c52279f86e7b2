"""HTTP of bundles: ``/index/bundle``."""

from . import bundles, permissions, validate
from .ga4gh import ObjectReader
from .handlers import IndexHandler


class BundlesHandler(IndexHandler):
    """``/index/bundle``: list and create."""

    async def get(self) -> None:
        await self.reply_list("bundle")

    async def post(self) -> None:
        self.require("create", [permissions.BUNDLES])
        values = validate.bundle(self.json(), self.index.max_bundle_members)
        draft = bundles.BundleDraft(members=values.pop("bundles"), id=values.pop("bundle_id", None), **values)
        made = await self.sql(bundles.create, draft, prefix=self.prefix)
        self.reply({"bundle_id": made.id, "name": made.name, "contents": bundles.snapshot(made.members)})


class BundleHandler(ObjectReader):
    """``/index/bundle/{id}``: read, of a record too, and delete."""

    async def get(self, name: str) -> None:
        document = self.object_of(await self.found(name, expand=self.expand), expand=self.expand)
        self.reply({**document, "drs_uri": document["self_uri"]})

    async def delete(self, bundle_id: str) -> None:
        self.require("delete", [permissions.BUNDLES])
        await self.sql(bundles.delete, bundle_id, prefix=self.prefix)
        self.finish()
