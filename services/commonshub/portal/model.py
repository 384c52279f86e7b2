"""The data dictionary as the pages show it, made from the JSON that ``_dictionary/_all`` answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CATEGORIES = {
    "administrative": "Administrative",
    "clinical": "Clinical",
    "biospecimen": "Biospecimen",
    "data_file": "Data files",
    "index_file": "Index files",
    "metadata_file": "Metadata files",
    "analysis": "Analysis",
    "notation": "Notation",
    "data": "Data",
}
_SYSTEM = frozenset({"id", "type", "state", "project_id", "created_datetime", "updated_datetime"})


@dataclass(frozen=True)
class PropertyView:
    """One property: what may stand in it, and what it means."""

    name: str
    kind: str
    values: tuple[str, ...]
    required: bool
    system: bool
    description: str
    term: str
    term_url: str


@dataclass(frozen=True)
class LinkView:
    """One link to a parent type."""

    name: str
    target: str
    label: str
    multiplicity: str
    required: bool


@dataclass(frozen=True)
class NodeView:
    """One node type."""

    id: str
    title: str
    category: str
    description: str
    properties: tuple[PropertyView, ...]
    links: tuple[LinkView, ...]

    @property
    def category_title(self) -> str:
        """Name of the category, for people."""
        return CATEGORIES.get(self.category, self.category.replace("_", " ").capitalize())

    @property
    def is_file(self) -> bool:
        """Whether records of this type describe files."""
        return self.category.endswith("_file")


def read(document: Mapping[str, Any]) -> dict[str, NodeView]:
    """The node types of a dictionary by id, parents before children as far as categories tell.

    Entries that are not node types (definitions, terms, the metaschema) and internal types are left out.
    """
    nodes = [_node(entry) for entry in document.values() if _is_node(entry)]
    order = {category: position for position, category in enumerate(CATEGORIES)}
    nodes.sort(key=lambda node: (order.get(node.category, len(order)), node.title))
    return {node.id: node for node in nodes}


def _is_node(entry: Any) -> bool:
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("id"), str)
        and isinstance(entry.get("properties"), Mapping)
        and isinstance(entry.get("links"), list)
        and entry.get("category") not in (None, "internal")
        and entry["id"] != "metaschema"
    )


def _node(entry: Mapping[str, Any]) -> NodeView:
    links = tuple(_links(entry["links"]))
    names = {link.name for link in links}
    required = set(entry.get("required") or ())
    system = _SYSTEM | set(entry.get("systemProperties") or ())
    properties = [
        _property(name, schema, name in required, name in system)
        for name, schema in entry["properties"].items()
        if name not in names and isinstance(schema, Mapping)
    ]
    properties.sort(key=lambda each: (each.system, not each.required, each.name))
    return NodeView(
        id=entry["id"],
        title=str(entry.get("title") or entry["id"]),
        category=str(entry["category"]),
        description=_sentence(entry.get("description")),
        properties=tuple(properties),
        links=links,
    )


def _links(entries: Iterable[Any]) -> Iterable[LinkView]:
    for entry in entries:
        if not isinstance(entry, Mapping):
            continue
        if "subgroup" in entry:
            yield from _links(entry["subgroup"])
        else:
            yield LinkView(
                name=str(entry.get("name")),
                target=str(entry.get("target_type")),
                label=str(entry.get("label", "")).replace("_", " "),
                multiplicity=str(entry.get("multiplicity", "")).replace("_", " "),
                required=bool(entry.get("required")),
            )


def _property(name: str, schema: Mapping[str, Any], required: bool, system: bool) -> PropertyView:
    raw = schema.get("term")
    term = raw if isinstance(raw, Mapping) else {}
    definition = term.get("termDef") if isinstance(term.get("termDef"), Mapping) else {}
    assert isinstance(definition, Mapping)
    source, code = definition.get("source"), definition.get("cde_id")
    url = str(definition.get("term_url") or "")
    return PropertyView(
        name=name,
        kind=kind_of(schema),
        values=tuple(str(value) for value in schema.get("enum") or () if value is not None),
        required=required,
        system=system,
        description=_sentence(schema.get("description") or term.get("description")),
        term=" ".join(str(part) for part in (source, code) if part),
        term_url=url if url.startswith(("https://", "http://")) else "",
    )


def kind_of(schema: Mapping[str, Any]) -> str:
    """What a property takes, in a word or two."""
    if schema.get("enum"):
        return "one of"
    kind = schema.get("type")
    if kind is None:
        branches = [each for key in ("oneOf", "anyOf") for each in schema.get(key) or () if isinstance(each, Mapping)]
        kinds = dict.fromkeys(kind_of(branch) for branch in branches)
        return " or ".join(each for each in kinds if each and each != "null")
    kinds = dict.fromkeys(str(each) for each in (kind if isinstance(kind, list) else [kind]) if each != "null")
    text = " or ".join(kinds)
    if text == "array" and isinstance(schema.get("items"), Mapping):
        return f"list of {kind_of(schema['items']) or 'anything'}"
    if schema.get("format") == "date-time":
        return "date and time"
    return text + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", {low} or more"
    return f", {high} or less" if high is not None else ""


def _sentence(text: Any) -> str:
    return " ".join(str(text).split()) if text else ""


def children(nodes: Mapping[str, NodeView], node_id: str) -> list[tuple[NodeView, LinkView]]:
    """Node types that link to `node_id`, with the link."""
    return [(node, link) for node in nodes.values() for link in node.links if link.target == node_id]
