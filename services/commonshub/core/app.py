"""The frame of every service: configuration, start, hand-over and stop.

The same application runs as a hub-managed service (the hub starts it and sets ``JUPYTERHUB_SERVICE_URL``) and as an
external one (somebody else starts it and gives ``--url``).

Hand-over: a service listens with ``SO_REUSEPORT`` and writes its process id to ``<data folder>/run/<name>.pid``. When
the hub was killed and starts its services anew, the orphan of the earlier run keeps answering until the new process
listens, and is then asked to finish: no request is refused in between.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from tornado import httpserver, netutil
from traitlets import Integer, Unicode, default
from traitlets.config import Application

from . import routing
from .attempts import Attempts
from .errors import AuthenticationRequired, CommonsError
from .identity import Identity
from .logs import to_stdout
from .policy import Snapshot
from .routing import Route
from .running import CountingApplication
from .settings import Commons, DatabaseSettings, LimitSettings, StorageSettings, TokenSettings
from .tokens import KeySet, Verifier, identity_of, marks_of
from .web import MetricsHandler, NotFoundHandler, StatusHandler, VersionHandler, log_request

# Records are no cycles: a chunk of them makes some 100,000 objects that go by themselves, and looking for others among
# them every 700 objects, as Python does, costs a tenth of the time. What does hold itself waits for the next look, so
# that every 100,000 objects a submission of a million rows grows by 140 MB more.
COLLECTION = (20_000, 10, 10)


class ServiceApplication(Application):
    """Base of the services' applications.

    A subclass names its public `prefixes`, returns its `routes` and does its own start in :meth:`start_service`.
    """

    prefixes: ClassVar[tuple[str, ...]] = ()
    uses_database: ClassVar[bool] = True
    status_handler: ClassVar[type[StatusHandler]] = StatusHandler
    version_handler: ClassVar[type[VersionHandler]] = VersionHandler
    classes = [Commons, DatabaseSettings, LimitSettings, StorageSettings, TokenSettings]

    config_file = Unicode(help="Configuration file; default: commonshub_config.py in the data folder.").tag(config=True)

    url = Unicode(help="Address to listen on, as http://host:port.").tag(config=True)

    stop_timeout_s = Integer(8, help="Time that running requests get to finish at a stop, in seconds.").tag(config=True)

    aliases = {
        "url": "ServiceApplication.url",
        "config": "ServiceApplication.config_file",
        "data-dir": "Commons.data_dir",
    }

    @default("url")
    def _default_url(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:0")

    @default("log_level")
    def _default_log_level(self) -> int:
        return logging.INFO

    @default("log")
    def _default_log(self) -> logging.Logger:
        return logging.getLogger(f"commonshub.{self.name}")

    # -- what a subclass gives -------------------------------------------------

    def routes(self) -> list[Route]:
        """Tornado routes of this service: full public paths."""
        raise NotImplementedError

    def prepare_database(self) -> None:
        """Bring the service's tables up to date, where it has some."""

    async def start_service(self) -> None:
        """Do what must be done before the first request, such as migrations."""

    async def stop_service(self) -> None:
        """Finish background work."""

    # -- what handlers use -----------------------------------------------------

    def identify(self, token: str) -> Identity:
        """The caller that a bearer token stands for.

        Raises
        ------
        AuthenticationRequired
            The token is not valid or was revoked, its client is gone, or its user has been switched off.
        """
        claims = self.verifier.verify(token)
        identity = identity_of(claims, token)
        revoked = self.revoked
        if revoked and not revoked.isdisjoint(marks_of(claims)):
            raise AuthenticationRequired("Authentication Error: this token has been revoked.")
        if identity.client is not None and self.uses_database and not self.policy.knows(identity.client):
            raise AuthenticationRequired("Authentication Error: the client of this token does not exist any more.")
        if identity.username is not None and not self.policy.active(identity.username):
            raise AuthenticationRequired("Authentication Error: this account has been deactivated.")
        return identity

    @property
    def policy(self) -> Snapshot:
        """The policies in force now; none, so no right at all, in a service without a database."""
        return self.grants.snapshot if self.uses_database else Snapshot()

    @property
    def revoked(self) -> frozenset[str]:
        """Identifiers of revoked tokens and sessions that have not expired."""
        return self.grants.revoked if self.uses_database else frozenset()

    @property
    def max_body_bytes(self) -> int:
        """Largest request body that this service accepts."""
        return self.commons.max_body_bytes

    async def check_health(self) -> None:
        """Raise :class:`~commonshub.core.errors.Unavailable` when the service cannot do its work."""
        if self.uses_database:
            await self.database.ping()

    # -- life ------------------------------------------------------------------

    def load_settings(self) -> None:
        """Read ``run/embedded.json`` and the configuration file; the command line wins over both."""
        commons = Commons(parent=self)
        embedded = commons.path / "run" / "embedded.json"
        chosen = Path(self.config_file) if self.config_file else commons.path / "commonshub_config.py"
        for file in (embedded, chosen):
            if file.exists():
                self.load_config_file(file.name, path=str(file.parent))
        self.update_config(self.cli_config)
        self.commons = Commons(parent=self)
        self.tokens = TokenSettings(parent=self)
        self.storage_settings = StorageSettings(parent=self)
        self.limits = limits = LimitSettings(parent=self)
        self.attempts = Attempts(limits.failed_attempts, limits.failed_attempts_of_address, limits.failed_window_s)
        self.verifier = Verifier(KeySet(Path(self.tokens.jwks_file)), self.commons.issuer, self.tokens.audience)
        if self.uses_database:
            # SQLAlchemy is a third of the memory of a service that needs none.
            from .database import Database
            from .grants import Grants

            self.database = Database(DatabaseSettings(parent=self))
            self.grants = Grants(self.database)

    def make_application(self) -> CountingApplication:
        """The tornado application with the service's routes and the common ones under each prefix."""
        shared = {"_status": self.status_handler, "_version": self.version_handler, "metrics": MetricsHandler}
        common = [(routing.common(self.prefixes, rf"/{name}/?"), handler) for name, handler in shared.items()]
        return CountingApplication(
            [*common, *routing.grouped(self.routes())],
            service=self,
            default_handler_class=NotFoundHandler,
            log_function=log_request,
            compress_response=False,
        )

    async def open(self) -> None:
        """Start to answer; the port is then in :attr:`port`."""
        if self.uses_database:
            await self.grants.start()
        await self.start_service()
        limit = self.max_body_bytes
        self._application = self.make_application()
        self._server = httpserver.HTTPServer(self._application, max_body_size=limit, max_buffer_size=limit)
        sockets = self._listen()
        self._server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self._take_over()
        self.log.info("%s listens on port %d", self.name, self.port)

    async def close(self) -> None:
        """Answer what is running, then stop."""
        self._server.stop()
        # Who sends one request after the other on a connection would keep this from ending.
        self._server.conn_params.no_keep_alive = True
        try:
            await asyncio.wait_for(self._application.answered(), self.stop_timeout_s)
        except TimeoutError:
            self.log.warning("Some requests were still running after %d s.", self.stop_timeout_s)
        await self._server.close_all_connections()
        await self.stop_service()
        if self.uses_database:
            await self.grants.stop()
            self.database.close()

    async def serve(self) -> None:
        """Answer until SIGINT or SIGTERM."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stopped.set)
        await self.open()
        await stopped.wait()
        await self.close()

    def _listen(self) -> list[socket.socket]:
        parts = urlsplit(self.url)
        return netutil.bind_sockets(parts.port or 0, parts.hostname or "127.0.0.1", reuse_port=True)

    def _take_over(self) -> None:
        """Become the process of record, and ask an orphan of an earlier run to finish."""
        file = self.commons.path / "run" / f"{self.name}.pid"
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            earlier = int(file.read_text())
            if earlier != os.getpid() and f"commonshub.{self.name}".encode() in _command_line(earlier):
                os.kill(earlier, signal.SIGTERM)
        except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
            pass
        file.write_text(str(os.getpid()))

    def initialize(self, argv: Any = None) -> None:
        """Read command line and files."""
        super().initialize(argv)
        self.load_settings()

    def start(self) -> None:
        """Run until stopped."""
        to_stdout(cast("int | str", self.log_level))
        super().start()
        # Modules stay for good: the collector, which every large request wakes, need not look at them again.
        gc.freeze()
        gc.set_threshold(*COLLECTION)
        try:
            asyncio.run(self.serve())
        except CommonsError as error:
            # What the operator can mend, such as a fault in a file, is said in one line.
            self.log.critical(error.message)
            self.exit(1)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
