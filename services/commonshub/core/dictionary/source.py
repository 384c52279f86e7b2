"""Reading a dictionary's files: from a folder, one JSON file, or a URL."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from ..errors import NotFound, Unavailable, ValidationFailed

FETCH_TIMEOUT_S = 30
MAX_BYTES = 64 * 2**20


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML in which a date stays the text that was written: JSON has no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


class Source:
    """The files of one dictionary.

    Parameters
    ----------
    place
        A folder of YAML files, a JSON file, or an http(s) URL of one.

    Raises
    ------
    NotFound
        There is nothing at `place`.
    Unavailable
        The URL gives no answer.
    ValidationFailed
        A file is not YAML or JSON, or is no object.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._folder = Path(place).is_dir()
        self._texts: dict[str, str] = {}
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
        made.place, made._texts, made.files = place, {}, _named(files, place)
        return made

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what stands at the place: a look that reads no YAML tells whether it has changed."""
        lengths = {name: len(content) for name, content in self._content.items()}
        return hashlib.sha256(b"".join([json.dumps(lengths).encode(), *self._content.values()])).hexdigest()

    @cached_property
    def files(self) -> dict[str, Any]:
        """The content by name of file."""
        return self._parsed() if self._folder else self._object(self._content[""])

    def _object(self, text: bytes) -> dict[str, Any]:
        try:
            files = json.loads(text)
        except ValueError as error:
            raise ValidationFailed(f"{self.place} is not JSON: {error}.") from error
        return _named(files, self.place)

    def _parsed(self) -> dict[str, Any]:
        files: dict[str, Any] = {}
        faults = []
        for name, content in self._content.items():
            try:
                self._texts[name] = content.decode()
                files[name] = yaml.load(self._texts[name], _Loader)  # noqa: S506 -- a safe loader
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                faults.append({"file": name, "path": "", "message": " ".join(str(error).split())})
        refuse(self.place, faults)
        return files

    def line(self, file: str, path: Sequence[str | int]) -> int | None:
        """Line of a place in a YAML file, from 1, or of the nearest place above it; None for JSON."""
        text = self._texts.get(file)
        if text is None:
            return None
        node = yaml.compose(text, _Loader)
        for step in path:
            below = _child(node, step)
            if below is None:
                break
            node = below
        return None if node is None else node.start_mark.line + 1

    def fault(self, file: str, path: Sequence[str | int], message: str) -> dict[str, Any]:
        """One fault, as :class:`ValidationFailed` carries it."""
        found = {"file": file, "path": "/" + "/".join(map(str, path)), "message": message}
        line = self.line(file, path)
        return found if line is None else {**found, "line": line}


def _named(files: Any, place: str) -> dict[str, Any]:
    if not isinstance(files, dict) or not files:
        raise ValidationFailed(f"{place} must be one JSON object of the form {{'<name>.yaml': content}}.")
    return {name if name.endswith((".yaml", ".yml")) else f"{name}.yaml": each for name, each in files.items()}


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value if isinstance(value, yaml.ScalarNode) else key if value is None else value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    return None


def refuse(place: str, faults: Sequence[Mapping[str, Any]]) -> None:
    """Raise when there are faults.

    Raises
    ------
    ValidationFailed
        Names the first few in its message and all in its details.
    """
    if not faults:
        return
    lines = [
        f"{each['file']}{':' + str(each['line']) if 'line' in each else ''} {each['path']}: {each['message']}"
        for each in faults[:5]
    ]
    rest = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
    raise ValidationFailed(f"The dictionary at {place} has faults: " + "; ".join(lines) + rest, faults)


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
