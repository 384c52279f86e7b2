"""S3 servers that a test stops and starts."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commonshub.hub.objectstore import ObjectStore

from .conftest import free_port, wait_for_port

KEYS = {"access_key": "otheraccesskey", "secret_key": "othersecretkey1234"}


class StoppableStore:
    """A real S3 server with one bucket, at an address that stays the same.

    Parameters
    ----------
    bucket
        Name of the bucket.
    """

    def __init__(self, folder: Path, bucket: str) -> None:
        self.bucket = bucket
        self.credentials = folder / "keys.json"
        self.credentials.write_text(json.dumps(KEYS))
        self.server = ObjectStore(folder / "store", free_port(), KEYS)
        self.server.create_bucket(bucket)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What ``StorageSettings.stores`` says of the bucket."""
        return {"endpoint_url": self.server.url, "credentials_file": str(self.credentials)}

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.server.command(),
            env=self.server.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.server.port)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def has(self, key: str) -> bool:
        """Whether the bytes are there, whether or not the server runs."""
        return (self.server.folder / self.bucket / key).exists()


@pytest.fixture
def second_store(tmp_path: Path) -> Iterator[StoppableStore]:
    """A second server with the bucket ``second``, running."""
    store = StoppableStore(tmp_path, "second")
    store.start()
    yield store
    store.stop()
