"""The extension itself: settings, environment of the kernels, and the notebook that newcomers find."""

import os
import re
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, Float, Unicode, default

from .handlers import StatusHandler
from .keeper import Keeper, Pace
from .notebook import NOTEBOOK, place


class WorkspaceExtension(ExtensionApp):
    """Signs a workspace in to the commons that started it, and keeps it so."""

    name = "commonshub"
    handlers = [(r"/commonshub/status/?", StatusHandler)]

    origin = Unicode(help="Address of the commons, scheme://host[:port]; default: COMMONSHUB_ORIGIN.").tag(config=True)

    key_file = Unicode(help="Where the API key goes; default: ~/.gen3/workspace[-<server name>].json.").tag(config=True)

    renew_at = Float(0.5, help="Fraction of a key's life after which it is renewed.").tag(config=True)

    renew_max_s = Float(6 * 3600, help="Longest time between two renewals, in seconds.").tag(config=True)

    retry_min_s = Float(1.0, help="First delay after a failed exchange, in seconds; it doubles.").tag(config=True)

    retry_max_s = Float(60.0, help="Longest delay after failed exchanges, in seconds.").tag(config=True)

    place_notebook = Bool(True, help=f"Put '{NOTEBOOK}' into the user's pd folder, once.").tag(config=True)

    keeper: Keeper | None = None

    @default("origin")
    def _default_origin(self) -> str:
        return os.environ.get("COMMONSHUB_ORIGIN", "")

    @default("key_file")
    def _default_key_file(self) -> str:
        # Named servers of one user share a home folder, and each has its own key.
        server = re.sub(r"[^A-Za-z0-9_.-]", "_", os.environ.get("JUPYTERHUB_SERVER_NAME", ""))
        return str(Path.home() / ".gen3" / (f"workspace-{server}.json" if server else "workspace.json"))

    def initialize_settings(self) -> None:
        """Find out whether this is a workspace, and tell the kernels where the key will be."""
        hub_token = os.environ.get("JUPYTERHUB_API_TOKEN", "")
        if not self.origin or not hub_token:
            missing = "COMMONSHUB_ORIGIN" if not self.origin else "JUPYTERHUB_API_TOKEN"
            self.log.info("commonshub: %s is not set, so this is no workspace of a commons; doing nothing", missing)
            return
        parts = urlsplit(self.origin)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            self.log.error("commonshub: COMMONSHUB_ORIGIN is not an http(s) address; doing nothing")
            return
        pace = Pace(self.renew_at, self.renew_max_s, self.retry_min_s, self.retry_max_s)
        origin = f"{parts.scheme}://{parts.netloc}"
        self.keeper = Keeper(origin, hub_token, Path(self.key_file).expanduser(), pace, self.log)
        given = os.environ.setdefault("GEN3_API_KEY", str(self.keeper.file))
        if given != str(self.keeper.file):
            self.log.info("commonshub: GEN3_API_KEY is set already, so Gen3 tools go on using what it names")
        os.environ.setdefault("GEN3_ENDPOINT", parts.netloc)
        if self.place_notebook and self.serverapp is not None:
            # Before the server listens, so that whoever opens it finds the notebook.
            self._place(Path(self.serverapp.root_dir))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Begin to keep the key, once the server's loop runs."""
        if self.keeper is not None:
            self.keeper.start()

    def _place(self, root: Path) -> None:
        persistent = root / "pd"
        folder = persistent if persistent.is_dir() else root
        with as_file(files("commonshub.server") / "notebooks" / NOTEBOOK) as source:
            try:
                if place(source, folder):
                    self.log.info("commonshub: put '%s' into %s", NOTEBOOK, folder)
            except OSError as error:
                self.log.warning("commonshub: cannot put '%s' into %s: %s", NOTEBOOK, folder, error.strerror)

    async def stop_extension(self) -> None:
        """Stop with the server."""
        if self.keeper is not None:
            await self.keeper.stop()
