"""What the loader loads: studies of records and files, drawn from packages that carry public data.

Vocabulary
----------
study
    One project: its own properties, its records by node type (parents first), and its files.
record
    A JSON object as it is submitted: ``type``, ``submitter_id``, properties, and links by ``submitter_id``.
payload
    A file: its bytes, and the record that describes it. The loader adds ``object_id`` once the bytes are stored.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class SourceMissing(Exception):
    """A package that carries demo data is not installed."""


@dataclass(frozen=True)
class Payload:
    """The bytes of one file, with the record that describes them."""

    content: bytes
    description: Record

    @cached_property
    def md5(self) -> str:
        """Checksum of the bytes."""
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()

    @property
    def name(self) -> str:
        """File name."""
        return str(self.description["file_name"])

    @cached_property
    def record(self) -> Record:
        """The record of the file, but for its ``object_id``."""
        return {**self.description, "file_size": len(self.content), "md5sum": self.md5}


@dataclass(frozen=True)
class Study:
    """One project of the demo."""

    project: Record
    records: Mapping[str, Sequence[Record]]
    payloads: Sequence[Payload]

    @property
    def code(self) -> str:
        """Second part of the project_id."""
        return str(self.project["code"])


def locate(package: str, path: str) -> Path:
    """A file inside an installed package, found without importing the package.

    Raises
    ------
    SourceMissing
        The package is not installed, or has no such file.
    """
    try:
        file = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError as error:
        raise SourceMissing(f"The demo data need the package {package}: pip install 'commonshub[demo]'.") from error
    if not file.is_file():
        raise SourceMissing(f"This version of {package} has no {path}; the demo data cannot be read.")
    return file


def without_blanks(record: Mapping[str, Any]) -> Record:
    """The record without the properties that its source leaves empty."""
    return {key: value for key, value in record.items() if value is not None and value != ""}


def link(*names: str) -> list[dict[str, str]]:
    """A link to records by their ``submitter_id``."""
    return [{"submitter_id": name} for name in names]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """The bytes of a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def integer(cell: str) -> int | None:
    """A whole number of a CSV file, where ``90.0`` is one; None for an empty cell."""
    return int(float(cell)) if cell else None


def number(cell: str) -> float | None:
    """A number of a CSV file; None for an empty cell."""
    return float(cell) if cell else None
