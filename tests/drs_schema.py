"""What GA4GH DRS 1.5.0 and service-info 1.0.0 say of answers, as JSON Schema.

Written from the published OpenAPI documents of both (ga4gh/data-repository-service-schemas, tag drs-1.5.0, and
ga4gh-discovery/ga4gh-service-info, tag v1.0.0): the same types, required fields, choices and bounds under the same
names. ``closed`` refuses fields that the documents do not have, save those that Gen3 adds.
"""

from typing import Any

import jsonschema

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
WHOLE: Schema = {"type": "integer"}
MOMENT: Schema = {"type": "string", "format": "date-time"}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def listed(name: str, **more: Any) -> Schema:
    return {"type": "array", "items": ref(name), **more}


def record(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties, "unevaluatedProperties": False}


def answers(kind: str, each: str) -> Schema:
    """A bulk answer; Gen3's clients read ``resolved_drs_objects`` where DRS says ``resolved_drs_object``."""
    resolved = {name: listed(each) for name in ({kind, "resolved_drs_objects"} if kind[-1] != "s" else {kind})}
    return record({"summary": ref("Summary"), "unresolved_drs_objects": listed("Unresolved"), **resolved})


ACCESS_TYPES = ["s3", "gs", "ftp", "gsiftp", "globus", "htsget", "https", "file"]
AUTHORIZATION_TYPES = ["None", "BasicAuth", "BearerAuth", "PassportAuth"]
# What Gen3 adds: `form` tells bundles from objects, the index times are those of the record.
GEN3: Schema = {"form": {"enum": ["object", "bundle"]}, "index_created_time": MOMENT, "index_updated_time": MOMENT}

DEFINITIONS: dict[str, Schema] = {
    "AccessURL": record({"url": TEXT, "headers": TEXTS}, ("url",)),
    "BulkAccessURL": record({"drs_object_id": TEXT, "drs_access_id": TEXT, "url": TEXT, "headers": TEXTS}, ("url",)),
    "Authorizations": record(
        {
            "drs_object_id": TEXT,
            "supported_types": {"type": "array", "items": {"enum": AUTHORIZATION_TYPES}},
            "passport_auth_issuers": TEXTS,
            "bearer_auth_issuers": TEXTS,
        }
    ),
    "AccessMethod": record(
        {
            "type": {"enum": ACCESS_TYPES},
            "access_url": ref("AccessURL"),
            "access_id": TEXT,
            "cloud": TEXT,
            "region": TEXT,
            "available": {"type": "boolean"},
            "authorizations": ref("Authorizations"),
        },
        ("type",),
    )
    | {"anyOf": [{"required": ["access_url"]}, {"required": ["access_id"]}]},
    "Checksum": record({"checksum": TEXT, "type": TEXT}, ("checksum", "type")),
    "ContentsObject": record(
        {"name": TEXT, "id": TEXT, "drs_uri": TEXTS, "contents": listed("ContentsObject")}, ("name",)
    ),
    "DrsObject": record(
        {
            "id": TEXT,
            "name": TEXT,
            "self_uri": {"type": "string", "pattern": "^drs://[^/]+/[^/]+$"},
            "size": WHOLE,
            "created_time": MOMENT,
            "updated_time": MOMENT,
            "version": TEXT,
            "mime_type": TEXT,
            "checksums": listed("Checksum", minItems=1),
            "access_methods": listed("AccessMethod", minItems=1),
            "contents": listed("ContentsObject"),
            "description": TEXT,
            "aliases": TEXTS,
            **GEN3,
        },
        ("id", "self_uri", "size", "created_time", "checksums"),
    ),
    # An error of Gen3's has its message under this name too.
    "Error": record({"msg": TEXT, "status_code": WHOLE, "message": TEXT}),
    "Summary": record({"requested": WHOLE, "resolved": WHOLE, "unresolved": WHOLE}),
    "Unresolved": record({"error_code": WHOLE, "object_ids": TEXTS}),
    "DrsObjects": answers("resolved_drs_object", "DrsObject"),
    "BulkAuthorizations": answers("resolved_drs_object", "Authorizations"),
    "Accesses": answers("resolved_drs_object_access_urls", "BulkAccessURL"),
    "ServiceInfo": record(
        {
            "id": TEXT,
            "name": TEXT,
            "type": record(
                {"group": TEXT, "artifact": {"enum": ["drs"]}, "version": TEXT}, ("group", "artifact", "version")
            ),
            "description": TEXT,
            "organization": record({"name": TEXT, "url": {"type": "string", "format": "uri"}}, ("name", "url")),
            "contactUrl": {"type": "string", "format": "uri"},
            "documentationUrl": {"type": "string", "format": "uri"},
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
            "environment": TEXT,
            "version": TEXT,
            "maxBulkRequestLength": {"type": "integer", "minimum": 1},
            "drs": record(
                {"maxBulkRequestLength": WHOLE, "objectCount": WHOLE, "totalObjectSize": WHOLE},
                ("maxBulkRequestLength",),
            ),
        },
        ("id", "name", "type", "organization", "version", "maxBulkRequestLength"),
    ),
}


def faults(kind: str, document: Any) -> list[str]:
    """What is wrong with a document of one of the :data:`DEFINITIONS`, by path."""
    schema = {"$defs": DEFINITIONS, **ref(kind)}
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document)]
