"""The hub's own process: JupyterHub, with its services started side by side."""

import asyncio
from typing import Any

from jupyterhub.app import JupyterHub

from .ending import ending_sessions


class CommonsHub(JupyterHub):  # type: ignore[misc]
    """JupyterHub for a commons; configured by ``c.JupyterHub`` as ever."""

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
