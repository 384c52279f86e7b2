"""What a bundle holds, and what follows from it.

Vocabulary
----------
bundle
    A named set of objects, which may be bundles themselves.
member
    One object of a bundle, by its id. The bundle keeps the name that the member had when the bundle was made.
below
    Everything that can be reached from a bundle: members, members of members, and so on.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from commonshub.core.errors import BadRequest, TooLarge
from commonshub.core.records import Record

# What is nested deeper, no JSON library is sure to read.
MAX_LEVELS = 32


class Member(NamedTuple):
    """One object of a bundle, and the name that it had when the bundle was made."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One stored bundle; `size` is bytes, `checksums` are ``{"type", "checksum"}``, times are naive UTC."""

    id: str
    name: str
    created_time: datetime | None
    updated_time: datetime | None
    checksums: list[dict[str, str]]
    size: int
    members: list[Member]
    description: str | None
    version: str | None
    aliases: list[str]


Bundles = Mapping[str, Bundle]


def checksum_of(member: Record | Bundle) -> str:
    """What a member adds to the checksum of its bundle: its md5, or the first it has where it has no md5."""
    if isinstance(member, Bundle):
        known = {each["type"]: each["checksum"] for each in member.checksums}
    else:
        known = dict(member.hashes)
    return known.get("md5") or known[min(known)]


def checksum(members: Iterable[Record | Bundle]) -> list[dict[str, str]]:
    """The checksum of a bundle by the rule of DRS: md5 of the sorted, concatenated checksums of its members."""
    joined = "".join(sorted(map(checksum_of, members)))
    return [{"type": "md5", "checksum": hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest()}]


def check_nesting(bundle_id: str, members: Iterable[str], below: Bundles) -> None:
    """Raise :class:`BadRequest` where a new bundle would hold itself or nest too deeply.

    A bundle never changes and its members exist before it, so the one way to a circle is to delete a bundle that
    others hold, and to make it anew with one of those.

    Parameters
    ----------
    below
        All bundles among the members and below them.
    """
    level = set(members)
    for _ in range(MAX_LEVELS):
        if bundle_id in level:
            raise BadRequest(f"The bundle {bundle_id} would contain itself.")
        level = {member.id for name in level if name in below for member in below[name].members}
        if not level:
            return
    raise BadRequest(f"Bundles can be nested at most {MAX_LEVELS} levels deep.")


class Budget:
    """Entries that one answer may still list, in all its bundles together.

    Parameters
    ----------
    most
        Entries of the whole answer.
    """

    def __init__(self, most: int) -> None:
        self._left = self._most = most

    def spend(self, bundle: Bundle, level: int) -> None:
        """Count the members of a bundle that is listed at a level of nesting, 1 for the outermost.

        Raises
        ------
        TooLarge
            There is more than one answer may hold, or a bundle of an older index is nested too deeply.
        """
        self._left -= len(bundle.members)
        if self._left < 0 or level > MAX_LEVELS:
            raise TooLarge(
                f"{bundle.id}: one answer lists at most {self._most} entries (IndexApp.max_bundle_entries) on "
                f"{MAX_LEVELS} levels; ask for fewer bundles, or without expand and then for each bundle."
            )


class Contents:
    """Lists the contents of bundles as DRS does.

    Parameters
    ----------
    below
        The bundles that may be listed or expanded.
    names
        Names of the other objects there are: the file name, or None. What is in neither has been deleted.
    uri
        The DRS URI of an id.
    budget
        What the answer may still list.
    """

    def __init__(
        self, below: Bundles, names: Mapping[str, str | None], uri: Callable[[str], str], budget: Budget
    ) -> None:
        self._below = below
        self._names = names
        self._uri = uri
        self._budget = budget

    def of(self, bundle: Bundle, *, expand: bool, level: int = 1) -> list[dict[str, Any]]:
        """The members of a bundle, and with `expand` everything below.

        A deleted member stays listed by the name it had, without a URI: whoever reads the bundle sees that it is not
        whole any more.

        Raises
        ------
        TooLarge
            There is more than one answer may hold, or a bundle of an older index is nested too deeply.
        """
        self._budget.spend(bundle, level)
        return [self._entry(member, expand=expand, level=level) for member in bundle.members]

    def _entry(self, member: Member, *, expand: bool, level: int) -> dict[str, Any]:
        inner = self._below.get(member.id)
        name = inner.name if inner else self._names.get(member.id) or member.name
        entry: dict[str, Any] = {"id": member.id, "name": name}
        if inner or member.id in self._names:
            entry["drs_uri"] = [self._uri(member.id)]
        if inner and expand:
            entry["contents"] = self.of(inner, expand=True, level=level + 1)
        return entry
