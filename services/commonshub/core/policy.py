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

A :class:`Snapshot` is immutable. Single, bulk, list-filter, mapping and audit questions are all answered from the same
compiled :class:`~commonshub.core.rights.Rights`, so that they cannot disagree. Nothing is ever denied by a grant:
rights only add up.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

from .errors import PermissionDenied
from .identity import Identity
from .paths import MAX_PATH_CHARS, Path, covers, format_path, meet, parse_path
from .rights import ANY, Binding, Grant, Held, Holding, Permission, Policy, Rights, common, compile_holding

# All words of the engine can be had from here.
__all__ = [
    "ANONYMOUS_GROUP",
    "ANY",
    "LOGGED_IN_GROUP",
    "MAX_PATH_CHARS",
    "Binding",
    "Client",
    "Grant",
    "Path",
    "Permission",
    "Policy",
    "Reason",
    "Request",
    "Rights",
    "Snapshot",
    "User",
    "covers",
    "format_path",
    "parse_path",
]

K = TypeVar("K")
V = TypeVar("V")

ANONYMOUS_GROUP, LOGGED_IN_GROUP = "anonymous", "logged-in"
# How many users' rights a snapshot remembers, so that a commons with very many does not keep them all compiled.
_REMEMBERED = 4096


class Request(NamedTuple):
    """One question: may the subject use `method` of `service` on `resource`?"""

    service: str
    method: str
    resource: str


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


Kind = Literal["user", "client", "group"]


class Reason(NamedTuple):
    """The grants by which one subject may do what was asked; a request is allowed when each of its subjects has one."""

    kind: Kind
    name: str
    grants: tuple[Grant, ...]


class _Subject(NamedTuple):
    active: bool
    held: tuple[Held, ...]


