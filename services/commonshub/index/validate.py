"""What clients may send about a record, checked field by field.

Every function takes a decoded JSON body and returns what it means, or raises one
:class:`~commonshub.core.errors.ValidationFailed` that names every fault at once. The fields, their forms and the rules
between them are indexd's; where indexd stored nonsense or failed, the fault is named instead.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from commonshub.core.errors import BadRequest, TooLarge, ValidationFailed
from commonshub.core.policy import parse_path
from commonshub.core.records import Draft, Record

MAX_SIZE_BYTES = 2**63 - 1
MAX_GUID_CHARS = 512
MAX_DEPTH = 64
# What can be looked for is in an index, where PostgreSQL keeps no entry longer than a third of a page.
MAX_INDEXED_BYTES = 2600
# Faults that the message of an error repeats; its details have all.
MAX_TOLD = 10
FORMS = ("object", "container", "multipart")
HASHES = {
    "md5": re.compile(r"[0-9a-f]{32}"),
    "sha1": re.compile(r"[0-9a-f]{40}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "sha512": re.compile(r"[0-9a-f]{128}"),
    "crc": re.compile(r"[0-9a-f]{8}"),
    "etag": re.compile(r"[0-9a-f]{32}(-\d+)?"),
}
# Other names under which a hash can be asked for, and given to a bundle: ``crc32c`` is DRS's.
SPELLINGS = {"crc32c": "crc"}
_GUID = re.compile(r"[^\x00-\x1f\x7f]*[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}")
# GUIDs that cannot be asked for as they are: slashes and dots at their ends do not survive a URL, and other routes come
# before those of records.
_UNREACHABLE = re.compile(r"/|blank/|(.*/)?\.\.?/|.+/aliases/|.+/access/[^/]+$")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\x00-\x1f\x7f]+")
_DATES = ("content_created_date", "content_updated_date")

Check = Callable[[Any], str | None]


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and "\0" not in value else "must be text without NUL"


def indexed(value: Any) -> str | None:
    """What is wrong with a text that shall be found by an index."""
    # No character takes more than four bytes.
    if not _text(value) and (4 * len(value) <= MAX_INDEXED_BYTES or len(value.encode()) <= MAX_INDEXED_BYTES):
        return None
    return f"must be text without NUL of at most {MAX_INDEXED_BYTES} bytes"


def _guid(value: Any) -> str | None:
    fits = isinstance(value, str) and len(value) <= MAX_GUID_CHARS and _GUID.fullmatch(value)
    if not fits:
        return f"must be a UUID, perhaps after a prefix, of at most {MAX_GUID_CHARS} characters"
    if _UNREACHABLE.match(value):
        return "must not begin with / or blank/, nor have a part ., .., aliases, or access before the UUID"
    return None


def _size(value: Any) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIZE_BYTES
    return None if fits else f"must be an integer number of bytes from 0 to {MAX_SIZE_BYTES}"


def _form(value: Any) -> str | None:
    return None if value in FORMS else f"must be one of {', '.join(FORMS)}"


def _date(value: Any) -> str | None:
    try:
        _moment(value)
    except (TypeError, ValueError, OverflowError):
        return "must be a date and time like 2023-03-14T17:02:54"
    return None


def _texts(value: Any) -> str | None:
    if not isinstance(value, list):
        return "must be a list of texts"
    for place, each in enumerate(value):
        if fault := indexed(each):
            return f"[{place}] {fault}"
    return None if len(set(value)) == len(value) else "must not hold the same text twice"


def _urls(value: Any) -> str | None:
    if fault := _texts(value):
        return fault
    wrong = next((place for place, each in enumerate(value) if not _URL.fullmatch(each)), None)
    return None if wrong is None else f"[{wrong}] must be a URL with a scheme, without control characters"


def _paths(value: Any) -> str | None:
    if fault := _texts(value):
        return fault
    for place, each in enumerate(value):
        try:
            parse_path(each)
        except BadRequest as error:
            return f"[{place}]: {error.message}"
    return None


def _hashes(value: Any) -> str | None:
    if not isinstance(value, dict) or not value.keys() & HASHES.keys():
        return f"must be an object with at least one of {', '.join(HASHES)}"
    for kind, digest in value.items():
        if fault := indexed(digest) or indexed(kind):
            return f".{kind[:40]} {fault}"
        if kind in HASHES and not HASHES[kind].fullmatch(digest):
            return f".{kind} must be {kind} in lower-case hexadecimal digits, not {digest[:140]!r}"
    return None


def _storable(document: Any) -> bool:
    """Whether a JSON document can be kept: it has no NUL in any text, and is not nested too deeply."""
    # Not recursive: what a client nests must not reach Python's recursion limit.
    rest = [(document, 0)]
    while rest:
        value, depth = rest.pop()
        if isinstance(value, str):
            if "\0" in value:
                return False
        elif isinstance(value, dict | list):
            if depth == MAX_DEPTH:
                return False
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            rest += [(each, depth + 1) for each in inner]
    return True


def json_object(value: Any) -> str | None:
    """What is wrong with a JSON object that shall be kept as it is."""
    fits = isinstance(value, dict) and _storable(value)
    return None if fits else f"must be an object of at most {MAX_DEPTH} levels, without NUL in any text"


def _objects(value: Any) -> str | None:
    fits = not json_object(value) and all(isinstance(each, dict) for each in value.values())
    return None if fits else "must be an object of one object a URL"


def _members(value: Any) -> str | None:
    return _texts(value) or (None if value else "must name at least one object")


def _checksums(value: Any) -> str | None:
    form = 'must be a list of {"type", "checksum"}'
    if not isinstance(value, list):
        return form
    for place, each in enumerate(value):
        if not isinstance(each, dict) or each.keys() != {"type", "checksum"} or _text(each["type"]):
            return f"[{place}] {form}"
        if fault := _hashes({SPELLINGS.get(each["type"], each["type"]): each["checksum"]}):
            return f"[{place}] {fault}"
    return None


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


_UPDATABLE: dict[str, Check] = {
    "urls": _urls,
    "urls_metadata": _objects,
    "acl": _texts,
    "authz": _paths,
    "metadata": json_object,
    "file_name": _or_null(indexed),
    "version": _or_null(indexed),
    "uploader": _or_null(indexed),
    "description": _or_null(_text),
    "content_created_date": _or_null(_date),
    "content_updated_date": _or_null(_date),
}
_CREATABLE: dict[str, Check] = {
    **_UPDATABLE,
    "did": _guid,
    "baseid": _guid,
    "form": _form,
    "size": _size,
    "hashes": _hashes,
}
_TARGET: dict[str, Check] = {"did": _text, "rev": _text}
_BLANK: dict[str, Check] = {
    "did": _guid,
    "uploader": _or_null(indexed),
    "file_name": _or_null(indexed),
    "authz": _paths,
}
_MEASURED: dict[str, Check] = {"size": _size, "hashes": _hashes, "urls": _urls, "authz": _paths}
_BUNDLE: dict[str, Check] = {
    "bundles": _members,
    "bundle_id": _or_null(_guid),
    "name": _or_null(_text),
    "size": _or_null(_size),
    "checksums": _or_null(_checksums),
    "description": _or_null(_text),
    "version": _or_null(_text),
    "aliases": _or_null(_texts),
}
_GRANTS: dict[str, Check] = {"acl": _texts, "authz": _paths}


def _fail(faults: Mapping[str, str]) -> None:
    if faults:
        raise failed([{"field": name, "message": fault} for name, fault in faults.items()])


def failed(details: Sequence[Mapping[str, str]]) -> ValidationFailed:
    """All these faults as one error; its message has the first of them."""
    told = [phrase(each["field"], each["message"]) for each in details[:MAX_TOLD]]
    if len(details) > MAX_TOLD:
        told.append(f"and {len(details) - MAX_TOLD} more")
    return ValidationFailed("; ".join(told) + ".", details)


def phrase(field: str, fault: str) -> str:
    """A fault as one reads it: ``size must be …``, ``hashes.md5 must be …``."""
    return f"{field}{fault}" if fault.startswith((".", "[")) else f"{field} {fault}"


def _checked(
    body: Any, checks: Mapping[str, Check], required: Iterable[str] = (), *, strict: bool = True
) -> dict[str, Any]:
    """The known fields of `body`, all of them sound."""
    if not isinstance(body, dict):
        raise ValidationFailed("The body must be a JSON object.")
    faults = {name: "is required" for name in required if name not in body}
    for name, value in body.items():
        if name not in checks:
            if strict:
                faults[name] = "is not a field that can be set here"
        elif fault := checks[name](value):
            faults[name] = fault
    _fail(faults)
    return {name: value for name, value in body.items() if name in checks}


def _moment(text: str | None) -> datetime | None:
    """A date in the form that is stored: naive UTC."""
    if text is None:
        return None
    value = datetime.fromisoformat(text)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _related(values: dict[str, Any]) -> dict[str, Any]:
    """Check the rules between fields of a whole record, and complete the dates."""
    faults = {}
    strangers = values.get("urls_metadata", {}).keys() - set(values.get("urls", ()))
    if strangers:
        faults["urls_metadata"] = f"names URLs that are not in urls: {', '.join(sorted(strangers))}"
    created, updated = (values.get(name) for name in _DATES)
    if updated is not None and created is None:
        faults["content_updated_date"] = "needs a content_created_date"
    elif updated is not None and updated < created:
        faults["content_updated_date"] = "must not be before content_created_date"
    _fail(faults)
    if created is not None:
        values["content_updated_date"] = updated or created
    return values


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, **{name: _moment(values[name]) for name in _DATES if name in values}}


def draft(body: Any) -> Draft:
    """A new record, or a new version of one."""
    values = _checked(body, _CREATABLE, ("size", "hashes", "urls", "form"))
    return Draft(**_related(_dated(values)))


def changes(body: Any, record: Record) -> dict[str, Any]:
    """What to change in `record`; size, hashes, form and identifiers are fixed for the life of a record.

    Metadata of URLs that the change removes go with them. Clients send whole records back, and one of an older index
    may hold what would be refused today: that counts as left alone.
    """
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if not _old_fault(name, value, record)}
    values = _dated(_checked(body, _UPDATABLE))
    if "urls" in values and "urls_metadata" not in values:
        values["urls_metadata"] = {url: each for url, each in record.urls_metadata.items() if url in values["urls"]}
    new = {name for name, value in values.items() if value != getattr(record, name)}
    touched = [name for pair in (("urls", "urls_metadata"), _DATES) if new & {*pair} for name in pair]
    whole = _related({name: values[name] if name in values else getattr(record, name) for name in touched})
    if whole.get("content_updated_date", record.content_updated_date) != record.content_updated_date:
        values["content_updated_date"] = whole["content_updated_date"]
    return values


def _old_fault(name: str, value: Any, record: Record) -> bool:
    return name in _UPDATABLE and value == getattr(record, name) and _UPDATABLE[name](value) is not None


def change(body: Any) -> tuple[str, str, dict[str, Any]]:
    """GUID and revision of a record in one item of a bulk update, and its other fields, for :func:`changes`."""
    values = _checked(body, _TARGET | _UPDATABLE, _TARGET)
    return values.pop("did"), values.pop("rev"), values


def deletion(body: Any) -> tuple[str, str]:
    """GUID and revision of a record in one item of a bulk deletion."""
    values = _checked(body, _TARGET, _TARGET)
    return values["did"], values["rev"]


def blank(body: Any) -> dict[str, Any]:
    """``did``, ``uploader``, ``file_name`` and ``authz`` of a blank record; other fields are ignored."""
    return _checked(body, _BLANK, strict=False)


def measured(body: Any) -> dict[str, Any]:
    """``size``, ``hashes``, ``urls`` and ``authz`` that fill a blank record."""
    return _checked(body, _MEASURED, ("size", "hashes"))


def digests(body: Any, most: int) -> list[tuple[str, str]]:
    """Kinds and values of ``{"md5": [value, …], …}``, each once.

    Raises
    ------
    TooLarge
        There are more than `most`.
    """
    if not isinstance(body, dict) or not all(isinstance(each, list) for each in body.values()):
        raise ValidationFailed('The body must be lists of hashes by their kind, as {"md5": ["…"]}.')
    count = sum(map(len, body.values()))
    if count > most:
        raise TooLarge(f"At most {most} hashes can be asked for at once; these are {count}.")
    _fail({kind: f"is not one of {', '.join(HASHES)}" for kind in body.keys() - HASHES.keys()})
    _fail(
        {
            f"{kind}[{place}]": f"must be {kind} in lower-case hexadecimal digits"
            for kind, values in body.items()
            for place, value in enumerate(values)
            if not (isinstance(value, str) and HASHES[kind].fullmatch(value))
        }
    )
    return [(kind, value) for kind, values in body.items() for value in dict.fromkeys(values)]


def grants(body: Any) -> dict[str, Any]:
    """``acl`` and ``authz`` for all versions of an object; empty lists are left out, as they mean no change."""
    return {name: value for name, value in _checked(body, _GRANTS).items() if value}


def aliases(body: Any) -> list[str]:
    """Aliases in ``{"aliases": [{"value": …}]}``."""
    given = _checked(body, {"aliases": _alias_list}, ("aliases",))["aliases"]
    return [each["value"] for each in given]


def _alias_list(value: Any) -> str | None:
    if not isinstance(value, list):
        return 'must be a list of {"value": alias}'
    for place, each in enumerate(value):
        if not isinstance(each, dict) or indexed(each.get("value")) or not each["value"]:
            return f'[{place}] must be {{"value": alias}}'
    names = [each["value"] for each in value]
    return None if len(set(names)) == len(names) else "must not name an alias twice"


def guids(body: Any, most: int) -> list[str]:
    """A bare list of GUIDs.

    Raises
    ------
    TooLarge
        It holds more than `most`.
    """
    if not isinstance(body, list) or any(_text(each) for each in body):
        raise ValidationFailed("The body must be a JSON list of GUIDs.")
    if len(body) > most:
        raise TooLarge(f"At most {most} GUIDs can be asked for at once; these are {len(body)}.")
    return body


def bundle(body: Any, most: int) -> dict[str, Any]:
    """What a new bundle shall be; fields that are null or empty follow from its members.

    Raises
    ------
    TooLarge
        It has more than `most` members.
    """
    values = {name: value for name, value in _checked(body, _BUNDLE, ("bundles",)).items() if value or value == 0}
    if len(values["bundles"]) > most:
        raise TooLarge(f"A bundle has at most {most} members; these are {len(values['bundles'])}.")
    return values
