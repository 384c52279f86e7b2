"""Fetch files: in parallel, resumed where they ended, verified against the record, never half there.

Bytes go to ``.<name>.<guid>.part`` in the same folder, which takes the final name only when size and checksum are those
on record. A part that an earlier call left is continued by HTTP Range; what comes out wrong after that is fetched once
more from the start.
"""

import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx

from .display import size_text, table
from .errors import Cancelled, ChecksumMismatch, CommonsError, NotFound, TransferFailed
from .names import apart, safe_name
from .objects import DataObject
from .progress import Meter, Progress
from .session import Session

CHUNK_BYTES = 2**18
_CONTENT_RANGE = re.compile(r"bytes (\d+)-")
ATTEMPTS = 6  # in a row without a byte of progress
DELAY_S = 0.25  # before the second attempt; doubles each time


@dataclass(frozen=True)
class Downloaded:
    """A complete local file; usable wherever Python takes a path.

    Attributes
    ----------
    checksum
        What it was verified against; empty when the record holds none.
    reused
        It was here already.
    """

    guid: str
    path: Path
    size: int
    checksum: str
    reused: bool = False

    def __fspath__(self) -> str:
        return str(self.path)


class Downloads(list[Downloaded]):
    """The files of one download, in the order in which they were asked for."""

    @property
    def paths(self) -> list[Path]:
        """Where they are."""
        return [each.path for each in self]

    def _repr_html_(self) -> str:
        rows = [
            (
                each.path,
                size_text(each.size),
                each.checksum or "no checksum on record",
                "was here" if each.reused else "",
            )
            for each in self
        ]
        return table(["file", "size", "verified", ""], rows)


@dataclass(frozen=True)
class Target:
    """An object and the file it becomes."""

    object: DataObject
    path: Path

    @property
    def part(self) -> Path:
        """Where the bytes are while they are incomplete."""
        tag = sha256(self.object.guid.encode()).hexdigest()[:12]
        return self.path.with_name(f".{self.path.name}.{tag}.part")


def plan(objects: Sequence[DataObject], folder: Path) -> list[Target]:
    """A file in the folder for each object: safe names, no two alike even where case does not count."""
    targets: list[Target] = []
    taken: set[str] = set()
    for each in {each.guid: each for each in objects}.values():
        name = safe_name(each.name, each.guid)
        if name.casefold() in taken:
            name = apart(name, each.guid)
        base, count = name, 2
        while name.casefold() in taken:
            name, count = f"{count}-{base}", count + 1
        taken.add(name.casefold())
        targets.append(Target(each, folder / name))
    return targets


def download(
    session: Session,
    objects: Sequence[DataObject],
    folder: Path,
    *,
    workers: int = 4,
    overwrite: bool = False,
    progress: bool | Progress = True,
    cancel: threading.Event | None = None,
) -> Downloads:
    """Fetch objects into a folder; see :meth:`commonshub.client.Commons.download`."""
    folder.mkdir(parents=True, exist_ok=True)
    targets = plan(objects, folder)
    meter = Meter(progress, "Download", cancel)
    meter.start(sum(target.object.size or 0 for target in targets))
    done: dict[str, Downloaded] = {}
    failures: dict[str, Exception] = {}
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="download")
    try:
        with ExitStack() as failing:
            failing.callback(meter.cancel)
            running: dict[Future[Downloaded], Target] = {
                pool.submit(Fetch(session, target, meter, overwrite).run): target for target in targets
            }
            for future in as_completed(running):
                guid = running[future].object.guid
                try:
                    done[guid] = future.result()
                except (CommonsError, OSError) as error:
                    failures[guid] = error
            failing.pop_all()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        meter.close()
    files = Downloads(done[target.object.guid] for target in targets if target.object.guid in done)
    if failures:
        raise _summary(failures, files, {target.object.guid: target for target in targets})
    return Downloads(done[each.guid] for each in objects)


def _summary(failures: dict[str, Exception], done: Downloads, targets: dict[str, Target]) -> TransferFailed:
    for error in failures.values():
        if isinstance(error, Cancelled):
            return Cancelled(str(error), failures, done)
    lines = [f"  {targets[guid].path.name} ({guid}): {error}" for guid, error in list(failures.items())[:10]]
    if len(failures) > 10:
        lines.append(f"  … and {len(failures) - 10} more, see .failures")
    count = len(failures) + len(done)
    message = f"{len(failures)} of {count} files could not be downloaded:\n" + "\n".join(lines)
    if all(isinstance(error, ChecksumMismatch) for error in failures.values()):
        return ChecksumMismatch(message, failures, done)
    return TransferFailed(
        f"{message}\nCall it again: complete files are kept, the others are continued.", failures, done
    )


