"""Builds of a running service's index, and what can befall them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.waiting import eventually

from commonshub.core.errors import Conflict
from commonshub.core.storage import Storage
from commonshub.explore import store
from commonshub.explore.etl import Etl, Outcome
from commonshub.explore.settings import ExploreSettings

from .conftest import DICTIONARY, Explorer

SEEN = '{ case(filter: {eq: {submitter_id: "c1"}}) { submitter_id } }'
BUSY = 75
# A command with file systems of its own, and what gives it a small one in place of a folder.
APART = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
MOUNT = 'mount -t tmpfs -o size="$1" none "$0" && shift && exec "$@"'
# A build in a process of its own that something befalls.
SCRIPT = """
import json, os, resource, signal, sys
from traitlets.config import Config
from commonshub.core.database import Database
from commonshub.core.errors import Conflict
from commonshub.core.settings import Commons, DatabaseSettings, StorageSettings
from commonshub.core.storage import Storage
from commonshub.explore.etl import Etl
from commonshub.explore.settings import ExploreSettings

given = json.load(sys.stdin)
config = Config(given["settings"])
if given["file_bytes"] is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (given["file_bytes"], given["file_bytes"]))

def progress(phase, done, of):
    if phase == given["phase"] and done + 1 == of:
        os.kill(os.getpid(), signal.SIGKILL)

database = Database(DatabaseSettings(config=config))
try:
    storage = Storage(StorageSettings(config=config))
    Etl(database, Commons(config=config), ExploreSettings(config=config), progress, storage).run(force=True)
except Conflict:
    sys.exit(75)
"""


class Builds:
    """Builds of the service's own index."""

    def __init__(self, explorer: Explorer, url: str) -> None:
        self.explorer = explorer
        self.app = explorer.running.app
        self.url = url

    def befall(
        self,
        phase: str | None = None,
        file_bytes: int | None = None,
        disk_bytes: int | None = None,
        storage: dict[str, Any] | None = None,
        **settings: Any,
    ) -> subprocess.CompletedProcess[str]:
        """A build that is killed when it begins `phase`, or may write no file longer than `file_bytes`, or whose disk
        has no more than `disk_bytes`."""
        config = {
            "Commons": {"data_dir": str(self.app.commons.path), "dictionary": str(DICTIONARY)},
            "DatabaseSettings": {"url": self.url},
            "StorageSettings": storage or {},
            "ExploreSettings": {
                "mapping_file": self.app.settings.mapping_file, "index_dir": self.app.settings.index_dir,
                "parquet": False, **settings,
            },
        }  # fmt: skip
        given = json.dumps({"settings": config, "phase": phase, "file_bytes": file_bytes})
        disk = [*APART, "sh", "-c", MOUNT, self.app.settings.index_dir, str(disk_bytes)] if disk_bytes else []

        def once() -> subprocess.CompletedProcess[str] | None:
            done = subprocess.run(
                [*disk, sys.executable, "-P", "-c", SCRIPT], input=given, capture_output=True, text=True, timeout=600
            )
            # The service may be building just now: its run goes first.
            return None if done.returncode == BUSY else done

        return eventually(once, 60)

    def run(
        self,
        progress: Callable[[str, int, int], None] = lambda *_: None,
        settings: ExploreSettings | None = None,
        storage: Storage | None = None,
    ) -> Outcome:
        chosen = settings or self.app.settings

        def once() -> Outcome | None:
            try:
                return Etl(self.app.database, self.app.commons, chosen, progress, storage).run(force=True)
            except Conflict:
                return None

        return eventually(once, 60)

    def newest(self) -> store.RunRecord:
        return self.app.database.call(store.runs, self.app.schema, 1)[0]

    def mended(self, **chosen: Any) -> None:
        """What the next build leaves: its index, those that are kept, and nothing of the one before."""
        before = self.newest().id
        number = self.run(**chosen).run
        left = {run.id: run for run in self.app.database.call(store.runs, self.app.schema, 100)}
        assert number is not None
        assert (left[number].state, left[before].state) == ("ready", "failed")
        kept = {f"{run.id}.duckdb" for run in left.values() if run.state == "ready"}
        assert {path.name for path in Path(self.app.settings.index_dir).iterdir()} <= kept
        assert self.explorer.query(SEEN)["case"]
