"""A dictionary as the services see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Kind = Literal["string", "integer", "number", "boolean", "array"]


@dataclass(frozen=True)
class Property:
    """One property of a node type; links are not among them.

    Parameters
    ----------
    kind
        How a value is stored and compared; what has no plain type of its own (``enum``, mixed ``oneOf``) is text.
    item_kind
        Kind of the items of an array.
    enum
        The allowed values as text, where there is a list of them.
    nullable
        Whether null clears it.
    system
        Whether only the commons itself sets it.
    default
        What the commons sets a system property to on a new record.
    """

    name: str
    kind: Kind
    item_kind: str | None
    enum: tuple[str, ...]
    nullable: bool
    required: bool
    system: bool
    description: str
    default: Any = None


@dataclass(frozen=True)
class Link:
    """An edge type: from `source`, the child's node type, to `target`, the parent's."""

    name: str
    backref: str
    label: str
    source: str
    target: str
    multiplicity: str
    required: bool

    @property
    def to_one(self) -> bool:
        """Whether a child has at most one such parent."""
        return self.multiplicity in ("many_to_one", "one_to_one")

    @property
    def from_one(self) -> bool:
        """Whether a parent has at most one such child."""
        return self.multiplicity in ("one_to_many", "one_to_one")


@dataclass(frozen=True)
class LinkGroup:
    """A rule over several links, by name; a member that is a group counts as filled when any of its links is."""

    members: "tuple[str | LinkGroup, ...]"
    exclusive: bool
    required: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all links in the group, nested ones too."""
        return tuple(
            name for member in self.members for name in (member.names if isinstance(member, LinkGroup) else (member,))
        )


@dataclass(frozen=True)
class NodeType:
    """One kind of record.

    Parameters
    ----------
    schema
        The resolved JSON Schema as the dictionary gives it, links and all.
    required
        Names of required properties and links.
    unique_keys
        The keys besides ``id`` that tell records apart, compared without regard to case.
    """

    id: str
    title: str
    category: str
    description: str
    schema: Mapping[str, Any]
    properties: Mapping[str, Property]
    links: tuple[Link, ...]
    groups: tuple[LinkGroup, ...]
    required: frozenset[str]
    system: frozenset[str]
    unique_keys: tuple[tuple[str, ...], ...]

    @property
    def is_file(self) -> bool:
        """Whether its records stand for data objects of the index."""
        return self.category.endswith("_file")

    @cached_property
    def links_by_name(self) -> Mapping[str, Link]:
        """The links by the child's property."""
        return {link.name: link for link in self.links}


@dataclass(frozen=True)
class Dictionary:
    """All node types of a commons.

    Parameters
    ----------
    nodes
        By id; without ``root`` and ``metaschema``, which hold no records.
    document
        The resolved JSON: every node type, ``_definitions``, ``_terms``, ``_settings`` and ``metaschema``.
    digest
        SHA-256 of the content.
    """

    nodes: Mapping[str, NodeType]
    document: Mapping[str, Any]
    digest: str
    _backlinks: Mapping[str, tuple[Link, ...]] = field(default_factory=dict, repr=False, compare=False)

    def backlinks(self, node_id: str) -> tuple[Link, ...]:
        """The links that point at `node_id`."""
        return self._backlinks.get(node_id, ())

    @cached_property
    def cyclic_links(self) -> tuple[Link, ...]:
        """The links by which a record may come to be its own ancestor: their target's type leads back to their own."""
        return tuple(
            link for node in self.nodes.values() for link in node.links if link.source in self._above(link.target)
        )

    def _above(self, node_id: str) -> set[str]:
        found, todo = {node_id}, [node_id]
        while todo:
            more = {link.target for link in self.nodes[todo.pop()].links} - found
            found |= more
            todo += more
        return found
