"""What bindings give, compiled for asking.

Vocabulary
----------
grant
    One binding and the policy that it binds, with the group it comes by, if it comes by one.
holding
    All grants of one list of bindings, also by path. Who holds the same shares one holding: what everybody has is
    compiled once and not once a user.
rights
    The holdings of one subject at one moment: his own, those of his groups, and those of the built-in groups.

Every question (a decision, its reasons, a list filter, a mapping) reads the same holdings. Whether a binding still
counts is asked at the moment of the question, so nothing compiled ever grows old.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .paths import Path, ancestors, outermost

ANY = "*"
# Up to so many grants, looking at each is quicker than finding out which to look at.
_FEW = 8


class Permission(NamedTuple):
    """One method of one service."""

    service: str
    method: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A named product of permissions and paths."""

    id: str
    permissions: frozenset[Permission]
    paths: frozenset[Path]


class Binding(NamedTuple):
    """A policy or a group membership, perhaps until a moment (seconds since the epoch), given by a source."""

    name: str
    expires_at: float | None = None
    source: str = ""

    def valid(self, now: float) -> bool:
        """Whether it still holds at `now`; at the very moment of its end it no longer does."""
        return self.expires_at is None or now < self.expires_at


class Grant(NamedTuple):
    """Why something is allowed: a policy, the binding that gives it, and the group by which it comes."""

    policy: Policy
    binding: Binding
    group: str | None = None
    membership: Binding | None = None

    @property
    def expires_at(self) -> float | None:
        """When it ends, by itself or with the membership: seconds since the epoch, or None."""
        ends = [each.expires_at for each in (self.binding, self.membership) if each and each.expires_at is not None]
        return min(ends, default=None)


@dataclass(frozen=True, slots=True)
class Holding:
    """What one list of bindings gives.

    Attributes
    ----------
    at
        Where there are many grants: those on each path, so that not every one has to be looked at.
    """

    grants: tuple[Grant, ...]
    at: Mapping[Path, Sequence[Grant]] | None = None

    def near(self, above: Iterable[Path]) -> Iterable[Grant]:
        """All grants on one of the paths of `above`, each once, and perhaps others."""
        if self.at is None:
            return self.grants
        return dict.fromkeys(grant for path in above for grant in self.at.get(path, ()))


def compile_holding(bindings: Iterable[Binding], policies: Mapping[str, Policy], group: str | None = None) -> Holding:
    """The holding of `bindings`; one that names no policy gives nothing."""
    grants = tuple([Grant(policies[each.name], each, group) for each in bindings if each.name in policies])
    if len(grants) <= _FEW:
        return Holding(grants)
    at: dict[Path, list[Grant]] = {}
    for grant in grants:
        for path in grant.policy.paths:
            at.setdefault(path, []).append(grant)
    return Holding(grants, at)


class Held(NamedTuple):
    """A holding, and the membership by which a user has it, where one can end."""

    holding: Holding
    membership: Binding | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """All that one subject holds, at the moment `now` (seconds since the epoch)."""

    held: Sequence[Held]
    now: float

    def allow(self, service: str, method: str, path: Path) -> bool:
        """Whether one grant covers `method` of `service` on `path`."""
        return next(self.grants(service, method, path), None) is not None

    def grants(self, service: str, method: str, path: Path) -> Iterator[Grant]:
        """All grants that cover `method` of `service` on `path`."""
        enough = _enough(service, method)
        above = frozenset(ancestors(path))
        for holding, membership in self.held:
            if membership is not None and not membership.valid(self.now):
                continue
            for grant in holding.near(above):
                policy, binding = grant.policy, grant.binding
                if (
                    not above.isdisjoint(policy.paths)
                    and not enough.isdisjoint(policy.permissions)
                    and binding.valid(self.now)
                ):
                    yield grant if membership is None else grant._replace(membership=membership)

    def prefixes(self, service: str, method: str) -> frozenset[Path]:
        """The paths at and below which `method` of `service` is granted, none below another."""
        enough = _enough(service, method)
        found: set[Path] = set()
        for grant in self._valid():
            if not enough.isdisjoint(grant.policy.permissions):
                found |= grant.policy.paths
        return outermost(found)

    def permissions(self) -> dict[Path, frozenset[Permission]]:
        """What is granted on each path itself, without what the paths above it give."""
        found: dict[Path, set[Permission]] = {}
        for grant in self._valid():
            for path in grant.policy.paths if grant.policy.permissions else ():
                found.setdefault(path, set()).update(grant.policy.permissions)
        return {path: frozenset(permissions) for path, permissions in found.items()}

    def _valid(self) -> Iterator[Grant]:
        for holding, membership in self.held:
            if membership is None or membership.valid(self.now):
                yield from (grant for grant in holding.grants if grant.binding.valid(self.now))


def _enough(service: str, method: str) -> frozenset[tuple[str, str]]:
    """The permissions any of which is enough for `method` of `service`."""
    return frozenset(((service, method), (service, ANY), (ANY, method), (ANY, ANY)))


def common(left: Iterable[Permission], right: Iterable[Permission]) -> frozenset[Permission]:
    """The permissions that both sides have; ``*`` of one and a name of the other have the name in common."""
    pairs = [(one, other) for one in left for other in right]
    return frozenset(
        Permission(_narrower(one.service, other.service), _narrower(one.method, other.method))
        for one, other in pairs
        if _alike(one.service, other.service) and _alike(one.method, other.method)
    )


def _alike(one: str, other: str) -> bool:
    return one == other or ANY in (one, other)


def _narrower(one: str, other: str) -> str:
    return other if one == ANY else one
