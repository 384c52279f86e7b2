"""The SQL of the log of transactions: what was submitted, by whom, and what was answered."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import JSONB

from ..core.graph import CHANNEL, Graph

LogRow = Mapping[str, Any]
"""The columns of ``transaction_logs``, without its time."""


class LogStore:
    """The log of one graph in its database."""

    def __init__(self, graph: Graph) -> None:
        self._logs = graph.transaction_logs
        self._documents = graph.transaction_documents
        self._parts = graph.transaction_document_parts

    def write(self, connection: sa.Connection, row: LogRow) -> int:
        """Write the row of a transaction, or what has become of it.

        Returns
        -------
        int
            Its number. One that comes without ``id`` gets a new one, which stays taken whatever becomes of it.
        """
        return int(connection.execute(self.writing(row), dict(row)).scalar_one())

    def writing(self, row: LogRow) -> Any:
        """The statement of :meth:`write`, whose parameters are those of the row and which returns ``id``."""
        return self._rewritten if "id" in row else self._written

    @cached_property
    def _written(self) -> Any:
        given = ("submitter", "role", "program", "project", "is_dry_run", "state", "closed", "canonical_json")
        values: dict[str, Any] = {name: sa.bindparam(name) for name in given}
        return pg.insert(self._logs).values(values).returning(self._logs.c.id)

    @cached_property
    def _rewritten(self) -> Any:
        insert = self._written.values(id=sa.bindparam("id"))
        changed = {name: insert.excluded[name] for name in ("state", "canonical_json")}
        return insert.on_conflict_do_update(index_elements=[self._logs.c.id], set_=changed)

    def document(
        self,
        connection: sa.Connection,
        row: Mapping[str, Any],
        response: bytes,
        parts: Iterable[bytes] = (),
        announced: str | None = None,
    ) -> None:
        """Write what was submitted, as a text or in parts, and what was answered.

        Parameters
        ----------
        announced
            A project that everybody who follows the graph is told of at the commit.
        """
        parameters: dict[str, Any] = {**row, "response": response.decode()}
        if announced is None:
            connection.execute(self._documented, parameters)
        else:
            connection.execute(self._announced, {**parameters, "project_id": announced})
        for place, part in enumerate(parts):
            piece = {"transaction_id": row["transaction_id"], "place": place, "data": part}
            connection.execute(sa.insert(self._parts), piece)

    @cached_property
    def _documented(self) -> Any:
        given = ("transaction_id", "name", "doc_format", "doc")
        values: dict[str, Any] = {name: sa.bindparam(name) for name in given}
        answer = sa.cast(sa.bindparam("response", type_=sa.Text), JSONB)
        return sa.insert(self._documents).inline().values(**values, response_json=answer)

    @cached_property
    def _announced(self) -> Any:
        told = sa.select(sa.func.pg_notify(CHANNEL, sa.bindparam("project_id", type_=sa.Text)))
        return told.add_cte(self._documented.cte("document"))

    def parts(self, connection: sa.Connection, transaction_id: int) -> Iterator[bytes]:
        """What a large submission was, in the parts in which it was written."""
        table = self._parts
        query = sa.select(table.c.data).where(table.c.transaction_id == transaction_id).order_by(table.c.place)
        options = {"stream_results": True, "max_row_buffer": 10}
        with connection.execute(query, execution_options=options) as rows:
            for row in rows:
                yield bytes(row.data)
