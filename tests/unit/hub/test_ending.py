"""Which pages of the hub end a session, and what happens when nobody hears of it."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.handlers import default_handlers
from jupyterhub.handlers.login import LogoutHandler
from tornado import web

from commonshub.hub.ending import Endings, EndsSession, ending_sessions


class OwnLogout(LogoutHandler):  # type: ignore[misc]
    async def handle_logout(self) -> None:
        """Some authenticators do things of their own, and call nobody else."""


def test_every_logout_page_ends_its_session_and_nothing_else_changes() -> None:
    before: list[tuple[Any, ...]] = [(r"/logout", OwnLogout), *default_handlers, (r"/x", web.RequestHandler, {"a": 1})]
    after = ending_sessions(before)
    changed = {path: handler for (path, handler, *_), (_, old, *_) in zip(after, before, strict=True) if handler != old}
    assert changed.keys() == {r"/logout"}
    assert all(issubclass(handler, EndsSession) for path, handler, *_ in after if path == r"/logout")
    assert issubclass(after[0][1], OwnLogout)
    assert after[-1] == (r"/x", web.RequestHandler, {"a": 1})
    assert ending_sessions(after) == after


def test_a_server_stops_also_when_nobody_can_be_told(caplog: pytest.LogCaptureFixture) -> None:
    spawner = SimpleNamespace(user=SimpleNamespace(name="alice"), name="")
    with caplog.at_level(logging.WARNING):
        asyncio.run(Endings("http://127.0.0.1:1", "very-secret").server_stopped(spawner))
    assert "alice" in caplog.text
    assert "very-secret" not in caplog.text
