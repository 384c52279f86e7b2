"""The Jupyter server extension that keeps a workspace signed in to its commons."""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where Jupyter finds the extension."""
    from .extension import WorkspaceExtension

    return [{"module": "commonshub.server", "app": WorkspaceExtension}]
