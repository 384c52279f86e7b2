"""What a node type's file must look like."""

from typing import Any

NAME = "^[_a-zA-Z][_a-zA-Z0-9]*$"
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_NAME = {"type": "string", "pattern": NAME}

RESERVED = frozenset(
    {
        "Root", "Node", "DataNode", "NodeType", "WithPathToInput", "NotPropertiesInput", "String", "Int", "Float",
        "Boolean", "ID", "node", "datanode", "viewer", "transaction_log", "TransactionLog", "TransactionSnapshot",
        "TransactionDocument", "TransactionDependent", "TransactionResponse", "TransactionResponseEntity",
        "TransactionResponseEntityRelatedCases", "TransactionResponseError", "StringFilter", "NumberFilter",
        "BooleanFilter", "ArrayFilter", "TimeFilter",
        "NodeFilter", "DataNodeFilter", "TextSummary", "NumberSummary", "NumberStats", "TextBucket", "NumberBucket",
        "GroupBucket",
    }
)  # fmt: skip
"""Ids that no node type may have: types and root fields of every commons' GraphQL schema."""

NO_RECORDS = frozenset({"root", "metaschema"})
"""Ids of what Gen3's loader adds to every dictionary and that holds no records; links to these hold none either."""

MULTIPLICITIES = ("one_to_one", "one_to_many", "many_to_one", "many_to_many")

METASCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "id": "metaschema",
    "title": "Node type",
    "type": "object",
    "required": ["id", "category", "links", "properties"],
    "properties": {
        # Ids become names of GraphQL types and tables; 52 characters leave room for "node_" and PostgreSQL's 63.
        "id": {**_NAME, "maxLength": 52},
        "title": _TEXT,
        "type": {"enum": ["object"]},
        "category": _TEXT,
        "description": {"type": ["string", "null"]},
        "additionalProperties": {"type": ["boolean", "object"]},
        "required": _TEXTS,
        "systemProperties": _TEXTS,
        "uniqueKeys": {"type": "array", "items": {**_TEXTS, "minItems": 1}},
        "links": {"type": "array", "items": {"$ref": "#/definitions/link"}},
        "properties": {"type": "object", "additionalProperties": {"type": "object"}},
    },
    "definitions": {
        "link": {
            "type": "object",
            "if": {"required": ["subgroup"]},
            "then": {"$ref": "#/definitions/group"},
            "else": {"$ref": "#/definitions/single"},
        },
        "single": {
            "required": ["name", "backref", "label", "target_type", "multiplicity", "required"],
            "properties": {
                "name": _NAME,
                "backref": _NAME,
                "label": _NAME,
                "target_type": _NAME,
                "multiplicity": {"enum": list(MULTIPLICITIES)},
                "required": {"type": "boolean"},
            },
        },
        "group": {
            "required": ["subgroup"],
            "properties": {
                "exclusive": {"type": "boolean"},
                "required": {"type": "boolean"},
                "subgroup": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/link"}},
            },
        },
    },
}
