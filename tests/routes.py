"""A path for each route of a service, so that a test can ask all of them."""

import re._parser as parser
from collections.abc import Iterator
from typing import Any

from commonshub.core.app import ServiceApplication


def samples(app: ServiceApplication) -> list[str]:
    """One path that each route matches, each once."""
    return list(dict.fromkeys("".join(_text(parser.parse(route[0]))) for route in app.routes()))


def _text(pattern: Any) -> Iterator[str]:
    for operation, argument in pattern:
        match str(operation):
            case "LITERAL":
                yield chr(argument)
            case "SUBPATTERN":
                yield from _text(argument[-1])
            case "BRANCH":
                yield from _text(argument[1][0])
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, _, repeated = argument
                # Something rather than nothing for what a caller names, nothing for a slash at the end.
                literal = str(repeated[0][0]) == "LITERAL"
                yield "".join(_text(repeated)) * (least or (0 if literal else 1))
            case "IN" | "ANY" | "NOT_LITERAL":
                yield "x"
