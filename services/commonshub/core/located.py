"""YAML as plain data, with the lines of its faults, for messages that a person can act on.

Files come from people and, in a hosted commons, from uploads: a document is bounded in size and depth, aliases count
for what they expand to, and only what JSON can hold comes out of it. Keys are text: ``123:`` is the key ``"123"``.

The data are built straight from the parser's events, without a tree of nodes between, and without lines: a file of
a megabyte and a half takes a third of a second. Lines are looked up in a second walk, for what has a fault alone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

MAX_NODES = 1_000_000
MAX_CHARS = 64 * 2**20
MAX_DEPTH = 64
MAX_FAULTS = 1000
# A plain scalar that is longer is text, whatever it looks like: reading a number takes time with the square of digits.
MAX_NUMBER_CHARS = 64
# Beyond this, numbers are not the same everywhere; they stay text.
_LARGEST_NUMBER = 2**53
_TICK_NODES = 10_000
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_PREFIX = "tag:yaml.org,2002:"

Where = tuple[str | int, ...]
Progress = Callable[[int, int], None]
# One of PyYAML's events, whose type stubs leave out most of what they hold.
Event = Any


class Fault(NamedTuple):
    """One thing wrong with a document; lines count from 1."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path or 'top level'}: {self.message}"


@dataclass
class Document:
    """Plain data, or the faults of their form."""

    text: str = field(repr=False)
    data: Any = None
    faults: list[Fault] = field(default_factory=list)

    def lines(self) -> dict[Where, int]:
        """The line of every place, for small files; what an alias stands for has none of its own."""
        return _find(self.text, None)

    def locate(self, found: Iterable[tuple[Sequence[str | int], str]]) -> list[Fault]:
        """Faults by place and message, each with the line of its place or of the closest part above it, in order."""
        faults = [(tuple(where), message) for where, message in found]
        wanted = {where[:depth] for where, _ in faults for depth in range(len(where) + 1)}
        lines = _find(self.text, wanted) if faults else {}
        return sorted(Fault(line(lines, where), show(where), message) for where, message in faults)


def show(where: Sequence[str | int]) -> str:
    """A place as ``authz.roles[2].id``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")


def read(text: str, progress: Progress | None = None) -> Document:
    """Read one YAML document; what is wrong with its form is in ``faults``, and then there may be no data.

    Parameters
    ----------
    progress
        Called now and then with how many characters of how many have been read.
    """
    document = Document(text)
    builder = _Builder(document, progress)
    try:
        document.data = builder.document_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is told of the last line, not of the one after it.
        at = max(1, min(mark.line + 1, len(text.splitlines()))) if mark else 1
        document.faults.append(Fault(at, "", f"not YAML: {error.problem or error.context}"))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.faults.append(Fault(line, "", f"not YAML: {error.reason}"))
    except _Unacceptable as error:
        document.faults.append(Fault(error.line, show(builder.where), error.message))
    finally:
        builder.loader.dispose()
    return document


class _Unacceptable(Exception):
    """A form that ends the reading."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class _Anchored(NamedTuple):
    """What an alias stands for, and how much it adds."""

    value: Any
    nodes: int
    chars: int


