"""New records that arrive one by one, stored together: those of one moment share a transaction."""

from collections.abc import Sequence

from commonshub.core import records
from commonshub.core.batches import Batches
from commonshub.core.database import Database
from commonshub.core.records import Draft, Made


class Creations:
    """Stores new records; each has its own success or fault.

    Parameters
    ----------
    prefix
        Prefix of the GUIDs that are made up here.
    most
        Records in one transaction.
    at_once
        Transactions that are open at the same time.
    """

    def __init__(self, database: Database, schema: str, prefix: str, *, most: int, at_once: int) -> None:
        self._database = database
        self._schema = schema
        self._prefix = prefix
        self._batches: Batches[Draft, Made | None] = Batches(self._store, most, at_once)

    async def store(self, draft: Draft) -> Made:
        """Store one new record.

        Raises
        ------
        Conflict
            Its GUID is taken.
        """
        record = await self._batches.put(draft)
        if record is None:
            raise records.taken(draft.did)
        return record

    async def _store(self, drafts: Sequence[Draft]) -> Sequence[Made | None]:
        return await self._database.run(records.create_free, self._schema, drafts, prefix=self._prefix)
