"""What can go wrong between a notebook and a commons.

    CommonsError
    ├── NoCredentials       nothing found to sign in with
    ├── SignInFailed        what was found is not accepted (any more)
    ├── NotPermitted        signed in, but not allowed to do this
    ├── NotFound            the commons does not have it
    ├── Refused             the commons did not understand or accept the request
    │   ├── QueryFailed     a GraphQL query; carries ``errors`` and the partial ``data``
    │   └── SubmissionFailed  rows were refused; carries a ``frame`` with a line per fault
    ├── TransferFailed      some files could not be moved; carries ``failures`` and ``done``
    │   ├── ChecksumMismatch  the bytes are not those that the commons has on record
    │   └── Cancelled       the user stopped the transfer
    └── Unreachable         no answer from the commons

Every message says what to do next. No message holds a token or a presigned URL, since notebooks keep their output.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .faults import Faults

if TYPE_CHECKING:
    import pandas as pd


class CommonsError(Exception):
    """Base of all errors of the client."""


class NoCredentials(CommonsError):
    """Nothing was found to sign in with."""


class SignInFailed(CommonsError, PermissionError):
    """The credentials that were found are not accepted."""


class NotPermitted(CommonsError, PermissionError):
    """The signed-in user may not do this."""


class NotFound(CommonsError, LookupError):
    """The commons does not have what was asked for."""


class Refused(CommonsError, ValueError):
    """The commons refused the request.

    Parameters
    ----------
    message
        What to tell the user.
    status
        HTTP status of the answer.
    body
        The answer's JSON, or None.
    """

    def __init__(self, message: str, status: int = 400, body: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class QueryFailed(Refused):
    """A GraphQL query was refused, in whole or in part.

    Parameters
    ----------
    errors
        The commons' messages.
    data
        What could be answered.
    """

    def __init__(self, errors: Sequence[str], data: Mapping[str, Any] | None = None) -> None:
        super().__init__("The query failed: " + "; ".join(errors))
        self.errors = list(errors)
        self.data = data


class SubmissionFailed(Refused):
    """A submission was refused and nothing was stored.

    Parameters
    ----------
    message
        A summary with the first faults.
    faults
        What is wrong, a mapping per fault; see :class:`~.faults.Faults`.
    """

    def __init__(self, message: str, faults: Sequence[Mapping[str, Any]], body: Any = None) -> None:
        super().__init__(message, body=body)
        self.faults = Faults(faults)

    @property
    def frame(self) -> "pd.DataFrame":
        """The faults as a table, a line each."""
        return self.faults.frame

    def _repr_html_(self) -> str:
        return self.faults._repr_html_()


class TransferFailed(CommonsError, OSError):
    """One or more files could not be transferred; the others are complete.

    Parameters
    ----------
    failures
        The error of each file that failed, by GUID or path.
    done
        The files that are complete.
    """

    def __init__(self, message: str, failures: Mapping[str, Exception] | None = None, done: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.failures = dict(failures or {})
        self.done = list(done)


class ChecksumMismatch(TransferFailed):
    """The bytes that arrived are not those on record."""


class Cancelled(TransferFailed):
    """The user stopped the transfer; calling it again resumes it."""


class Unreachable(CommonsError, ConnectionError):
    """The commons does not answer."""
