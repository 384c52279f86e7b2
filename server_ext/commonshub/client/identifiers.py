"""Identifiers of data objects, and the ``drs://`` forms in which people pass them on.

A GUID is a UUID, or a prefix and a UUID (``dg.EXAMPLE/0b5e…``). GA4GH DRS writes them as ``drs://<host>/<guid>``, or in
the compact form ``drs://<prefix>:<rest>``, which stands for the GUID ``<prefix>/<rest>``.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from .errors import Refused

_PREFIX = re.compile(r"dg\.[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Identifier:
    """A GUID, and the host that is said to know it (None: this commons)."""

    guid: str
    host: str | None = None


def parse(text: str) -> Identifier:
    """The GUID and host of an identifier in any of its forms.

    Raises
    ------
    Refused
        It is empty or holds characters that no identifier has.
    """
    text = text.strip()
    if not text or any(char.isspace() or not char.isprintable() for char in text):
        raise Refused(f"{text!r} is not an identifier of a data object: give a GUID or a drs:// address.")
    if not text.lower().startswith("drs://"):
        return Identifier(_checked(text))
    rest = text[len("drs://") :]
    head, slash, tail = rest.partition("/")
    if not slash:
        prefix, colon, local = head.partition(":")
        return Identifier(_checked(unquote(f"{prefix}/{local}" if colon else head)))
    if _PREFIX.fullmatch(head):
        return Identifier(_checked(unquote(rest)))
    return Identifier(_checked(unquote(tail)), head.lower())


def _checked(guid: str) -> str:
    segments = guid.split("/")
    if any(segment in ("", ".", "..") for segment in segments) or any(char in guid for char in "?#\\"):
        raise Refused(f"{guid!r} is not an identifier of a data object: give a GUID or a drs:// address.")
    return guid
