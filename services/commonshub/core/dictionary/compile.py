"""From files to a :class:`Dictionary`."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from .checks import check
from .faults import ordered, refuse
from .metaschema import METASCHEMA, NO_RECORDS
from .model import Dictionary, Kind, Link, LinkGroup, NodeType, Property
from .nullable import takes_null
from .source import Source

_KINDS: Mapping[str, Kind] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "float": "number",
    "boolean": "boolean",
    "array": "array",
}


def load(place: str) -> Dictionary:
    """Read, check and resolve a dictionary.

    Parameters
    ----------
    place
        A folder of YAML files, one JSON file, or an http(s) URL of one. Only a URL makes this use the network.

    Raises
    ------
    ValidationFailed
        The dictionary has faults; each names file, path and, for YAML, line.
    NotFound
        There is nothing at `place`.
    Unavailable
        The URL gives no answer.
    """
    return compiled(Source(place))


def compiled(files: Source) -> Dictionary:
    """Check and resolve what has been read.

    Raises
    ------
    ValidationFailed
        As :func:`load`.
    """
    checked = check(files)
    refuse(files.place, ordered(checked.faults))
    schemas = checked.schemas
    document = {**{schema["id"]: schema for schema in schemas.values()}, **checked.shared, "metaschema": METASCHEMA}
    nodes = {schema["id"]: make_node(schema) for schema in schemas.values() if schema["id"] not in NO_RECORDS}
    backlinks: defaultdict[str, list[Link]] = defaultdict(list)
    for node in nodes.values():
        for link in node.links:
            backlinks[link.target].append(link)
    return Dictionary(
        nodes=nodes,
        document=document,
        digest=hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        _backlinks={target: tuple(links) for target, links in backlinks.items()},
    )


def make_node(schema: Mapping[str, Any]) -> NodeType:
    """The node type of a resolved and checked schema."""
    every_link = tuple(single_links(schema["id"], schema["links"]))
    links = tuple(link for link in every_link if link.target not in NO_RECORDS)
    names = {link.name for link in every_link}
    members = _members(schema["links"], {link.name for link in links})
    required = frozenset(schema.get("required", ()))
    system = frozenset(schema.get("systemProperties", ()))
    properties = {
        name: make_property(name, each, name in required, name in system)
        for name, each in schema["properties"].items()
        if name not in names
    }
    return NodeType(
        id=schema["id"],
        title=schema.get("title") or schema["id"],
        category=schema["category"],
        description=schema.get("description") or "",
        schema=schema,
        properties=properties,
        links=links,
        groups=tuple(each for each in members if isinstance(each, LinkGroup)),
        required=required,
        system=system,
        unique_keys=_unique_keys(schema),
    )


def _unique_keys(schema: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    known = schema["properties"]
    keys = schema.get("uniqueKeys") or [["project_id", "submitter_id"]]
    return tuple(tuple(key) for key in keys if key != ["id"] and all(name in known for name in key))


def single_links(source: str, links: list[dict[str, Any]]) -> Iterator[Link]:
    """All links, those of groups too."""
    for link in links:
        if "subgroup" in link:
            yield from single_links(source, link["subgroup"])
        else:
            yield Link(
                name=link["name"],
                backref=link["backref"],
                label=link["label"],
                source=source,
                target=link["target_type"],
                multiplicity=link["multiplicity"],
                required=link["required"],
            )


def _members(links: list[dict[str, Any]], known: Collection[str]) -> Iterator[str | LinkGroup]:
    """The links, by name, and groups of them, as far as they hold anything."""
    for each in links:
        if "subgroup" in each:
            members = tuple(_members(each["subgroup"], known))
            if members:
                yield LinkGroup(members, each.get("exclusive", False), each.get("required", False))
        elif each["name"] in known:
            yield each["name"]


def make_property(name: str, schema: Mapping[str, Any], required: bool, system: bool) -> Property:
    """A property as its schema describes it."""
    kind = kind_of(schema)
    return Property(
        name=name,
        kind=kind,
        item_kind=_item_kind(schema.get("items") or {}) if kind == "array" else None,
        enum=tuple(dict.fromkeys(_enum(schema))),
        nullable=not required or takes_null(schema),
        required=required,
        system=system,
        description=_description(schema),
        default=schema.get("default"),
    )


def _item_kind(items: Mapping[str, Any] | list[Mapping[str, Any]]) -> Kind:
    """The kind of an array's items, which may have a schema for each place."""
    return kind_of({"anyOf": items} if isinstance(items, list) else items)


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """The kind of a value: its first type, or what all its alternatives agree on, or else text."""
    types = schema.get("type", [])
    for each in [types] if isinstance(types, str) else types:
        if each in _KINDS:
            return _KINDS[each]
    alternatives = [each for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) if each.get("type") != "null"]
    kinds = {kind_of(each) for each in alternatives}
    return kinds.pop() if len(kinds) == 1 else "string"


def _enum(schema: Mapping[str, Any]) -> Iterator[str]:
    for value in schema.get("enum", ()):
        if value is not None:
            yield str(value).lower() if isinstance(value, bool) else str(value)
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _enum(each)


def _description(schema: Mapping[str, Any]) -> str:
    term = schema.get("term")
    text = schema.get("description") or (term.get("description") if isinstance(term, dict) else None) or ""
    return " ".join(str(text).split())
