"""HTTP: applications, for administrators."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .. import sources
from ..handlers import AuthHandler
from .registry import Registered, Registry, read_fields

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")


class RegistryHandler(AuthHandler):
    """Base of the administrators' routes."""

    async def run(self, work: Callable[[Registry], T]) -> T:
        """Do `work` in one transaction."""

        def call(connection: "sa.Connection") -> T:
            return work(Registry(connection, self.auth, self.identity, self.request_id, sources.API))

        return await self.auth.database.run(call)

    def fields(self) -> dict[str, Any]:
        """The fields of the body, none where there is no body.

        Raises
        ------
        BadRequest
            It is no JSON object of such fields.
        """
        return read_fields(self.json_object()) if self.request.body else {}

    async def told(self, found: Registered, status: int = 200) -> None:
        """Answer with a client, once this service follows the change."""
        await self.auth.grants.reload()
        self.reply(found.document(), status)


class ClientsHandler(RegistryHandler):
    """``/user/admin/client``: all applications, and a new one."""

    async def get(self) -> None:
        self.require_administrator()
        name = self.get_query_argument("name", None)
        found = await self.run(lambda registry: registry.listed(name))
        self.reply({"clients": [each.document() for each in found]})

    async def post(self) -> None:
        await self.govern("create_client")
        fields = self.fields()
        await self.told(await self.run(lambda registry: registry.create(fields)), 201)


class ClientHandler(RegistryHandler):
    """``/user/admin/client/<client_id>``: one application."""

    async def get(self, client_id: str) -> None:
        self.require_administrator()
        self.reply((await self.run(lambda registry: registry.get(client_id))).document())

    async def patch(self, client_id: str) -> None:
        await self.govern("change_client")
        fields = self.fields()
        [changed] = await self.run(lambda registry: registry.change([registry.get(client_id).client], fields))
        await self.told(changed)

    async def delete(self, client_id: str) -> None:
        await self.govern("delete_client")
        await self.run(lambda registry: registry.delete([registry.get(client_id).client]))
        await self.auth.grants.reload()
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()


class RotateHandler(RegistryHandler):
    """``/user/admin/client/<client_id>/rotate``: a second secret, so that the first can be given up in peace."""

    async def post(self, client_id: str) -> None:
        await self.govern("create_client")
        fields = self.fields()
        fresh = await self.run(lambda registry: registry.rotate(registry.get(client_id).client, fields))
        await self.told(fresh, 201)
