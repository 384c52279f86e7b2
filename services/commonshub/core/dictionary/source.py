"""Reading a dictionary's files: from a folder, one JSON file, or a URL."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from .. import located
from ..errors import NotFound, Unavailable, ValidationFailed
from . import content
from .faults import MAX_FAULTS, MAX_MESSAGE_CHARS, Fault, Severity
from .wording import pointer

FETCH_TIMEOUT_S = 30
MAX_BYTES = 64 * 2**20


class Source:
    """The files of one dictionary.

    Parameters
    ----------
    place
        A folder of YAML files, a JSON file, or an http(s) URL of one.

    Attributes
    ----------
    files
        Their content by name, once it is asked for. What is no JSON at all raises ``ValidationFailed`` then.
    faults
        Why a file, or a part of it, could not be read.
    unread
        Names of the files that could not.

    Raises
    ------
    NotFound
        There is nothing at `place`.
    Unavailable
        The URL gives no answer.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._folder = Path(place).is_dir()
        self._begin()
        if place.startswith(("http://", "https://")):
            self._content = {"": _fetch(place)}
        elif self._folder:
            paths = sorted([*Path(place).glob("*.yaml"), *Path(place).glob("*.yml")])
            self._content = {path.name: path.read_bytes() for path in paths}
            if not paths:
                raise NotFound(f"There are no YAML files in {place}.")
        elif Path(place).is_file():
            self._content = {"": Path(place).read_bytes()}
        else:
            raise NotFound(f"There is no dictionary at {place}: give a folder of YAML files, a JSON file or a URL.")

    @classmethod
    def of(cls, files: Mapping[str, Any], place: str) -> Self:
        """A source that has been read already.

        Parameters
        ----------
        files
            Content by name, as in a JSON file.
        place
            What messages call it.
        """
        made = cls.__new__(cls)
        made.place = place
        made._begin()
        made.files = made._plain(_named(files, place))
        return made

    def _begin(self) -> None:
        self.faults: list[Fault] = []
        self.unread: set[str] = set()
        self._texts: dict[str, str] = {}
        self._lines: dict[str, Mapping[located.Where, int]] = {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what stands at the place: a look that reads no YAML tells whether it has changed."""
        lengths = {name: len(content) for name, content in self._content.items()}
        return hashlib.sha256(b"".join([json.dumps(lengths).encode(), *self._content.values()])).hexdigest()

    @cached_property
    def files(self) -> dict[str, Any]:
        """The content by name of file."""
        return self._plain(self._parsed() if self._folder else self._object(self._content[""]))

    def _object(self, text: bytes) -> dict[str, Any]:
        try:
            files = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValidationFailed(f"{self.place} is not JSON: {error}.") from error
        return _named(files, self.place)

    def _parsed(self) -> dict[str, Any]:
        files: dict[str, Any] = {}
        for name, text in self._content.items():
            try:
                files[name] = content.read(text)
                self._texts[name] = text.decode()
            except content.Unreadable as error:
                self.unread.add(name)
                self.faults.append(Fault(name, error.line, "/", error.message, error.fix))
        return files

    def _plain(self, files: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, each in files.items():
            found[name], problems = content.plain(each)
            for problem in problems[: MAX_FAULTS - len(self.faults)]:
                self.faults.append(self.fault(name, problem.where, problem.message, problem.fix))
        return found

    def fault(
        self, file: str, path: Sequence[str | int], message: str, fix: str, severity: Severity = "error"
    ) -> Fault:
        """A fault of a place in a file, with its line, or that of the nearest place above it."""
        told = message if len(message) <= MAX_MESSAGE_CHARS else f"{message[:MAX_MESSAGE_CHARS]}…."
        return Fault(file, self._line(file, path), pointer(path), told, fix, severity)

    def _line(self, file: str, path: Sequence[str | int]) -> int | None:
        if file not in self._texts:
            return None
        if file not in self._lines:
            self._lines[file] = located.Document(self._texts[file]).lines()
        return located.line(self._lines[file], tuple(path))

    def repeated(self) -> Iterator[Fault]:
        """The keys that stand twice in an object of a YAML file."""
        for name, text in self._texts.items():
            for line, where in content.repeated(text):
                message = f"the key {where[-1]!r} stands here twice; the last one counts."
                again = f"Name the second one {where[-1]}2, and both count." if where[-1] == "$ref" else ""
                yield Fault(name, line, pointer(where), message, again or "Take one of them out.", "warning")


def _named(files: Any, place: str) -> dict[str, Any]:
    if not isinstance(files, dict) or not files:
        raise ValidationFailed(f"{place} must be one JSON object of the form {{'<name>.yaml': content}}.")
    # What single projects override, in folders of their own, Gen3's services leave aside as well.
    named = {name: each for name, each in files.items() if "/" not in name}
    return {name if name.endswith((".yaml", ".yml")) else f"{name}.yaml": each for name, each in named.items()}


def _fetch(url: str) -> bytes:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=FETCH_TIMEOUT_S)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        answer = connection.getresponse()
        body = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise Unavailable(f"The dictionary at {url} cannot be read: {error}.") from error
    finally:
        connection.close()
    if answer.status != 200 or len(body) > MAX_BYTES:
        reason = f"it answers {answer.status}" if answer.status != 200 else f"it has more than {MAX_BYTES} bytes"
        raise Unavailable(f"The dictionary at {url} cannot be read: {reason}.")
    return body
