"""HTTP: what all routes have in common by which policies are administered."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from commonshub.core import audit
from commonshub.core.errors import BadRequest, CommonsError

from . import forms, store
from .handlers import ArboristHandler
from .resources import Exists
from .store import Page

if TYPE_CHECKING:
    import sqlalchemy as sa

P = ParamSpec("P")
T = TypeVar("T")


class AdministrationHandler(ArboristHandler):
    """Base of the routes on resources, roles, policies, users, groups and clients.

    Whoever comes is judged before anything of the request is looked at, by the method alone: administrators read, and
    those of them change whose token is for it. What a route leaves open beyond that, it says in :attr:`own`.

    Attributes
    ----------
    actions
        What the trail calls a method.
    own
        A user may read what concerns himself: the first part of the path is his name.
    """

    actions: ClassVar[Mapping[str, audit.Action]] = {"POST": "put", "PUT": "put", "DELETE": "drop"}
    own: ClassVar[bool] = False

    async def prepare(self) -> None:
        super().prepare()
        if self.request.method in ("GET", "HEAD", "OPTIONS"):
            # Of what he holds, an application is told by userinfo, where the user has allowed that.
            if not (self.own and self.identity.client is None and self.path_args[0] == self.identity.username):
                self.require_administrator()
        else:
            await self.govern(self.actions.get(self.request.method or "", "put"))
        if any("\x00" in each for each in self.path_args):
            raise BadRequest("The path holds a NUL, which no name has.")

    @property
    def source(self) -> str:
        """On whose behalf the caller changes something."""
        headers = self.request.headers.get_list("X-AuthZ-Provider")
        if len(headers) > 1:
            raise BadRequest("X-AuthZ-Provider is given twice.")
        return forms.source(headers[0] if headers else None)

    def flag(self, name: str) -> bool:
        """Whether the query has a flag, such as ``?p``."""
        return name in self.request.query_arguments

    def page(self) -> Page:
        """The part of a list that is asked for by ``start`` and ``limit``."""
        most = self.auth.max_listed
        limit = self.integer("limit", most, low=1, high=most)
        # A name may begin and end with blanks.
        return Page(self.get_query_argument("start", "", strip=False), limit or most)

    def reply_page(self, name: str, listed: Sequence[Any], following: str | None) -> None:
        """Answer with a part of a list, and where the next one starts."""
        self.reply({name: listed, **({"next": following} if following is not None else {})})

    def reply_nothing(self) -> None:
        """Answer that it is done."""
        self.set_status(204)
        self.clear_header("Content-Type")
        self.finish()

    async def read(
        self, function: "Callable[Concatenate[sa.Connection, str, P], T]", /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run one of the stores' functions that read."""
        return await self.auth.database.run(function, self.auth.schema, *args, **kwargs)

    async def alter(
        self, subjects: Sequence[str], detail: Mapping[str, Any], function: "Callable[[sa.Connection, str], T]"
    ) -> T:
        """Run a change, with a row in the trail for each of `subjects`, after all earlier changes."""
        action = self.actions[self.request.method or ""]
        entries = [audit.Entry(action, subject, "allowed", {"source": self.source, **detail}) for subject in subjects]

        def after_others(connection: "sa.Connection", schema: str) -> T:
            store.lock(connection, schema)
            return function(connection, schema)

        return await self.change(entries, after_others)

    def error_body(self, error: CommonsError) -> Any:
        """Arborist's form; of a resource that exists also which it is."""
        body = super().error_body(error)
        return {**body, "exists": error.document} if isinstance(error, Exists) else body
