"""The errors of a commons, as one tree.

    CommonsError                400
    ├── BadRequest              400
    │   └── ValidationFailed    400   carries one entry per field, row or path
    ├── AuthenticationRequired  401
    ├── PermissionDenied        403
    ├── NotFound                404
    ├── Conflict                409
    ├── TooLarge                413
    ├── TooManyRequests         429   says after how many seconds to come back
    ├── Unsupported             501
    ├── UpstreamError           502
    └── Unavailable             503

Each error knows its HTTP status and a short machine-readable ``code``. Handlers never build error bodies by hand: they
raise one of these, and :class:`commonshub.core.web.BaseHandler` renders it in the shape that the clients of that
route read.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any


class CommonsError(Exception):
    """Base of all errors that a user may see.

    Parameters
    ----------
    message
        What went wrong and what to do next, in one or two sentences.
    details
        One mapping per faulty field, row or path, for errors that name several.
    """

    status = 400
    code = "error"

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = list(details)


class BadRequest(CommonsError, ValueError):
    """The request is malformed: the message names the field, row or path."""

    code = "bad_request"


class ValidationFailed(BadRequest):
    """The content breaks the rules of the data model; ``details`` has one entry per fault."""

    code = "validation_failed"


class AuthenticationRequired(CommonsError):
    """No credential, or one that is not valid (any more)."""

    status = 401
    code = "authentication_required"


class PermissionDenied(CommonsError, PermissionError):
    """The caller is known but may not do this."""

    status = 403
    code = "permission_denied"


class NotFound(CommonsError, LookupError):
    """There is no such thing, or none that the caller may know of."""

    status = 404
    code = "not_found"


class Conflict(CommonsError):
    """The thing exists already or has changed in between."""

    status = 409
    code = "conflict"


class TooLarge(CommonsError):
    """More than the named limit allows in one request."""

    status = 413
    code = "too_large"


class TooManyRequests(CommonsError):
    """Too soon after too many of its kind.

    Parameters
    ----------
    wait_s
        Seconds after which the next one is let in.
    """

    status = 429
    code = "too_many_requests"

    def __init__(self, message: str, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"{message} Try again in {self.wait_s} s.")


class Unsupported(CommonsError):
    """A part of the protocol that this commons does not offer."""

    status = 501
    code = "unsupported"


class UpstreamError(CommonsError):
    """Another server that this one relies on gave a wrong answer."""

    status = 502
    code = "upstream_error"


class Unavailable(CommonsError):
    """A part of the commons is down or starting; try again after `wait_s` seconds."""

    status = 503
    wait_s = 5
    code = "unavailable"
