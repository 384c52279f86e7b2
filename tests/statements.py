"""The SQL that goes to a database meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa


class Statement(NamedTuple):
    text: str
    parameters: Any


@contextmanager
def noted(engine: sa.Engine) -> Iterator[list[Statement]]:
    """What an engine sends, for whatever reason; begin and commit are no statements."""
    seen: list[Statement] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, *_more: Any) -> None:
        seen.append(Statement(text, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
