"""What changes from one dictionary to another, and what that means for records that are stored.

Every change has one of three effects:

wider
    Every stored record stays as valid as it was.
tighter
    Stored records may become invalid, or lose a link or their type; which ones, is told by node type and names.
documentation
    No record is concerned: descriptions, terms, titles.

Nothing is asked of stored records here; where it cannot be told from the two dictionaries alone, a change is tighter.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from .inclusion import ASPECTS, Schema, essence, field, field_includes, includes
from .model import Dictionary, Link, LinkGroup, NodeType
from .naming import edge_table, node_table
from .nullable import validation_schema
from .wording import listed

Effect = Literal["wider", "tighter", "documentation"]
_EFFECTS: tuple[Effect, ...] = ("wider", "tighter", "documentation")
_READ_KEYS = frozenset(
    {
        "id", "type", "category", "properties", "additionalProperties", "required", "systemProperties", "uniqueKeys",
        "links",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Attributes
    ----------
    node
        Id of the node type, or ``_definitions``, ``_terms``, ``_settings`` or ``root``.
    names
        The properties and links that it is about: none where it is the node type as a whole, several for a unique key
        or a link group.
    kind
        What has changed: ``node_type``, ``property``, ``link``, ``required``, ``unique_key``, ``link_group``,
        ``multiplicity``, ``target``, ``label``, ``backref``, ``system``, ``default``, ``category``,
        ``additional_properties``, ``documentation``, or an aspect of a property's schema: ``type``, ``values``,
        ``pattern``, ``range``, ``alternatives``, ``items``, ``fields``.
    message
        It in one line, without `node` and `names`.
    before, after
        The two sides; for ``values`` those that are gone and those that are new. None for a side that is not there.
    """

    node: str
    names: tuple[str, ...]
    kind: str
    effect: Effect
    message: str
    before: Any = None
    after: Any = None

    @property
    def where(self) -> str:
        """Such as ``case`` or ``case.primary_site``."""
        return f"{self.node}.{'+'.join(self.names)}" if self.names else self.node

    def __str__(self) -> str:
        return f"{self.effect:<13} {self.where}: {self.message}"


@dataclass(frozen=True)
class Difference:
    """All changes, by node type and name."""

    changes: tuple[Change, ...]

    @cached_property
    def tighter(self) -> tuple[Change, ...]:
        """The changes after which stored records have to be looked at."""
        return tuple(each for each in self.changes if each.effect == "tighter")

    @cached_property
    def counts(self) -> Mapping[Effect, int]:
        """How many changes have which effect."""
        return {effect: sum(each.effect == effect for each in self.changes) for effect in _EFFECTS}

    def document(self) -> dict[str, Any]:
        """As JSON: ``{"counts": {effect: n}, "changes": [{node, names, kind, effect, message, before, after}]}``."""
        return {"counts": dict(self.counts), "changes": [asdict(each) for each in self.changes]}

    def lines(self) -> Iterator[str]:
        """As text, one line each."""
        return map(str, self.changes)


def difference(old: Dictionary, new: Dictionary) -> Difference:
    """What changes from `old` to `new`."""
    return Difference(tuple(_changes(old, new)) if old.digest != new.digest else ())


def _changes(old: Dictionary, new: Dictionary) -> Iterator[Change]:
    tables_of_gone = {node_table(name): name for name in old.nodes if name not in new.nodes}
    for name in sorted({*old.nodes, *new.nodes}):
        before, after = old.nodes.get(name), new.nodes.get(name)
        if after is None:
            yield Change(
                name, (), "node_type", "tighter", "node type gone; its records stay stored, out of reach", name
            )
        elif before is None:
            renamed = tables_of_gone.get(node_table(name))
            message = f"new node type, with the table and so the records of {renamed}" if renamed else "new node type"
            yield Change(name, (), "node_type", "tighter" if renamed else "wider", message, None, name)
        else:
            changes = list(_NodeTypes(before, after).changes())
            if not changes and before.schema != after.schema:
                # The order of lists, and keys that nobody reads.
                changes = [Change(name, (), "documentation", "documentation", "written otherwise, to the same effect")]
            yield from changes
    for name in sorted({*old.document, *new.document} - old.nodes.keys() - new.nodes.keys()):
        if old.document.get(name) != new.document.get(name):
            yield Change(name, (), "documentation", "documentation", "content changed")


