"""Query arguments of the list routes, read into values.

A literal ``null`` for ``acl`` or ``authz`` asks for records whose list is empty. An empty value after a key means that
the key exists, or under ``negate_params`` that it does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from hashlib import blake2b
from typing import Any

import orjson

from commonshub.core.errors import BadRequest

from .validate import HASHES, MAX_SIZE_BYTES, SPELLINGS

# Times the largest limit it must stay a bigint.
MAX_PAGE = 10**9
MAX_DIGITS = len(str(MAX_SIZE_BYTES))
FORMS = ("object", "bundle", "all")
Arguments = Mapping[str, Sequence[str]]
_NEGATABLE = {"urls", "acl", "authz", "file_name", "version", "metadata", "urls_metadata"}
_UNTOLD = {"uploader", "negation", "form"}
_TRUE = {"true", "t", "yes", "y"}


@dataclass(frozen=True, kw_only=True)
class Negation:
    """What records must *not* have."""

    urls: list[str] = field(default_factory=list)
    acl: list[str] = field(default_factory=list)
    authz: list[str] = field(default_factory=list)
    file_name: str | None = None
    version: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    urls_metadata: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which records to list; None leaves a field alone, and everything given must hold."""

    limit: int | None = 100
    start: str | None = None
    page: int | None = None
    ids: list[str] | None = None
    size: int | None = None
    file_name: str | None = None
    version: str | None = None
    uploader: str | None = None
    urls: list[str] = field(default_factory=list)
    acl: list[str] | None = None
    authz: list[str] | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    urls_metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    negation: Negation | None = None
    form: str = "object"

    def echo(self) -> dict[str, Any]:
        """The part of the answer that repeats the question; clients count on its keys."""
        return {each.name: getattr(self, each.name) for each in fields_of(self) if each.name not in _UNTOLD}

    @property
    def of_everything(self) -> bool:
        """Whether this asks for a page of all records."""
        return self == Filter(limit=self.limit, start=self.start, form=self.form)

    def digest(self) -> bytes:
        """A short name of what is asked for."""
        return blake2b(repr(self).encode(), digest_size=16).digest()

    def all_pages(self) -> bytes:
        """A short name of the list that this is a page of."""
        return replace(self, page=None).digest()


def record_filter(arguments: Arguments, most: int, form: str = "object") -> Filter:
    """The filter of ``GET /index/index``.

    Parameters
    ----------
    most
        Largest ``limit``.
    form
        What is listed where the query has no ``form``.

    Raises
    ------
    BadRequest
        Names the argument that is wrong.
    """
    ids = _list(arguments, "ids")
    if ids is not None and any(name in arguments for name in ("start", "limit", "page")):
        raise BadRequest("ids cannot be combined with start, limit or page.")
    if ids is not None and len(ids) > most:
        raise BadRequest(f"ids must name at most {most} records.")
    form = _one(arguments, "form") or form
    negation = _one(arguments, "negate_params")
    return Filter(
        limit=None if ids is not None else integer(arguments, "limit", 100, most),
        start=_one(arguments, "start"),
        page=integer(arguments, "page", None, MAX_PAGE),
        ids=ids,
        size=integer(arguments, "size", None),
        file_name=_one(arguments, "file_name"),
        version=_one(arguments, "version"),
        uploader=_one(arguments, "uploader"),
        urls=[_sound("url", each) for name in ("url", "urls") for each in arguments.get(name, ())],
        acl=_holders(arguments, "acl"),
        authz=_holders(arguments, "authz"),
        hashes=hashes(arguments),
        metadata=_pairs(arguments, "metadata"),
        urls_metadata=_nested("urls_metadata", _json(arguments, "urls_metadata")),
        negation=_negation(_json(arguments, "negate_params")) if negation else None,
        form=form if form in FORMS else "object",
    )


def hashes(arguments: Arguments) -> dict[str, str]:
    """``hash=type:value``, repeatable; types and values as in a record, or types as DRS has them."""
    found = {SPELLINGS.get(kind, kind): digest for kind, digest in _pairs(arguments, "hash").items()}
    for kind, digest in found.items():
        if kind not in HASHES:
            raise BadRequest(f"hash: invalid hash types specified: {kind[:40]!r} is not one of {', '.join(HASHES)}.")
        if not HASHES[kind].fullmatch(digest):
            raise BadRequest(f"hash: invalid hash values specified: {digest[:140]!r} is not {kind}.")
    return found