@dataclass(frozen=True)
class Snapshot:
    """All policies of a commons at one moment.

    Parameters
    ----------
    groups
        Policies of each group; a plain name is a binding without end.
    users
        Whom something was given, or who is switched off; anybody else has what the built-in groups have.
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
    _subjects: dict[str, _Subject] = field(default_factory=dict, repr=False)
    _holdings: dict[tuple[Binding, ...], Holding] = field(default_factory=dict, repr=False)
    _groups: dict[str, Holding] = field(default_factory=dict, repr=False)

    # -- subjects --------------------------------------------------------------

    def active(self, username: str) -> bool:
        """Whether `username` may sign in: known users may be switched off, unknown ones are fresh."""
        return self._subject(username).active

    def knows(self, client: str) -> bool:
        """Whether `client` is registered and has not ended."""
        known = self.clients.get(client)
        return known is not None and (known.expires_at is None or self.clock() < known.expires_at)

    def user_rights(self, username: str | None) -> Rights:
        """Rights of a user, none where he is switched off, or of everybody for None."""
        held = self._everybody(ANONYMOUS_GROUP) if username is None else self._subject(username).held
        return Rights(held, self.clock())

    def client_rights(self, client: str) -> Rights:
        """Rights of a client by itself."""
        policies = self.clients[client].policies if self.knows(client) else ()
        return Rights((Held(self._holding(policies)),), self.clock())

    def subjects(self, identity: Identity) -> list[Rights]:
        """The rights that must *each* cover a request of this caller."""
        return [rights for _, _, rights in self._named(identity)]

    def _named(self, identity: Identity) -> list[tuple[Kind, str, Rights]]:
        found: list[tuple[Kind, str, Rights]] = []
        if identity.client is not None:
            found.append(("client", identity.client, self.client_rights(identity.client)))
        if identity.username is not None:
            found.append(("user", identity.username, self.user_rights(identity.username)))
        elif identity.client is None:
            found.append(("group", ANONYMOUS_GROUP, self.user_rights(None)))
        return found

    def _subject(self, username: str) -> _Subject:
        subject = self._subjects.get(username)
        if subject is None:
            user = self.users.get(username)
            if user is None:
                return _Subject(True, self._everybody(ANONYMOUS_GROUP, LOGGED_IN_GROUP))
            held = (*self._held(user), *self._everybody(ANONYMOUS_GROUP, LOGGED_IN_GROUP)) if user.active else ()
            subject = _remember(self._subjects, username, _Subject(user.active, held))
        return subject

    def _held(self, user: User) -> list[Held]:
        """What a user has of his own, and by the groups that he was put in."""
        return [Held(self._holding(user.policies)), *[Held(self._group(each.name), each) for each in user.groups]]

    def _everybody(self, *groups: str) -> tuple[Held, ...]:
        return tuple([Held(self._group(name)) for name in groups])

    def _group(self, name: str) -> Holding:
        holding = self._groups.get(name)
        if holding is None:
            bindings = [Binding(each) if isinstance(each, str) else each for each in self.groups.get(name, ())]
            holding = _remember(self._groups, name, compile_holding(bindings, self.policies, name))
        return holding

    def _holding(self, bindings: tuple[Binding, ...]) -> Holding:
        holding = self._holdings.get(bindings)
        if holding is None:
            holding = _remember(self._holdings, bindings, compile_holding(bindings, self.policies))
        return holding

    # -- decisions -------------------------------------------------------------

    def allows(self, identity: Identity, *requests: Request) -> bool:
        """Whether every one of `requests` is granted to the caller; no request at all is granted to nobody.

        Raises
        ------
        BadRequest
            A resource is not a path.
        """
        asked = [(request.service, request.method, parse_path(request.resource)) for request in requests]
        subjects = self.subjects(identity)
        return bool(asked) and all(rights.allow(*each) for each in asked for rights in subjects)

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
        found, *others = (rights.prefixes(service, method) for rights in self.subjects(identity))
        for other in others:
            found = meet(found, other)
        return sorted(map(format_path, found))

    def mapping(self, identity: Identity) -> dict[str, list[dict[str, str]]]:
        """Granted paths, and registered paths below them, with their services and methods."""
        granted = [rights.permissions() for rights in self.subjects(identity)]
        sides = [_Spread(side) for side in granted]
        unregistered = {path: format_path(path) for side in granted for path in side if path not in self.resources}
        listed = self._registered | unregistered if unregistered else self._registered
        shown: dict[tuple[frozenset[Permission], ...], list[dict[str, str]]] = {}
        found = {}
        for path, text in sorted(listed.items()) if unregistered else listed.items():
            key = tuple([side[path] for side in sides])
            if key not in shown:
                shown[key] = _show(key)
            if shown[key]:
                found[text] = shown[key]
        return found

    @cached_property
    def _registered(self) -> dict[Path, str]:
        return {path: format_path(path) for path in sorted(self.resources)}

    # -- audits ----------------------------------------------------------------

    def explain(self, identity: Identity, request: Request) -> list[Reason]:
        """Why the caller may do this: one entry for each of his subjects, without grants where that one lacks it.

        Raises
        ------
        BadRequest
            The resource is not a path.
        """
        asked = (request.service, request.method, parse_path(request.resource))
        return [Reason(kind, name, tuple(rights.grants(*asked))) for kind, name, rights in self._named(identity)]

    def who_can(self, service: str, method: str, resource: str) -> list[Reason]:
        """Everybody who may do this, and why: the built-in groups, then clients, then users, each by name.

        What a user has only as a member of a built-in group is in that group's entry. This asks for every user in
        turn: some 20 µs each, so not for an event loop where there are many.

        Raises
        ------
        BadRequest
            `resource` is not a path.
        """
        asked = (service, method, parse_path(resource))
        now = self.clock()
        reasons = [
            Reason("group", name, tuple(Rights(self._everybody(name), now).grants(*asked)))
            for name in (ANONYMOUS_GROUP, LOGGED_IN_GROUP)
        ]
        reasons += [
            Reason("client", name, tuple(self.client_rights(name).grants(*asked))) for name in sorted(self.clients)
        ]
        for name in sorted(self.users):
            user = self.users[name]
            if user.active:
                reasons.append(Reason("user", name, tuple(Rights(self._held(user), now).grants(*asked))))
        return [reason for reason in reasons if reason.grants]


def _remember(cache: dict[K, V], key: K, value: V) -> V:
    if len(cache) >= _REMEMBERED:
        cache.clear()
    cache[key] = value
    return value


class _Spread(dict[Path, frozenset[Permission]]):
    """Permissions on any path, with those of the paths above it."""

    def __init__(self, granted: Mapping[Path, frozenset[Permission]]) -> None:
        super().__init__({(): frozenset()})
        self.granted = granted

    def __missing__(self, path: Path) -> frozenset[Permission]:
        above, own = self[path[:-1]], self.granted.get(path)
        self[path] = found = above | own if own else above
        return found


def _show(sides: Sequence[frozenset[Permission]]) -> list[dict[str, str]]:
    """What all sides have in common, as mappings show it."""
    found, *others = sides
    for other in others:
        found = common(found, other)
    return [{"service": each.service, "method": each.method} for each in sorted(found)]
