"""What does not keep a dictionary from being used, and is hardly meant: it costs somebody a day later on.

Only what a person would change is told; a published dictionary of good repute has few of these.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import values
from .checks import Checked, walk_links
from .faults import Fault
from .naming import index_name
from .references import Steps
from .source import Source
from .wording import instead, listed, one_of, pointer

CATEGORIES = (
    "administrative", "analysis", "biospecimen", "clinical", "data", "data_bundle", "data_file", "index_file",
    "internal", "metadata_file", "notation", "qc_bundle", "TBD",
)  # fmt: skip
"""Those of Gen3's metaschema, and that of ``root``."""
# The commons sets these on every record.
_SET = frozenset({"id", "project_id", "created_datetime", "updated_datetime"})
_EVERY_RECORD = ("type", "id", "submitter_id", "project_id", "created_datetime", "updated_datetime")
_EVERY_FILE = ("file_name", "file_size", "md5sum", "object_id")
_TOP = frozenset({"program", "project", "root", "data_release"})


def cautions(files: Source, checked: Checked) -> Iterator[Fault]:
    """All of them, for the node types that keep the form of one."""
    yield from files.repeated()
    yield from _unused(files, checked)
    schemas = {schema["id"]: (name, schema) for name, schema in checked.schemas.items()}
    titles = Counter(schema.get("title") for _, schema in schemas.values())
    plain = {node_id: schema for node_id, (_, schema) in schemas.items()}
    stuck, lost = _never_first(plain), _lost(plain)
    for node_id, (name, schema) in schemas.items():
        if node_id == "root":
            continue
        node = _Node(files, checked, name, schema)
        yield from node.cautions()
        if titles[schema.get("title")] > 1 and schema.get("title"):
            yield node.told(
                ("title",), f"{schema['title']!r} is the title of another node type, too.", "Tell them apart."
            )
        if node_id in stuck:
            message = (
                "no record of it can be the first: a required link leads to a type that itself needs one of these."
            )
            yield node.told(("links",), message, "Let one of the links on that way be optional.")
        if node_id in lost:
            message = "no link leads from it to project, so that nobody finds its records by case or project."
            yield node.told(("links",), message, "Link it to the record that it tells of.")


class _Node:
    """One node type."""

    def __init__(self, files: Source, checked: Checked, name: str, schema: Mapping[str, Any]) -> None:
        self.files = files
        self.resolver = checked.resolver
        self.name = name
        self.schema = schema
        self.id: str = schema["id"]
        self.properties: Mapping[str, Any] = schema["properties"]
        self.sound = {key: each for key, each in self.properties.items() if values.sound(each)}
        self.links = list(walk_links(schema["links"], ("links",)))
        self.link_names = {link["name"] for _, link in self.links}
        self.system = frozenset(schema.get("systemProperties", ()))

    def cautions(self) -> Iterator[Fault]:
        looks = (self._whole, self._names, self._beside, self._lists, self._links, self._values, self._documentation)
        for look in looks:
            yield from look()

    def told(self, path: Steps, message: str, fix: str) -> Fault:
        return self.files.fault(*self.resolver.origin(self.name, path), message, fix, "warning")

    def _whole(self) -> Iterator[Fault]:
        category = self.schema["category"]
        if category not in CATEGORIES:
            message = f"{category!r} is none of Gen3's categories."
            yield self.told(("category",), message, one_of(category, CATEGORIES))
        if self.schema.get("additionalProperties", True) is not False and self.id not in _TOP:
            message = "properties that are not listed are taken, so a misspelt column is stored under its wrong name."
            yield self.told((), message, "Add additionalProperties: false.")
        needed = () if self.id in _TOP else (*_EVERY_RECORD, *(_EVERY_FILE if category.endswith("_file") else ()))
        missing = [each for each in needed if each not in self.properties]
        if missing:
            message = f"records of it lack {listed(missing)}, which clients ask for."
            block = "data_file_properties" if set(missing) & set(_EVERY_FILE) else "ubiquitous_properties"
            yield self.told(("properties",), message, f'Add $ref: "_definitions.yaml#/{block}" to the properties.')
        kind = self.sound.get("type", {}).get("enum")
        if kind and self.id not in kind:
            fix = f"Write enum: [{self.id}]."
            yield self.told(("properties", "type", "enum"), f"no record can say that its type is {self.id!r}.", fix)

    def _names(self) -> Iterator[Fault]:
        first: dict[str, str] = {}
        for key in self.properties:
            other = first.setdefault(key.lower(), key)
            if other != key:
                message = f"{key!r} and {other!r} differ in case only, and tables of submitters hardly keep them apart."
                yield self.told(("properties", key), message, "Give one of them another name.")

    def _beside(self) -> Iterator[Fault]:
        """What stands beside a reference, and gives way to what that brings."""
        # They may be, as a whole, what a reference brings.
        content = self.files.files[self.name].get("properties")
        for key, written in content.items() if isinstance(content, dict) else ():
            # Most dictionaries say more of the type than the block that they include, in vain; that harms nobody.
            if key == "type" or key.startswith("$ref"):
                continue
            parts = [("properties", key), *(("properties", key, each) for each in _rules(written))]
            for path in parts:
                place = self.resolver.origin(self.name, path)
                if place != (self.name, path):
                    message = f"this gives way to {place[0]}#{pointer(place[1])}, by the $ref beside it."
                    fix = "Take it out, or refer to something else."
                    yield self.files.fault(self.name, path, message, fix, "warning")
                    break

    def _lists(self) -> Iterator[Fault]:
        for index, key in enumerate(self.schema.get("systemProperties", ())):
            if key not in self.properties:
                fix = instead(key, self.properties.keys() - self.system, "Take it out.")
                yield self.told(("systemProperties", index), f"{key!r} is not among the properties.", fix)
        required = self.schema.get("required", [])
        for index, key in enumerate(required):
            if required.index(key) != index:
                yield self.told(("required", index), f"{key!r} is listed twice.", "Take one of them out.")
            if key in self.system - _SET and self.properties.get(key, {}).get("default") is None:
                message = f"{key!r} is required, yet submitters may not set it, and it has no default."
                yield self.told(("required", index), message, "Give it a default, or take it out here.")
        indexes: dict[str, list[str]] = {}
        for index, keys in enumerate(self.schema.get("uniqueKeys", ())):
            for key in keys:
                if key not in self.properties:
                    message = f"{key!r} is not among the properties, so that this key holds for nothing."
                    fix = instead(key, self.properties, "Take it out.")
                    yield self.told(("uniqueKeys", index), message, fix)
            name = index_name(self.id, "_".join(keys) + "_uniq")
            other = indexes.setdefault(name, keys)
            if other != keys and len(keys) > 1 < len(other):
                message = f"the keys {listed(keys)} and {listed(other)} have one index: only the first is kept unique."
                yield self.told(("uniqueKeys", index), message, "Give a property a name that begins differently.")

    def _links(self) -> Iterator[Fault]:
        for path, link in self.links:
            schema = self.sound.get(link["name"])
            several = link["multiplicity"] in ("one_to_many", "many_to_many")
            if schema is not None and several and not values.takes_lists(schema):
                message = f"a record may have many {link['name']} ({link['multiplicity']}), but a list is refused."
                yield self.told((*path, "name"), message, 'Write $ref: "_definitions.yaml#/to_many" in the property.')
        for path, group in _groups(self.schema["links"], ("links",)):
            if not group.get("required") and not group.get("exclusive"):
                message = "this group of links demands nothing."
                yield self.told(path, message, "Write required: true or exclusive: true, or list its links plainly.")
            elif group.get("exclusive") and any(each.get("required") for each in group["subgroup"]):
                message = "a link of this group is required, so that no other one of it can be filled."
                yield self.told(path, message, "Let the group be required, and its links not.")

    def _values(self) -> Iterator[Fault]:
        for key, schema in self.sound.items():
            for each in values.cautions(schema):
                yield self.told(("properties", key, *each.where), each.message, each.fix)
            if schema.get("default") is not None and key not in self.system and key not in self.link_names:
                message = f"the default of {key!r} is never set: it is no system property."
                yield self.told(
                    ("properties", key, "default"), message, "List it in systemProperties, or drop the default."
                )

    def _documentation(self) -> Iterator[Fault]:
        if not self.schema.get("description"):
            yield self.told((), "it has no description.", "Add one: what is one such record?")
        bare = [
            key
            for key, schema in self.properties.items()
            if key not in self.link_names and key not in (*_EVERY_RECORD, "state") and not _described(schema)
        ]
        if bare:
            message = f"there is no description of {listed(bare)}."
            yield self.told(
                ("properties",), message, "Say what each is, and in which unit; forms and the portal show it."
            )


