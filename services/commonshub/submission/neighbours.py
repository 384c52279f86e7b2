"""Which records somebody may have meant whose link leads nowhere."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from .advice import meant, nearest
from .entity import Entity, Fault
from .store import Store

MAX_WANTED = 100
"""So many different keys of a submission get suggestions."""
MAX_COMPARED = 5000
"""So many records of a type, of the submission and of the database, each key is compared with."""


def suggest(
    store: Store | None,
    connection: sa.Connection,
    project_id: str,
    faults: Iterable[Fault],
    entities: Sequence[Entity],
) -> None:
    """Name the nearest submitter_ids in all faults of links that lead nowhere, by one statement.

    Parameters
    ----------
    store
        None where the submitter may not know what is stored.
    entities
        Records that may be meant, too, although they are not stored.
    """
    lost = [each for each in faults if each["rule"] == "target"]
    wanted = _wanted(lost)
    if not wanted:
        return
    known: dict[str, dict[str, None]] = {kind: {} for kind in wanted}
    for kind, key in store.neighbours(connection, project_id, wanted, MAX_COMPARED) if store else ():
        known[kind][key] = None
    for kind, key in _own(entities, known):
        if len(known[kind]) < 2 * MAX_COMPARED:
            known[kind][key] = None
    likely = {(kind, key): nearest(key, tuple(known[kind])) for kind, keys in wanted.items() for key in keys}
    for each in lost:
        target = each["target"]
        found = likely.get((target["type"], target.get("submitter_id", "")))
        if found:
            each["suggestion"], each["nearest"] = meant(found), list(found)


def _wanted(lost: Iterable[Fault]) -> dict[str, list[str]]:
    wanted: dict[str, dict[str, None]] = {}
    count = 0
    for each in lost:
        target: Mapping[str, Any] = each["target"]
        key = target.get("submitter_id")
        if key is None or key in wanted.get(target["type"], ()):
            continue
        if count == MAX_WANTED:
            break
        wanted.setdefault(target["type"], {})[key] = None
        count += 1
    return {kind: list(keys) for kind, keys in wanted.items()}


def _own(entities: Iterable[Entity], kinds: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for entity in entities:
        if entity.node is not None and entity.node.id in kinds and isinstance(entity.submitter_id, str):
            yield entity.node.id, entity.submitter_id
