"""Resolving ``$ref``.

A key that starts with ``$ref`` is replaced by the object that it names, whose keys win over their namesakes beside the
reference (as in Gen3's loader, which dictionaries rely on). Equal references yield one shared object.
"""

from collections.abc import Iterator
from typing import Any

from ..errors import ValidationFailed
from .source import Source

MAX_VALUES = 5_000_000
"""Names and values of a dictionary without references; the largest that are published have some 100,000."""
MAX_DEPTH = 100

Steps = tuple[str | int, ...]


class Resolver:
    """Resolves the references of one source; faults are collected, not raised."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.faults: list[dict[str, Any]] = []
        self._done: dict[str, Any] = {}
        self._open: list[str] = []
        self._values = 0

    def file(self, name: str) -> Any:
        """The content of one file without references; None where there is no such file."""
        return self._resolve(self.source.files.get(name), name, ())

    def _resolve(self, value: Any, file: str, path: Steps) -> Any:
        if isinstance(value, list):
            return [self._resolve(each, file, (*path, index)) for index, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        self._values += len(value)
        resolved = {
            str(key): self._resolve(each, file, (*path, str(key)))
            for key, each in value.items()
            if not _is_reference(key)
        }
        for key, reference in value.items():
            if _is_reference(key):
                found = self._target(reference, file, (*path, key))
                # Each reference copies the names of what it names, once.
                self._values += len(found)
                if self._values > MAX_VALUES:
                    raise _too_large(self.source)
                resolved.update(found)
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


def check_size(source: Source, document: Any) -> None:
    """Refuse a dictionary that is small only as long as its references are not written out, as its users get it.

    Raises
    ------
    ValidationFailed
        It has more than :data:`MAX_VALUES` values then, or is nested deeper than :data:`MAX_DEPTH`.
    """
    values, depth = _size(document, {})
    if values > MAX_VALUES:
        raise _too_large(source)
    if depth > MAX_DEPTH:
        raise too_deep(source)


def _size(value: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Values and levels of what is shared in many places, looking at each place once."""
    if not isinstance(value, dict | list):
        return 1, 0
    parts = value.values() if isinstance(value, dict) else value
    if id(value) not in known:
        sizes = [_size(each, known) for each in parts]
        known[id(value)] = (1 + sum(size for size, _ in sizes), 1 + max((depth for _, depth in sizes), default=0))
    return known[id(value)]


def _too_large(source: Source) -> ValidationFailed:
    return ValidationFailed(
        f"The dictionary at {source.place} has more than {MAX_VALUES} values once its references are resolved."
    )


def too_deep(source: Source) -> ValidationFailed:
    """The error for what is nested deeper than anybody could read."""
    return ValidationFailed(f"The dictionary at {source.place} is nested more than {MAX_DEPTH} levels deep.")


def _is_reference(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("$ref")


def _steps(pointer: str) -> Iterator[str]:
    for step in pointer.split("/"):
        if step:
            yield step.replace("~1", "/").replace("~0", "~")
