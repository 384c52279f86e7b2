"""How much is written in a query: found by a scan, in a hundredth of the time that it takes to parse and check it."""

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

# What the grammar makes one token of, a text that never ends too; nothing is captured of a comment.
_TOKENS = re.compile(
    r'("""[^"\\]*(?:(?:\\"""|\\|"(?!""))[^"\\]*)*(?:""")?|"[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"?'
    r"|[_A-Za-z]\w*|-?[0-9][0-9.eE+-]*|\.{3}|[!$&():=@\[\]{|}])|\#[^\n\r]*",
    re.DOTALL,
)

_NAME = re.compile("[_A-Za-z]")

# What stands before a name that is not that of a field: of a fragment or its type, or a directive.
_BEFORE_OTHERS = frozenset({"...", "@"})


class Size(NamedTuple):
    """How much is written in a query.

    Parameters
    ----------
    fields
        Fields: names in braces that are no part of arguments.
    arguments
        Words and signs of the longest arguments that one field has.
    depth
        Deepest nesting of brackets.
    plodding
        Characters of texts that the parser takes one by one: those with escapes, and those in three quotes.
    """

    fields: int
    arguments: int
    depth: int
    plodding: int


def tokens(text: str) -> list[str]:
    """The words and signs of a query; each comment is an empty one."""
    return _TOKENS.findall(text)


def measure(found: Sequence[str]) -> Size:
    """The size of a query, by its :func:`tokens`."""
    words = list(filter(None, found))
    plodding = sum(len(each) for each in words if each[0] == '"' and (each[:3] == '"""' or "\\" in each))
    return Size(*_selected(words), _depth(words), plodding)


def _selected(words: Sequence[str]) -> tuple[int, int]:
    fields = longest = arguments = braces = 0
    inside, previous = False, ""
    for token, following in zip_longest(words, words[1:], fillvalue=""):
        if token in "()":
            inside, arguments = token == "(", 0
        elif inside:
            arguments += 1
            longest = max(longest, arguments)
        elif token == "on" and previous == "...":
            continue
        elif token in "{}":
            braces += 1 if token == "{" else -1
        elif braces > 0 and _NAME.match(token) and following != ":" and previous not in _BEFORE_OTHERS:
            fields += 1
        previous = token
    return fields, longest


def _depth(words: Sequence[str]) -> int:
    depth = deepest = 0
    for word in words:
        if word in "{[(":
            depth += 1
            deepest = max(deepest, depth)
        elif word in "}])":
            depth -= 1
    return deepest
