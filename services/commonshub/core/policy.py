"""Who may do what where: Arborist's model, decided in memory.

Vocabulary
----------
resource path
    ``/programs/P/projects/Q``: segments below ``/``. A grant on a path covers the path and all below it, by whole
    segments: ``/programs/a`` covers ``/programs/a/b`` and not ``/programs/ab``.
permission
    A service and a method; ``*`` in a grant stands for any. A *requested* ``*`` is met only by a granted ``*``.
role
    A named set of permissions.
policy
    Roles × resource paths: every permission of its roles on every one of its paths.
subject
    A user, a client, or both: a client acting for a user may do what each of the two may do.
binding
    A policy given to a user, a group or a client, from a named source, perhaps until a moment.
built-in groups
    ``anonymous`` (everybody) and ``logged-in`` (everybody with a valid token). A client alone belongs to neither.

A :class:`Snapshot` is immutable. Single, bulk, list-filter and mapping questions are all answered from the same
compiled :class:`Rights`, so that they cannot disagree. Nothing is ever denied by a grant: rights only add up.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .errors import BadRequest, PermissionDenied
from .identity import Identity

ANY = "*"
MAX_PATH_CHARS = 2048
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f%*\\]")

Path = tuple[str, ...]


class Permission(NamedTuple):
    """One method of one service."""

    service: str
    method: str

    def covers(self, service: str, method: str) -> bool:
        """Whether having this permission is enough for `method` of `service`."""
        return self.service in (ANY, service) and self.method in (ANY, method)


class Request(NamedTuple):
    """One question: may the subject use `method` of `service` on `resource`?"""

    service: str
    method: str
    resource: str


def parse_path(path: str) -> Path:
    """Split a resource path into its segments, once and strictly.

    Raises
    ------
    BadRequest
        The path is relative, empty, the root, too long, or has an empty, ``.`` or ``..`` segment, a control
        character, ``%``, ``*`` or a backslash. None of those may ever widen a match.
    """
    segments = tuple(path[1:].split("/"))
    if (
        not path.startswith("/")
        or len(path) > MAX_PATH_CHARS
        or _FORBIDDEN.search(path)
        or any(segment in ("", ".", "..") for segment in segments)
    ):
        raise BadRequest(f"{path[:200]!r} is not a resource path like /programs/P/projects/Q.")
    return segments


def format_path(path: Path) -> str:
    """The text of a resource path."""
    return "/" + "/".join(path)


@dataclass(frozen=True, slots=True)
class Policy:
    """A named product of permissions and paths."""

    id: str
    permissions: frozenset[Permission]
    paths: frozenset[Path]


@dataclass(frozen=True, slots=True)
class Binding:
    """A policy or a group membership, perhaps until a moment (seconds since the epoch)."""

    name: str
    expires_at: float | None = None

    def valid(self, now: float) -> bool:
        """Whether it still holds at `now`; at the very moment of its end it no longer does."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class User:
    """What a user was given directly."""

    policies: tuple[Binding, ...] = ()
    groups: tuple[Binding, ...] = ()
    active: bool = True


@dataclass(frozen=True, slots=True)
class Client:
    """A third-party application, and what it was given; after its end, if it has one, it is nobody."""

    policies: tuple[Binding, ...] = ()
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """All grants of one subject: the paths of each permission."""

    paths: Mapping[Permission, frozenset[Path]]

    def allow(self, service: str, method: str, path: Path) -> bool:
        """Whether one grant covers `method` of `service` on `path`."""
        prefixes = _ancestors(path)
        return any(
            granted.covers(service, method) and any(prefix in paths for prefix in prefixes)
            for granted, paths in self.paths.items()
        )

    def prefixes(self, service: str, method: str) -> frozenset[Path]:
        """The paths at and below which `method` of `service` is granted, none below another."""
        found = {path for granted, paths in self.paths.items() if granted.covers(service, method) for path in paths}
        return frozenset(path for path in found if not any(path[:depth] in found for depth in range(1, len(path))))