class _NodeTypes:
    """One node type, before and after."""

    def __init__(self, old: NodeType, new: NodeType) -> None:
        self.old, self.new = old, new
        self.old_schema, self.new_schema = validation_schema(old), validation_schema(new)

    def changes(self) -> Iterator[Change]:
        yield from self._node()
        for name in sorted({*self.old.schema["properties"], *self.new.schema["properties"]}):
            was, now = self.old.links_by_name.get(name), self.new.links_by_name.get(name)
            if was is not None and now is not None:
                yield from self._link(was, now)
            elif was is not None or now is not None:
                yield from self._link_or_not(name, was, now)
            if (was is None) == (now is None):
                yield from self._property(name)
        yield from self._groups()
        yield from self._unique_keys()

    def _change(self, names: Iterable[str], kind: str, wider: bool, message: str, *sides: Any) -> Change:
        return Change(self.new.id, tuple(names), kind, "wider" if wider else "tighter", message, *sides)

    def _node(self) -> Iterator[Change]:
        old, new = self.old, self.new
        if old.category != new.category:
            message = f"category {old.category} is now {new.category}"
            becomes_file = new.is_file and not old.is_file
            told = message + ("; stored records have no index record" if becomes_file else "")
            yield self._change((), "category", not becomes_file, told, old.category, new.category)
        was, now = field(self.old_schema, None), field(self.new_schema, None)
        if _bare(was) != _bare(now):
            message = f"properties that are not listed: {_allowed(was)}, now {_allowed(now)}"
            yield self._change((), "additional_properties", field_includes(now, was), message, was, now)
        for key in sorted({*old.schema, *new.schema} - _READ_KEYS):
            before, after = old.schema.get(key), new.schema.get(key)
            if before != after:
                yield Change(
                    new.id, (), "documentation", "documentation", f"{key} {_verb(before, after)}", before, after
                )

    def _property(self, name: str) -> Iterator[Change]:
        before, after = (each.schema["properties"].get(name) for each in (self.old, self.new))
        was, now = field(self.old_schema, name), field(self.new_schema, name)
        if before is None or after is None:
            gone = after is None
            message = "property gone; stored values stay, unseen" if gone else "new property"
            yield self._change((name,), "property", field_includes(now, was), message, before, after)
            if not gone and name in self.new.required:
                yield self._change((name,), "required", False, "new and required; stored records lack it", False, True)
            return
        assert was is not None
        assert now is not None
        changes = list(self._aspects(name, before, after, was, now))
        changes += self._required(name, includes(now, was))
        # What optional properties gain by null can, in odd schemas, make a difference that no aspect shows.
        if not includes(now, was) and not any(each.effect == "tighter" for each in changes):
            changes.append(self._change((name,), "alternatives", False, "null is taken differently", before, after))
        yield from changes
        yield from self._of_the_system(name, before, after)
        if _documented(before, bool(changes)) != _documented(after, bool(changes)):
            yield Change(self.new.id, (name,), "documentation", "documentation", "description or term changed")

    def _aspects(self, name: str, before: Schema, after: Schema, was: Schema, now: Schema) -> Iterator[Change]:
        if self._must(self.new, name) and not self._must(self.old, name):
            # Null is a matter of the requirement then, not of what has been changed beside it.
            was = before
        bare_before, bare_after = essence(before), essence(after)
        for aspect, keywords in ASPECTS.items():
            sides = [{key: each[key] for key in keywords if key in each} for each in (bare_before, bare_after)]
            if sides[0] == sides[1]:
                continue
            gone, added = self._values(name)
            lists = all("enum" in each for each in sides)
            if (aspect == "values" and lists) or (aspect == "alternatives" and (gone or added)):
                yield self._change(
                    (name,), "values", includes(now, was, keywords), _values_message(gone, added), gone, added
                )
            else:
                message = f"{aspect} {_shown(sides[0])} is now {_shown(sides[1])}"
                yield self._change((name,), aspect, includes(now, was, keywords), message, *sides)

    def _values(self, name: str) -> tuple[list[str], list[str]]:
        was, now = (each.properties[name].enum if name in each.properties else () for each in (self.old, self.new))
        return [each for each in was if each not in set(now)], [each for each in now if each not in set(was)]

    @staticmethod
    def _must(node: NodeType, name: str) -> bool:
        link = node.links_by_name.get(name)
        return name in node.required or (link is not None and link.required)

    def _required(self, name: str, included: bool) -> Iterator[Change]:
        was, now = self._must(self.old, name), self._must(self.new, name)
        if now and not was:
            yield self._change((name,), "required", False, "now required", False, True)
        elif was and not now:
            yield self._change((name,), "required", included, "no longer required", True, False)

    def _of_the_system(self, name: str, before: Schema, after: Schema) -> Iterator[Change]:
        was, now = name in self.old.system, name in self.new.system
        if was != now:
            message = "now set by the commons alone" if now else "now set by submitters"
            yield self._change((name,), "system", True, message, was, now)
        if before.get("default") != after.get("default"):
            message = f"default {_shown(before.get('default'))} is now {_shown(after.get('default'))}"
            yield self._change((name,), "default", True, message, before.get("default"), after.get("default"))

    def _link_or_not(self, name: str, was: Link | None, now: Link | None) -> Iterator[Change]:
        old, new = self.old.schema["properties"].get(name), self.new.schema["properties"].get(name)
        if was is not None:
            yield self._change((name,), "link", False, self._link_gone(was), old)
        elif old is not None:
            yield self._change((name,), "property", False, "property gone; stored values stay, unseen", old)
        if now is None:
            if new is not None:
                yield self._change((name,), "property", True, "new property", None, new)
            if name in self.new.required:
                yield self._change((name,), "required", False, "new and required; stored records lack it", False, True)
            return
        allowed = field_includes(field(self.new_schema, name), field(self.old_schema, name)) or old is not None
        yield self._change((name,), "link", allowed, f"new link to {now.target}", None, new)
        if self._must(self.new, name):
            yield self._change((name,), "required", False, "new and required; stored records lack it", False, True)

    def _link_gone(self, was: Link) -> str:
        for each in self.new.links:
            if edge_table(each) == edge_table(was) and each.name not in self.old.links_by_name:
                return f"now named {each.name}; stored links are kept"
        return f"link to {was.target} gone; stored links stay, unseen"

    def _link(self, was: Link, now: Link) -> Iterator[Change]:
        names = (now.name,)
        if was.target != now.target:
            message = f"target {was.target} is now {now.target}; stored links stay, unseen"
            yield self._change(names, "target", False, message, was.target, now.target)
        if was.label != now.label:
            kept = edge_table(was) == edge_table(now)
            message = f"label {was.label} is now {now.label}"
            told = message + ("" if kept else ": another table; stored links stay, unseen")
            yield self._change(names, "label", kept, told, was.label, now.label)
        if was.multiplicity != now.multiplicity:
            wider = (was.to_one or not now.to_one) and (was.from_one or not now.from_one)
            message = f"multiplicity {was.multiplicity} is now {now.multiplicity}"
            yield self._change(names, "multiplicity", wider, message, was.multiplicity, now.multiplicity)
        if was.backref != now.backref:
            message = f"backref {was.backref} is now {now.backref}"
            yield self._change(names, "backref", True, message, was.backref, now.backref)

    def _groups(self) -> Iterator[Change]:
        old, new = ({_form(each): each for each in node.groups} for node in (self.old, self.new))
        # Links that are new hold no edges yet.
        known = frozenset(self.old.links_by_name)
        rules = tuple(_rules(old.values()))
        for form, group in new.items():
            if form not in old:
                follows = all(any(_follows(rule, each, known) for each in rules) for rule in _rules([group]))
                yield self._change(group.names, "link_group", follows, _demand(group), None, asdict(group))
        for form, group in old.items():
            if form not in new:
                yield self._change(group.names, "link_group", True, f"no longer: {_demand(group)}", asdict(group))

    def _unique_keys(self) -> Iterator[Change]:
        old, new = ({frozenset(key): key for key in each.unique_keys} for each in (self.old, self.new))
        for names, key in new.items():
            if names not in old:
                # A key that holds an older one cannot be broken where that one is kept.
                kept = any(each <= names for each in old)
                yield self._change(key, "unique_key", kept, "now a unique key", None, list(key))
        for names, key in old.items():
            if names not in new:
                yield self._change(key, "unique_key", True, "no longer a unique key", list(key))


