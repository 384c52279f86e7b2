"""Registering buckets while the commons runs, by an administrator or the operator.

A bucket is tried before it counts. Then one transaction writes its row and one in the audit trail, and every service
hears of it. Credentials that are sent are kept as those of the operator are, in a file that only this user may read
and that the row names; no answer ever has them.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from commonshub.core import audit, buckets
from commonshub.core.buckets import Bucket
from commonshub.core.database import Database
from commonshub.core.errors import BadRequest, CommonsError, Conflict, Unavailable
from commonshub.core.files import write_whole
from commonshub.core.identity import Identity
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Storage

# A store that says a byte now and then holds its thread for long: others have to wait, and nothing else is held up.
PROBES_AT_ONCE = 2
UNNAMED_S = 3600.0


@dataclass(frozen=True, slots=True)
class Author:
    """Who registers, for the trail."""

    identity: Identity
    request_id: str


class Registration:
    """Adds, changes and removes buckets.

    Parameters
    ----------
    folder
        Where the credentials are kept that are sent.

    Attributes
    ----------
    grace_s
        So long the files of credentials stay that were replaced, in seconds.
    """

    grace_s = 60.0

    def __init__(self, database: Database, settings: StorageSettings, folder: Path) -> None:
        self.database = database
        self.settings = settings
        self.folder = folder
        self._threads = ThreadPoolExecutor(PROBES_AT_ONCE, thread_name_prefix="probe")

    async def sweep(self) -> None:
        """Delete credentials that no row names, as a process leaves them that was killed."""
        files = [bucket.store.get("credentials_file") for bucket in await self.listing()]
        # By their names, which are no other's: the folder may be written in another way, or have been moved.
        named = {Path(file).name for file in files if file}
        for file in self.folder.glob("*.json"):
            # What is younger may belong to a bucket that is being tried; what is gone another process has swept.
            with suppress(FileNotFoundError):
                if file.name not in named and time.time() - file.stat().st_mtime > UNNAMED_S:
                    file.unlink()

    def close(self) -> None:
        """Wait for no store any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def add(
        self, author: Author, bucket: Bucket, credentials: Mapping[str, str] | None = None, *, probe: bool = True
    ) -> Bucket:
        """Register a bucket.

        Parameters
        ----------
        credentials
            ``access_key`` and ``secret_key``; None where the bucket names a file of them, or needs none.
        probe
            Whether it must answer.

        Raises
        ------
        BadRequest
            It is malformed, or does not answer as a bucket that the commons may use.
        Conflict
            There is a bucket of this name.
        """
        return await self._store(author, bucket, credentials, None, probe=probe)

    async def change(
        self,
        author: Author,
        seen: Bucket,
        bucket: Bucket,
        credentials: Mapping[str, str] | None = None,
        *,
        probe: bool = True,
    ) -> Bucket:
        """Replace what is registered of a bucket; refused like :meth:`add`.

        Parameters
        ----------
        seen
            What the caller has read of it.

        Raises
        ------
        NotFound
            It is not registered (any more).
        Conflict
            It was changed meanwhile.
        """
        return await self._store(author, bucket, credentials, seen, probe=probe)

    async def read(self, name: str) -> Bucket:
        """One registered bucket.

        Raises
        ------
        NotFound
            It is not registered.
        """
        return await self.database.run(buckets.get, self.database.settings.index_schema, name)

    async def listing(self) -> list[Bucket]:
        """All registered buckets, by name."""
        return await self.database.run(buckets.read, self.database.settings.index_schema)

    async def remove(self, author: Author, name: str, *, force: bool = False) -> None:
        """Forget a bucket; what lies in it stays.

        Parameters
        ----------
        force
            Whether the operator wants it gone whatever needs it.

        Raises
        ------
        NotFound
            It is not registered.
        Conflict
            Records point into it, or bytes are still being uploaded or deleted there; the message says how many.
        """
        schema = self.database.settings.index_schema

        def run(connection: sa.Connection) -> Bucket:
            held = buckets.get(connection, schema, name)
            if not force:
                _require_unused(connection, schema, name)
            buckets.remove(connection, schema, name)
            self._note(connection, author, audit.Entry("remove_bucket", name))
            return held

        self._forget(await self.database.run(run))

    async def _store(
        self,
        author: Author,
        bucket: Bucket,
        credentials: Mapping[str, str] | None,
        seen: Bucket | None,
        *,
        probe: bool,
    ) -> Bucket:
        bucket.check()
        buckets.require_free(self.settings, bucket)
        kept = self._keep(bucket.name, credentials) if credentials else None
        if kept:
            bucket = bucket._replace(store={**bucket.store, "credentials_file": str(kept)})
        with ExitStack() as failing:
            if kept:
                failing.callback(kept.unlink, missing_ok=True)
            try:
                if probe:
                    await self._probe(bucket)
                await self.database.run(self._write, author, seen, bucket)
            except (Unavailable, asyncio.CancelledError):
                # The row may be there, or be written yet, and name the file.
                failing.pop_all()
                raise
            failing.pop_all()
        if seen and seen.store.get("credentials_file") != bucket.store.get("credentials_file"):
            self._forget(seen)
        return bucket

    def _write(self, connection: sa.Connection, author: Author, seen: Bucket | None, bucket: Bucket) -> None:
        schema = self.database.settings.index_schema
        if seen is None:
            buckets.add(connection, schema, bucket)
        else:
            if buckets.get(connection, schema, bucket.name) != seen:
                raise Conflict(f"The bucket {bucket.name} was changed meanwhile; read it again.")
            buckets.change(connection, schema, bucket)
        detail = {name: value for name, value in document(bucket).items() if name != "name"}
        self._note(
            connection, author, audit.Entry("change_bucket" if seen else "add_bucket", bucket.name, "allowed", detail)
        )

    def _note(self, connection: sa.Connection, author: Author, entry: audit.Entry) -> None:
        schema = self.database.settings.auth_schema
        audit.write_many(connection, schema, author.identity, author.request_id, [entry])

    async def _probe(self, bucket: Bucket) -> None:
        """Raise unless the bucket answers in time, as one that the commons may use."""
        endpoint, own = bucket.store.get("endpoint_url", ""), self.settings.endpoint_url
        if endpoint.startswith("http://") and not own.startswith("http://"):
            raise BadRequest("endpoint_url must be https: plain http is for where the commons' own store has it too.")
        settings = StorageSettings(config=self.settings.config)
        settings.stores = {bucket.name: dict(bucket.store)}
        settings.registered = frozenset({bucket.name})
        timeout_s = self.settings.probe_timeout_s
        storage = Storage(settings, timeout_s, attempts=0)
        probing = asyncio.get_running_loop().run_in_executor(self._threads, storage.probe, bucket.name)
        try:
            await asyncio.wait_for(probing, timeout_s)
        except TimeoutError as error:
            raise BadRequest(f"The bucket {bucket.name!r} did not answer within {timeout_s} s.") from error
        except Unavailable as error:
            raise BadRequest(f"The bucket {bucket.name!r} does not answer: {error.message}") from error
        except CommonsError as error:
            raise BadRequest(f"The bucket {bucket.name!r} cannot be used: {error.message}") from error

    def _keep(self, name: str, credentials: Mapping[str, str]) -> Path:
        # Another name each time: until the row names the new one, the old one counts.
        file = self.folder / f"{name}.{secrets.token_hex(8)}.json"
        write_whole(file, json.dumps(dict(credentials)))
        return file

    def _forget(self, bucket: Bucket) -> None:
        """Delete the credentials of a bucket that no row names any more, if they are kept here."""
        file = Path(bucket.store.get("credentials_file", ""))
        if file.parent == self.folder:
            # Other services use them until they have heard of the change.
            asyncio.get_running_loop().call_later(self.grace_s, partial(file.unlink, missing_ok=True))


def _require_unused(connection: sa.Connection, schema: str, name: str) -> None:
    if count := buckets.pointing(connection, schema, name):
        raise Conflict(
            f"{count} record{'s point' if count > 1 else ' points'} into the bucket {name}; change them first."
        )
    if count := buckets.uploading(connection, schema, name):
        raise Conflict(
            f"{count} upload{'s are' if count > 1 else ' is'} under way into the bucket {name}, not verified yet. "
            "Wait for that, or delete the records."
        )
    if count := buckets.deleting(connection, schema, name):
        raise Conflict(f"In {count} place{'s' * (count > 1)} of the bucket {name} bytes are still being deleted.")


def document(bucket: Bucket) -> dict[str, Any]:
    """A bucket as answers tell of it; of its credentials only whether there are some."""
    store = {name: value for name, value in bucket.store.items() if name != "credentials_file"}
    return {
        "name": bucket.name,
        "endpoint_url": None,
        "region": None,
        "public": False,
        **store,
        "has_credentials": "credentials_file" in bucket.store,
        "resources": dict(bucket.resources),
    }
