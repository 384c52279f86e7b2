"""The hub's own process: JupyterHub, with its services started side by side."""

import asyncio
import logging
from typing import Any

from jupyterhub.app import JupyterHub
from tornado.log import app_log

from .ending import ending_sessions


def without_session(record: logging.LogRecord) -> bool:
    """Keep the value of a browser's session cookie, which JupyterHub's log would show, out of the log."""
    if record.module == "_xsrf_utils" and isinstance(record.args, tuple):
        record.args = tuple("…" if isinstance(each, bytes) else each for each in record.args)
    return True


class CommonsHub(JupyterHub):  # type: ignore[misc]
    """JupyterHub for a commons; configured by ``c.JupyterHub`` as ever."""

    def init_logging(self) -> None:
        """Set up the log."""
        super().init_logging()
        app_log.addFilter(without_session)

    def init_handlers(self) -> None:
        """The hub's pages; signing out ends what a browser's session was given."""
        super().init_handlers()
        self.handlers: list[tuple[Any, ...]] = ending_sessions(self.handlers)

    async def start_service(self, service_name: str, service: Any, ssl_context: Any = None) -> bool:
        """Start one service; the first call starts all of them, so that they need not wait for each other.

        A service that does not come up does not take the hub down with it: it is started again whenever it ends.
        """
        start = super().start_service
        if not hasattr(self, "_service_starts"):
            self._service_starts = {
                name: asyncio.ensure_future(start(name, each, ssl_context)) for name, each in self._service_map.items()
            }
        if service_name in self._service_starts:
            ready = await self._service_starts.pop(service_name)
        else:
            ready = await start(service_name, service, ssl_context)
        if not ready and service.managed:
            self.log.critical("Service %s is not available; it is started again as soon as it ends.", service_name)
        return True


if __name__ == "__main__":
    CommonsHub.launch_instance()
