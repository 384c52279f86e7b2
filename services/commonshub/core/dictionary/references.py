"""Resolving ``$ref``.

A key that starts with ``$ref`` is replaced by the object that it names, whose keys win over their namesakes beside the
reference (as in Gen3's loader, which dictionaries rely on). Equal references yield one shared object.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..spelling import nearest
from .content import MAX_DEPTH, MAX_VALUES
from .faults import MAX_FAULTS, Fault
from .source import Source

Steps = tuple[str | int, ...]


class Place(NamedTuple):
    """A value, and where it is written."""

    file: str
    path: Steps
    value: Any


class Resolver:
    """Resolves the references of one source; faults are collected, not raised."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.faults: list[Fault] = []
        self._done: dict[str, Any] = {}
        self._open: list[str] = []
        # Of what has been resolved, by identity: values, each counted as often as it is referred to, and levels.
        self._sizes: dict[int, tuple[int, int]] = {}
        self._depth = 0
        self._copied = 0
        self._silent = False

    def file(self, name: str) -> Any:
        """The content of one file without references; None where there is no such file."""
        return self._resolve(self.source.files.get(name), name, ())

    def sound_parts(self, name: str) -> Any:
        """The same without what its references do not find, of which nothing is told."""
        self._silent = True
        try:
            return self.file(name)
        finally:
            self._silent = False

    def too_large(self, resolved: Iterable[Any]) -> bool:
        """Whether these have too many values together, each counted as often as it is referred to."""
        values = sum(self._sizes.get(id(each), (1, 0))[0] for each in resolved)
        return max(values, self._copied) > MAX_VALUES

    def used(self, file: str) -> set[str]:
        """The definitions of a file that something refers to, or into, of what has been resolved."""
        parts = (address.partition("#") for address in self._done)
        return {step for name, _, pointer in parts if name == file for step in [*_steps(pointer)][:1]}

    def origin(self, file: str, path: Sequence[str | int]) -> tuple[str, Steps]:
        """Where a place of a resolved file is written: there, or in what is referred to."""
        place = Place(file, (), self.source.files.get(file))
        for step in path:
            below = self._below(place, step, 0)
            if below is None:
                break
            place = below
        return place.file, place.path

    def _below(self, place: Place, step: str | int, depth: int) -> Place | None:
        value = place.value
        if isinstance(value, list):
            known = isinstance(step, int) and step < len(value)
            return place._replace(path=(*place.path, step), value=value[step]) if known else None  # type: ignore[index]
        if not isinstance(value, dict) or depth > MAX_DEPTH:
            return None
        for key in reversed([key for key in value if _is_reference(key)]):
            target = self._target_place(value[key], place.file)
            below = target and self._below(target, step, depth + 1)
            if below:
                return below
        return place._replace(path=(*place.path, step), value=value[step]) if step in value else None

    def _target_place(self, reference: Any, file: str) -> Place | None:
        if not isinstance(reference, str):
            return None
        name, _, pointer = reference.partition("#")
        steps = tuple(_steps(pointer))
        value = self.source.files.get(name or file)
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return Place(name or file, steps, value)

    def _resolve(self, value: Any, file: str, path: Steps) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        resolved: Any = {}
        if self._depth < MAX_DEPTH:
            self._depth += 1
            resolved = self._list(value, file, path) if isinstance(value, list) else self._object(value, file, path)
            self._depth -= 1
        if self._depth == MAX_DEPTH or not self._measure(resolved):
            self._fault(file, path, f"this is nested more than {MAX_DEPTH} levels deep.", "Nest less.")
            resolved = {}
            self._measure(resolved)
        return resolved

    def _list(self, value: list[Any], file: str, path: Steps) -> list[Any]:
        return [self._resolve(each, file, (*path, index)) for index, each in enumerate(value)]

    def _object(self, value: dict[Any, Any], file: str, path: Steps) -> dict[str, Any]:
        resolved = {
            str(key): self._resolve(each, file, (*path, str(key)))
            for key, each in value.items()
            if not _is_reference(key)
        }
        for key, reference in value.items():
            if _is_reference(key):
                found = self._target(reference, file, (*path, key))
                # Each reference copies the names of what it names, and so do many references to much.
                self._copied += len(found)
                if self._copied <= MAX_VALUES:
                    resolved.update(found)
        return resolved

    def _measure(self, resolved: Any) -> bool:
        inner = resolved.values() if isinstance(resolved, dict) else resolved
        sizes = [self._sizes.get(id(each), (1, 0)) if isinstance(each, (dict, list)) else (1, 0) for each in inner]
        levels = 1 + max((levels for _, levels in sizes), default=0)
        self._sizes[id(resolved)] = 1 + sum(size for size, _ in sizes), levels
        return levels <= MAX_DEPTH

    def _target(self, reference: Any, file: str, path: Steps) -> dict[str, Any]:
        if not isinstance(reference, str) or "#" not in reference:
            fix = (
                "Give each a key of its own, such as $ref2."
                if isinstance(reference, list)
                else "Write the file's name, #, and the path in it."
            )
            self._fault(file, path, f"{reference!r} is not of the form 'file.yaml#/path'.", fix)
            return {}
        name, _, pointer = reference.partition("#")
        address = f"{name or file}#{pointer}"
        if address in self._open:
            self._fault(file, path, f"{reference!r} refers to itself.", "Write out what it should stand for.")
            return {}
        if address not in self._done:
            self._open.append(address)
            self._done[address] = self._find(name or file, pointer, file, path, reference)
            self._open.pop()
        found: dict[str, Any] = self._done[address]
        return found

    def _find(self, name: str, pointer: str, file: str, path: Steps, reference: str) -> dict[str, Any]:
        if name not in self.source.files:
            if name not in self.source.unread and not self._silent:
                likely = nearest(_stem(name), tuple(map(_stem, self.source.files)), 1)
                fix = f"Write {likely[0]}.yaml#{pointer}." if likely else f"Add the file {name}."
                self._fault(file, path, f"{reference!r}: there is no file {name}.", fix)
            return {}
        value = self.source.files[name]
        steps = tuple(_steps(pointer))
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            if not self._silent:
                self._fault(file, path, f"{reference!r} names no object.", self._right_path(name, steps))
            return {}
        resolved = self._resolve(value, name, steps)
        return resolved if isinstance(resolved, dict) else {}

    def _right_path(self, name: str, steps: Sequence[str]) -> str:
        """What a pointer that leads nowhere may have meant."""
        value: Any = self.source.files[name]
        for index, step in enumerate(steps):
            if not isinstance(value, dict):
                break
            if step not in value:
                objects = tuple(str(key) for key, each in value.items() if isinstance(each, dict))
                likely = nearest(step, objects, 1)
                if likely:
                    return f"Write {name}#/{'/'.join((*steps[:index], *likely, *steps[index + 1 :]))}."
                break
            value = value[step]
        return f"Define it in {name}, or name another."

    def _fault(self, file: str, path: Steps, message: str, fix: str) -> None:
        if not self._silent and len(self.faults) < MAX_FAULTS:
            self.faults.append(self.source.fault(file, path, message, fix))


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _is_reference(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("$ref")


def _steps(pointer: str) -> Iterator[str]:
    for step in pointer.split("/"):
        if step:
            yield step.replace("~1", "/").replace("~0", "~")
