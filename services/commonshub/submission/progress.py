"""How far a large submission has come: counters that its thread sets and others read."""

from dataclasses import dataclass

from ..core.errors import Unavailable

WAITING, RECORDS, LINKS, COMMIT, DONE = "waiting", "records", "links", "commit", "done"
CHECKSUM = "checksum"


@dataclass
class Progress:
    """Where a submission is.

    Attributes
    ----------
    stage
        ``waiting`` for others, working on ``records`` chunk by chunk, finding the targets of ``links`` and checking
        them, about to ``commit``, ``done``. A release copies ``records`` and ``links`` and then takes the ``checksum``.
    read, checked, written
        Records so far.
    stopped
        Set by somebody else: the work is to end before the next chunk.
    """

    stage: str = WAITING
    read: int = 0
    checked: int = 0
    written: int = 0
    stopped: bool = False

    def start(self) -> None:
        """Begin, perhaps once more."""
        self.stage = RECORDS
        self.read = self.checked = self.written = 0

    def check(self) -> None:
        """Return unless the work is to end.

        Raises
        ------
        Unavailable
            It is.
        """
        if self.stopped:
            raise Unavailable("The service is being stopped; nothing was stored. Send the submission again.")
