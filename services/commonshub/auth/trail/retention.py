"""The end of old rows, where the operator wants one."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from commonshub.core.database import Database
from commonshub.core.errors import Unavailable
from commonshub.core.tasks import cancel

from . import store

log = logging.getLogger(__name__)

PERIOD_S = 3600.0
# Rows of one transaction: a first deletion of years of rows must not lock the table, or fill the log, at once.
BATCH = 10_000


class Retention:
    """Deletes rows older than `keep_days` days, at the start and then every hour; 0 keeps all."""

    def __init__(self, database: Database, schema: str, keep_days: int) -> None:
        self.database = database
        self.schema = schema
        self.keep_days = keep_days
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, where there is anything to do."""
        if self.keep_days > 0:
            self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop after the batch that is running."""
        await cancel(self._task)

    async def sweep(self) -> int:
        """Delete all that is too old now; how many rows."""
        before, total = datetime.now(UTC) - timedelta(days=self.keep_days), 0
        while deleted := await self.database.run(store.forget, self.schema, before, BATCH):
            total += deleted
        return total

    async def _keep(self) -> None:
        while True:
            try:
                if deleted := await self.sweep():
                    log.info("Deleted %d rows of the audit trail, older than %d days.", deleted, self.keep_days)
            except Unavailable as error:
                log.warning("The audit trail could not be swept; trying again in an hour: %s", error.message)
            await asyncio.sleep(PERIOD_S)