class _Builder:
    def __init__(self, document: Document, progress: Progress | None) -> None:
        self.document = document
        self.progress = progress
        self.loader = yaml.CSafeLoader(document.text)
        self.next: Callable[[], Event] = self.loader.get_event
        self.where: list[str | int] = []
        self.anchors: dict[str, _Anchored | None] = {}
        self.nodes = 0
        self.chars = 0

    def document_data(self) -> Any:
        # Each event, in order: the stream begins, a document begins or the stream ends, its data, its end, the end.
        self.next()
        if isinstance(self.next(), yaml.StreamEndEvent):
            return None
        value = self.build(self.next())
        self.next()
        after = self.next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Unacceptable(_line_of(after), "the file must hold one YAML document, and a second begins here")
        return value

    def build(self, event: Event) -> Any:
        """The value that begins with `event`."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        nodes, chars = self.nodes, self.chars
        anchor = event.anchor
        if anchor is not None:
            if anchor in self.anchors:
                raise _Unacceptable(_line_of(event), f"the anchor &{anchor} is defined twice")
            self.anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            self._count(1, len(event.value), event)
            value = self._scalar(event)
        else:
            self._count(1, 0, event)
            value = self._container(event)
        if anchor is not None:
            self.anchors[anchor] = _Anchored(value, self.nodes - nodes, self.chars - chars)
        return value

    def _count(self, nodes: int, chars: int, event: Event) -> None:
        before = self.nodes // _TICK_NODES
        self.nodes += nodes
        self.chars += chars
        if self.nodes > MAX_NODES:
            raise _Unacceptable(_line_of(event), f"more than {MAX_NODES} values, each alias counted as what it names")
        if self.chars > MAX_CHARS:
            raise _Unacceptable(_line_of(event), f"more than {MAX_CHARS} characters, with what aliases name")
        if self.progress and self.nodes // _TICK_NODES != before:
            self.progress(event.start_mark.index, len(self.document.text))

    def _alias(self, event: Event) -> Any:
        named = self.anchors.get(event.anchor)
        if named is None:
            raise _Unacceptable(_line_of(event), f"*{event.anchor} names nothing that is complete before it")
        self._count(named.nodes, named.chars, event)
        return named.value

    def _container(self, event: Event) -> Any:
        if len(self.where) >= MAX_DEPTH:
            raise _Unacceptable(_line_of(event), f"nested more than {MAX_DEPTH} deep")
        if event.tag not in (None, "!"):
            raise _Unacceptable(_line_of(event), f"the tag {event.tag[:80]} is not taken here")
        return self._sequence() if isinstance(event, yaml.SequenceStartEvent) else self._mapping()

    def _sequence(self) -> list[Any]:
        found: list[Any] = []
        self.where.append(0)
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            self.where[-1] = len(found)
            found.append(self.build(event))
        self.where.pop()
        return found

    def _mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            name = self._key(event)
            self.where.append(name)
            if name in found:
                self._fault(event, "this key occurs twice")
            found[name] = self.build(self.next())
            self.where.pop()
        return found

    def _key(self, event: Event) -> str:
        text = event.value if isinstance(event, yaml.ScalarEvent) else None
        if text is None or self.build(event) is None:
            raise _Unacceptable(_line_of(event), "a key must be text")
        if text == "<<" and event.implicit[0]:
            raise _Unacceptable(_line_of(event), "merge keys (<<) are not taken here: write out what they would add")
        return str(text)

    def _scalar(self, event: Event) -> Any:
        text = event.value
        if event.tag not in (None, "!", f"{_PREFIX}str"):
            raise _Unacceptable(_line_of(event), f"the tag {event.tag[:80]} is not taken here")
        if "\0" in text:
            raise _Unacceptable(_line_of(event), "a NUL character, which cannot be stored")
        if not event.implicit[0] or event.tag is not None or len(text) > MAX_NUMBER_CHARS:
            return text
        return _plain(text)

    def _fault(self, event: Event, message: str) -> None:
        if len(self.document.faults) == MAX_FAULTS:
            raise _Unacceptable(_line_of(event), f"more than {MAX_FAULTS} faults; the rest was not looked at")
        self.document.faults.append(Fault(_line_of(event), show(self.where), message))


def _plain(text: str) -> Any:
    """What an unquoted scalar means: null, a truth, a number, or itself."""
    for tag, expression in _RESOLVERS.get(text[:1], ()):
        if expression.match(text):
            if tag == f"{_PREFIX}null":
                return None
            if tag == f"{_PREFIX}bool":
                return yaml.constructor.SafeConstructor.bool_values[text.lower()]
            if tag in (f"{_PREFIX}int", f"{_PREFIX}float"):
                return _number(tag, text)
            break
    return text


def _number(tag: str, text: str) -> Any:
    node = yaml.ScalarNode(tag, text)
    constructor = yaml.constructor.SafeConstructor()
    integer = tag.endswith("int")
    try:
        number = constructor.construct_yaml_int(node) if integer else constructor.construct_yaml_float(node)
    except ValueError:
        # PyYAML's pattern takes a prefix without digits, such as `0x_`, for a number.
        return text
    return number if abs(number) <= _LARGEST_NUMBER else text


def _line_of(event: Event) -> int:
    return int(event.start_mark.line) + 1


def line(lines: Mapping[Where, int], where: Where) -> int:
    """The line of a place, or of the closest part above it that has one."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)


def _find(text: str, wanted: Collection[Where] | None) -> dict[Where, int]:
    """The lines of places, all for None, of entries those of their keys; places that there are not are left out."""
    loader = yaml.CSafeLoader(text)
    get_event: Callable[[], Event] = loader.get_event
    lines: dict[Where, int] = {}

    def walk(event: Event, where: Where) -> None:
        if wanted is None or where in wanted:
            lines.setdefault(where, _line_of(event))
        if isinstance(event, yaml.SequenceStartEvent):
            index = 0
            while not isinstance(item := get_event(), yaml.SequenceEndEvent):
                walk(item, (*where, index))
                index += 1
        elif isinstance(event, yaml.MappingStartEvent):
            while not isinstance(key := get_event(), yaml.MappingEndEvent):
                here = (*where, key.value)
                if wanted is None or here in wanted:
                    lines.setdefault(here, _line_of(key))
                walk(get_event(), here)

    get_event()
    if isinstance(get_event(), yaml.DocumentStartEvent):
        walk(get_event(), ())
    loader.dispose()
    return lines
