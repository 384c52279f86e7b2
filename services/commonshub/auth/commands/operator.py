"""What the operator's commands have in common: whom the trail names, and how a moment is given."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from commonshub.core import audit
from commonshub.core.errors import BadRequest
from commonshub.core.identity import Identity

from .. import sources
from ..app import AuthApp
from ..authz import store
from ..trail.questions import moment

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")

# The operator is nobody whom a token names; the trail knows him by this in place of a request's number.
OPERATOR = Identity()
REQUEST_ID = "cli"

_SPAN = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def change(
    app: AuthApp,
    action: audit.Action,
    subject: str,
    function: "Callable[[sa.Connection], T]",
    detail: Mapping[str, Any] | None = None,
) -> T:
    """Run a change in one transaction with its row in the trail, after all earlier changes of policies."""

    def run(connection: "sa.Connection") -> T:
        store.lock(connection, app.schema)
        done = function(connection)
        said = {"source": sources.CLI, **(detail or {})}
        audit.write(
            connection,
            app.schema,
            OPERATOR,
            REQUEST_ID,
            action=action,
            subject=subject,
            decision="allowed",
            detail=said,
        )
        return done

    return app.database.call(run)


def past(text: str, option: str) -> datetime:
    """A moment, or how long ago it was: ``7d``, ``12h``, ``30m``, ``10s``.

    Raises
    ------
    BadRequest
        It is neither.
    """
    span = _span(text)
    return datetime.now(UTC) - span if span is not None else moment(text, option)


def future(text: str, option: str) -> datetime:
    """A moment to come, or how far off it is.

    Raises
    ------
    BadRequest
        It is neither, or has passed.
    """
    span, now = _span(text), datetime.now(UTC)
    found = now + span if span is not None else moment(text, option)
    if found <= now:
        raise BadRequest(f"{option} must be in the future.")
    return found


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def printable(text: str) -> str:
    """A line in which nothing that somebody sent can steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
