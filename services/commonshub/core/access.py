"""May this caller have this record's bytes, and the URL that hands them over.

Vocabulary
----------
authz
    Resource paths of a record; where there are any, the caller needs the method on *every* one of them, and nothing
    else counts.
acl
    What old records carry instead: ``*`` for everybody, or names of projects, any one of which is enough.
visa
    What somebody else's signed word lets a caller read (GA4GH Passports). It counts for the request that brings it, on
    paths that the operator bound it to, and for reading alone.
uploader
    Who may use a record that has neither, until metadata link it to a project.
location
    Where bytes are: ``s3://bucket/key``. Whoever may change a record can write any URL into it, so what a record may
    *reach* is bounded apart from what its URLs say: in the upload bucket its own folder ``<guid>/``, elsewhere what
    ``StorageSettings.bucket_resources`` ties to its authz.

Single downloads, DRS access and bulk requests all decide by these functions; :mod:`.downloads` is what asks them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .blobs import exact, has_folder
from .errors import AuthenticationRequired, BadRequest, NotFound, PermissionDenied
from .identity import ANONYMOUS, Identity
from .paths import ancestors, covers, format_path, parse_path
from .policy import Request, Snapshot
from .records import Record
from .settings import StorageSettings
from .storage import Location

SERVICE = "fence"
SCOPE = "data"
VERBATIM = frozenset({"http", "https", "ftp"})
SERVED = VERBATIM | {"s3"}
EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the visas that came with a request open, for this request alone.

    Attributes
    ----------
    paths
        Resource paths that may be read, with all below them, and until when, in seconds since the epoch.
    bearers
        Whom the passports are about, for the audit trail.
    """

    paths: Mapping[str, float] = field(default_factory=dict)
    bearers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, under which policies, in which request, and with which visas."""

    policy: Snapshot
    identity: Identity
    request_id: str = ""
    shown: Shown = field(default_factory=Shown)


def require_scope(identity: Identity) -> None:
    """Refuse who is not signed in, or whose token is not for data.

    Raises
    ------
    AuthenticationRequired, PermissionDenied
    """
    if identity.username is None:
        raise AuthenticationRequired("Authentication Error: no authorization header provided")
    if SCOPE not in identity.scopes:
        raise PermissionDenied(f"This token lacks the scope {SCOPE}.")


def may_read(asker: Asker, record: Record) -> bool:
    """Whether the caller may read the bytes of `record`; what is open to everybody, he may with any token."""
    return readable_until(asker, record) is not None


def readable_until(asker: Asker, record: Record) -> float | None:
    """Until when the caller may read the bytes of `record`: seconds since the epoch, infinite where policies let him,
    None where he may not.

    Visas and what is open to everybody add up: each path of the record needs one of them.
    """
    if _may(asker, record, "read-storage") or open_to_all(asker.policy, record):
        return math.inf
    if not asker.shown.paths or not record.authz:
        return None
    return min(_visited_until(asker, path) for path in record.authz) or None


def _visited_until(asker: Asker, path: str) -> float:
    """Until when a path may be read by visas, or for ever where everybody may; 0 for not at all."""
    try:
        if asker.policy.allows(ANONYMOUS, Request(SERVICE, "read-storage", path)):
            return math.inf
        above = map(format_path, ancestors(parse_path(path)))
        return max(asker.shown.paths.get(each, 0.0) for each in above)
    except BadRequest:
        # As in a decision by policies.
        return 0.0


def closed_paths(policy: Snapshot, record: Record) -> list[str]:
    """The authz paths of a record that not everybody may read."""
    asker = Asker(policy, ANONYMOUS)
    return [path for path in record.authz if not _visited_until(asker, path)]


def open_to_all(policy: Snapshot, record: Record) -> bool:
    """Whether everybody may read the bytes of `record`, signed in or not."""
    if not record.authz and EVERYBODY in record.acl:
        return True
    return _may(Asker(policy, ANONYMOUS), record, "read-storage")


def may_write(asker: Asker, record: Record) -> bool:
    """Whether the caller may put the bytes of `record` in place."""
    return _may(asker, record, "write-storage")


def may_delete(asker: Asker, record: Record) -> bool:
    """Whether the caller may delete `record` and its bytes."""
    return _may(asker, record, "delete")


def _may(asker: Asker, record: Record, method: str) -> bool:
    policy, identity = asker.policy, asker.identity
    if SCOPE not in identity.scopes:
        # A token narrowed to something else may have what is open to everybody, and no more.
        identity = ANONYMOUS
    if record.authz:
        try:
            return policy.allows(identity, *(Request(SERVICE, method, path) for path in record.authz))
        except BadRequest:
            # A record of an older index may name what is no path; nobody can have been granted that.
            return False
    if identity.username is None or not policy.active(identity.username):
        return False
    if record.uploader:
        return identity.client is None and record.uploader == identity.username
    paths = [policy.projects[name] for name in record.acl if name in policy.projects]
    subjects = policy.subjects(identity)
    return any(all(rights.allow(SERVICE, method, path) for rights in subjects) for path in paths)


def access_ids(urls: Sequence[str]) -> dict[str, str]:
    """The names under which a record's locations can be asked for, and those locations, in the record's order.

    The first of a scheme goes by the scheme alone (Gen3 clients ask for ``s3``), the others by ``s3-2``, ``s3-3``…
    """
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for url in urls:
        scheme = _scheme(url)
        counts[scheme] = counts.get(scheme, 0) + 1
        found[scheme if counts[scheme] == 1 else f"{scheme}-{counts[scheme]}"] = url
    return found


def choose(record: Record, protocol: str | None = None) -> str:
    """The URL of a record that is handed out: the first of a scheme that we serve, or the one asked for.

    Parameters
    ----------
    protocol
        A scheme (``http`` means https too), or one of :func:`access_ids`.

    Raises
    ------
    NotFound
        There is none.
    BadRequest
        There are URLs, but only of schemes that we do not serve, or it is none.
    """
    if protocol is not None:
        named = access_ids(record.urls)
        url = named.get(protocol) or (named.get("https") if protocol == "http" else None)
        if url is None:
            raise NotFound(f"File {record.did} does not have a location with specified protocol {protocol}.")
    elif not record.urls:
        raise NotFound("Can't find any file locations.")
    else:
        url = next((each for each in record.urls if _scheme(each) in SERVED), record.urls[0])
    if _scheme(url) not in SERVED:
        raise BadRequest(f"The specified protocol {_scheme(url)} is not supported")
    if _scheme(url) in VERBATIM and not url.isprintable():
        # Handed out as it is, perhaps in a header.
        raise BadRequest(f"A location of {record.did} holds characters that no URL has.")
    return url


def _scheme(url: str) -> str:
    # Not urlsplit: a record may hold any text as URL, and urlsplit refuses some.
    return url.partition("://")[0].lower() if "://" in url else ""


def locate(asker: Asker, record: Record, protocol: str | None, settings: StorageSettings) -> str | Location:
    """Where the caller may have the bytes of `record` from: a URL to hand out as it is, or a location to sign for.

    Parameters
    ----------
    protocol
        See :func:`choose`.

    Raises
    ------
    AuthenticationRequired
        The caller may not read the record. (Gen3 answers 401 to signed-in callers too, and clients rely on it.)
    NotFound
        The record has no such location.
    BadRequest
        The record's locations are of no scheme that we serve.
    PermissionDenied
        The record points outside what it may reach, the visas that were shown do not open it, or a client acts for
        itself where that is switched off.
    """
    # Permission before location: who may not read learns nothing of what there is.
    _require_reader(asker, record, settings)
    url = choose(record, protocol)
    if _scheme(url) in VERBATIM:
        return url
    location = Location.parse(url)
    if not reaches(record, location, settings):
        raise PermissionDenied(
            f"The record {record.did} may not stand for {location}: it lies neither in the record's own folder of "
            "the upload bucket nor where StorageSettings.bucket_resources ties it to the record's authz."
        )
    return location


def _require_reader(asker: Asker, record: Record, settings: StorageSettings) -> None:
    identity = asker.identity
    if identity.client is None or identity.username is not None or settings.client_credentials_download:
        if not may_read(asker, record):
            if asker.shown.bearers:
                raise PermissionDenied("None of the visas that were shown opens this file.")
            raise AuthenticationRequired("You don't have access permission on this file")
    elif not open_to_all(asker.policy, record):
        raise PermissionDenied(
            "Downloads with the credentials of a client alone are switched off in this commons "
            "(StorageSettings.client_credentials_download)."
        )


def reaches(record: Record, location: Location, settings: StorageSettings) -> bool:
    """Whether `record` may stand for the bytes at `location`."""
    return owns(record, location, settings) or (exact(location.key) and EVERYBODY in _paths(location, settings))


def owns(record: Record, location: Location, settings: StorageSettings) -> bool:
    """Whether the bytes at `location` are this record's, and go with it; not so those that any record may point to."""
    if not exact(location.key):
        return False
    if location.bucket == settings.upload_bucket:
        return location.key.startswith(f"{record.did}/") and has_folder(record.did)
    tied = [path for path in _paths(location, settings) if path != EVERYBODY]
    return any(covers(tied, path) for path in record.authz)


def _paths(location: Location, settings: StorageSettings) -> Sequence[str]:
    """The resource paths that a place outside the upload bucket is tied to."""
    if location.bucket == settings.upload_bucket:
        return ()
    return _tied(location, settings.bucket_resources)


def _tied(location: Location, resources: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Resource paths of the longest prefix that holds `location`."""
    text = str(location)
    prefixes = [prefix for prefix in resources if text.startswith(prefix.rstrip("/") + "/")]
    return resources[max(prefixes, key=len)] if prefixes else ()


def lifetime(settings: StorageSettings, asked_s: int | None, left_s: float = math.inf) -> int:
    """Seconds that a signed URL lives.

    Parameters
    ----------
    left_s
        Seconds for which the right to it lasts.

    Raises
    ------
    BadRequest
        More was asked for than the commons allows; a shorter life than asked for would be a surprise later.
    """
    limit = int(min(settings.presigned_url_ttl_s, left_s))
    if asked_s is None:
        return limit
    if not 0 < asked_s <= limit:
        raise BadRequest(f"expires_in must be between 1 and {limit} seconds, not {asked_s}.")
    return asked_s
