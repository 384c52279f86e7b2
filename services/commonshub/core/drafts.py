"""Index records that are yet to be stored, and what becomes of them in a ``COPY``."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

import orjson

from .loading import NULL, escaped, line
from .texts import literal
from .uuids import fresh


@dataclass(slots=True, kw_only=True)
class Draft:
    """A record before it is stored; `did` and `baseid` are made up where they are None.

    Nobody changes one. (A frozen dataclass of so many fields takes six times as long to make.)
    """

    did: str | None = None
    baseid: str | None = None
    form: str | None = "object"
    size: int | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    urls: Sequence[str] = ()
    urls_metadata: Mapping[str, Any] = field(default_factory=dict)
    file_name: str | None = None
    version: str | None = None
    uploader: str | None = None
    acl: Sequence[str] = ()
    authz: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    content_created_date: datetime | None = None
    content_updated_date: datetime | None = None
    aliases: Sequence[str] = ()


def _json(value: Mapping[str, Any]) -> str:
    return escaped(orjson.dumps(value).decode()) if value else "{}"


def _array(texts: Sequence[str]) -> str:
    return escaped(literal(texts) or "") if texts else "{}"


ENCODERS: Mapping[str, Callable[[Any], str]] = {
    "form": escaped,
    "size": str,
    "hashes": _json,
    "urls": _array,
    "urls_metadata": _json,
    "file_name": escaped,
    "version": escaped,
    "uploader": escaped,
    "acl": _array,
    "authz": _array,
    "metadata": _json,
    "description": escaped,
    "content_created_date": str,
    "content_updated_date": str,
    "aliases": _array,
}
"""What makes a field of a line of each field of a draft, but for its keys."""
_VALUES = attrgetter(*ENCODERS)


def lines(drafts: Sequence[Draft], moment: datetime) -> Iterator[str]:
    """A line for each: its GUID, baseid and revision, `moment` twice, and the fields in the order of `ENCODERS`."""
    made = iter(fresh(sum((not draft.did) + (not draft.baseid) for draft in drafts)))
    revs, dates, encoders = secrets.token_hex(4 * len(drafts)), f"{moment}\t{moment}", tuple(ENCODERS.values())
    for place, draft in enumerate(drafts):
        did, baseid = escaped(draft.did or next(made)), escaped(draft.baseid or next(made))
        values = zip(encoders, _VALUES(draft), strict=True)
        texts = [NULL if value is None else encode(value) for encode, value in values]
        yield line([did, baseid, revs[8 * place : 8 * place + 8], dates, *texts])
