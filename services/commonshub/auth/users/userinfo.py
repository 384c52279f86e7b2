"""What a user is told about himself, in Gen3's form."""

from collections.abc import Iterable
from typing import Any

from commonshub.core.administrators import ADMIN
from commonshub.core.identity import Identity
from commonshub.core.policy import ANY, Path, Snapshot, format_path

from .store import UserRow

# What a grant of every method means in the older vocabulary of project privileges.
PRIVILEGES = ("create", "delete", "read", "read-storage", "update", "upload", "write-storage")

Mapping = dict[str, list[dict[str, str]]]


def is_admin(policy: Snapshot, username: str) -> bool:
    """Whether a user administrates the commons."""
    return policy.allows(Identity(username), ADMIN)


def group_names(policy: Snapshot, username: str) -> list[str]:
    """The groups that a user is in now."""
    user = policy.users.get(username)
    now = policy.clock()
    return sorted({group.name for group in user.groups if group.valid(now)}) if user else []


def project_access(policy: Snapshot, mapping: Mapping) -> dict[str, list[str]]:
    """Privileges by project: under its legacy name where it has one, else under ``<program>-<project>``."""
    names = {format_path(path): [name] for name, path in policy.projects.items()}
    for text in mapping:
        path: Path = tuple(text[1:].split("/"))
        if len(path) == 4 and (path[0], path[2]) == ("programs", "projects"):
            names.setdefault(text, [f"{path[1]}-{path[3]}"])
    # Paths with the same rights have one list in a mapping, and there are few such lists.
    lists = {id(actions): actions for actions in mapping.values()}
    privileges = {key: _privileges(actions) for key, actions in lists.items()}
    return {
        name: privileges[id(mapping[path])]
        for path, found in sorted(names.items())
        if path in mapping
        for name in found
    }


def _privileges(actions: Iterable[dict[str, str]]) -> list[str]:
    methods = {action["method"] for action in actions}
    return sorted((methods - {ANY}) | set(PRIVILEGES)) if ANY in methods else sorted(methods)


def document(user: UserRow, idp: str, policy: Snapshot, identity: Identity) -> dict[str, Any]:
    """The answer of ``/user/user``.

    Parameters
    ----------
    idp
        Who vouches for the user.
    identity
        Of whose rights it tells: the user's, or those of a client that acts for him.
    """
    mapping = policy.mapping(identity)
    admin = is_admin(policy, user.username)
    return {
        "user_id": user.id,
        "sub": str(user.id),
        "idp": idp,
        "username": user.username,
        "name": user.username,
        "preferred_username": user.username,
        "display_name": user.display_name or user.username,
        "phone_number": user.phone_number,
        "email": user.email,
        "is_admin": admin,
        "role": "admin" if admin else "user",
        "active": user.active,
        "groups": group_names(policy, user.username),
        "project_access": project_access(policy, mapping),
        "resources": sorted(mapping),
        "authz": mapping,
        "tags": user.tags,
        "azp": identity.client or "",
        "certificates_uploaded": [],
        "resources_granted": [],
        "primary_google_service_account": None,
        "message": "",
        **({"ga4gh_passport_v1": []} if "ga4gh_passport_v1" in identity.scopes else {}),
    }
