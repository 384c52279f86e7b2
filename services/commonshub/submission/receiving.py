"""Taking in bodies piece by piece."""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar, cast

from ..core.errors import CommonsError, TooLarge
from .body import BLOCK_BYTES
from .handlers import SubmissionHandler

SMALL_BYTES = 100_000
"""What is longer is written, read and parsed off the event loop."""


class ReceivingHandler(SubmissionHandler):
    """Base of handlers that need not have a body in memory; a subclass is decorated with ``stream_request_body``.

    Attributes
    ----------
    receives
        Methods whose bodies are taken in.
    """

    receives: ClassVar[frozenset[str]] = frozenset({"PUT", "POST"})
    _limit = 0
    _admitted = False
    _whole = False
    _begun = False
    _refusal: CommonsError | None = None

    def admit(self) -> int:
        """Make room for a body, and say how many bytes it may have.

        Raises
        ------
        CommonsError
            The caller may not send it.
        """
        raise NotImplementedError

    def take_in(self, data: bytes) -> None:
        """Keep a piece; may block."""
        raise NotImplementedError

    def forget(self) -> None:
        """The request is over, or its client is gone; called once where there was room; may block."""
        raise NotImplementedError

    @property
    def waits(self) -> bool:
        """Whether to keep even a little, and to forget, may take the time of a disk."""
        return False

    def prepare(self) -> Awaitable[None] | None:
        """Decide who may send a body, and how long a one, before it comes."""
        if self.request.method not in self.receives:
            waiting = super().prepare()
            self._begun = True
            return waiting
        try:
            super().prepare()
            self._limit = self.admit()
            self._pieces, self._size = bytearray(), 0
            self._writing = asyncio.Lock()
            self._admitted, self._whole = True, False
            self._check_size(int(self.request.headers.get("Content-Length", 0)))
            cast(Any, self.request.connection).set_max_body_size(self._limit)
        except CommonsError as error:
            # Who has begun to send would not hear an answer before the end; who asks first hears it now.
            if isinstance(error, TooLarge) or "Expect" in self.request.headers:
                raise
            self._refusal = error
        self._begun = True
        return None

    def finish_error(self, error: CommonsError) -> None:
        """Send an error, and say so where it ends the connection, whose next request could not be told from a body."""
        if not self._begun:
            self.set_header("Connection", "close")
        super().finish_error(error)

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise TooLarge(f"The body has more than the {self._limit} bytes that are allowed.")

    async def data_received(self, chunk: bytes) -> None:
        """Keep a piece, once enough has come for one."""
        if not self._admitted:
            return
        self._pieces += chunk
        self._size += len(chunk)
        if len(self._pieces) >= BLOCK_BYTES:
            async with self._writing:
                pieces, self._pieces = bytes(self._pieces), bytearray()
                await asyncio.to_thread(self.take_in, pieces)

    async def received(self) -> int:
        """Keep the last piece, and return the number of bytes that have come.

        Raises
        ------
        CommonsError
            The caller may not send them.
        """
        # From here on somebody works with it, whether its sender is there to hear of that or not.
        self._whole = True
        if self._refusal is not None:
            raise self._refusal
        if self._size < SMALL_BYTES and not self.waits:
            self._take_rest()
        else:
            async with self._writing:
                await asyncio.to_thread(self._take_rest)
        return self._size

    def _take_rest(self) -> None:
        pieces, self._pieces = bytes(self._pieces), bytearray()
        self.take_in(pieces)

    def on_connection_close(self) -> None:
        """Keep what has come, and forget it where that is no use; one that is whole is forgotten at the end."""
        super().on_connection_close()
        if not self._whole:
            self.on_finish()

    def on_finish(self) -> None:
        """Forget the body."""
        if self._admitted:
            self._admitted = False
            if self._writing.locked() or self.waits:
                self._ending = asyncio.create_task(self._end())
            else:
                self.forget()

    async def _end(self) -> None:
        async with self._writing:
            await asyncio.to_thread(self.forget)