class Part:
    """An incomplete file with the hash of what it holds."""

    def __init__(self, target: Target) -> None:
        self._checksum = target.object.checksum
        # O_NOFOLLOW: whoever can write to the folder must not make us write through a link.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._file = os.fdopen(os.open(target.part, flags, 0o666), "r+b")
        self._hash = self._checksum.hasher() if self._checksum else None
        self.count = 0
        while chunk := self._file.read(2**20):
            self._count(chunk)
        self.resumed = self.count > 0

    def restart(self) -> None:
        """Forget what is there."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = self._checksum.hasher() if self._checksum else None
        self.count = 0
        self.resumed = False

    def write(self, chunk: bytes) -> None:
        """Append."""
        self._file.write(chunk)
        self._count(chunk)

    def _count(self, chunk: bytes) -> None:
        self.count += len(chunk)
        if self._hash is not None:
            self._hash.update(chunk)

    def fault(self, expected: DataObject) -> str | None:
        """Why this is not the object, or None when it is."""
        if expected.size is not None and self.count != expected.size:
            return f"{self.count} bytes arrived, {expected.size} are on record"
        if self._checksum is not None and self._hash is not None and self._hash.hexdigest() != self._checksum.value:
            return f"the {self._checksum.algorithm} checksum is not the one on record"
        return None

    def close(self) -> None:
        """Flush and close."""
        self._file.close()


class Fetch:
    """The download of one file."""

    def __init__(self, session: Session, target: Target, meter: Meter, overwrite: bool) -> None:
        self._session = session
        self._target = target
        self._object = target.object
        self._meter = meter
        self._overwrite = overwrite

    def run(self) -> Downloaded:
        """Fetch, verify and name the file.

        Raises
        ------
        TransferFailed
            It could not be fetched, or another file has its name.
        ChecksumMismatch
            What arrived is not what is on record.
        """
        self._meter.check()
        path = self._target.path
        if path.exists() and not self._overwrite:
            return self._existing(path)
        part = Part(self._target)
        try:
            self._meter.update(part.count)
            self._fill(part)
            fault = part.fault(self._object)
            if fault and part.resumed:
                self._restart(part)
                self._fill(part)
                fault = part.fault(self._object)
        finally:
            part.close()
        if fault:
            self._target.part.unlink(missing_ok=True)
            raise ChecksumMismatch(f"{fault}. Nothing was kept; tell the operators of the commons.")
        os.replace(self._target.part, path)
        return Downloaded(self._object.guid, path, part.count, str(self._object.checksum or ""))

    def _existing(self, path: Path) -> Downloaded:
        """The file that is there, if it is the one that was asked for."""
        count = path.stat().st_size
        wrong = self._object.size is not None and count != self._object.size
        checksum = self._object.checksum
        if not wrong and checksum and path.is_file():
            digest = checksum.hasher()
            with path.open("rb") as file:
                while chunk := file.read(2**20):
                    digest.update(chunk)
                    self._meter.update(len(chunk))
            wrong = digest.hexdigest() != checksum.value
        if wrong or checksum is None or not path.is_file():
            raise TransferFailed(
                f"{path} exists already and is another file. Pass overwrite=True, or choose another folder."
            )
        return Downloaded(self._object.guid, path, count, str(checksum), reused=True)

    def _fill(self, part: Part) -> None:
        """Fetch until all is there; give up after some attempts that bring nothing."""
        idle = 0
        while True:
            before = part.count
            try:
                if self._object.size is not None and part.count == self._object.size and part.count > 0:
                    return
                self._attempt(part)
                return
            except (httpx.TransportError, _Again) as error:
                idle = 0 if part.count > before else idle + 1
                if idle >= ATTEMPTS:
                    raise TransferFailed(
                        f"the storage does not deliver it ({error or type(error).__name__})"
                    ) from error
            self._meter.pause(DELAY_S * 2**idle)

    def _attempt(self, part: Part) -> None:
        if self._object.size is not None and part.count > self._object.size:
            self._restart(part)
        headers = {"Range": f"bytes={part.count}-"} if part.count else {}
        # Presigned URLs expire, so each attempt gets its own.
        url = self._session.download_url(self._object.guid)
        with self._session.storage.stream("GET", url, headers=headers) as answer:
            self._check(answer, part)
            for chunk in answer.iter_raw(CHUNK_BYTES):
                part.write(chunk)
                self._meter.update(len(chunk))
                if self._object.size is not None and part.count > self._object.size:
                    raise ChecksumMismatch("more bytes arrive than are on record. Tell the operators of the commons.")

    def _check(self, answer: httpx.Response, part: Part) -> None:
        """Make the part ready for what the storage is about to send."""
        status, begin = answer.status_code, range_begin(answer)
        if status in (200, 206) and begin == part.count:
            return
        if status == 200 and begin == 0:
            self._restart(part)
            return
        if status in (200, 206, 416):
            self._restart(part)
            raise _Again("it answered another range")
        if status == 404:
            raise NotFound("the storage does not have its bytes. Tell the operators of the commons.")
        # 403: the URL has expired, or the clocks differ; 5xx: the storage is restarting.
        raise _Again(f"the storage answered {status}")

    def _restart(self, part: Part) -> None:
        self._meter.update(-part.count)
        part.restart()


def range_begin(answer: httpx.Response) -> int | None:
    """Position in the object of the first byte of an answer; None where it cannot be told.

    Some storages (rclone among them) answer a range with 200 instead of 206, so the header decides, not the status.
    """
    found = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
    if found:
        return int(found[1])
    return 0 if answer.status_code == 200 else None


class _Again(Exception):
    """This attempt brought nothing; the next may."""
