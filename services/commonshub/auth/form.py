"""The form of a user.yaml: a JSON schema, and what is said of a file that does not have it."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from commonshub.core.located import MAX_FAULTS, Where

if TYPE_CHECKING:
    import jsonschema

# Longest piece of a file that a message repeats, in characters.
MAX_SHOWN = 200
_KINDS = {"string": "text", "array": "a list", "object": "a mapping", "boolean": "true or false", "null": "empty"}

# Not a pattern with ^ and $: to some engines $ is also the place before a line break.
_WORD = {"type": "string", "minLength": 1, "maxLength": 255, "not": {"type": "string", "pattern": r"[\x00-\x1f\x7f]"}}
_TEXT = {"type": ["string", "null"]}
_WORDS = {"type": ["array", "null"], "items": _WORD}


def record(required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    """Schema of an object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _listed(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": item}


def _named(item: Mapping[str, Any]) -> dict[str, Any]:
    entry = {**item, "type": ["object", "null"]}
    # Names last: they are looked at one and all before anything that follows.
    return {"type": ["object", "null"], "additionalProperties": entry, "propertyNames": _WORD}


_PERMISSION = record(
    ["id", "action"],
    id=_WORD,
    description=_TEXT,
    action=record(["service", "method"], service=_WORD, method=_WORD),
    constraints={"type": ["object", "null"], "maxProperties": 0},
)
_PROJECT = record(
    ["auth_id", "privilege"], auth_id=_WORD, resource={"type": ["string", "null"]}, privilege=_listed(_WORD)
)
_AUTHZ = record(
    resources=_listed({"$ref": "#/$defs/resource"}),
    roles=_listed(record(["id", "permissions"], id=_WORD, description=_TEXT, permissions=_listed(_PERMISSION))),
    policies=_listed(
        record(
            ["id", "role_ids", "resource_paths"], id=_WORD, description=_TEXT, role_ids=_WORDS, resource_paths=_WORDS
        )
    ),
    groups=_listed(record(["name"], name=_WORD, policies=_WORDS, users=_WORDS)),
    anonymous_policies=_WORDS,
    all_users_policies=_WORDS,
    user_project_to_resource={"type": ["object", "null"], "additionalProperties": _WORD, "propertyNames": _WORD},
)
_USER = record(
    policies=_WORDS,
    projects=_listed(_PROJECT),
    tags={"type": ["object", "null"]},
    email=_TEXT,
    display_name=_TEXT,
    phone_number=_TEXT,
    admin={"type": ["boolean", "null"]},
)
SCHEMA: Mapping[str, Any] = {
    **record(
        authz={**_AUTHZ, "type": ["object", "null"]},
        rbac={**_AUTHZ, "type": ["object", "null"]},
        clients=_named(record(policies=_WORDS)),
        users=_named(_USER),
        cloud_providers={"type": ["object", "null"]},
        groups={"type": ["object", "null"]},
    ),
    "$defs": {
        "resource": record(["name"], name=_WORD, description=_TEXT, subresources=_listed({"$ref": "#/$defs/resource"}))
    },
}


def misfits(data: Any) -> list[tuple[Where, str]]:
    """What does not have the form of the schema."""
    import jsonschema_rs

    # It says in milliseconds that all is well. What is not is found one by one, so that a file with a million faults
    # costs no more than one with a thousand.
    if jsonschema_rs.validator_for(dict(SCHEMA)).is_valid(data):
        return []
    import jsonschema

    errors = jsonschema.Draft202012Validator(dict(SCHEMA)).iter_errors(data)
    found: list[tuple[Where, str]] = [
        (tuple(error.absolute_path), _words(error)) for error in itertools.islice(errors, MAX_FAULTS)
    ]
    return [*found, *and_more(found)] or [((), "this does not have the form of a user.yaml")]


def _words(error: "jsonschema.ValidationError") -> str:
    if error.validator in ("minLength", "maxLength", "not"):
        return f"{_short(error.instance)} must be 1 to 255 characters, none of them a control character"
    if error.validator == "type":
        kinds: Any = error.validator_value
        wanted = [_KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
        return f"{_short(error.instance)} must be {' or '.join(wanted)}"
    return _short(error.message, quoted=False)


def _short(value: Any, quoted: bool = True) -> str:
    # Not the repr of a whole: there may be megabytes of it.
    if isinstance(value, dict | list):
        return "this " + ("mapping" if isinstance(value, dict) else "list")
    text = value if isinstance(value, str) else str(value)
    text = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
    return repr(text) if quoted and isinstance(value, str) else text


def and_more(found: Sequence[object]) -> list[tuple[Where, str]]:
    """What ends a list of faults that is as long as it may get."""
    return [((), f"there are more than {MAX_FAULTS} faults; the rest is not told")] if len(found) >= MAX_FAULTS else []