def _rules(groups: Iterable[str | LinkGroup]) -> Iterator[tuple[str, LinkGroup]]:
    """What groups demand, one at a time.

    A group within another one may only demand that it is exclusive: that it is filled is the outer group's affair.
    """
    for group in groups:
        if isinstance(group, LinkGroup):
            if group.required:
                yield "required", group
            if group.exclusive:
                yield "exclusive", group
            yield from (rule for rule in _rules(group.members) if rule[0] == "exclusive")


def _follows(rule: tuple[str, LinkGroup], other: tuple[str, LinkGroup], known: frozenset[str]) -> bool:
    """Whether who keeps `other` keeps `rule` too, where only the links `known` can be filled."""
    (kind, group), (other_kind, other_group) = rule, other
    if kind != other_kind:
        return False
    if kind == "required":
        return set(other_group.names) <= set(group.names)
    mine, theirs = ([frozenset(_names(each)) & known for each in one.members] for one in (group, other_group))
    return all(not each or each in theirs for each in mine)


def _names(member: str | LinkGroup) -> tuple[str, ...]:
    return member.names if isinstance(member, LinkGroup) else (member,)


def _form(group: LinkGroup) -> tuple[Any, ...]:
    """The group without the order of its members."""
    members = frozenset(_form(each) if isinstance(each, LinkGroup) else each for each in group.members)
    return members, group.required, group.exclusive


def _demand(group: LinkGroup) -> str:
    least = "at least one of these links" if group.required else "these links"
    return least + (", no two together" if group.exclusive else "")


def _bare(schema: Schema | None) -> Schema | None:
    return None if schema is None else essence(schema)


def _documented(schema: Schema, changed: bool) -> Mapping[str, Any]:
    """The documentation of a property; where nothing else has changed, that of its parts too."""
    if not changed:
        return {key: value for key, value in schema.items() if key != "default"}
    rules = {key for keywords in ASPECTS.values() for key in keywords} | {"default"}
    return {key: value for key, value in schema.items() if key not in rules}


def _allowed(schema: Schema | None) -> str:
    return "refused" if schema is None else "of their own schema" if schema else "taken"


def _verb(before: Any, after: Any) -> str:
    return "new" if before is None else "gone" if after is None else "changed"


def _shown(value: Any) -> str:
    import orjson

    if value is None or value == {}:
        return "(none)"
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else text[:79] + "…"


def _values_message(gone: Sequence[str], added: Sequence[str]) -> str:
    told = [f"{word} {listed(values)}" for word, values in (("gone", gone), ("new", added)) if values]
    return f"values {'; '.join(told)}" if told else "values in another order"
