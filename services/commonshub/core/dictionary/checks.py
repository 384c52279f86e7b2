"""What can be wrong with a dictionary whose references all resolve."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .metaschema import METASCHEMA, NAME
from .source import Source

Fault = dict[str, Any]
_NAME = re.compile(NAME)
_ALWAYS = ("program", "project")


def check_shapes(files: Source, schemas: Mapping[str, Any]) -> list[Fault]:
    """Where single files break the metaschema."""
    from jsonschema_rs import Draft7Validator

    validator = Draft7Validator(METASCHEMA)
    return [
        files.fault(name, error.instance_path, error.message)
        for name, schema in schemas.items()
        for error in validator.iter_errors(schema)
    ]


def check_whole(files: Source, schemas: Mapping[str, Any]) -> list[Fault]:
    """Where files contradict themselves or one another."""
    by_id: dict[str, str] = {}
    faults = []
    for name, schema in schemas.items():
        if schema["id"] in by_id:
            faults.append(files.fault(name, ("id",), f"{schema['id']!r} is the id of {by_id[schema['id']]} too."))
        by_id[schema["id"]] = name
    faults += [
        files.fault("(dictionary)", (), f"there is no node type {name!r}, which every commons needs.")
        for name in _ALWAYS
        if name not in by_id
    ]
    taken: dict[tuple[str, str], str] = {}
    for name, schema in schemas.items():
        faults += _check_properties(files, name, schema)
        faults += _check_links(files, name, schema, by_id, taken)
    for name, schema in schemas.items():
        faults += _check_backrefs(files, name, schema, schemas, by_id)
    return faults


def _check_properties(files: Source, name: str, schema: Mapping[str, Any]) -> Iterator[Fault]:
    for key, each in schema["properties"].items():
        if not _NAME.match(key):
            yield files.fault(name, ("properties", key), f"{key!r} is no name: letters, digits and _ only.")
        for fault in _check_schema(each):
            yield files.fault(name, ("properties", key), fault)
    for list_name in ("required", "systemProperties"):
        for index, key in enumerate(schema.get(list_name, ())):
            if list_name == "required" and key not in schema["properties"]:
                yield files.fault(name, (list_name, index), f"{key!r} is not among the properties.")


def _check_schema(schema: Mapping[str, Any]) -> Iterator[str]:
    from jsonschema_rs import Draft4Validator

    try:
        Draft4Validator(dict(schema))
    except ValueError as error:
        yield f"this is no JSON Schema (draft 4): {error.args[0]}"


def _check_links(
    files: Source, name: str, schema: Mapping[str, Any], by_id: Mapping[str, str], taken: dict[tuple[str, str], str]
) -> Iterator[Fault]:
    seen = set()
    for path, link in walk_links(schema["links"], ("links",)):
        if link["target_type"] not in by_id:
            yield files.fault(name, (*path, "target_type"), f"there is no node type {link['target_type']!r}.")
        if link["name"] not in schema["properties"]:
            yield files.fault(name, (*path, "name"), f"the link {link['name']!r} is not among the properties.")
        if link["name"] in seen:
            yield files.fault(name, (*path, "name"), f"there are two links named {link['name']!r}.")
        seen.add(link["name"])
        edge = (link["target_type"], link["backref"])
        if edge in taken:
            yield files.fault(
                name, (*path, "backref"), f"{taken[edge]} gives {edge[0]!r} a backref {edge[1]!r} already."
            )
        taken[edge] = name


def _check_backrefs(
    files: Source,
    name: str,
    schema: Mapping[str, Any],
    schemas: Mapping[str, Any],
    by_id: Mapping[str, str],
) -> Iterator[Fault]:
    for path, link in walk_links(schema["links"], ("links",)):
        target = schemas.get(by_id.get(link["target_type"], ""))
        if target is not None and link["backref"] in target["properties"]:
            message = f"{link['backref']!r} is a property of {link['target_type']!r} already."
            yield files.fault(name, (*path, "backref"), message)


def walk_links(links: list[dict[str, Any]], path: tuple[str | int, ...]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """All links with their paths, those of groups too."""
    for index, link in enumerate(links):
        if "subgroup" in link:
            yield from walk_links(link["subgroup"], (*path, index, "subgroup"))
        else:
            yield (*path, index), link
