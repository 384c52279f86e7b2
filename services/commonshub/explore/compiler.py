"""Compiling a mapping: Tube's format, checked against the dictionary, into a :class:`~.plan.Plan`.

Where Tube's code and its documents differ, or lose data, this does what the documents say:

- ``max`` is the largest value. A replaced value (``value_mappings``) that is not listed stays as it is.
- A path may have several segments wherever there is one.
- Several nodes where a document has room for one never multiply the document: the first by ``sorted_by`` counts, then
  the one with the smallest id.
- ``fn`` inside ``flatten_props`` sums up, as it does in ``aggregated_props``.
- A key that does nothing is a warning; one that looks misspelt is a fault.
- ``project_id`` and ``auth_resource_path`` belong to every document, whether the mapping names them or not.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from commonshub.core.dictionary import Dictionary, Link

from .blocks import Blocks
from .catalog import AUTH_FIELD, PROJECT_FIELD, DocType, Field, Nest
from .mapping import Faults, Item, read
from .plan import ID, LAYOUT, Aggregator, Collector, Document, Flatten, Join, Nested, Plan, Reduce, Take

Block = TypeVar("Block", Flatten, Reduce)

_NAME = re.compile(r"^(?!__)[A-Za-z_][A-Za-z0-9_]*$")
_RESERVED = frozenset({"_id", "_rid", "_eid", "_pid", "_matched", "_totalcount"})
_COMMON = {"name", "doc_type", "type", "root", "category", "props"}
_AGGREGATOR = _COMMON | {
    "settings", "flatten_props", "aggregated_props", "parent_props", "nested_props", "joining_props", "joining",
    "filter",
}  # fmt: skip
_COLLECTOR = _COMMON | {"injecting_props"}
# Tube reads these and does nothing with them, so they are no misspelt ones either.
_IDLE = {"target_nodes", "special_props"}
DEFAULT_CATEGORY = "data_file"


def compile_mapping(text: str, dictionary: Dictionary) -> Plan:
    """The plan of a mapping file.

    Raises
    ------
    ValidationFailed
        ``details`` names every fault by line; so does the message.
    """
    compiler = _Compiler(dictionary)
    documents = compiler.compile(read(text))
    compiler.faults.finish()
    assert compiler.program is not None
    return Plan(
        documents=tuple(documents),
        nodes={node: tuple(fields.values()) for node, fields in sorted(compiler.blocks.nodes.items())},
        links=tuple(sorted(compiler.blocks.links, key=lambda link: (link.source, link.label, link.target))),
        program=compiler.program,
        warnings=tuple(compiler.faults.warnings),
        digest=hashlib.sha256(f"{LAYOUT}\n{dictionary.digest}\n{text}".encode()).hexdigest(),
    )


class _Names:
    """The output names of one document or nest; the first use of a name wins, as in Tube.

    Parameters
    ----------
    own
        Fields that are always there, with the values that they always have: no mapping can define them otherwise.
    """

    def __init__(self, faults: Faults, own: Iterable[str]) -> None:
        self.faults = faults
        self._own = frozenset(own)
        self._taken = {name.lower(): name for name in self._own}

    def take(self, item: Item, name: str) -> bool:
        """Whether a definition counts."""
        folded = name.lower()
        if name in self._own:
            return False
        if not _NAME.match(name) or folded in _RESERVED:
            self.faults.add(item, f"{name!r} cannot be the name of a field: use letters, digits and underscores.")
        elif self._taken.get(folded, name) != name:
            self.faults.add(item, f"{name!r} differs from {self._taken[folded]!r} only by case.")
        elif folded in self._taken:
            self.faults.warn(item, f"{name!r} is defined twice; the first definition counts.")
        else:
            self._taken[folded] = name
            return True
        return False

    def free(self, name: str) -> bool:
        """Whether nothing has that name yet."""
        return name not in self._taken

    def filter(self, takes: Iterable[tuple[Item, Take]]) -> tuple[Take, ...]:
        """The definitions that count."""
        return tuple(take for item, take in takes if self.take(item, take.field.name))


class _Compiler:
    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.faults = Faults()
        self.blocks = Blocks(dictionary, self.faults)
        self.program: Link | None = None
        self._joins: list[tuple[int, Item, _Names]] = []

    def compile(self, root: Item) -> list[Document]:
        entries = self.faults.items(self.faults.keys(root, {"mappings"}, {"mappings"}).get("mappings"))
        if isinstance(root.value, dict) and not entries:
            self.faults.add(root, "mappings must list at least one index.")
        self._find_program(root)
        found: list[Document] = []
        seen: dict[str, set[str]] = {"doc_type": set(), "name": set()}
        for item in entries:
            document = self._entry(item, seen, len(found))
            if document is not None:
                found.append(document)
        for number, item, names in self._joins:
            aggregator = cast(Aggregator, found[number])
            joins = [self._join(each, aggregator, found, names) for each in self.faults.items(item)]
            found[number] = _with_joins(aggregator, [join for join in joins if join is not None])
        return found

    def _find_program(self, root: Item) -> None:
        """Programs and projects give every document its resource path."""
        project = self.dictionary.nodes.get("project")
        links = [link for link in project.links if link.target == "program"] if project else []
        if not links:
            self.faults.add(root, "the dictionary has no link from project to program.")
            return
        self.program = links[0]
        self.blocks.need_link(links[0])
        self.blocks.need("project", Field("code", "string"))
        self.blocks.need("program", Field("name", "string"))

    def _entry(self, item: Item, seen: dict[str, set[str]], number: int) -> Document | None:
        if not isinstance(item.value, dict):
            self.faults.add(item, "must be an object.")
            return None
        kind = self.faults.choice(item.value.get("type"), ("aggregator", "collector"))
        known, other = (_COLLECTOR, _AGGREGATOR) if kind == "collector" else (_AGGREGATOR, _COLLECTOR)
        keys = self.faults.keys(item, known | other | _IDLE, {"name", "doc_type", "type", "props"})
        for idle in sorted(keys.keys() & _IDLE):
            self.faults.warn(keys[idle], "has no effect, in Tube neither.")
        for idle in sorted(keys.keys() & (other - known)):
            self.faults.warn(keys[idle], f"has no effect in an entry of type {kind}, in Tube neither.")
        for key in ("doc_type", "name"):
            text = self.faults.text(keys.get(key))
            if text.lower() in seen[key]:
                self.faults.add(keys[key], f"{text!r} is used twice.")
                return None
            seen[key].add(text.lower())
        doc_type = self.faults.text(keys.get("doc_type"))
        if doc_type and (not _NAME.match(doc_type) or doc_type.startswith("_")):
            self.faults.add(keys["doc_type"], f"{doc_type!r} must be a word of letters, digits and underscores.")
            return None
        if not (kind and doc_type and self.faults.text(keys.get("name"))):
            return None
        names = _Names(self.faults, (f"_{keys['doc_type'].value}_id", PROJECT_FIELD, AUTH_FIELD))
        if kind == "collector":
            return self._collector(item, keys, names)
        return self._aggregator(item, keys, names, number)

    # -- aggregator ----------------------------------------------------------------

    def _aggregator(self, item: Item, keys: dict[str, Item], names: _Names, number: int) -> Aggregator | None:
        if "root" not in keys:
            self.faults.add(item, "root is missing.")
            return None
        root = self.faults.text(keys["root"])
        if root not in self.dictionary.nodes:
            self.faults.add(keys["root"], f"the dictionary has no node {root!r}.")
            return None
        settings = self.faults.keys(keys["settings"], {"bypass_multiplicity_check"}) if "settings" in keys else {}
        bypass = _value(settings.get("bypass_multiplicity_check")) is True
        self._need_project(item, root)
        blocks, faults = self.blocks, self.faults
        takes = names.filter(blocks.takes(keys.get("props"), root))
        flatten: list[Flatten] = []
        reduce: list[Reduce] = []
        for each in faults.items(keys.get("flatten_props")):
            path, order, found = blocks.flatten(each, root, bypass)
            kept = names.filter(found)
            flatten.append(Flatten(path, tuple(take for take in kept if take.function is None), order))
            reduce.append(Reduce(path, tuple(take for take in kept if take.function is not None)))
        for each in faults.items(keys.get("parent_props")):
            for path, single, found in blocks.parents(each, root):
                kept = names.filter(found)
                flatten += [Flatten(path, kept)] if single else []
                reduce += [] if single else [Reduce(path, kept)]
        for each in faults.items(keys.get("aggregated_props")):
            path, found = blocks.aggregated(each, root)
            reduce.append(Reduce(path, names.filter(found)))
        nested = self._nested_list(keys.get("nested_props"), root, names)
        condition = blocks.condition(keys["filter"], root) if "filter" in keys else None
        joining = keys.get("joining_props") or keys.get("joining")
        if joining is not None:
            self._joins.append((number, joining, names))
        fields = [take.field for take in (*takes, *_takes_of(flatten), *_takes_of(reduce))]
        parts = _project_parts(names) if root == "project" else ()
        doc_type = _doc_type(keys, fields, nested, parts)
        return Aggregator(
            doc_type, root, takes, parts, _filled(flatten), _filled(reduce), tuple(nested), condition=condition
        )

    def _need_project(self, item: Item, node_id: str) -> None:
        """Documents without a project could be shown to nobody, so that must be a mistake."""
        if node_id == "project":
            return
        if PROJECT_FIELD not in self.dictionary.nodes[node_id].properties:
            self.faults.add(item, f"nodes of type {node_id!r} belong to no project: they have no project_id.")
            return
        self.blocks.need(node_id, Field(PROJECT_FIELD, "string"))

    def _nested_list(self, item: Item | None, node: str, names: _Names) -> list[Nested]:
        found = [self._nested(each, node, names) for each in self.faults.items(item)]
        return [each for each in found if each is not None]

    def _nested(self, item: Item, node: str, names: _Names) -> Nested | None:
        keys = self.faults.keys(item, {"name", "path", "props", "filter", "nested_props"}, {"path", "props"})
        way = self.faults.text(keys.get("path"))
        # Tube writes a path for a name with dashes, which GraphQL does not take.
        name = self.faults.text(keys.get("name")) or way.replace(".", "_")
        if not way or not names.take(item, name):
            return None
        path = self.blocks.path(keys["path"], way, node)
        if not path:
            return None
        target = path[-1].node
        inner = _Names(self.faults, (f"_{target}_id",))
        key = Take(Field(f"_{target}_id", "string"), ID)
        takes = (key, *inner.filter(self.blocks.takes(keys.get("props"), target)))
        condition = self.blocks.condition(keys["filter"], target) if "filter" in keys else None
        nested = self._nested_list(keys.get("nested_props"), target, inner)
        return Nested(name, path, target, takes, condition, tuple(nested))

    def _join(self, item: Item, own: Aggregator, documents: list[Document], names: _Names) -> Join | None:
        keys = self.faults.keys(item, {"index", "join_on", "props"}, {"index", "join_on", "props"})
        other = next((each.doc_type for each in documents if each.doc_type.name == _value(keys.get("index"))), None)
        if "index" in keys and other is None:
            self.faults.add(keys["index"], f"no entry of this file has the doc_type {keys['index'].value!r}.")
        if other is None or "join_on" not in keys:
            return None
        on = []
        for name in self.faults.text(keys["join_on"]).split(","):
            pair = _key(own.doc_type, name.strip()), _key(other, name.strip())
            for field, doc_type in zip(pair, (own.doc_type, other), strict=True):
                if field is None:
                    self.faults.add(keys["join_on"], f"{doc_type.name} has no field {name.strip()!r}.")
            if pair[0] is not None and pair[1] is not None:
                on.append((pair[0], pair[1]))
        takes = names.filter(self.blocks.joined(keys.get("props"), other, _key))
        return Join(other.name, tuple(on), takes) if takes else None

    # -- collector -----------------------------------------------------------------

    def _collector(self, item: Item, keys: dict[str, Item], names: _Names) -> Collector | None:
        if "root" in keys and keys["root"].value not in (None, "None"):
            self.faults.add(keys["root"], "a collector has no root: write None.")
        category = self.faults.text(keys.get("category")) or DEFAULT_CATEGORY
        leaves = [node.id for node in self.dictionary.nodes.values() if node.category == category]
        if not leaves:
            self.faults.add(keys.get("category", item), f"no node of the dictionary is in category {category!r}.")
            return None
        for leaf in leaves:
            self._need_project(item, leaf)
        by_leaf, fields = self.blocks.collected(keys.get("props"), leaves, names.take)
        inject, links = self.blocks.injected(keys.get("injecting_props"), leaves, names.take)
        fields += [take.field for _, takes in inject for take in takes]
        parts = _project_parts(names)
        return Collector(_doc_type(keys, fields, [], parts), by_leaf, parts, inject, links)


def _value(item: Item | None) -> Any:
    return item.value if item is not None else None


def _takes_of(blocks: Iterable[Flatten | Reduce]) -> list[Take]:
    return [take for block in blocks for take in block.takes]


def _filled(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(block for block in blocks if block.takes)


def _with_joins(aggregator: Aggregator, joins: list[Join]) -> Aggregator:
    """The aggregator with its joins, whose fields go before the two that every document has."""
    doc_type = aggregator.doc_type
    joined = tuple(take.field for join in joins for take in join.takes)
    fields = (*doc_type.fields[:-2], *joined, *doc_type.fields[-2:])
    return replace(aggregator, joins=tuple(joins), doc_type=replace(doc_type, fields=fields))


def _key(doc_type: DocType, name: str) -> Field | None:
    """A field by name, or by the name that it had before Tube put an underscore before ids."""
    return doc_type.field(name) or (doc_type.field(f"_{name}") if name.endswith("_id") else None)


def _nest(nested: Nested) -> Nest:
    fields = tuple(take.field for take in nested.takes)
    return Nest(nested.name, fields, tuple(_nest(each) for each in nested.nested))


def _project_parts(names: _Names) -> tuple[str, ...]:
    """Tube adds these where it walks through the project anyway."""
    return tuple(name for name in ("program_name", "project_code") if names.free(name))


def _doc_type(
    keys: Mapping[str, Item], fields: Iterable[Field], nested: Iterable[Nested], parts: Iterable[str]
) -> DocType:
    """The document type: its key, the mapped fields, and what every document has."""
    name = keys["doc_type"].value
    always = [Field(each, "string") for each in (*parts, PROJECT_FIELD, AUTH_FIELD)]
    key = Field(f"_{name}_id", "string")
    return DocType(name, (key, *fields, *always), tuple(map(_nest, nested)), index=keys["name"].value)
