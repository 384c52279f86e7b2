"""HTTP: queries of the audit trail."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tornado.iostream import StreamClosedError

from commonshub.core.errors import BadRequest
from commonshub.core.policy import Request

from ..handlers import AuthHandler
from . import sheet, store
from .questions import Question, read_question
from .store import Place
from .views import View, views

if TYPE_CHECKING:
    import sqlalchemy as sa

SERVICE = "audit"
METHOD = "read"


class TrailHandler(AuthHandler):
    """``/audit/log/<category>`` as Gen3's audit service answers it, and ``/audit/log`` for the whole trail."""

    async def get(self, category: str = "") -> None:
        found = views(self.auth.schema)
        if category not in found:
            raise BadRequest(f"Category {category[:40]!r} is not one of {', '.join(filter(None, found))}.")
        view = found[category]
        arguments = {name: self.get_query_arguments(name) for name in self.request.query_arguments}
        self._require_reader(view, arguments.get("username", []))
        question = read_question(arguments, category, tuple(view.columns))
        if self._wants_csv():
            await self._export(view, question)
        elif question.groupby or question.count:
            await self._aggregate(view, question)
        elif category:
            rows, following = await self.auth.database.run(
                store.whole_seconds, view, question, self.auth.audit_page_rows
            )
            self.reply({"nextTimeStamp": following and int(following.timestamp()), "data": rows})
        else:
            await self._page(view, question)

    def _require_reader(self, view: View, usernames: list[str]) -> None:
        """Everybody may see his own rows of the whole trail, by a token that no application holds; more takes a right.

        Not of a category: Gen3's clients take a 403 there for the answer that somebody has no right to it.

        Raises
        ------
        AuthenticationRequired
            Nobody is signed in.
        PermissionDenied
            The right is missing.
        """
        identity = self.identity
        own = not view.category and usernames == [identity.username] and identity.client is None
        if identity.anonymous:
            self.require_user()
        if not own:
            self.auth.policy.require(identity, Request(SERVICE, METHOD, view.resource))

    def _wants_csv(self) -> bool:
        wanted = self.get_query_argument("format", None)
        if wanted not in (None, "json", "csv"):
            raise BadRequest("format must be json or csv.")
        return wanted == "csv" or (wanted is None and "text/csv" in self.request.headers.get("Accept", ""))

    async def _aggregate(self, view: View, question: Question) -> None:
        run, most = self.auth.database.run, self.auth.audit_max_groups
        if not question.groupby:
            self.reply({"nextTimeStamp": None, "data": await run(store.count, view, question)})
            return
        rows = await run(store.groups, view, question, most)
        self.reply({"nextTimeStamp": None, "data": len(rows) if question.count else rows})

    async def _page(self, view: View, question: Question) -> None:
        most = self.auth.audit_page_rows
        limit = self.integer("limit", most, 1, most) or most
        after = self.get_query_argument("after", None)
        place = None if after is None else Place.parse(after)
        found = await self.auth.database.run(store.page, view, question, limit, place, newest_first=True)
        self.reply({"data": found.rows, "next": found.next and str(found.next)})

    async def _export(self, view: View, question: Question) -> None:
        """All rows until now, oldest first, a page at a time: neither side has to hold them."""
        if question.groupby or question.count:
            raise BadRequest("groupby and count are answered in JSON only.")
        now = datetime.now(UTC)
        question = Question(question.filters, question.start, min(question.stop or now, now))
        name = f"audit-{view.category or 'log'}-{now:%Y%m%dT%H%M%SZ}.csv"
        place: Place | None = None
        while True:
            # The first page comes before the headers, so that a failure still has its status.
            text, following = await self.auth.database.run(self._sheet, view, question, place)
            if place is None:
                self.set_header("Content-Type", "text/csv; charset=utf-8")
                self.set_header("Content-Disposition", f'attachment; filename="{name}"')
            self.write(text)
            try:
                await self.flush()
            except StreamClosedError:
                return
            if following is None:
                break
            place = following
        await self.finish()

    def _sheet(
        self, connection: "sa.Connection", view: View, question: Question, place: Place | None
    ) -> tuple[str, Place | None]:
        found = store.page(connection, view, question, self.auth.audit_page_rows, place)
        return sheet.lines(found.rows, tuple(view.columns), heading=place is None), found.next
