"""Who may change records (indexd's rules)."""

from collections.abc import Iterable

from commonshub.core.errors import AuthenticationRequired, BadRequest, PermissionDenied
from commonshub.core.identity import Identity
from commonshub.core.policy import Request, Snapshot

SERVICE = "indexd"
ADMIN = "/services/indexd/admin"
BUNDLES = "/services/indexd/bundles"
UPLOAD = Request(SERVICE, "file_upload", "/data_file")
METADATA = Request("mds_gateway", "access", "/mds_gateway")
# Gen3 commons grant their index administrators on /programs, for records that belong to no project.
ADMIN_OF_UNASSIGNED = "/programs"
# Paths that one refusal names.
MAX_NAMED = 10


def allows(policy: Snapshot, identity: Identity, method: str, authz: Iterable[str]) -> bool:
    """Whether the caller may `method` records with these authz paths: by every one of them, or as administrator."""
    paths = list(dict.fromkeys(authz)) or [ADMIN_OF_UNASSIGNED]
    if policy.allows(identity, Request(SERVICE, method, ADMIN)):
        return True
    try:
        return policy.allows(identity, *(Request(SERVICE, method, path) for path in paths))
    except BadRequest:
        # A record of an older index may name what is no path; nobody can have been granted that.
        return False


def require(policy: Snapshot, identity: Identity, method: str, authz: Iterable[str]) -> None:
    """Raise unless :func:`allows`.

    Raises
    ------
    AuthenticationRequired
        Nobody is signed in.
    PermissionDenied
        The caller is known but has no such grant; the message names the paths.
    """
    paths = list(dict.fromkeys(authz))
    if not allows(policy, identity, method, paths):
        raise _refusal(identity, f"{method} records of {', '.join(paths) or 'no project'}")


def require_each(policy: Snapshot, identity: Identity, method: str, records: Iterable[Iterable[str]]) -> None:
    """Raise unless the caller may `method` each of many records, given by their authz paths.

    Paths that records have in common are decided once.

    Raises
    ------
    AuthenticationRequired, PermissionDenied
        See :func:`require`; the message names the paths that are not granted.
    """
    kinds = dict.fromkeys(path for paths in dict.fromkeys(map(tuple, records)) for path in paths or (None,))
    asked = [[] if path is None else [path] for path in kinds]
    refused = [paths for paths in asked if not allows(policy, identity, method, paths)]
    if refused:
        named = [path for paths in refused[:MAX_NAMED] for path in paths or ["no project"]]
        more = f" and {len(refused) - MAX_NAMED} more paths" if len(refused) > MAX_NAMED else ""
        raise _refusal(identity, f"{method} records of {', '.join(named)}{more}")


def require_upload(
    policy: Snapshot, identity: Identity, method: str, authz: Iterable[str], uploader: str | None
) -> None:
    """Raise unless the caller may `method` a blank record: by its authz paths, or as one who may upload.

    One who only may upload does so in his own name.

    Raises
    ------
    AuthenticationRequired
        Nobody is signed in.
    PermissionDenied
        Neither is granted, or `uploader` is somebody else.
    """
    paths = list(dict.fromkeys(authz))
    if allows(policy, identity, method, paths):
        return
    if paths or not policy.allows(identity, UPLOAD):
        raise _refusal(identity, f"{method} blank records of {', '.join(paths) or 'no project'}")
    if uploader is not None and uploader != identity.username:
        raise _refusal(identity, f"upload as {uploader}")


def may_change_metadata(policy: Snapshot, identity: Identity) -> bool:
    """Whether the caller may change everybody's metadata."""
    return policy.allows(identity, METADATA)


def require_metadata(policy: Snapshot, identity: Identity) -> None:
    """Raise unless the caller may change metadata: Gen3's gateway asks the same before it lets anybody in.

    Raises
    ------
    AuthenticationRequired, PermissionDenied
        See :func:`require`.
    """
    if not may_change_metadata(policy, identity):
        raise _refusal(identity, "change metadata", METADATA.service)


def _refusal(identity: Identity, deed: str, service: str = SERVICE) -> AuthenticationRequired | PermissionDenied:
    if identity.anonymous:
        return AuthenticationRequired(f"Sign in first: anonymous callers may not {deed}.")
    who = identity.username or identity.client
    return PermissionDenied(
        f"{who} may not {deed} ({service}). Ask an administrator of this commons for a policy that grants it."
    )
