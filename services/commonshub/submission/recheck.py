"""What another dictionary asks of records that are stored already: what there is to look at, and what is found.

Vocabulary
----------
look
    What has to be looked at of one node type: its properties, some rules of its links, or both. Only what is tighter
    than before is looked at, and what an earlier dictionary has left behind: records of a node type, and values of a
    property, that are new to the one in force.
newly broken
    A rule that a record breaks under the new dictionary and did not break under the old one. A record as it is stored
    need not be what somebody would be let submit today, so what was wrong before is no news.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..core.dictionary import Dictionary, LinkGroup, NodeType
from ..core.dictionary.difference import Change, difference
from ..core.graph import edge_table
from .entity import Document, Fault, fault
from .validate import Checker

_OF_LINKS = frozenset({"link", "link_group", "target", "label", "multiplicity", "backref"})
_OF_NO_VALUE = frozenset({"node_type", "unique_key", "category"})

Demand = Literal["required", "exclusive", "to_one", "from_one"]
Broken = tuple[str, str]
"""A property or the links concerned, and the rule: a keyword of JSON Schema, or a demand."""


@dataclass(frozen=True)
class LinkRule:
    """One demand on the links of a node type's records.

    Attributes
    ----------
    members
        Tables of edges. The links of one member count as one: it is filled where any of them is.
    """

    demand: Demand
    names: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]

    @property
    def broken(self) -> Broken:
        """What is told of a record that breaks it."""
        return "+".join(self.names), self.demand if self.demand in ("required", "exclusive") else "multiplicity"

    def fault(self) -> Fault:
        """It as a fault of a record."""
        words = {
            "required": f"The record has no link to {' or '.join(self.names)}",
            "exclusive": f"Links to {' and '.join(self.names)} are exclusive, and the record has several",
            "to_one": f"The record has several links {self.names[0]}, and may have one",
            "from_one": f"What the record links to by {self.names[0]} has several such children, and may have one",
        }
        return fault("INVALID_LINK", words[self.demand], list(self.names), self.broken[1])


@dataclass(frozen=True)
class Look:
    """What has to be looked at of one node type's records.

    Attributes
    ----------
    old
        None where the node type is new.
    properties
        Whether all records have to be checked.
    fresh
        Properties that are new: records that hold one have to be checked.
    """

    old: NodeType | None
    new: NodeType
    properties: bool
    rules: tuple[LinkRule, ...]
    fresh: tuple[str, ...] = ()


def link_rules(node: NodeType) -> Iterator[LinkRule]:
    """All demands on the links of a node type."""
    for link in node.links:
        member = ((edge_table(link),),)
        if link.required or link.name in node.required:
            yield LinkRule("required", (link.name,), member)
        if link.to_one:
            yield LinkRule("to_one", (link.name,), member)
        if link.from_one:
            yield LinkRule("from_one", (link.name,), member)
    edges = {link.name: edge_table(link) for link in node.links}
    for group in node.groups:
        if group.required:
            yield _group_rule("required", group, edges)
        yield from _exclusive(group, edges)


def _exclusive(group: LinkGroup, edges: Mapping[str, str]) -> Iterator[LinkRule]:
    if group.exclusive:
        yield _group_rule("exclusive", group, edges)
    for member in group.members:
        if isinstance(member, LinkGroup):
            yield from _exclusive(member, edges)


def _group_rule(demand: Demand, group: LinkGroup, edges: Mapping[str, str]) -> LinkRule:
    members = [member.names if isinstance(member, LinkGroup) else (member,) for member in group.members]
    tables = sorted(tuple(sorted(edges[name] for name in names)) for names in members)
    return LinkRule(demand, tuple(sorted(group.names)), tuple(tables))


def looks(old: Dictionary, new: Dictionary) -> list[Look]:
    """What has to be looked at where `new` takes the place of `old`."""
    tighter: dict[str, list[Change]] = {}
    for change in difference(old, new).tighter:
        tighter.setdefault(change.node, []).append(change)
    found = []
    for name, after in sorted(new.nodes.items()):
        before = old.nodes.get(name)
        if before is None:
            found.append(Look(None, after, True, tuple(link_rules(after))))
            continue
        known = set(link_rules(before))
        rules = tuple(rule for rule in link_rules(after) if rule not in known)
        properties = any(_of_values(change, after) for change in tighter.get(name, ()))
        fresh = tuple(sorted(after.properties.keys() - before.properties.keys()))
        if properties or rules or fresh:
            found.append(Look(before, after, properties, rules, fresh))
    return found


def _of_values(change: Change, node: NodeType) -> bool:
    """Whether the values of records can break what has changed; those of what is gone are only unseen."""
    if change.kind in _OF_LINKS | _OF_NO_VALUE:
        return False
    return not change.names or any(name in node.properties for name in change.names)


@dataclass
class Finding:
    """What was found of one node type.

    Attributes
    ----------
    records
        How many there are.
    invalid
        How many break something newly.
    rules
        How many records break which rule newly.
    examples
        The first of them.
    """

    type: str
    records: int
    invalid: int = 0
    rules: Counter[Broken] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        rules = [{"property": name, "rule": rule, "records": count} for (name, rule), count in self.rules.most_common()]
        return {"type": self.type, "records": self.records, "invalid": self.invalid, "rules": rules,
                "examples": self.examples}  # fmt: skip


class Judge:
    """Judges the records of one node type by the checkers that submissions are judged by.

    Parameters
    ----------
    records
        How many records there are.
    shown
        How many of the invalid ones are told by name.
    """

    def __init__(self, look: Look, records: int, shown: int) -> None:
        self.look = look
        self.finding = Finding(look.new.id, records)
        self._shown = shown
        self._old = Checker(_without_links(look.old)) if look.old else None
        self._new = Checker(_without_links(look.new))
        self._names: dict[Broken, Broken] = {}

    def judge(self, node_id: str, properties: Mapping[str, Any], broken: Sequence[bool]) -> None:
        """Note what a record breaks newly.

        Parameters
        ----------
        broken
            Which of the look's link rules.
        """
        faults = [rule.fault() for rule, is_broken in zip(self.look.rules, broken, strict=True) if is_broken]
        found = {rule.broken for rule, is_broken in zip(self.look.rules, broken, strict=True) if is_broken}
        document = _document(node_id, properties, self.look.new)
        if (self.look.properties or self.look.fresh) and not self._new.is_valid(document):
            news = set(self._breaks(self._new, document)) - self._broken_before(node_id, properties)
            found |= news
            if news and len(self.finding.examples) < self._shown:
                names = {name for name, _ in news}
                faults += [each for each in self._new.faults(document) if names & {*each["keys"]} or not each["keys"]]
        if not found:
            return
        self.finding.invalid += 1
        self.finding.rules.update(found)
        if len(self.finding.examples) < self._shown:
            told = {"id": node_id, "submitter_id": properties.get("submitter_id") or properties.get("code")}
            self.finding.examples.append({**told, "project_id": properties.get("project_id"), "errors": faults})

    def _broken_before(self, node_id: str, properties: Mapping[str, Any]) -> set[Broken]:
        if self._old is None:
            return set()
        return set(self._breaks(self._old, _document(node_id, properties, self._old.node)))

    def _breaks(self, checker: Checker, document: Document) -> Iterable[Broken]:
        return [self._named(checker, document, each) for each in checker.broken(document)]

    def _named(self, checker: Checker, document: Document, broken: Broken) -> Broken:
        """A rule by the name that submitters are told: the one behind an alternative."""
        if broken[1] not in ("oneOf", "anyOf"):
            return broken
        if broken not in self._names:
            rules = [each["rule"] for each in checker.faults(document) if each["keys"][:1] == [broken[0]]]
            self._names[broken] = (broken[0], rules[0] if rules else broken[1])
        return self._names[broken]


def _without_links(node: NodeType) -> NodeType:
    """A node type of which only the values are checked."""
    links = node.links_by_name.keys()
    properties = {name: each for name, each in node.schema["properties"].items() if name not in links}
    required = node.required - links
    schema = {**node.schema, "properties": properties, "links": []}
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name in required]
    return replace(node, schema=schema, links=(), groups=(), required=required)


def _document(node_id: str, properties: Mapping[str, Any], node: NodeType) -> Document:
    """A stored record as it would be submitted; of what the dictionary does not know nothing is said."""
    known = node.properties
    document: Document = {name: value for name, value in properties.items() if value is not None and name in known}
    document["type"] = node.id
    if "id" in known:
        document["id"] = node_id
    return document
