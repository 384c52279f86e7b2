"""What is counted of all records of a submission, and what is told of some.

Gen3's clients read what became of every record. Of a million records nobody could read it: beyond a named number, only
those with faults are told, up to another number.
"""

from collections.abc import Iterable
from typing import Any

from .entity import CREATE, UPDATE, Counts, Entity, Fault


class Tally:
    """Counts the records of one submission, chunk by chunk.

    Parameters
    ----------
    most
        As many records are told of, whatever became of them.
    most_faulty
        As many are told of where there are more, and only those with faults; and as many faults of the request.
    """

    def __init__(self, most: int, most_faulty: int) -> None:
        self._most = most
        self._most_faulty = most_faulty
        self._told: dict[int, dict[str, Any]] = {}
        self._every = True
        # By number of a record, whether it was counted for a late fault: a byte for each of a million rows.
        self._late = bytearray()
        self.faults: list[Any] = []
        self.counts = Counts()

    @property
    def clean(self) -> bool:
        """Whether nothing has been found wrong."""
        return not self.counts.invalid and not self.counts.faults

    def add(self, entities: Iterable[Entity]) -> None:
        """Count the records of a chunk, whose faults are known so far."""
        total, invalid, created, updated, faults = self.counts
        for entity in entities:
            total += 1
            invalid += bool(entity.errors)
            created += entity.action == CREATE
            updated += entity.action == UPDATE
            self._tell(entity.number, entity.answer())
        self.counts = Counts(total, invalid, created, updated, faults)

    def complain(self, fault: Any) -> None:
        """Note a fault that is none of a record."""
        self.counts = self.counts._replace(faults=self.counts.faults + 1)
        if len(self.faults) < self._most_faulty:
            self.faults.append(fault)

    def add_fault(self, number: int, answer: dict[str, Any], *, known: bool) -> None:
        """Note the one fault of `answer`, which was found after the record `number` had been counted.

        Parameters
        ----------
        known
            Whether the record was counted as faulty before any of its late faults was found.
        """
        told = self._told.get(number)
        if told is None:
            self._tell(number, answer)
        else:
            told["errors"].extend(answer["errors"])
            told["valid"] = False
        if number >= len(self._late):
            self._late.extend(bytes(number + 1))
        if not known and not self._late[number]:
            self._late[number] = True
            self.counts = self.counts._replace(invalid=self.counts.invalid + 1)

    def _tell(self, number: int, answer: dict[str, Any]) -> None:
        if self._every and len(self._told) == self._most:
            self._every = False
            faulty = [(at, told) for at, told in sorted(self._told.items()) if not told["valid"]]
            self._told = dict(faulty[: self._most_faulty])
        if self._every or (not answer["valid"] and len(self._told) < self._most_faulty):
            self._told[number] = answer

    def told(self) -> list[dict[str, Any]]:
        """What is told of records, in their order."""
        return [self._told[number] for number in self.numbers()]

    def numbers(self) -> list[int]:
        """Which records are told of, in their order."""
        return sorted(self._told)

    def errors(self) -> list[Fault]:
        """All faults of records that are told."""
        return [each for told in self.told() for each in told["errors"]]
