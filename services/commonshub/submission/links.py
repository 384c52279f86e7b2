"""Links of submitted records: what documents say of them, and the rules that they must keep.

A document names a target by ``id`` or by a key (``submitter_id``; a project by ``code``), alone or in a list. Exports
carry ``node_id`` beside ``submitter_id``; it is taken for the id only where nothing else is given, so that an export
can be loaded into another project.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ..core.dictionary import Link, LinkGroup, NodeType
from .entity import Entity, Fault, fault
from .places import shown

Target = dict[str, Any]
T = TypeVar("T")
_NAMES = ("id", "submitter_id", "code")


def read_targets(entity: Entity, node: NodeType) -> None:
    """Note what the entity's document says of its links, and complain of what cannot be a target."""
    document = entity.document
    for link in node.links:
        if link.name not in document:
            continue
        value = document[link.name]
        if type(value) is dict and len(value) == 1 and _is_target(value):
            entity.targets[link.name] = [value]
            continue
        targets = value if isinstance(value, list) else [] if value is None else [value]
        read = [_read(target) for target in targets]
        if None in read:
            message = f"A target of {link.name} is given by its id or by a key such as submitter_id."
            entity.errors.append(fault("INVALID_LINK", message, [link.name], "link"))
        elif link.to_one and len(read) > 1:
            message = f"'{link.name}' link has to be {link.multiplicity}"
            entity.errors.append(fault("INVALID_LINK", message, [link.name], "multiplicity"))
        elif read or value is None:
            entity.targets[link.name] = [target for target in read if target is not None]


def _is_target(named: Mapping[str, Any]) -> bool:
    [(name, value)] = named.items()
    return name in _NAMES and isinstance(value, str)


def _read(target: Any) -> Target | None:
    if not isinstance(target, dict):
        return None
    known = {key: target[key] for key in _NAMES if target.get(key) is not None}
    if not known and target.get("node_id") is not None:
        known = {"id": target["node_id"]}
    return known if known and all(isinstance(value, str) for value in known.values()) else None


def not_found(link: Link, target: Target, project_id: str) -> Fault:
    """The fault of a link whose target is not there, or not in this project."""
    keys = [{"project_id": project_id, **{key: value for key, value in target.items() if key != "id"}}]
    where = f"id='{target['id']}'" if set(target) == {"id"} else f"unique_keys='{keys}'"
    message = f"No link destination found for {link.name}, {where}"
    return fault(
        "INVALID_LINK", message, [link.name], "target", target={"type": link.target, **target}, value=shown(target)
    )


def filled(entity: Entity) -> frozenset[str]:
    """Names of the links that a record has; what its document mentions goes before what is stored."""
    targets = entity.targets
    names = [name for name, those in targets.items() if those]
    return frozenset(names + [name for name in entity.parents if name not in targets])


def broken_rules(node: NodeType, filled: Collection[str]) -> Iterator[Fault]:
    """Required links that are none of `filled`, and groups whose rule they break."""
    for link in node.links:
        if link.required and link.name not in filled:
            message = f"Entity is missing a required link to {link.name}"
            yield fault("INVALID_LINK", message, [link.name], "required")
    for group in node.groups:
        yield from _group_faults(group, filled)


def _group_faults(group: LinkGroup, filled: Collection[str]) -> Iterable[Fault]:
    names = list(group.names)
    members = [member for member in group.members if _filled(member, filled)]
    if group.required and not members:
        message = f"Entity is missing a required link to {' or '.join(names)}"
        yield fault("INVALID_LINK", message, names, "required", suggestion=f"Fill in {' or '.join(names)}.")
    if group.exclusive and len(members) > 1:
        given = [name for name in names if name in filled]
        message = f"Links to {' and '.join(given)} are exclusive. More than one was provided"
        yield fault("INVALID_LINK", message, given, "exclusive")
    for member in members:
        if isinstance(member, LinkGroup):
            yield from _group_faults(member, filled)


def _filled(member: str | LinkGroup, filled: Collection[str]) -> bool:
    return any(name in filled for name in (member.names if isinstance(member, LinkGroup) else (member,)))


def second_children(asked: Iterable[tuple[T, str, str]], stored: Mapping[str, str]) -> Iterator[T]:
    """Who would give a parent a second child.

    Parameters
    ----------
    asked
        Somebody, the child and the parent of an edge, in order.
    stored
        Children that parents have already and keep, by parent.
    """
    child_of = dict(stored)
    for who, child, parent in asked:
        if child_of.setdefault(parent, child) != child:
            yield who


def only_one(link: Link) -> Fault:
    """The fault of a record whose parent may have one child of this link, and has another."""
    message = f"'{link.name}' link has to be {link.multiplicity}, target node {link.target} already has {link.backref}"
    return fault("INVALID_LINK", message, [link.name], "multiplicity")
