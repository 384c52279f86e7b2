"""HTTP of many records at once: ``/index/bulk/records`` and ``/index/bulk/hashes``.

A bulk write is one transaction: all of it happens, or nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import sqlalchemy as sa

from commonshub.core import records
from commonshub.core.errors import ValidationFailed
from commonshub.core.identity import Identity
from commonshub.core.policy import Snapshot

from . import permissions, plan, validate, writes
from .handlers import IndexHandler
from .plan import Plan

Answer = dict[str, list[dict[str, str | None]]]


class Writer(NamedTuple):
    """Who writes, by which policies, and the prefix of the GUIDs that are made up for him."""

    policy: Snapshot
    identity: Identity
    prefix: str


class BulkHandler(IndexHandler):
    """``/index/bulk/records``: create, update, delete, or all three at once."""

    async def post(self) -> None:
        self.reply((await self._write({"create": self._list()}))["create"])

    async def put(self) -> None:
        self.reply((await self._write({"update": self._list()}))["update"])

    async def delete(self) -> None:
        self.reply((await self._write({"delete": self._list()}))["delete"])

    async def patch(self) -> None:
        self.reply(await self._write(self.json_object(), {part: part for part in plan.PARTS}))

    def _list(self) -> list[Any]:
        body = self.json()
        if not isinstance(body, list):
            raise ValidationFailed("The body must be a JSON list, with one object a record.")
        return body

    async def _write(self, parts: Mapping[str, Any], names: Mapping[str, str] | None = None) -> Answer:
        names = names or dict.fromkeys(parts, "records")
        # Thousands of records take longer to check than others should wait for the event loop.
        most, most_bytes = self.index.max_bulk_records, self.index.max_record_bytes
        wanted = await asyncio.to_thread(plan.read, parts, most, names, most_bytes)
        return await self.sql(_carry_out, wanted, Writer(self.service.policy, self.identity, self.prefix))


def _carry_out(connection: sa.Connection, schema: str, wanted: Plan, writer: Writer) -> Answer:
    """Do all that a plan says, in the caller's transaction.

    Nothing is locked for somebody who may not write it: what he may is decided by the records as they are read first,
    and holds for them as long as their revisions do.
    """
    held = records.get_many(connection, schema, [each.did for each in wanted.targets]) if wanted.targets else {}
    plan.require_unchanged(wanted.targets, {guid: record.rev for guid, record in held.items()})
    changes = plan.changes(wanted, held)
    _require(wanted, held, changes, writer)
    if wanted.targets:
        plan.require_unchanged(wanted.targets, writes.lock(connection, schema, list(held)))
        records.delete_many(connection, schema, [each.did for each in wanted.deletions])
    revisions = writes.update(connection, schema, held, changes)
    return {
        "create": _create(connection, schema, wanted, writer.prefix),
        "update": [
            {"did": each.did, "baseid": held[each.did].baseid, "rev": revisions[each.did]} for each in wanted.updates
        ],
        "delete": [{"did": each.did, "baseid": held[each.did].baseid, "rev": each.rev} for each in wanted.deletions],
    }


def _require(
    wanted: Plan, held: Mapping[str, records.Record], changes: Mapping[str, Mapping[str, Any]], writer: Writer
) -> None:
    """Raise unless the writer may do all of it."""
    asked: dict[str, list[Sequence[str]]] = {
        "create": [draft.authz for draft in wanted.creations.values()],
        "update": [[*held[guid].authz, *each.get("authz", ())] for guid, each in changes.items()],
        "delete": [held[each.did].authz for each in wanted.deletions],
    }
    for method, authz in asked.items():
        permissions.require_each(writer.policy, writer.identity, method, authz)


def _create(connection: sa.Connection, schema: str, wanted: Plan, prefix: str) -> list[dict[str, str | None]]:
    drafts = list(wanted.creations.values())
    made = records.create_free(connection, schema, drafts, prefix=prefix) if drafts else []
    lost = [place for place, record in zip(wanted.creations, made, strict=True) if record is None]
    if lost:
        raise plan.taken(lost, [wanted.creations[place] for place in lost])
    return [{"did": each.did, "baseid": each.baseid, "rev": each.rev} for each in made if each]


class HashesHandler(IndexHandler):
    """``POST /index/bulk/hashes``: the records that have each of many checksums."""

    public: ClassVar[bool] = True

    async def post(self) -> None:
        asked = validate.digests(self.json(), self.index.max_bulk_hashes)
        room = self.room(
            "Ask for fewer hashes at once; the records of one can be paged through with "
            "GET /index/index?hash=…&limit=…&start=…."
        )
        found = await self.read(writes.by_hashes, asked, self.index.max_bulk_guids, room)
        answer: dict[str, dict[str, list[Any]]] = {}
        for (kind, value), each in found.items():
            answer.setdefault(kind, {})[value] = [document.json for document in each]
        self.reply(answer)
