"""GA4GH DRS 1.5 objects made of records.

Vocabulary
----------
object
    A record with its bytes in place, or a bundle of objects (:mod:`.contents`). A blank record is no object yet.
access method
    One location of the bytes. Its `access_id` (:func:`commonshub.core.access.access_ids`) is exchanged for a URL that
    works for a while; its `access_url` is the location itself.
"""

import mimetypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from commonshub.core.access import access_ids
from commonshub.core.errors import ValidationFailed
from commonshub.core.records import Record

from .contents import Bundle
from .validate import SPELLINGS

VERSION = "1.5.0"
EPOCH = "1970-01-01T00:00:00Z"
CLOUDS = {"s3": "aws", "gs": "gcp", "az": "azure"}
# Where DRS has another name for a hash than Gen3's records have.
CHECKSUM_TYPES = {kind: spelling for spelling, kind in SPELLINGS.items()}


class Site(NamedTuple):
    """What the mapping must know of the commons.

    Parameters
    ----------
    host
        Host, and port where it is not the scheme's own, under which clients reach the commons.
    issuer
        ``iss`` of the tokens that open its objects.
    clouds
        Cloud by URL scheme; the commons' own store may be nobody's cloud.
    region_of
        Region of an S3 bucket, or an empty text.
    """

    host: str
    issuer: str
    clouds: Mapping[str, str]
    region_of: Callable[[str], str] = lambda bucket: ""


def zulu(moment: datetime | None) -> str | None:
    """RFC 3339 of a naive UTC date."""
    return moment.isoformat() + "Z" if moment else None


def drs_object(record: Record, site: Site, public: bool, visa_issuers: Sequence[str] = ()) -> dict[str, Any]:
    """The DRS object of a record that is not blank.

    Parameters
    ----------
    public
        Whether anonymous callers may have the bytes.
    visa_issuers
        Whose visas can open them.
    """
    created, updated = zulu(record.created_date), zulu(record.updated_date)
    document = {
        "id": record.did,
        "name": record.file_name or "",
        "self_uri": uri(record.did, site),
        "size": record.size,
        "created_time": zulu(record.content_created_date) or created or EPOCH,
        "updated_time": zulu(record.content_updated_date) or updated or created or EPOCH,
        "mime_type": mimetypes.guess_type(record.file_name or "", strict=False)[0] or "application/octet-stream",
        "checksums": checksums(record.hashes),
        "aliases": record.aliases,
        "form": "object",
        "index_created_time": created,
        "index_updated_time": updated,
    }
    # DRS knows no empty list of access methods, and contents only in bundles.
    methods = _methods(record, site, authorizations(record, site, public, visa_issuers)) or None
    optional = {"access_methods": methods, "version": record.version, "description": record.description}
    return document | {name: value for name, value in optional.items() if value is not None}


def uri(object_id: str, site: Site) -> str:
    """The DRS URI of an object, by host name."""
    return f"drs://{site.host}/{quote(object_id, safe='')}"


def checksums(hashes: Mapping[str, str]) -> list[dict[str, str]]:
    """The hashes of a record or bundle under DRS's names, each name once, in their order."""
    # From the last: where both names are there, the one whose form is checked counts, and `crc` is before `crc32c`.
    named = {CHECKSUM_TYPES.get(kind, kind): digest for kind, digest in sorted(hashes.items(), reverse=True)}
    return [{"type": kind, "checksum": named[kind]} for kind in sorted(named)]


def complete(record: Record) -> bool:
    """Whether all is known of the bytes of a record that DRS must tell."""
    return record.size is not None and bool(record.hashes)


def expanded(compact: str) -> str | None:
    """The GUID ``prefix/accession`` that a compact identifier ``prefix:accession`` stands for; None for any other id.

    Gen3's commons write their GUIDs with a slash and their DRS URIs with a colon.
    """
    prefix, colon, accession = compact.partition(":")
    return f"{prefix}/{accession}" if colon and prefix and accession and "/" not in prefix else None


def bundle_object(bundle: Bundle, inside: Sequence[Mapping[str, Any]], site: Site) -> dict[str, Any]:
    """The DRS object of a bundle, with its contents as they are to be listed."""
    created = zulu(bundle.created_time) or EPOCH
    document = {
        "id": bundle.id,
        "name": bundle.name,
        "self_uri": uri(bundle.id, site),
        "size": bundle.size,
        "created_time": created,
        "updated_time": zulu(bundle.updated_time) or created,
        "checksums": checksums({each["type"]: each["checksum"] for each in bundle.checksums}),
        "contents": inside,
        "aliases": bundle.aliases,
        "form": "bundle",
    }
    optional = {"version": bundle.version, "description": bundle.description}
    return document | {name: value for name, value in optional.items() if value is not None}


def bundle_document(bundle: Bundle) -> dict[str, Any]:
    """The JSON of a bundle as indexd gives it among records: checksums and aliases are JSON in JSON."""
    return {
        "id": bundle.id,
        "name": bundle.name,
        "created_time": bundle.created_time and bundle.created_time.isoformat(),
        "updated_time": bundle.updated_time and bundle.updated_time.isoformat(),
        "checksum": orjson.dumps(bundle.checksums).decode(),
        "size": bundle.size,
        "form": "bundle",
        "version": bundle.version or "",
        "description": bundle.description or "",
        "aliases": orjson.dumps(bundle.aliases).decode(),
    }


def open_bundle(bundle_id: str) -> dict[str, Any]:
    """How a caller can get at a bundle, which has no bytes of its own: as he is."""
    return {
        "drs_object_id": bundle_id,
        "supported_types": ["None"],
        "bearer_auth_issuers": [],
        "passport_auth_issuers": [],
    }


