"""The hub: authenticator, workspaces, embedded infrastructure and the `commonshub` command."""

from pathlib import Path
from typing import Any


def configure(c: Any, data_dir: str | Path | None = None) -> None:
    """Make a JupyterHub the centre of a commons: call this in ``jupyterhub_config.py`` with its ``c``."""
    from .configuration import configure as apply

    apply(c, data_dir)