@dataclass(frozen=True)
class Snapshot:
    """All policies of a commons at one moment.

    Parameters
    ----------
    groups
        Policies of each group; a plain name is a binding without end.
    resources
        Registered paths. A path need not be registered to be granted; registered ones are shown in mappings.
    projects
        Path of each legacy project name (``auth_id``), as found in the ``acl`` of old records.
    clock
        Seconds since the epoch, by which bindings end.
    """

    policies: Mapping[str, Policy] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str | Binding]] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)
    clients: Mapping[str, Client] = field(default_factory=dict)
    resources: frozenset[Path] = frozenset()
    projects: Mapping[str, Path] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    _compiled: dict[tuple[str, str | None], tuple[float, Rights]] = field(default_factory=dict, repr=False)

    def active(self, username: str) -> bool:
        """Whether `username` may sign in: known users may be switched off, unknown ones are fresh."""
        user = self.users.get(username)
        return user is None or user.active

    def knows(self, client: str) -> bool:
        """Whether `client` is registered and has not ended."""
        known = self.clients.get(client)
        return known is not None and (known.expires_at is None or self.clock() < known.expires_at)

    def user_rights(self, username: str | None) -> Rights:
        """Rights of a user, or of everybody for None."""
        now = self.clock()
        user = self.users.get(username, User()) if username is not None else User()
        bindings = list(user.policies)
        names = ["anonymous"] if username is None else ["anonymous", "logged-in"]
        names += [group.name for group in user.groups if group.valid(now)]
        for name in names:
            bindings += [Binding(each) if isinstance(each, str) else each for each in self.groups.get(name, ())]
        ends = [each.expires_at for each in (*bindings, *user.groups) if each.expires_at is not None]
        return self._compile(("user", username), bindings, ends, now)

    def client_rights(self, client: str) -> Rights:
        """Rights of a client by itself."""
        bindings = list(self.clients.get(client, Client()).policies) if self.knows(client) else []
        ends = [binding.expires_at for binding in bindings if binding.expires_at is not None]
        return self._compile(("client", client), bindings, ends, self.clock())

    def _compile(
        self, key: tuple[str, str | None], bindings: Iterable[Binding], ends: Sequence[float], now: float
    ) -> Rights:
        cached = self._compiled.get(key)
        if cached and now < cached[0]:
            return cached[1]
        paths: dict[Permission, set[Path]] = {}
        for binding in bindings:
            policy = self.policies.get(binding.name)
            if policy is None or not binding.valid(now):
                continue
            for permission in policy.permissions:
                paths.setdefault(permission, set()).update(policy.paths)
        rights = Rights({permission: frozenset(found) for permission, found in paths.items()})
        self._compiled[key] = (min((end for end in ends if end > now), default=float("inf")), rights)
        return rights

    def subjects(self, identity: Identity) -> list[Rights]:
        """The rights that must *each* cover a request of this caller."""
        rights = []
        if identity.client is not None:
            rights.append(self.client_rights(identity.client))
        if identity.username is not None or identity.client is None:
            rights.append(self.user_rights(identity.username))
        return rights

    def allows(self, identity: Identity, *requests: Request) -> bool:
        """Whether every one of `requests` is granted to the caller; no request at all is granted to nobody."""
        if not requests or (identity.username is not None and not self.active(identity.username)):
            return False
        subjects = self.subjects(identity)
        return all(
            rights.allow(request.service, request.method, parse_path(request.resource))
            for request in requests
            for rights in subjects
        )

    def require(self, identity: Identity, *requests: Request) -> None:
        """Raise unless :meth:`allows`.

        Raises
        ------
        PermissionDenied
            Names the first request that is not granted.
        """
        if not requests:
            raise PermissionDenied("This names no resource that a policy could grant.")
        for request in requests:
            if not self.allows(identity, request):
                who = identity.username or identity.client or "Anonymous callers"
                raise PermissionDenied(
                    f"{who} may not {request.method} on {request.resource} ({request.service}). "
                    "Ask an administrator of this commons for a policy that grants it."
                )

    def prefixes(self, identity: Identity, service: str, method: str) -> list[str]:
        """Resource paths at and below which the caller may use `method` of `service`.

        A list filter keeps a row when one of its paths equals one of these or lies below it; for a row with several
        authz paths, every one of them must.
        """
        if identity.username is not None and not self.active(identity.username):
            return []
        granted = [rights.prefixes(service, method) for rights in self.subjects(identity)]
        common = granted[0]
        for other in granted[1:]:
            common = _meet(common, other)
        return sorted(format_path(path) for path in common)

    def mapping(self, identity: Identity) -> dict[str, list[dict[str, str]]]:
        """Granted paths, and registered paths below them, with their services and methods."""
        granted: dict[Path, set[Permission]] = {}
        for permission in {permission for rights in self.subjects(identity) for permission in rights.paths}:
            for prefix in self.prefixes(identity, *permission):
                granted.setdefault(parse_path(prefix), set()).add(permission)
        found = {
            path: {permission for above in _ancestors(path) for permission in granted.get(above, ())}
            for path in self.resources | granted.keys()
        }
        return {
            format_path(path): [{"service": each.service, "method": each.method} for each in sorted(permissions)]
            for path, permissions in sorted(found.items())
            if permissions
        }


def _ancestors(path: Path) -> list[Path]:
    """The path itself and all above it."""
    return [path[:depth] for depth in range(1, len(path) + 1)]


def _meet(left: frozenset[Path], right: frozenset[Path]) -> frozenset[Path]:
    """The paths covered by both sides."""
    return frozenset(
        path
        for one, other in ((left, right), (right, left))
        for path in one
        if any(above in other for above in _ancestors(path))
    )


def covers(prefixes: Iterable[str], path: str) -> bool:
    """Whether `path` equals one of `prefixes` or lies below it, by whole segments."""
    segments = parse_path(path)
    return any(segments[: len(prefix)] == prefix for prefix in map(parse_path, prefixes))
