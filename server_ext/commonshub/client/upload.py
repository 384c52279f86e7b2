"""Send a file to the commons by presigned URL and wait until the commons has verified it."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from .errors import ChecksumMismatch, Refused, TransferFailed
from .objects import DataObject, object_of
from .progress import Meter, Progress
from .session import Session

CHUNK_BYTES = 2**18
MAX_SINGLE_PUT_BYTES = 5 * 2**30  # S3's own limit for one request
ATTEMPTS = 5
DELAY_S = 0.25
POLL_MIN_S = 0.2
POLL_MAX_S = 3.0


def upload(
    session: Session,
    path: Path,
    *,
    file_name: str | None = None,
    authz: Sequence[str] = (),
    guid: str | None = None,
    wait_s: float = 300,
    progress: bool | Progress = True,
    cancel: threading.Event | None = None,
) -> DataObject:
    """Send one file; see :meth:`commonshub.client.Commons.upload`."""
    if not path.is_file():
        raise TransferFailed(f"There is no file {path}.")
    size = path.stat().st_size
    if size > MAX_SINGLE_PUT_BYTES:
        raise TransferFailed(f"{path} is larger than 5 GiB; send it with 'gen3-client upload', which splits it.")
    name = file_name or path.name
    if guid is None:
        body: dict[str, Any] = {"file_name": name, **({"authz": list(authz)} if authz else {})}
        ticket = session.request("POST", "/user/data/upload", json=body).json()
        guid, url = str(ticket["guid"]), str(ticket["url"])
    else:
        url = _address(session, guid, name)
    meter = Meter(progress, "Upload", cancel)
    meter.start(size)
    try:
        _send(session, path, size, guid, name, url, meter)
        return _verified(session, path, size, guid, wait_s, meter)
    finally:
        meter.close()


def _address(session: Session, guid: str, name: str) -> str:
    return str(session.get(f"/user/data/upload/{quote(guid, safe='/:')}", {"file_name": name})["url"])


def _send(session: Session, path: Path, size: int, guid: str, name: str, url: str, meter: Meter) -> None:
    for attempt in range(ATTEMPTS):
        if attempt:
            meter.pause(DELAY_S * 2**attempt)
            url = _address(session, guid, name)
        sent = _Count()
        try:
            answer = session.storage.put(url, content=_chunks(path, meter, sent), headers={"Content-Length": str(size)})
            if answer.is_success:
                return
            reason = f"the storage answered {answer.status_code}"
        except httpx.TransportError as error:
            reason = type(error).__name__
        meter.update(-sent.bytes)
    raise TransferFailed(
        f"{path} could not be sent ({reason}). Try again with upload(…, guid={guid!r}), which keeps its identifier."
    )


class _Count:
    bytes = 0


def _chunks(path: Path, meter: Meter, sent: _Count) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
            sent.bytes += len(chunk)
            meter.update(len(chunk))


def _verified(session: Session, path: Path, size: int, guid: str, wait_s: float, meter: Meter) -> DataObject:
    """The record, once the commons has read the bytes itself."""
    end = time.monotonic() + wait_s
    delay_s = POLL_MIN_S
    while True:
        record = object_of(session.get(f"/index/index/{quote(guid, safe='/:')}"), session.origin)
        if record.verified or wait_s <= 0:
            break
        if time.monotonic() > end:
            raise TransferFailed(
                f"{path} was sent as {guid}, but the commons has not verified it within {wait_s:.0f} s. "
                f"Look later: resolve({guid!r}).verified"
            )
        meter.pause(delay_s)
        delay_s = min(POLL_MAX_S, delay_s * 1.5)
    if record.verified:
        _compare(path, size, record)
    return record


def _compare(path: Path, size: int, record: DataObject) -> None:
    checksum = record.checksum
    if checksum is None:
        raise Refused(f"The record of {record.guid} has no checksum.")
    digest = checksum.hasher()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    if record.size != size or digest.hexdigest() != checksum.value:
        raise ChecksumMismatch(
            f"The commons holds other bytes than {path} under {record.guid}. "
            "Was the file changed meanwhile? Upload it once more."
        )
