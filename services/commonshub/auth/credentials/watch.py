"""Keeps workspaces and what the commons knows of them together.

The hub says when a server stops. Where it could not (it crashed, or this service was away), the sessions of workspaces
are compared with the servers that run, every so often and only while there are any.

The hub does not know who was switched off, so the servers of those are stopped: what runs there would go on, and the
connections to it stay open.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from commonshub.core import audit
from commonshub.core.errors import CommonsError
from commonshub.core.identity import Identity
from commonshub.core.tokens import CLOCK_SKEW_S

from . import sessions
from .hub import Servers
from .origin import BROWSER, WORKSPACE
from .sessions import SessionRow

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ..app import AuthApp

log = logging.getLogger(__name__)


def gone(watched: Sequence[SessionRow], running: Servers) -> list[SessionRow]:
    """The sessions whose server does not run, or was started after them: they belong to an earlier run of it."""
    skew = timedelta(seconds=CLOCK_SKEW_S)
    found = []
    for session in watched:
        place = (session.username, session.name)
        started = running.get(place)
        if place not in running or (started is not None and started > session.created_at + skew):
            found.append(session)
    return found


async def finish(auth: "AuthApp", ended: Sequence[SessionRow], request_id: str) -> None:
    """End sessions everywhere, with their keys and tokens, and say so in the audit trail."""
    if ended:
        await auth.database.run(_finish, auth, ended, request_id)
        # The other services hear of it within moments; this process need not wait for that.
        await auth.grants.reload_revoked()


def _finish(connection: "sa.Connection", auth: "AuthApp", ended: Sequence[SessionRow], request_id: str) -> None:
    sessions.end(connection, auth.schema, [session.id for session in ended], auth.longest_token_s)
    for session in ended:
        audit.write(
            connection,
            auth.schema,
            Identity(session.username),
            request_id,
            action="end_session",
            subject=session.id,
            decision="allowed",
            detail={"kind": session.kind, "server": session.name} if session.kind == WORKSPACE else {"kind": BROWSER},
        )


def _tell_of_eviction(connection: "sa.Connection", schema: str, name: str, server: str) -> None:
    audit.write(
        connection,
        schema,
        Identity(name),
        "watch",
        action="stop_server",
        subject=name,
        decision="allowed",
        detail={"server": server},
    )


class Watch:
    """Compares, again and again.

    Parameters
    ----------
    auth
        The application, whose settings say how often.
    """

    def __init__(self, auth: "AuthApp") -> None:
        self.auth = auth
        # Told of already: a stop may take longer than from one comparison to the next.
        self._stopping: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Compare until cancelled; what keeps it from that is told once."""
        told = None
        while True:
            await asyncio.sleep(self.auth.session_check_s)
            try:
                await self.check()
                told = None
            except (CommonsError, SQLAlchemyError) as error:
                # Each session ends by itself when nobody has confirmed its server for long.
                if str(error) != told:
                    log.warning("Workspaces cannot be looked after just now: %s", error)
                told = str(error)

    async def check(self) -> None:
        """Compare once.

        Raises
        ------
        CommonsError
            The hub or the database does not answer; what is left is done the next time.
        """
        await self._compare()
        await self._evict()

    async def _evict(self) -> None:
        """Stop the servers of users who were switched off."""
        away = {name for name, user in self.auth.policy.users.items() if not user.active}
        if not away:
            return
        doomed = {place for place in await self.auth.hub.servers() if place[0] in away}
        self._stopping &= doomed
        faults = []
        for name, server in sorted(doomed):
            try:
                await self.auth.hub.stop(name, server)
            except CommonsError as error:
                # What keeps one server from being stopped must not keep the others.
                faults.append(error)
                continue
            if (name, server) not in self._stopping:
                self._stopping.add((name, server))
                log.info("The server %r of %s, who was switched off, is being stopped.", server, name)
                await self.auth.database.run(_tell_of_eviction, self.auth.schema, name, server)
        if faults:
            raise faults[0]

    async def _compare(self) -> None:
        database, schema = self.auth.database, self.auth.schema
        watched = await database.run(sessions.workspaces, schema)
        if not watched:
            return
        # Read before the servers are asked for: what is among these had its server by then.
        suspects = gone(watched, await self.auth.hub.servers())
        # A list of several pages may miss somebody while users come and go, so each is asked for again.
        ended = [each for each in suspects if gone([each], await self.auth.hub.servers_of(each.username))]
        alive = {session.id for session in watched} - {session.id for session in ended}
        await database.run(sessions.extend, schema, alive, self.auth.session_lease_s)
        await finish(self.auth, ended, "watch")
