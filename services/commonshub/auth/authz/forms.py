"""What the bodies of the administrative routes may say: Arborist's forms, checked before anything is looked up.

Each function gives what a body means, or raises with every fault and where it is. Nothing here knows of HTTP or SQL.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from commonshub.core.errors import BadRequest, ValidationFailed
from commonshub.core.policy import format_path, parse_path

from .. import sources
from ..form import record
from ..names import username

# What the API cannot pose as: these belong to the file, the operator, the hub and the program itself.
RESERVED = frozenset({sources.USER_FILE, sources.CLI, sources.HUB, sources.BUILT_IN})

MAX_ITEMS = 10_000
_MAX_FAULTS = 20
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

_NAME = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]{1,255}$"}
_TEXT = {"type": ["string", "null"], "pattern": r"^[^\x00]*$", "maxLength": 10_000}
_NAMES = {"type": ["array", "null"], "items": _NAME, "maxItems": MAX_ITEMS}
_SOME_NAMES = {**_NAMES, "type": "array", "minItems": 1}


_PERMISSION = record(
    ["id", "action"],
    id=_NAME,
    description=_TEXT,
    action=record(["service", "method"], service=_NAME, method=_NAME),
    constraints={"type": ["object", "null"], "maxProperties": 0},
)
_POLICY = record(
    ["id", "role_ids", "resource_paths"], id=_NAME, description=_TEXT, role_ids=_SOME_NAMES, resource_paths=_SOME_NAMES
)
_GRANT = record(["policy"], policy=_NAME, expires_at={"type": ["string", "null"]})
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "resource": {
        "$ref": "#/$defs/resource",
        "$defs": {
            "resource": record(
                name=_NAME,
                path={"type": "string"},
                # Arborist gives each resource a tag and takes none.
                tag=_TEXT,
                description=_TEXT,
                subresources={"type": ["array", "null"], "items": {"$ref": "#/$defs/resource"}, "maxItems": MAX_ITEMS},
            )
        },
    },
    "role": record(
        ["id", "permissions"],
        id=_NAME,
        description=_TEXT,
        permissions={"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": _PERMISSION},
    ),
    "policy": _POLICY,
    "policies": {"type": "array", "items": _POLICY, "minItems": 1, "maxItems": 1000},
    "user": record(["name"], name=_NAME, email=_TEXT, groups=_NAMES, policies=_NAMES),
    "change of a user": {**record(name=_NAME, email={**_TEXT, "type": "string"}), "minProperties": 1},
    "client": record(["clientID"], clientID=_NAME, policies=_NAMES),
    "group": record(["name"], name=_NAME, users=_NAMES, policies=_NAMES),
    "grant": _GRANT,
    "grants": {"type": "array", "items": _GRANT, "minItems": 1, "maxItems": 1000},
    "member": record(["username"], username=_NAME, expires_at={"type": ["string", "null"]}),
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A resource and those below it that a body lists: the description of each path, None where it says nothing."""

    root: str
    described: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Role:
    """A role; of each permission its id, description, service and method."""

    id: str
    description: str
    permissions: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: roles on resource paths."""

    id: str
    description: str
    roles: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """A policy or a group given to somebody, perhaps until a moment."""

    name: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be made."""

    name: str
    email: str
    groups: tuple[str, ...]
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A group, who is in it and what it gives."""

    name: str
    users: tuple[str, ...]
    policies: tuple[str, ...]


def source(header: str | None) -> str:
    """On whose behalf a change is made: the header ``X-AuthZ-Provider``, else ``api``.

    Raises
    ------
    BadRequest
        The header is not a plain word of at most 64 characters, or names a source that is none of the API's.
    """
    if header is None:
        return sources.API
    if not _SOURCE.fullmatch(header) or header in RESERVED:
        raise BadRequest(f"X-AuthZ-Provider: {header[:80]!r} cannot be the source of a change made here.")
    return header


def check(kind: str, body: Any) -> Any:
    """The body, which has the form of `kind`.

    Raises
    ------
    ValidationFailed
        It has not; ``details`` says what is wrong where.
    """
    details = []
    for error in _validator(kind).iter_errors(body):
        where = "/".join(map(str, error.instance_path))
        details.append({"path": where, "message": error.message[:300]})
        if len(details) == _MAX_FAULTS:
            break
    if details:
        first = details[0]
        raise ValidationFailed(f"This is not a {kind}: {first['path'] or 'the body'}: {first['message']}.", details)
    return body


@lru_cache
def _validator(kind: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(dict(_SCHEMAS[kind]))


def clean_path(path: str) -> str:
    """A resource path without redundant slashes.

    Raises
    ------
    BadRequest
        It is no resource path.
    """
    return format_path(parse_path(re.sub("/+", "/", path).rstrip("/")))


def tree(body: Any, parent: str) -> Tree:
    """A resource to be made or changed below the path `parent`, which is empty for the root.

    Raises
    ------
    BadRequest
        It has another form, a path is malformed or listed twice, or is not below what it is listed under.
    """
    check("resource", body)
    found: dict[str, str | None] = {}
    root = ""
    # Not by recursion: how deep the body goes is the caller's choice.
    waiting = [(body, parent)]
    while waiting:
        each, above = waiting.pop()
        path = _path_of(each, above)
        root = root or path
        if path in found:
            raise BadRequest(f"{path} is listed twice.")
        found[path] = each.get("description")
        if len(found) > MAX_ITEMS:
            raise BadRequest(f"One request may list {MAX_ITEMS} resources.")
        waiting += [(below, path) for below in each.get("subresources") or ()]
    return Tree(root, found)


def _path_of(body: Mapping[str, Any], above: str) -> str:
    if "path" not in body and "name" not in body:
        raise BadRequest("A resource needs a path, or a name below the path of the URL.")
    path = clean_path(body["path"] if "path" in body else f"{above}/{body['name']}")
    if "name" in body and path.rpartition("/")[2] != body["name"]:
        raise BadRequest(f"The resource {path} cannot have the name {body['name']!r}: the last part of its path is it.")
    if not path.startswith(f"{above}/"):
        raise BadRequest(f"{path} is not below {above}.")
    return path


def role(body: Any) -> Role:
    """A role.

    Raises
    ------
    BadRequest
        It has another form, or the id of a permission twice.
    """
    check("role", body)
    permissions = tuple(
        (each["id"], each.get("description") or "", each["action"]["service"], each["action"]["method"])
        for each in body["permissions"]
    )
    _distinct("permission", (each[0] for each in permissions))
    return Role(body["id"], body.get("description") or "", permissions)


def policy(body: Any) -> Policy:
    """A policy.

    Raises
    ------
    BadRequest
        It has another form, or a malformed path.
    """
    check("policy", body)
    return _policy(body)


def policies(body: Any) -> list[Policy]:
    """A list of policies, each once.

    Raises
    ------
    BadRequest
        It has another form, a malformed path, or a policy twice.
    """
    check("policies", body)
    found = [_policy(each) for each in body]
    _distinct("policy", (each.id for each in found))
    return found


def _policy(body: Mapping[str, Any]) -> Policy:
    paths = tuple(dict.fromkeys(clean_path(path) for path in body["resource_paths"]))
    return Policy(body["id"], body.get("description") or "", tuple(dict.fromkeys(body["role_ids"])), paths)


def new_user(body: Any) -> NewUser:
    """A user to be made.

    Raises
    ------
    BadRequest
        It has another form, or the name cannot be a user's.
    """
    check("user", body)
    name = username(body["name"])
    return NewUser(name, body.get("email") or "", _names(body, "groups"), _names(body, "policies"))


def group(body: Any) -> Group:
    """A group.

    Raises
    ------
    BadRequest
        It has another form, or the name of a user cannot be one.
    """
    check("group", body)
    users = tuple(dict.fromkeys(map(username, body.get("users") or ())))
    return Group(body["name"], users, _names(body, "policies"))


def client(body: Any) -> tuple[str, tuple[str, ...]]:
    """The ``clientID`` and policies of a client to be made.

    Raises
    ------
    BadRequest
        It has another form.
    """
    check("client", body)
    return body["clientID"], _names(body, "policies")


def grants(body: Any) -> list[Grant]:
    """Policies to be given: one, or a list of them, each once.

    Raises
    ------
    BadRequest
        It has another form, a policy twice, or an end that is malformed or past.
    """
    listed = check("grants", body) if isinstance(body, list) else [check("grant", body)]
    _distinct("policy", (each["policy"] for each in listed))
    return [Grant(each["policy"], moment(each.get("expires_at"))) for each in listed]


def member(body: Any) -> tuple[str, datetime | None]:
    """Who joins a group, and until when.

    Raises
    ------
    BadRequest
        It has another form, the name cannot be a user's, or the end is malformed or past.
    """
    check("member", body)
    return username(body["username"]), moment(body.get("expires_at"))


def moment(text: str | None) -> datetime | None:
    """The end of a grant, in RFC 3339's form; empty for one without end.

    Raises
    ------
    BadRequest
        It has another form, or is past.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.upper()).astimezone(UTC) if _MOMENT.fullmatch(text) else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise BadRequest(f"expires_at: {text[:40]!r} is not a moment like 2030-01-31T12:00:00Z (RFC 3339).")
    if found <= datetime.now(UTC):
        raise BadRequest(f"expires_at: {text} is past; to take something away, revoke it.")
    return found


def _names(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(body.get(key) or ()))


def _distinct(what: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise BadRequest(f"The {what} {name!r} is listed twice.")
        seen.add(name)
