"""The policies in the database, as an immutable snapshot that follows every change."""

from .database import Database
from .policy import Snapshot


class Grants:
    """Keeps :attr:`snapshot` equal to what the database says."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.snapshot = Snapshot()

    async def start(self) -> None:
        """Load the policies and follow their changes."""

    async def stop(self) -> None:
        """Stop following."""
