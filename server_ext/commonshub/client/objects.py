"""Data objects: what the index of a commons knows about each file."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from .display import details, size_text
from .errors import NotFound, Refused
from .identifiers import parse
from .session import Session

BULK_LIMIT = 500  # GUIDs in one request

# Strongest first. The values on record are hexadecimal.
_ALGORITHMS = ("sha512", "sha256", "sha1", "md5")


@dataclass(frozen=True)
class Checksum:
    """A checksum on record: name of the algorithm and hexadecimal value."""

    algorithm: str
    value: str

    def hasher(self) -> "hashlib._Hash":
        """A fresh hash of this algorithm."""
        return hashlib.new(self.algorithm, usedforsecurity=False)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


@dataclass(frozen=True)
class DataObject:
    """A file of the commons.

    Attributes
    ----------
    guid
        Its identifier.
    name
        File name on record; may be None.
    size
        In bytes; None while the commons has not verified an upload.
    hashes
        Hexadecimal checksums by algorithm.
    authz
        Resource paths that govern access.
    uri
        Its ``drs://`` address.
    """

    guid: str
    name: str | None
    size: int | None
    hashes: Mapping[str, str]
    authz: tuple[str, ...]
    uri: str
    document: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def checksum(self) -> Checksum | None:
        """The strongest checksum on record that can be computed here."""
        for algorithm in _ALGORITHMS:
            value = self.hashes.get(algorithm)
            if value:
                return Checksum(algorithm, value.lower())
        return None

    @property
    def verified(self) -> bool:
        """Whether the commons has read the bytes and knows their size and checksum."""
        return self.size is not None and self.checksum is not None

    def _repr_html_(self) -> str:
        return details(
            {
                "file": self.name or "(no name)",
                "GUID": self.guid,
                "size": size_text(self.size),
                "checksum": str(self.checksum or "(not verified yet)"),
                "access": ", ".join(self.authz) or "(uploader only)",
                "address": self.uri,
            }
        )


def object_of(document: Mapping[str, Any], origin: str) -> DataObject:
    """The data object of an index record."""
    guid = str(document["did"])
    return DataObject(
        guid=guid,
        name=document.get("file_name"),
        size=document.get("size"),
        hashes=dict(document.get("hashes") or {}),
        authz=tuple(document.get("authz") or ()),
        uri=f"drs://{urlsplit(origin).netloc}/{guid}",
        document=document,
    )


def guid_of(text: str, origin: str) -> str:
    """The GUID of an identifier that this commons is to resolve.

    Raises
    ------
    Refused
        It is no identifier, or its ``drs://`` address names another commons.
    """
    identifier = parse(text)
    if identifier.host is not None and identifier.host != urlsplit(origin).netloc:
        raise Refused(
            f"{text} belongs to {identifier.host}, not to this commons. "
            f"Use Commons('https://{identifier.host}') with an API key of that commons."
        )
    return identifier.guid


def resolve(session: Session, texts: Sequence[str]) -> list[DataObject]:
    """The data objects of GUIDs or ``drs://`` addresses, in the same order.

    Raises
    ------
    NotFound
        The commons does not know one or more of them; the message names them.
    """
    guids = [guid_of(text, session.origin) for text in texts]
    known = _bulk(session, dict.fromkeys(guids))
    missing = []
    for guid in dict.fromkeys(guids):
        if guid not in known:
            # Another name of an object: a base id or an alias.
            try:
                known[guid] = session.get(f"/index/{quote(guid, safe='/:')}")
            except NotFound:
                missing.append(guid)
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise NotFound(f"{session.origin} has no data object {shown}. Check the identifier, or list files() first.")
    return [object_of(known[guid], session.origin) for guid in guids]


def _bulk(session: Session, guids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    wanted = list(guids)
    if len(wanted) < 2:
        return {}
    known = {}
    for start in range(0, len(wanted), BULK_LIMIT):
        try:
            documents = session.read("/index/bulk/documents", wanted[start : start + BULK_LIMIT])
        except NotFound:
            continue
        known.update({str(document["did"]): document for document in documents})
    return known
