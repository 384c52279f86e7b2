"""Manifests of records: tables in the format of Gen3's SDK, one row a record.

Vocabulary
----------
manifest
    CSV or TSV with a header. Each column has one of several names, in upper or lower case; those of
    ``gen3.tools.indexing`` are all known. Further columns hold further kinds of hashes; others are ignored.
cell
    A list (``urls``, ``acl``, ``authz``) is written as its items between spaces or commas, perhaps in brackets and
    quotes, where ``%20`` stands for a space: ``s3://b/a gs://b/a`` or ``['s3://b/a', 'gs://b/a']``. A cell that is a
    JSON list is read as such, which has a spelling for every text; there, a literal ``%20`` is ``\\u002520``.
line
    Line of the file on which a row begins, from 1; the header is line 1.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from commonshub.core.errors import ValidationFailed
from commonshub.core.records import Record

from .validate import HASHES

_NAMES = {
    "guid": ("guid",),
    "md5": ("md5", "md5_hash", "md5hash", "hash", "md5sum", "file_md5sum"),
    "size": ("size", "filesize", "file_size", "s3_file_size", "gs_file_size"),
    "acl": ("acl", "acls"),
    "authz": ("authz",),
    "urls": ("urls", "url", "s3_path", "gs_path", "aws_uri", "gcp_uri"),
    "file_name": ("file_name", "filename"),
    "previous": ("previous_guid", "prev_guid", "prev_id"),
    "record_type": ("record_type",),
    **{kind: (kind,) for kind in HASHES if kind != "md5"},
}
_MEANINGS = {name: meaning for meaning, names in _NAMES.items() for name in names}
_LISTS = ("urls", "acl", "authz")
# What these stand for in manifests of the first Gen3 commons: open to everybody.
_OPEN = ("['open']", "[u'open']")
# Bytes that a list between spaces cannot hold.
_UNSPOKEN = re.compile(r"""[,'"\[\]]|%20|[^\S ]""")
EXPORTED = ("guid", "md5", "size", "acl", "authz", "urls", "file_name", *(kind for kind in HASHES if kind != "md5"))


class Row(NamedTuple):
    """One row.

    Attributes
    ----------
    previous
        GUID of the record that this one is a new version of.
    body
        What ``POST /index/index`` would be sent.
    """

    line: int
    previous: str | None
    body: dict[str, Any]


class Header:
    """What the columns of a manifest mean.

    Attributes
    ----------
    ignored
        Names of columns that mean nothing here.

    Raises
    ------
    ValidationFailed
        A column that every manifest has is missing, or two columns mean the same.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._meanings = [_MEANINGS.get(name.strip().lower(), "") for name in names]
        self.ignored = [name for name, meaning in zip(names, self._meanings, strict=True) if not meaning]
        known = set(self._meanings)
        missing = [meaning for meaning in ("size", "urls") if meaning not in known]
        if known.isdisjoint(HASHES):
            missing.append("md5")
        if missing:
            raise ValidationFailed(
                f"The first line must name the columns {', '.join(missing)}; it has {', '.join(names)[:400]}."
            )
        twice = [each for each in known if self._meanings.count(each) > 1 and each and each not in _LISTS]
        if twice:
            raise ValidationFailed(f"Several columns mean the same: {', '.join(sorted(twice))}.")

    def row(self, line: int, cells: Sequence[str]) -> Row:
        """What a row says.

        Raises
        ------
        ValidationFailed
            It has more or fewer cells than the header, or is no record.
        """
        if len(cells) != len(self._meanings):
            raise ValidationFailed(f"The row has {len(cells)} cells, where the first line has {len(self._meanings)}.")
        said: dict[str, str] = {}
        lists: dict[str, list[str]] = {}
        for meaning, cell in zip(self._meanings, cells, strict=True):
            if meaning in _LISTS:
                lists.setdefault(meaning, []).extend(read_list(meaning, cell))
            elif meaning and cell.strip():
                said[meaning] = cell.strip()
        if said.get("record_type", "object") != "object":
            raise ValidationFailed(f"A row of type {said['record_type'][:40]!r} is no record.")
        return Row(line, said.get("previous"), _body(said, lists))


def _body(said: Mapping[str, str], lists: Mapping[str, list[str]]) -> dict[str, Any]:
    body: dict[str, Any] = {"form": "object", **lists}
    body["hashes"] = {kind: said[kind].lower() for kind in HASHES if kind in said}
    if "size" in said:
        size = said["size"]
        # What is no number is left for the check of the record to name.
        body["size"] = int(size) if size.isascii() and size.isdecimal() and len(size) < 20 else size
    body |= {name: said[key] for name, key in (("did", "guid"), ("file_name", "file_name")) if key in said}
    return body


def read_list(meaning: str, cell: str) -> list[str]:
    """The items of a cell, each once."""
    text = cell.strip()
    if meaning == "acl" and text.lower() in _OPEN:
        return ["*"]
    if text.startswith("["):
        try:
            items = orjson.loads(text.replace("%20", " "))
        except orjson.JSONDecodeError:
            pass
        else:
            if isinstance(items, list) and all(isinstance(each, str) for each in items):
                return list(dict.fromkeys(items))
    parts = re.split(r"[\s,]+", text.removeprefix("[").removesuffix("]"))
    items = [part.replace("'", "").replace('"', "").replace("%20", " ") for part in parts]
    return list(dict.fromkeys(each for each in items if each))


def write_list(items: Sequence[str]) -> str:
    """A cell that :func:`read_list` reads as `items`, and Gen3's SDK too where it can."""
    if any(not each or _UNSPOKEN.search(each) for each in items):
        return orjson.dumps(list(items)).decode().replace("%20", r"\u002520")
    return " ".join(each.replace(" ", "%20") for each in items)


def cells(record: Record) -> list[str]:
    """The row of a record, in the columns :data:`EXPORTED`."""
    said = {
        "guid": record.did,
        "size": "" if record.size is None else str(record.size),
        "file_name": record.file_name or "",
        **{kind: record.hashes.get(kind, "") for kind in HASHES},
        **{name: write_list(getattr(record, name)) for name in _LISTS},
    }
    return [said[name] for name in EXPORTED]


def lines(content: Iterable[bytes]) -> Iterator[str]:
    """The lines of a file as text.

    Raises
    ------
    ValidationFailed
        One is not UTF-8.
    """
    for number, line in enumerate(content, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValidationFailed(f"Line {number} is not UTF-8; nothing after it was read.") from error


def table(content: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a manifest, the header first, with their lines; a header with a tab makes it TSV.

    Raises
    ------
    ValidationFailed
        It is no CSV (TSV), or there is no header.
    """
    first = next(content, "")
    reader = csv.reader(_with(first, content), delimiter="\t" if "\t" in first else ",", strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            elif line == 1:
                break
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValidationFailed(f"Line {line}: {error}; nothing after it was read.") from error
    if line == 1:
        raise ValidationFailed("The first line must name the columns.")


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def differences(record: Record, body: Mapping[str, Any]) -> list[str]:
    """The fields in which an existing record differs from what a row says of it."""
    found = [kind for kind, checksum in body["hashes"].items() if record.hashes.get(kind) != checksum]
    found += [name for name in ("size", "file_name") if name in body and getattr(record, name) != body[name]]
    return found + [name for name in _LISTS if name in body and set(getattr(record, name)) != set(body[name])]
