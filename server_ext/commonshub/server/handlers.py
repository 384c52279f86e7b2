"""HTTP of the extension."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

if TYPE_CHECKING:
    from .extension import WorkspaceExtension


class StatusHandler(ExtensionHandlerMixin, APIHandler):
    """``GET <base>/commonshub/status``: whether this workspace is signed in, and what is wrong if not."""

    auth_resource = "commonshub"

    @web.authenticated
    @authorized
    def get(self) -> None:
        keeper = cast("WorkspaceExtension", self.extensionapp).keeper
        if keeper is None:
            self.finish({"workspace": False, "state": "off"})
            return
        status = keeper.status
        expires = datetime.fromtimestamp(status.expires, UTC).isoformat() if status.expires else None
        self.finish(
            {
                "workspace": True,
                "origin": keeper.origin,
                "state": status.state,
                "key_file": str(keeper.file),
                "key_expires": expires,
                "failures": status.failures,
                "error": status.error,
            }
        )
