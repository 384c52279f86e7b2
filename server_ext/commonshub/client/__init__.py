"""The Python client of a commons.

>>> from commonshub.client import Commons
>>> commons = Commons()                         # in a workspace nothing has to be pasted
>>> commons.projects()
>>> cases = commons.records("case", "demo-lung")
>>> commons.download(commons.files("demo-lung"), "data")
"""

from .commons import Commons
from .download import Downloaded, Downloads
from .errors import (
    Cancelled,
    ChecksumMismatch,
    CommonsError,
    NoCredentials,
    NotFound,
    NotPermitted,
    QueryFailed,
    Refused,
    SignInFailed,
    SubmissionFailed,
    TransferFailed,
    Unreachable,
)
from .faults import Faults
from .objects import DataObject
from .releases import Releases
from .user import User

__all__ = [
    "Cancelled",
    "ChecksumMismatch",
    "Commons",
    "CommonsError",
    "DataObject",
    "Downloaded",
    "Downloads",
    "Faults",
    "NoCredentials",
    "NotFound",
    "NotPermitted",
    "QueryFailed",
    "Refused",
    "Releases",
    "SignInFailed",
    "SubmissionFailed",
    "TransferFailed",
    "Unreachable",
    "User",
]
