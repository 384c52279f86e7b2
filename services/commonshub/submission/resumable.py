"""HTTP of uploads that can be resumed: the core of tus 1.0.0 (tus.io), with creation, expiration and termination."""

import asyncio
import base64
import binascii
import os
from email.utils import formatdate
from typing import BinaryIO, ClassVar

from tornado import web

from ..core.errors import BadRequest, CommonsError, TooLarge
from .documents import CSV, TSV, document_format
from .entity import CREATE
from .handlers import SubmissionHandler
from .receiving import ReceivingHandler
from .uploads import Upload

VERSION = "1.0.0"
_PIECE = "application/offset+octet-stream"


class WrongVersion(CommonsError):
    """The client speaks another version of the protocol."""

    status = 412
    code = "wrong_version"


class WrongType(CommonsError):
    """A piece of an upload is not declared as one."""

    status = 415
    code = "wrong_type"


class TusHandler(SubmissionHandler):
    """What all requests of the protocol share."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Tus-Resumable", VERSION)
        self.set_header("Cache-Control", "no-store")

    def options(self, *_: str) -> None:
        """What the protocol can do here."""
        self.set_header("Tus-Version", VERSION)
        self.set_header("Tus-Extension", "creation,expiration,termination")
        self.set_header("Tus-Max-Size", str(self.app.commons.max_table_bytes))
        self.set_status(204)

    def check_version(self) -> None:
        """Refuse clients of another version."""
        if self.request.headers.get("Tus-Resumable") != VERSION:
            self.set_header("Tus-Version", VERSION)
            raise WrongVersion(f"This speaks version {VERSION} of tus; say so by the header Tus-Resumable.")

    def find(self, program: str, code: str, id_: str) -> Upload:
        """The caller's upload."""
        self.check_version()
        self.require_on(program, code, CREATE)
        return self.app.uploads.find(id_, self.identity.username or self.identity.client, program, code)

    def number(self, name: str) -> int:
        """A header that must be a number."""
        text = self.request.headers.get(name, "")
        if not (text.isascii() and text.isdigit()):
            raise BadRequest(f"The header {name} must be a number of bytes.")
        return int(text)

    def tell(self, upload: Upload) -> None:
        """Say until when an upload is kept."""
        self.set_header("Upload-Expires", formatdate(self.app.uploads.expires(upload), usegmt=True))


class UploadsHandler(TusHandler):
    """``/<program>/<project>/uploads``."""

    async def post(self, program: str, code: str) -> None:
        self.check_version()
        self.require_on(program, code, CREATE)
        length, told = self.number("Upload-Length"), _metadata(self.request.headers.get("Upload-Metadata", ""))
        content_type = told.get("filetype", "")
        table = document_format(content_type) in (TSV, CSV)
        most = self.app.commons.max_table_bytes if table else self.app.max_body_bytes
        if length > most:
            raise TooLarge(f"The upload has more than the {most} bytes that are allowed.")
        owner = self.identity.username or self.identity.client
        upload = await asyncio.to_thread(
            self.app.uploads.create, owner, program, code, length, content_type, told.get("filename")
        )
        self.tell(upload)
        self.set_header("Location", f"{self.request.path.rstrip('/')}/{upload.id}")
        self.set_status(201)


@web.stream_request_body
class UploadHandler(TusHandler, ReceivingHandler):
    """``/<program>/<project>/uploads/<id>``."""

    receives: ClassVar[frozenset[str]] = frozenset({"PATCH"})
    _file: BinaryIO | None = None

    def head(self, program: str, code: str, id_: str) -> None:
        upload = self.find(program, code, id_)
        self.tell(upload)
        self.set_header("Upload-Offset", str(self.app.uploads.offset(upload)))
        self.set_header("Upload-Length", str(upload.length))

    async def delete(self, program: str, code: str, id_: str) -> None:
        await asyncio.to_thread(self.app.uploads.delete, self.find(program, code, id_))
        self.set_status(204)

    async def patch(self, program: str, code: str, id_: str) -> None:
        await self.received()
        assert self._file is not None
        await asyncio.to_thread(os.fsync, self._file.fileno())
        self.tell(self._upload)
        self.set_header("Upload-Offset", str(self.app.uploads.offset(self._upload)))
        self.set_status(204)

    def admit(self) -> int:
        """Open the file at the offset that the client names."""
        self._upload = self.find(*self.path_args)
        if self.request.headers.get("Content-Type", "").lower() != _PIECE:
            raise WrongType(f"The Content-Type of a piece is {_PIECE}.")
        offset = self.number("Upload-Offset")
        self._file = self.app.uploads.open(self._upload, offset)
        return self._upload.length - offset

    def take_in(self, data: bytes) -> None:
        """Append a piece."""
        assert self._file is not None
        self._file.write(data)
        self._file.flush()

    def forget(self) -> None:
        """Keep what has come before the connection broke, and let others write."""
        assert self._file is not None
        self._file.write(self._pieces)
        self._file.close()


def _metadata(text: str) -> dict[str, str]:
    """``Upload-Metadata``: names with values in base64."""
    found = {}
    for pair in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadRequest("The values of the header Upload-Metadata must be base64 of UTF-8.") from error
    return found
