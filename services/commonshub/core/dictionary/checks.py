"""What keeps a dictionary from being used: every fault of every file, in one pass.

What follows from another fault is not told: a file that cannot be read, or that is no node type, is not compared with
the others, and nothing is missed of what a broken reference was to bring.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .content import MAX_VALUES
from .faults import MAX_FAULTS, WHOLE, Fault
from .metaschema import METASCHEMA, MULTIPLICITIES, NAME, NO_RECORDS, RESERVED
from .model import Link
from .naming import edge_table, node_table
from .patterns import patterns
from .references import Resolver, Steps
from .source import Source
from .wording import instead, one_of

SHARED = ("_definitions", "_terms", "_settings")
NOT_NODES = frozenset({*(f"{name}.yaml" for name in SHARED), "metaschema.yaml"})
_NAME = re.compile(NAME)
_ALWAYS = ("program", "project")
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
# What other languages call them.
_OTHER_TYPES = {"float": "number", "int": "integer", "text": "string", "bool": "boolean"}
_FORM_FIXES = {
    "pattern": "Write letters, digits and _ only, and no digit first.",
    "maxLength": "Shorten it.",
    "minLength": "Fill it in.",
    "minItems": "Name at least one.",
    "additionalProperties": "Write an object.",
}
_TYPE_FIXES = {
    "string": "Write a text.",
    "boolean": "Write true or false.",
    "array": "Write a list.",
    "object": "Write an object.",
}


@dataclass(frozen=True)
class Checked:
    """A dictionary that has been looked through.

    Attributes
    ----------
    schemas
        The resolved node types that keep the form of one, by name of file.
    shared
        What is no node type: ``_definitions``, ``_terms`` and ``_settings``.
    readable
        Whether every file could be read, and every reference followed.
    """

    resolver: Resolver
    schemas: Mapping[str, Any]
    shared: Mapping[str, Any]
    faults: list[Fault]
    readable: bool


def check(files: Source) -> Checked:
    """Look a dictionary through."""
    resolver = Resolver(files)
    resolved = {name: resolver.file(name) for name in sorted(files.files) if name not in NOT_NODES}
    faults = [*files.faults, *resolver.faults]
    readable = not faults
    # A definition that no node type uses may be broken: published dictionaries contain such, and nothing depends on it.
    shared = {name: resolver.sound_parts(f"{name}.yaml") or {"id": name} for name in SHARED}
    # Before anybody looks at all of it: what is one object here is written out many times there.
    if resolver.too_large([*resolved.values(), *shared.values()]):
        message = f"it has more than {MAX_VALUES} values once its references are resolved."
        faults.append(files.fault(WHOLE, (), message, "Let fewer definitions refer to one another."))
        return Checked(resolver, {}, shared, faults, readable=False)
    broken = frozenset(fault.file for fault in faults)
    schemas = {}
    for name, schema in resolved.items():
        found = list(islice(_form(files, resolver, name, schema), MAX_FAULTS))
        faults += found
        if len(faults) > MAX_FAULTS:
            break
        if not found:
            schemas[name] = schema
    odd = {name: schema for name, schema in resolved.items() if name not in schemas}
    strangers = {schema["id"] for schema in odd.values() if _has_id(schema)}
    strangers |= {name.rpartition(".")[0] for name in files.unread | odd.keys()}
    faults += islice(_Whole(files, resolver, schemas, strangers, broken).faults(), MAX_FAULTS)
    if len(faults) > MAX_FAULTS:
        message = f"there are more than {MAX_FAULTS} faults; the rest was not looked at."
        faults = [*faults[:MAX_FAULTS], files.fault(WHOLE, (), message, "Mend these first.")]
    return Checked(resolver, schemas, shared, faults, readable)


def _has_id(schema: Any) -> bool:
    return isinstance(schema, dict) and isinstance(schema.get("id"), str)


def _form(files: Source, resolver: Resolver, name: str, schema: Any) -> Iterator[Fault]:
    """Where one file breaks the metaschema."""
    from jsonschema_rs import Draft7Validator

    for error in Draft7Validator(METASCHEMA).iter_errors(schema):
        message = error.message
        path, value = _at(schema, error.instance_path)
        fix = _form_fix(error, value)
        if not path and name.startswith("_"):
            fix = f"Take {name} away: every other file than _definitions, _terms and _settings is a node type."
        yield files.fault(*resolver.origin(name, path), f"{message}.", fix)


def _at(value: Any, path: Sequence[str | int]) -> tuple[Steps, Any]:
    """A place and what is there; the validator takes a key of digits for a number."""
    steps: list[str | int] = []
    for step in path:
        steps.append(str(step) if isinstance(value, dict) else step)
        value = value[steps[-1]]
    return tuple(steps), value


def _form_fix(error: Any, value: Any) -> str:
    rule = error.schema_path[-1]
    if rule == "required":
        name = error.kind.property
        return f"Add {name}: {', '.join(MULTIPLICITIES)}." if name == "multiplicity" else f"Add {name}."
    if rule == "enum" and "multiplicity" in error.instance_path:
        return one_of(str(value), MULTIPLICITIES)
    if rule == "type":
        kinds = error.kind.types if hasattr(error.kind, "types") else ()
        return next((_TYPE_FIXES[kind] for kind in kinds if kind in _TYPE_FIXES), "Write a value of that type.")
    return _FORM_FIXES.get(rule, "Write what the message asks for.")


class _Whole:
    """Where files contradict themselves or one another.

    Parameters
    ----------
    strangers
        Node types that seem to be meant by files of which nothing more can be said.
    broken
        Files that could not be read, or of which a reference leads nowhere.
    """

    def __init__(
        self,
        files: Source,
        resolver: Resolver,
        schemas: Mapping[str, Any],
        strangers: set[str],
        broken: frozenset[str],
    ) -> None:
        self.files = files
        self.resolver = resolver
        self.schemas = schemas
        self.file_of: dict[str, str] = {}
        self.strangers = strangers
        self.incomplete = broken if broken.isdisjoint(NOT_NODES) else frozenset(schemas)

    def faults(self) -> Iterator[Fault]:
        yield from self._ids()
        backrefs: dict[tuple[str, str], str] = {}
        tables: dict[str, str] = {}
        for name, schema in self.schemas.items():
            yield from self._properties(name, schema)
            yield from self._required(name, schema)
            links = list(walk_links(schema["links"], ("links",)))
            yield from self._links(name, schema, links)
            yield from self._backrefs(name, links, backrefs)
            yield from self._tables(name, schema, links, tables)

    def _fault(self, name: str, path: Steps, message: str, fix: str) -> Fault:
        return self.files.fault(*self.resolver.origin(name, path), message, fix)

    def _ids(self) -> Iterator[Fault]:
        for name, schema in self.schemas.items():
            node_id = schema["id"]
            if node_id in self.file_of:
                message = f"{node_id!r} is the id of {self.file_of[node_id]} too."
                yield self._fault(name, ("id",), message, "Give one of them another id, or take one file away.")
            self.file_of[node_id] = name
            if node_id.startswith("__") or node_id in RESERVED:
                message = f"{node_id!r} is a name of GraphQL's, or of its schema's own."
                yield self._fault(name, ("id",), message, "Give the node type another id.")
        for each in _ALWAYS:
            if each not in self.file_of and each not in self.strangers:
                message = f"there is no node type {each!r}, which every commons needs."
                yield self.files.fault(WHOLE, (), message, f"Add {each}.yaml.")

    def _properties(self, name: str, schema: Mapping[str, Any]) -> Iterator[Fault]:
        for key, each in schema["properties"].items():
            path = ("properties", key)
            if not _NAME.match(key) or key.startswith("__"):
                fix = f"Write {re.sub('[^a-zA-Z0-9]+', '_', key).strip('_') or 'another name'}."
                yield self._fault(name, path, f"{key!r} is no name: letters, digits and single _ only.", fix)
            yield from self._schema(name, path, each)
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            yield from self._schema(name, ("additionalProperties",), others)

    def _schema(self, name: str, path: Steps, schema: Mapping[str, Any]) -> Iterator[Fault]:
        from jsonschema_rs import Draft4Validator, ValidationError

        try:
            Draft4Validator(dict(schema))
        except ValidationError as error:
            below, value = _at(schema, error.instance_path)
            where = (*path, *below)
            told = f"{value!r} is no type" if where[-1] == "type" and isinstance(value, str) else error.message
            message = f"this is no JSON Schema (draft 4): {told}."
            yield self._fault(name, where, message, _schema_fix(error, value))
        else:
            for where, pattern in patterns(schema, path):
                try:
                    re.compile(pattern)
                except re.error as error:
                    message = f"the pattern {pattern!r} is understood by one of two engines only: {error}."
                    yield self._fault(name, where, message, "Write it with plain classes, such as [A-Za-z].")

    def _required(self, name: str, schema: Mapping[str, Any]) -> Iterator[Fault]:
        if name in self.incomplete:
            return
        for index, key in enumerate(schema.get("required", ())):
            if key not in schema["properties"]:
                fix = instead(key, schema["properties"], "Add it to the properties, or take it out here.")
                yield self._fault(name, ("required", index), f"{key!r} is not among the properties.", fix)

    def _links(self, name: str, schema: Mapping[str, Any], links: list[tuple[Steps, Any]]) -> Iterator[Fault]:
        seen = set()
        for path, link in links:
            target, own = link["target_type"], link["name"]
            if target not in self.file_of and target not in self.strangers | NO_RECORDS:
                fix = instead(target, self.file_of, "Add that node type, or name another.")
                yield self._fault(name, (*path, "target_type"), f"there is no node type {target!r}.", fix)
            if own not in schema["properties"] and name not in self.incomplete:
                several = link["multiplicity"] in ("one_to_many", "many_to_many")
                add = (
                    f'Add {own}: {{$ref: "_definitions.yaml#/{"to_many" if several else "to_one"}"}} to the properties.'
                )
                message = f"the link {own!r} is not among the properties."
                yield self._fault(name, (*path, "name"), message, instead(own, schema["properties"], add))
            if own in seen:
                message = f"there are two links named {own!r}."
                yield self._fault(name, (*path, "name"), message, "Give one of them another name.")
            seen.add(own)

    def _backrefs(
        self, name: str, links: list[tuple[Steps, Any]], taken: dict[tuple[str, str], str]
    ) -> Iterator[Fault]:
        for path, link in links:
            target, backref = link["target_type"], link["backref"]
            fix = f"Write another backref, such as {link['backref']}_of_{self.schemas[name]['id']}."
            if (target, backref) in taken:
                message = f"{taken[target, backref]} gives {target!r} a backref {backref!r} already."
                yield self._fault(name, (*path, "backref"), message, fix)
            taken[target, backref] = name
            known = self.schemas.get(self.file_of.get(target, ""), {})
            if backref in known.get("properties", ()):
                message = f"{backref!r} is a property of {target!r} already."
                yield self._fault(name, (*path, "backref"), message, fix)

    def _tables(
        self, name: str, schema: Mapping[str, Any], links: list[tuple[Steps, Any]], taken: dict[str, str]
    ) -> Iterator[Fault]:
        """Node types, and links, that the database could not tell apart."""
        node_id = schema["id"]
        owner = taken.setdefault(node_table(node_id), node_id)
        if owner != node_id:
            message = f"{node_id!r} has the same table as {owner!r}: ids must differ by more than _ and case."
            yield self._fault(name, ("id",), message, "Give one of them another id.")
        for path, link in links:
            edge = Link(
                link["name"], link["backref"], link["label"], node_id, link["target_type"], link["multiplicity"],
                link["required"],
            )  # fmt: skip
            own = f"{node_id}.{link['name']}"
            owner = taken.setdefault(edge_table(edge), own)
            if owner != own:
                message = f"the link {own} has the same table as {owner}: node type, label and target are the same."
                yield self._fault(name, (*path, "label"), message, "Give one of them another label.")


def _schema_fix(error: Any, value: Any) -> str:
    place = error.instance_path[-1] if error.instance_path else None
    if place == "type" and isinstance(value, str):
        return one_of(_OTHER_TYPES.get(value, value), _TYPES)
    if place == "pattern":
        return "Write a regular expression; each of ( [ { that stands for itself needs a \\ before it."
    if place == "required":
        return "List the names of required parts, or take it out; a required property is listed under the node type."
    return "Write it as JSON Schema, draft 4, has it."


def walk_links(links: list[dict[str, Any]], path: Steps) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """All links with their paths, those of groups too."""
    for index, link in enumerate(links):
        if "subgroup" in link:
            yield from walk_links(link["subgroup"], (*path, index, "subgroup"))
        else:
            yield (*path, index), link