def _rules(written: Any) -> list[str]:
    """The keywords of a property, as it is written, that say what a value may be."""
    return [key for key in written if key in values.KEYWORDS] if isinstance(written, Mapping) else []


def _described(schema: Mapping[str, Any]) -> bool:
    term = schema.get("term")
    return bool(schema.get("description") or schema.get("terms") or (isinstance(term, Mapping) and term))


def _groups(links: Sequence[Any], path: Steps) -> Iterator[tuple[Steps, Mapping[str, Any]]]:
    for index, link in enumerate(links):
        if "subgroup" in link:
            yield (*path, index), link
            yield from _groups(link["subgroup"], (*path, index, "subgroup"))


def _never_first(schemas: Mapping[str, Any]) -> set[str]:
    """Node types of which there is no first record, because each needs another one before it."""
    possible: set[str] = set()

    def can(link: Mapping[str, Any]) -> bool:
        if "subgroup" in link:
            members = [can(each) for each in link["subgroup"]]
            return not link.get("required") or any(members)
        return link["target_type"] in possible or link["target_type"] not in schemas

    def met(link: Mapping[str, Any]) -> bool:
        if "subgroup" in link:
            return can(link) and all(met(each) for each in link["subgroup"] if "subgroup" not in each)
        return not link["required"] or can(link)

    while True:
        more = {
            node_id
            for node_id, schema in schemas.items()
            if node_id not in possible and all(met(link) for link in schema["links"])
        }
        if not more:
            return set(schemas) - possible
        possible |= more


def _lost(schemas: Mapping[str, Any]) -> set[str]:
    """Node types from which no way leads to the project."""
    targets = {
        node_id: {link["target_type"] for _, link in walk_links(schema["links"], ())}
        for node_id, schema in schemas.items()
    }
    # A target that there is not is a fault of its own.
    found = _TOP | {target for each in targets.values() for target in each - targets.keys()}
    while more := {node_id for node_id, each in targets.items() if node_id not in found and each & found}:
        found |= more
    return set(schemas) - found


def _unused(files: Source, checked: Checked) -> Iterator[Fault]:
    """Definitions that nothing refers to."""
    name = "_definitions.yaml"
    content, used = files.files.get(name), checked.resolver.used(name)
    known = content if isinstance(content, dict) else {}
    unused = [key for key, each in known.items() if isinstance(each, dict) and key not in used]
    if unused:
        message = f"nothing refers to {listed(unused)}."
        yield files.fault(name, (unused[0],), message, "Take them out, if others do not need them.", "warning")
