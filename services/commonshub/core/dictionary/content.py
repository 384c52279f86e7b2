"""The content of one file, as data that JSON can hold and a database can store."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

MAX_DEPTH = 64
"""Levels of a file, and of a dictionary with all references replaced."""
MAX_VALUES = 5_000_000
"""Values of a file with all aliases replaced, and of a dictionary with all references replaced."""

Where = tuple[str | int, ...]

_FIXES = {
    "found a tab character": "Indent with spaces, not tabs.",
    "cannot start any token": "Indent with spaces, not tabs, and put a text that begins with @, ` or % in quotes.",
    "mapping values are not allowed": "Put a text that holds ': ' in quotes, or mend the indentation.",
    "undefined alias": "Put a text that begins with * in quotes.",
}
_MEND = "Look there and just before: an indentation, a quote or a bracket is not closed."


class Unreadable(Exception):
    """A text that is no YAML; lines count from 1."""

    def __init__(self, line: int, message: str, fix: str) -> None:
        super().__init__(message)
        self.line, self.message, self.fix = line, message, fix


class Problem(NamedTuple):
    """A value that has no place in a dictionary."""

    where: Where
    message: str
    fix: str


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML in which a date stays the text that was written: JSON has no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def read(content: bytes) -> Any:
    """What a YAML file says.

    Raises
    ------
    Unreadable
        It is not YAML, or its aliases make it endless.
    """
    try:
        return _read(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(line, "this is not UTF-8.", "Save the file as UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be read"
        fix = next((fix for part, fix in _FIXES.items() if part in problem), _MEND)
        raise Unreadable(mark.line + 1 if mark else 1, f"this is not YAML: {problem}.", fix) from error
    except RecursionError as error:
        raise Unreadable(1, f"this is nested more than {MAX_DEPTH} levels deep.", "Nest less.") from error
    except (yaml.YAMLError, ValueError) as error:
        # A control character, or what looks like a number and is none, such as 0x_.
        raise Unreadable(1, f"this is not YAML: {' '.join(str(error).split())}.", "Put it in quotes.") from error


def _read(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if "&" in text:
            _expanded(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _expanded(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a node stands for, with its aliases replaced."""
    if id(node) in sizes:
        if not sizes[id(node)]:
            raise yaml.MarkedYAMLError(problem="this holds itself by an alias", problem_mark=node.start_mark)
        return sizes[id(node)]
    sizes[id(node)] = 0
    parts = node.value if isinstance(node, yaml.CollectionNode) else ()
    inner = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
    found = 1 + sum(_expanded(each, sizes) for each in inner)
    if found > MAX_VALUES:
        problem = f"aliases make this more than {MAX_VALUES} values"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    sizes[id(node)] = found
    return found


def plain(value: Any) -> tuple[Any, list[Problem]]:
    """A value with texts for keys, and what of it cannot be kept; that is left out."""
    problems: list[Problem] = []
    return _plain(value, (), problems), problems


def _plain(value: Any, where: Where, problems: list[Problem]) -> Any:
    if isinstance(value, (dict, list)):
        if len(where) >= MAX_DEPTH:
            problems.append(Problem(where, f"this is nested more than {MAX_DEPTH} levels deep.", "Nest less."))
            return None
        if isinstance(value, list):
            return [_plain(each, (*where, index), problems) for index, each in enumerate(value)]
        named = {str(key): each for key, each in value.items()}
        return {
            key: _plain(each, (*where, key), problems)
            for key, each in named.items()
            if _fits(key, where, problems) and (isinstance(each, (dict, list)) or _fits(each, (*where, key), problems))
        }
    return value if _fits(value, where, problems) else None


def _fits(value: Any, where: Where, problems: list[Problem]) -> bool:
    problem = _unfit(value)
    if problem is not None:
        problems.append(Problem(where, *problem))
    return problem is None


def _unfit(value: Any) -> tuple[str, str] | None:
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return None
        if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
            return "this text holds a character that cannot be stored.", "Take it out."
    elif isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no number that JSON has.", "Write a number, or put it in quotes."
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "this number is too large to be stored.", "Write a number of at most 18 digits."
    elif not isinstance(value, (int, float, type(None))):
        return f"a {type(value).__name__} is nothing that JSON has.", "Take the tag out, or put it in quotes."
    return None


def repeated(text: str) -> Iterator[tuple[int, Where]]:
    """Keys that an object of a YAML file has twice, by line and place; the last one counts."""
    yield from _repeated(yaml.compose(text, _Loader), ())


def _repeated(node: yaml.Node | None, where: Where) -> Iterator[tuple[int, Where]]:
    if isinstance(node, yaml.SequenceNode):
        for index, each in enumerate(node.value):
            yield from _repeated(each, (*where, index))
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, (*where, key.value)
            seen.add(key.value)
            yield from _repeated(value, (*where, key.value))
