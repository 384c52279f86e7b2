"""What users keep in the explorer goes with their accounts."""

from commonshub.core.database import Database
from commonshub.core.grants import CHANNEL
from commonshub.core.watcher import Watcher

from .setstore import forget_deleted

REST_S = 5.0
"""Changes of users and policies come many at a time."""


def watcher(database: Database) -> Watcher:
    """Forgets the saved sets of accounts that were deleted, those of the time before the start, too."""
    schemas = database.settings.explore_schema, database.settings.auth_schema

    async def forget() -> None:
        await database.run(forget_deleted, *schemas)

    return Watcher(database, CHANNEL, forget, "The saved sets of deleted users could not be deleted", REST_S)
