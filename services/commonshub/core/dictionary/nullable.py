"""Null, as submitters use it: an explicit null clears an optional property.

The dictionary's own schemas do not say so, so the schema that records are checked by is a relaxed copy
(Gen3's loader does the same to the schemas in memory; its API answers the strict ones, as ours does).
"""

from collections.abc import Mapping
from typing import Any

from .model import NodeType


def validation_schema(node: NodeType) -> dict[str, Any]:
    """The JSON Schema (draft 4) that submitted records of `node` are checked by."""
    must = set(node.required) | {link.name for link in node.links if link.required}
    properties = {
        name: schema if name in must else _allow_null(schema) for name, schema in node.schema["properties"].items()
    }
    kept = {key: node.schema[key] for key in ("additionalProperties",) if key in node.schema}
    # Draft 4 takes neither an empty list nor a name twice.
    required = list(dict.fromkeys(node.schema.get("required", ())))
    return {"type": "object", **kept, **({"required": required} if required else {}), "properties": properties}


def takes_null(schema: Mapping[str, Any]) -> bool:
    """Whether a property's schema allows null by itself."""
    types = schema.get("type", [])
    alternatives = (*schema.get("anyOf", ()), *schema.get("oneOf", ()))
    return (
        "null" in ([types] if isinstance(types, str) else types)
        or ("type" not in schema and None in schema.get("enum", ()))
        or any(takes_null(each) for each in alternatives)
    )


def _allow_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        relaxed = {**schema, "type": types if "null" in types else [*types, "null"]}
    else:
        relaxed = dict(schema)
    if "enum" in schema and None not in schema["enum"]:
        relaxed["enum"] = [*schema["enum"], None]
    if "type" not in schema and "enum" not in schema:
        for key in ("anyOf", "oneOf"):
            # A second null alternative would make oneOf refuse the null that the first one allows.
            if key in schema and not takes_null(schema):
                relaxed[key] = [*schema[key], {"type": "null"}]
                break
    return relaxed
