"""The blocks of a mapping entry, each checked against the dictionary; and what they need from the graph."""

import re
from collections.abc import Callable, Iterable
from typing import cast

from commonshub.core.dictionary import Dictionary, Link

from .catalog import PROJECT_FIELD, DocType, Field
from .kinds import as_written, common, field_of, kind_replaced, text_of
from .mapping import Faults, Item
from .plan import ID, LABEL, Condition, Function, Group, Hop, Operator, Path, Take, Test

FUNCTIONS = ("count", "sum", "min", "max", "set", "list")
SOURCE_NODE = "source_node"
_TAKE = {"name", "src", "fn", "value_mappings"}
_SEGMENT = re.compile(r"\s*([A-Za-z0-9_]+)\s*(?:\[([^\]]*)\])?\s*(?:\.|$)")
_OPERATORS: dict[str, Operator] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", ">": ">", ">=": ">=", "<": "<", "<=": "<=", "in": "in",
    "contains": "=",
}  # fmt: skip

Claim = Callable[[Item, str], bool]


class Blocks:
    """Reads blocks against one dictionary, and gathers the tables and columns that they need."""

    def __init__(self, dictionary: Dictionary, faults: Faults) -> None:
        self.dictionary = dictionary
        self.faults = faults
        self.nodes: dict[str, dict[str, Field]] = {}
        self.links: set[Link] = set()

    def need(self, node_id: str, field: Field | None = None) -> None:
        """A node type must be read, with this property."""
        fields = self.nodes.setdefault(node_id, {})
        if field is not None:
            fields[field.name] = field

    def need_link(self, link: Link) -> None:
        """A link must be read, and both of its ends."""
        self.links.add(link)
        self.need(link.source)
        self.need(link.target)

    # -- paths ---------------------------------------------------------------------

    def path(self, item: Item, text: str, node: str, *, up: bool = False) -> Path:
        """The hops of a dotted path from `node`; empty, with a fault, where a segment leads nowhere."""
        hops: list[Hop] = []
        for segment in text.split("."):
            hop = self._hop(item, segment.strip(), node, up)
            if hop is None:
                return ()
            self.need_link(hop.link)
            hops.append(hop)
            node = hop.node
        return tuple(hops)

    def _hop(self, item: Item, segment: str, node: str, up: bool) -> Hop | None:
        """A segment is a link's name seen from the child, or its backref seen from the parent."""
        below = [Hop(link, down=True) for link in self.dictionary.backlinks(node) if link.backref == segment]
        above = [Hop(link, down=False) for link in self.dictionary.nodes[node].links if link.name == segment]
        found = (above or below) if up else (below or above)
        if len(found) == 1:
            return found[0]
        if found:
            ends = ", ".join(sorted(hop.node for hop in found))
            self.faults.add(item, f"{segment!r} from {node} leads to several node types ({ends}).")
        else:
            known = sorted(
                {link.backref for link in self.dictionary.backlinks(node)}
                | {link.name for link in self.dictionary.nodes[node].links}
            )
            self.faults.add(item, f"{node} has no link {segment!r}; it has {', '.join(known)}.")
        return None

    # -- fields --------------------------------------------------------------------

    def source(self, item: Item, node_id: str, name: str) -> Field | None:
        """A property of a node type as a field, or None with a fault."""
        if name in (ID, LABEL):
            return Field(name, "string")
        found = self.dictionary.nodes[node_id].properties.get(name)
        if found is None:
            self.faults.add(item, f"{node_id} has no property {name!r}.")
            return None
        field = field_of(name, found.kind, found.item_kind)
        self.need(node_id, field)
        return field

    def takes(
        self, item: Item | None, node: str, *, reduce: bool = False, default: Function | None = None
    ) -> list[tuple[Item, Take]]:
        """The entries of a ``props`` list over one node type; `reduce` allows ``fn``."""
        found = []
        for each in self.faults.items(item):
            keys = self.faults.keys(each, _TAKE if reduce else _TAKE - {"fn"}, {"name"})
            name, function = self._name(keys, default)
            if not name:
                continue
            source = self.faults.text(keys.get("src")) or name
            take = self._take(each, keys, name, source, function, node)
            if take is not None:
                found.append((each, take))
        return found

    def _name(self, keys: dict[str, Item], default: Function | None) -> tuple[str, Function | None]:
        function = self.faults.choice(keys.get("fn"), FUNCTIONS)
        return self.faults.text(keys.get("name")), cast(Function, function) if function else default

    def _take(
        self, item: Item, keys: dict[str, Item], name: str, source: str, function: Function | None, node: str
    ) -> Take | None:
        if function == "count":
            return Take(Field(name, "integer"), "", "count")
        field = self.source(item, node, source)
        if field is None:
            return None
        values = as_written(field.kind, self._values(keys.get("value_mappings")))
        kind = kind_replaced(field.kind, [new for _, new in values])
        result = self._result(item, name, Field(source, kind, field.array), function)
        return Take(result, source, function, values, field.array) if result else None

    def _result(self, item: Item, name: str, field: Field, function: Function | None) -> Field | None:
        if function in ("set", "list"):
            return Field(name, field.kind, array=True, distinct=function == "set")
        if function == "sum":
            if not field.numeric:
                self.faults.add(item, f"{field.name} is not a number: it has no sum.")
                return None
            return Field(name, "number")
        if function in ("min", "max"):
            return Field(name, "number" if field.numeric else "string")
        return Field(name, field.kind, field.array, field.distinct)

    def _values(self, item: Item | None) -> tuple[tuple[str, str], ...]:
        """Replacements, as a list of single pairs or as one object."""
        if item is None:
            return ()
        parts = [item] if isinstance(item.value, dict) else self.faults.items(item)
        found = []
        for part in parts:
            if not isinstance(part.value, dict):
                self.faults.add(part, "must be a pair old: new.")
                continue
            for old, new in part.value.items():
                if isinstance(new.value, dict | list) or new.value is None:
                    self.faults.add(new, "a replacement must be text or a number.")
                else:
                    found.append((text_of(old), text_of(new.value)))
        return tuple(found)

    # -- blocks of an aggregator ---------------------------------------------------

    def flatten(
        self, item: Item, root: str, bypass: bool
    ) -> tuple[Path, tuple[str, bool] | None, list[tuple[Item, Take]]]:
        """An entry of ``flatten_props``: path, order and fields."""
        keys = self.faults.keys(item, {"path", "props", "sorted_by"}, {"path", "props"})
        path = self.path(keys["path"], self.faults.text(keys["path"]), root) if "path" in keys else ()
        if not path:
            return (), None, []
        node = path[-1].node
        takes = self.takes(keys.get("props"), node, reduce=True)
        order = self._order(keys["sorted_by"], node) if "sorted_by" in keys else None
        single = all(hop.single for hop in path) or all(take.function for _, take in takes)
        if not (single or order or bypass or "sorted_by" in keys):
            told = f"a {root} can have several {node}: say which one counts by sorted_by, or use aggregated_props."
            self.faults.add(keys["path"], told)
        return path, order, takes

    def _order(self, item: Item, node: str) -> tuple[str, bool] | None:
        name, _, direction = (part.strip() for part in self.faults.text(item).partition(","))
        if direction not in ("", "asc", "desc"):
            self.faults.add(item, f"{direction!r} is neither asc nor desc.")
        field = self.source(item, node, name)
        return (field.name, direction == "desc") if field else None

    def parents(self, item: Item, root: str) -> list[tuple[Path, bool, list[tuple[Item, Take]]]]:
        """An entry of ``parent_props``: for each segment its path, whether it is 1-1, and its fields."""
        keys = self.faults.keys(item, {"path", "relation"}, {"path"})
        single = self.faults.choice(keys.get("relation"), ("1-1", "1-n")) == "1-1"
        text = self.faults.text(keys.get("path"))
        found = []
        path: Path = ()
        node, at = root, 0
        while text and at < len(text):
            match = _SEGMENT.match(text, at)
            if not match:
                self.faults.add(keys["path"], f"cannot read {text[at:]!r}: write segment[name,new:source].segment.")
                break
            hop = self.path(keys["path"], match[1], node, up=True)
            if not hop:
                break
            path, node, at = (*path, *hop), hop[0].node, match.end()
            parts = [part for part in (match[2] or "").split(",") if part]
            takes = [self._parent_take(keys["path"], part, node, single) for part in parts]
            found.append((path, single, [(keys["path"], take) for take in takes if take is not None]))
        return found

    def _parent_take(self, item: Item, part: str, node: str, single: bool) -> Take | None:
        name, _, source = (each.strip() for each in part.partition(":"))
        return self._take(item, {}, name, source or name, None if single else "set", node)

    def aggregated(self, item: Item, root: str) -> tuple[Path, list[tuple[Item, Take]]]:
        """An entry of ``aggregated_props``: its path and its one field."""
        keys = self.faults.keys(item, {"path", *_TAKE}, {"name", "path", "fn"})
        name, function = self._name(keys, None)
        path = self.path(keys["path"], self.faults.text(keys["path"]), root) if "path" in keys else ()
        if not path or not name or function is None:
            return (), []
        take = self._take(item, keys, name, self.faults.text(keys.get("src")) or name, function, path[-1].node)
        return path, [(item, take)] if take else []

    def condition(self, item: Item, node: str) -> Condition | None:
        """A ``filter``: ``{op: and|or, logics: […]}`` or ``{prop, op, value}``."""
        if isinstance(item.value, dict) and "logics" in item.value:
            keys = self.faults.keys(item, {"op", "logics"}, {"op", "logics"})
            every = self.faults.choice(keys.get("op"), ("and", "or")) != "or"
            parts = [self.condition(each, node) for each in self.faults.items(keys.get("logics"))]
            return Group(every, tuple(part for part in parts if part is not None))
        keys = self.faults.keys(item, {"prop", "op", "value"}, {"prop", "op", "value"})
        operator = self.faults.choice(keys.get("op"), tuple(_OPERATORS))
        *segments, name = self.faults.text(keys.get("prop")).split(".")
        if not operator or not name or "value" not in keys:
            return None
        if segments and operator != "contains":
            self.faults.add(keys["prop"], "a path needs the operator contains.")
        path = self.path(keys["prop"], ".".join(segments), node) if segments else ()
        field = self.source(keys["prop"], path[-1].node if path else node, name)
        if field is None or (segments and not path):
            return None
        return self._test(keys["value"], field, operator, path, path[-1].node if path else node)

    def _test(self, item: Item, field: Field, operator: str, path: Path, node: str) -> Test | None:
        given = [each.value for each in item.value] if isinstance(item.value, list) else [item.value]
        values: list[str | int | float] = []
        for value in given:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is None or isinstance(value, dict | list) or (field.numeric and not number):
                self.faults.add(item, f"{value!r} cannot be compared with {field.name}, a {field.kind}.")
                return None
            values.append(value if field.numeric else text_of(value))
        if len(values) != 1 and operator != "in":
            self.faults.add(item, f"the operator {operator} takes one value.")
            return None
        return Test(field.name, field.kind, field.array, _OPERATORS[operator], tuple(values), path, node)

    def joined(
        self, item: Item | None, other: DocType, find: Callable[[DocType, str], Field | None]
    ) -> list[tuple[Item, Take]]:
        """The fields of a join."""
        found = []
        for each in self.faults.items(item):
            keys = self.faults.keys(each, {"name", "src", "fn"}, {"name"})
            name, function = self._name(keys, None)
            source = self.faults.text(keys.get("src")) or name
            if function == "count":
                found.append((each, Take(Field(name, "integer"), "", "count")))
                continue
            field = find(other, source)
            if field is None:
                self.faults.add(each, f"{other.name} has no field {source!r} of its own.")
                continue
            result = self._result(each, name, field, function)
            if result is not None:
                found.append((each, Take(result, field.name, function, (), field.array)))
        return found

    # -- blocks of a collector -----------------------------------------------------

    def collected(
        self, item: Item | None, leaves: Iterable[str], claim: Claim
    ) -> tuple[tuple[tuple[str, tuple[Take, ...]], ...], list[Field]]:
        """``props`` of a collector: for each leaf the fields that it has, and all fields with their common types."""
        by_leaf: dict[str, list[Take]] = {leaf: [] for leaf in leaves}
        fields: list[Field] = []
        for each in self.faults.items(item):
            keys = self.faults.keys(each, _TAKE - {"fn"}, {"name"})
            name = self.faults.text(keys.get("name"))
            source = self.faults.text(keys.get("src")) or name
            if not name or not claim(each, name):
                continue
            source = LABEL if source == SOURCE_NODE else source
            having = [leaf for leaf in by_leaf if source in (ID, LABEL) or self._has(leaf, source)]
            if not having:
                self.faults.add(each, f"none of {', '.join(by_leaf)} has a property {source!r}.")
                continue
            takes = [(leaf, self._take(each, keys, name, source, None, leaf)) for leaf in having]
            together = common(name, [take.field for _, take in takes if take is not None])
            fields.append(together)
            for leaf, take in takes:
                if take is not None:
                    by_leaf[leaf].append(take)
        return tuple((leaf, tuple(takes)) for leaf, takes in by_leaf.items()), fields

    def _has(self, node: str, name: str) -> bool:
        return name in self.dictionary.nodes[node].properties

    def injected(
        self, item: Item | None, leaves: Iterable[str], claim: Claim
    ) -> tuple[tuple[tuple[str, tuple[Take, ...]], ...], tuple[Link, ...]]:
        """``injecting_props``: fields of ancestors, and the links on the ways up to them."""
        if item is None:
            return (), ()
        found = []
        for label, child in self.faults.entries(item).items():
            if label not in self.dictionary.nodes:
                self.faults.add(child, f"the dictionary has no node {label!r}.")
                continue
            keys = self.faults.keys(child, {"props"}, {"props"})
            takes = self.takes(keys.get("props"), label, reduce=True, default="set")
            kept = [take for each, take in takes if take.field.name != PROJECT_FIELD and claim(each, take.field.name)]
            found.append((label, tuple(kept)))
        reachable, links = self._ways(leaves, {label for label, _ in found})
        for label, _ in found:
            if label not in reachable:
                self.faults.add(item.value[label], f"no link leads from these files up to {label}.")
        for link in links:
            self.need_link(link)
        return tuple(found), links

    def _ways(self, leaves: Iterable[str], wanted: set[str]) -> tuple[set[str], tuple[Link, ...]]:
        """Node types above the leaves, and the links that lead from a leaf towards a wanted one."""
        above, waiting = set(leaves), list(leaves)
        while waiting:
            for link in self.dictionary.nodes[waiting.pop()].links:
                if link.target not in above and link.target in self.dictionary.nodes:
                    above.add(link.target)
                    waiting.append(link.target)
        links = [link for node in above for link in self.dictionary.nodes[node].links]
        leading, grown = set(wanted), True
        while grown:
            more = {link.source for link in links if link.target in leading} - leading
            leading |= more
            grown = bool(more)
        kept = [link for link in links if link.target in leading]
        return above, tuple(sorted(kept, key=lambda link: (link.source, link.label, link.target)))