def integer(arguments: Arguments, name: str, default: int | None, most: int = MAX_SIZE_BYTES) -> int | None:
    """A number from 0 to `most`."""
    text = _one(arguments, name)
    if text is None:
        return default
    # By its length first: Python refuses to read thousands of digits, be they zeros.
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and int(text) <= most):
        raise BadRequest(f"{name} must be between 0 and {most}, not {text[:40]!r}.")
    return int(text)


def guids(arguments: Arguments) -> list[str] | None:
    """``ids``: a list with commas."""
    return _list(arguments, "ids")


def flag(arguments: Arguments, name: str) -> bool | None:
    """Truth of an argument as indexd reads it; None where it is not given."""
    text = _one(arguments, name)
    return None if text is None else text.lower() in _TRUE


def fields(arguments: Arguments, known: Sequence[str]) -> list[str]:
    """``fields``: which keys an answer shall have; all of `known` by default."""
    chosen = _list(arguments, "fields") or list(known)
    if strangers := [name for name in chosen if name not in known]:
        raise BadRequest(f"fields: {strangers[0][:40]!r} is not one of {', '.join(known)}.")
    return chosen


def only(arguments: Arguments, known: Sequence[str]) -> None:
    """Refuse arguments that are not known."""
    if strangers := sorted(arguments.keys() - set(known)):
        raise BadRequest(f"{strangers[0][:40]!r} is not an argument of this route; it takes {', '.join(known)}.")


def text(arguments: Arguments, name: str) -> str | None:
    """An argument as it stands."""
    return _one(arguments, name)


def _sound(name: str, value: str) -> str:
    if "\0" in value:
        raise BadRequest(f"{name} must not contain NUL.")
    return value


def _one(arguments: Arguments, name: str) -> str | None:
    values = arguments.get(name)
    return _sound(name, values[-1]) if values else None


def _list(arguments: Arguments, name: str) -> list[str] | None:
    value = _one(arguments, name)
    return None if value is None else [each for each in value.split(",") if each]


def _holders(arguments: Arguments, name: str) -> list[str] | None:
    return [] if _one(arguments, name) == "null" else _list(arguments, name)


def _pairs(arguments: Arguments, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in arguments.get(name, ()):
        key, colon, value = _sound(name, each).partition(":")
        if not colon or not key:
            raise BadRequest(f"{name} must have the form key:value, not {each[:80]!r}.")
        if found.get(key) and value not in ("", found[key]):
            raise BadRequest(f"{name}: no record has two values of {key[:80]!r}.")
        # Where it must be there and have a value, the value says both.
        found[key] = value or found.get(key, "")
    return found


def _json(arguments: Arguments, name: str) -> dict[str, Any]:
    value = _one(arguments, name)
    if not value:
        return {}
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{name} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise BadRequest(f"{name} must be a JSON object.")
    return document


def _nested(name: str, document: Any) -> dict[str, dict[str, str]]:
    if not isinstance(document, dict) or not all(isinstance(each, dict) for each in document.values()):
        raise BadRequest(f"{name} must be a JSON object of one object a URL.")
    return {url: _flat(f"{name}.{url[:80]}", each) for url, each in document.items()}


def _flat(name: str, document: Any) -> dict[str, str]:
    if not isinstance(document, dict) or not all(isinstance(each, str) for each in document.values()):
        raise BadRequest(f"{name} must be a JSON object of texts.")
    return {_sound(name, key): _sound(name, value) for key, value in document.items()}


def _negation(document: dict[str, Any]) -> Negation:
    if strangers := document.keys() - _NEGATABLE:
        raise BadRequest(f"negate_params: {min(strangers)[:40]!r} cannot be negated.")
    values: dict[str, Any] = {}
    for name, value in document.items():
        where = f"negate_params.{name}"
        if name == "metadata":
            values[name] = _flat(where, value)
        elif name == "urls_metadata":
            values[name] = _nested(where, value)
        elif name in ("file_name", "version"):
            if not isinstance(value, str):
                raise BadRequest(f"{where} must be text.")
            values[name] = _sound(where, value)
        else:
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise BadRequest(f"{where} must be a list of texts.")
            values[name] = [_sound(where, each) for each in value]
    return Negation(**values)
