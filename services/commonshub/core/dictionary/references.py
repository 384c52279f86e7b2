"""Resolving ``$ref``.

A key that starts with ``$ref`` is replaced by the object that it names, whose keys win over their namesakes beside the
reference (as in Gen3's loader, which dictionaries rely on). Equal references yield one shared object.
"""

from collections.abc import Iterator
from typing import Any

from .source import Source

Steps = tuple[str | int, ...]


class Resolver:
    """Resolves the references of one source; faults are collected, not raised."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.faults: list[dict[str, Any]] = []
        self._done: dict[str, Any] = {}
        self._open: list[str] = []

    def file(self, name: str) -> Any:
        """The content of one file without references; None where there is no such file."""
        return self._resolve(self.source.files.get(name), name, ())

    def _resolve(self, value: Any, file: str, path: Steps) -> Any:
        if isinstance(value, list):
            return [self._resolve(each, file, (*path, index)) for index, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        resolved = {
            str(key): self._resolve(each, file, (*path, str(key)))
            for key, each in value.items()
            if not _is_reference(key)
        }
        for key, reference in value.items():
            if _is_reference(key):
                resolved.update(self._target(reference, file, (*path, key)))
        return resolved

    def _target(self, reference: Any, file: str, path: Steps) -> dict[str, Any]:
        if not isinstance(reference, str) or "#" not in reference:
            self._fault(file, path, f"{reference!r} is not of the form 'file.yaml#/path'.")
            return {}
        name, _, pointer = reference.partition("#")
        address = f"{name or file}#{pointer}"
        if address in self._open:
            self._fault(file, path, f"{reference!r} refers to itself.")
            return {}
        if address not in self._done:
            self._open.append(address)
            self._done[address] = self._find(name or file, pointer, file, path, reference)
            self._open.pop()
        found: dict[str, Any] = self._done[address]
        return found

    def _find(self, name: str, pointer: str, file: str, path: Steps, reference: str) -> dict[str, Any]:
        if name not in self.source.files:
            self._fault(file, path, f"{reference!r}: there is no file {name}.")
            return {}
        value = self.source.files[name]
        steps = tuple(_steps(pointer))
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            self._fault(file, path, f"{reference!r} names no object.")
            return {}
        resolved = self._resolve(value, name, steps)
        return resolved if isinstance(resolved, dict) else {}

    def _fault(self, file: str, path: Steps, message: str) -> None:
        self.faults.append(self.source.fault(file, path, message))


def _is_reference(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("$ref")


def _steps(pointer: str) -> Iterator[str]:
    for step in pointer.split("/"):
        if step:
            yield step.replace("~1", "/").replace("~0", "~")