def _methods(record: Record, site: Site, authorized: Mapping[str, Any]) -> list[dict[str, Any]]:
    methods = []
    for access_id, url in access_ids(record.urls).items():
        known = record.urls_metadata.get(url)
        told = known if isinstance(known, dict) else {}
        scheme, _, rest = url.partition("://")
        method = {
            "type": scheme,
            "access_id": access_id,
            "access_url": {"url": url},
            "region": str(told.get("region") or _region(scheme, rest, site)),
            "available": str(told.get("available", True)).lower() != "false",
            "authorizations": authorized,
        }
        cloud = told.get("cloud") or site.clouds.get(scheme)
        methods.append(method | ({"cloud": str(cloud)} if cloud else {}))
    return methods


def _region(scheme: str, place: str, site: Site) -> str:
    return site.region_of(place.partition("/")[0]) if scheme == "s3" else ""


def authorizations(record: Record, site: Site, public: bool, visa_issuers: Sequence[str] = ()) -> dict[str, Any]:
    """How a caller can get at the bytes of a record; the parameters are those of :func:`drs_object`."""
    shown = ["BearerAuth", "PassportAuth"] if visa_issuers else ["BearerAuth"]
    return {
        "drs_object_id": record.did,
        "supported_types": ["None"] if public else shown,
        "bearer_auth_issuers": [] if public else [site.issuer],
        "passport_auth_issuers": [] if public else list(visa_issuers),
    }


def ways_in(site: Site, visa_issuers: Sequence[str]) -> dict[str, Any]:
    """How callers can get at bytes in this commons, whose visas open some."""
    return {
        "supported_types": ["None", "BearerAuth", "PassportAuth"],
        "bearer_auth_issuers": [site.issuer],
        "passport_auth_issuers": list(visa_issuers),
    }


def bulk(wanted: Iterable[str], found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The answer to a request for many objects: each id is resolved or has the reason why not.

    Parameters
    ----------
    found
        What is to be told of each object, by the id it is asked for.
    """
    ids = list(dict.fromkeys(wanted))
    resolved = [found[each] for each in ids if each in found]
    missing = [each for each in ids if each not in found]
    return {
        "summary": {"requested": len(ids), "resolved": len(resolved), "unresolved": len(missing)},
        "unresolved_drs_objects": [{"error_code": 404, "object_ids": missing}] if missing else [],
        # The schema of DRS says object, Gen3's clients read objects.
        "resolved_drs_object": resolved,
        "resolved_drs_objects": resolved,
    }


def bulk_ids(body: Any) -> list[str]:
    """``bulk_object_ids`` of a bulk request.

    Raises
    ------
    ValidationFailed
        It is missing or no list of texts.
    """
    ids = body.get("bulk_object_ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not _texts(ids):
        raise ValidationFailed("bulk_object_ids must be a list of object ids.")
    return ids


def bulk_access_ids(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Objects and the access ids wanted of each, once each, of a bulk request for URLs.

    Raises
    ------
    ValidationFailed
        ``bulk_object_access_ids`` is missing or malformed; the message names the entry.
    """
    given = body.get("bulk_object_access_ids")
    if not isinstance(given, list) or not given:
        raise ValidationFailed("bulk_object_access_ids must be a list with at least one object.")
    asked = []
    for position, entry in enumerate(given):
        match entry:
            case {"bulk_object_id": str(guid), "bulk_access_ids": [*names]} if names and _texts([guid, *names]):
                asked += [(guid, name) for name in names]
            case _:
                raise ValidationFailed(
                    f"bulk_object_access_ids[{position}] is not of the form "
                    '{"bulk_object_id": id, "bulk_access_ids": [access_id, …]}.'
                )
    return list(dict.fromkeys(asked))


def wants_expanded(body: Mapping[str, Any], asked: bool) -> bool:
    """Whether everything below a bundle is wanted: ``expand`` of the body, or else what the query asks.

    Raises
    ------
    ValidationFailed
        It is neither true nor false.
    """
    expand = body.get("expand", asked)
    if not isinstance(expand, bool):
        raise ValidationFailed("expand must be true or false.")
    return expand


def _texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) and "\0" not in value for value in values)


def bulk_access(
    requested: int, urls: Sequence[tuple[tuple[str, str], str]], failed: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The answer to a bulk request for URLs: counted, and failed, by object and access id."""
    return {
        "summary": {"requested": requested, "resolved": len(urls), "unresolved": requested - len(urls)},
        "unresolved_drs_objects": [
            {**each, "object_ids": list(dict.fromkeys(guid for guid, _ in each["object_ids"]))} for each in failed
        ],
        "resolved_drs_object_access_urls": [
            {"drs_object_id": guid, "drs_access_id": name, "url": url, "headers": []} for (guid, name), url in urls
        ],
    }


def service_info(name: str, origin: str, release: str, most: int, count: int, size_bytes: int) -> dict[str, Any]:
    """GA4GH service-info of the DRS."""
    return {
        "id": ".".join([*reversed(origin.partition("://")[2].partition(":")[0].split(".")), "drs"]),
        "name": f"{name} DRS",
        "type": {"group": "org.ga4gh", "artifact": "drs", "version": VERSION},
        "description": "Data objects of this commons.",
        "organization": {"name": name, "url": origin},
        "version": release,
        "maxBulkRequestLength": most,
        "drs": {"maxBulkRequestLength": most, "objectCount": count, "totalObjectSize": size_bytes},
    }
