"""The rule of access, written down once more: small, slow, and sharing nothing with the code that it judges.

A world is lists of facts, as a person would note them. Nothing is compiled, cached, indexed or parsed ahead: every
question walks through all facts. Where the commons and this module disagree, one of them is wrong.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Given(NamedTuple):
    """A policy given to a ``user``, a ``group`` or a ``client`` by some source, until a moment or for good."""

    kind: str
    name: str
    policy: str
    source: str = ""
    end: float | None = None


class Member(NamedTuple):
    """A user's place in a group."""

    user: str
    group: str
    source: str = ""
    end: float | None = None


class World(NamedTuple):
    """All facts: what roles and policies are, who was given what, who was switched off, which clients there are."""

    roles: dict[str, list[tuple[str, str]]]
    policies: dict[str, tuple[list[str], list[str]]]
    given: list[Given]
    members: list[Member]
    off: set[str]
    clients: dict[str, float | None]
    resources: set[str]
    now: float


class Why(NamedTuple):
    """One policy by which one subject may do something."""

    subject: str
    policy: str
    source: str
    group: str | None


def segments(path: str) -> list[str] | None:
    """The parts of a path, or None when it is not written as a path must be."""
    if not path.startswith("/") or len(path) > 2048:
        return None
    parts = path.split("/")[1:]
    if len(parts) > 64:
        return None
    for part in parts:
        if part in {"", ".", ".."}:
            return None
        for character in part:
            if ord(character) < 32 or ord(character) == 127 or character in "%*\\":
                return None
    return parts


def lasts(end: float | None, now: float) -> bool:
    return end is None or end > now


def policy_covers(world: World, policy: str, service: str, method: str, path: str) -> bool:
    if policy not in world.policies:
        return False
    roles, resources = world.policies[policy]
    asked = segments(path)
    for role in roles:
        for granted_service, granted_method in world.roles.get(role, []):
            if granted_service not in {"*", service} or granted_method not in {"*", method}:
                continue
            for resource in resources:
                granted = segments(resource)
                if asked is not None and granted is not None and asked[: len(granted)] == granted:
                    return True
    return False


def held(world: World, user: str | None) -> Iterator[tuple[Given, str | None]]:
    """What a user, or somebody unknown, has been given, and by which group."""
    groups = ["anonymous"]
    if user is not None:
        if user in world.off:
            return
        groups.append("logged-in")
        groups += [each.group for each in world.members if each.user == user and lasts(each.end, world.now)]
    for given in world.given:
        if not lasts(given.end, world.now):
            continue
        if given.kind == "user" and given.name == user:
            yield given, None
        # Once for each time that he is in the group.
        for group in groups:
            if given.kind == "group" and given.name == group:
                yield given, group


def held_by_client(world: World, client: str) -> Iterator[Given]:
    if client not in world.clients or not lasts(world.clients[client], world.now):
        return
    for given in world.given:
        if given.kind == "client" and given.name == client and lasts(given.end, world.now):
            yield given


def reasons(
    world: World, user: str | None, client: str | None, service: str, method: str, path: str
) -> dict[str, set[Why]]:
    """By subject, everything that lets it do this."""
    found: dict[str, set[Why]] = {}
    if client is not None:
        found["client"] = {
            Why(client, given.policy, given.source, None)
            for given in held_by_client(world, client)
            if policy_covers(world, given.policy, service, method, path)
        }
    if user is not None or client is None:
        found["user"] = {
            Why(user or "anonymous", given.policy, given.source, group)
            for given, group in held(world, user)
            if policy_covers(world, given.policy, service, method, path)
        }
    return found


def allow(world: World, user: str | None, client: str | None, service: str, method: str, path: str) -> bool:
    """Each subject there is must have a reason."""
    return all(reasons(world, user, client, service, method, path).values())


def who_can(world: World, service: str, method: str, path: str) -> set[tuple[str, str]]:
    """Everybody who may, as (kind, name); users who may only as everybody may are not listed one by one."""
    found = set()
    for group in ("anonymous", "logged-in"):
        for given in world.given:
            if (
                (given.kind, given.name) == ("group", group)
                and lasts(given.end, world.now)
                and policy_covers(world, given.policy, service, method, path)
            ):
                found.add(("group", group))
    for client in world.clients:
        if any(reasons(world, None, client, service, method, path).values()):
            found.add(("client", client))
    users = {given.name for given in world.given if given.kind == "user"} | {each.user for each in world.members}
    for user in users:
        for why in reasons(world, user, None, service, method, path)["user"]:
            if why.group not in {"anonymous", "logged-in"}:
                found.add(("user", user))
    return found
