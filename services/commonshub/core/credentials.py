"""Credentials of object stores: of a file, or of the usual AWS sources.

botocore finds the latter, and nothing more of it is loaded: its S3 client reads a model of the whole service, which
would cost each process some 20 MB.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UpstreamError
from .files import Stamp, stamp
from .signature import Secret

if TYPE_CHECKING:
    from botocore.credentials import Credentials


def secret(file: str) -> Secret:
    """The credentials in a file, read anew when it has changed, or those of the usual AWS sources."""
    if not file:
        # Asked each time: temporary ones are renewed.
        return Secret(*_aws_credentials().get_frozen_credentials()[:3])
    try:
        return _stored(Path(file), stamp(Path(file)))
    except (OSError, ValueError, KeyError) as error:
        raise UpstreamError("The commons cannot read the credentials of its object store.") from error


@lru_cache
def _stored(file: Path, _stamp: Stamp | None) -> Secret:
    stored = json.loads(file.read_text())
    return Secret(stored["access_key"], stored["secret_key"])


@lru_cache
def _aws_credentials() -> "Credentials":
    from botocore.session import get_session

    found: Credentials | None = get_session().get_credentials()
    if found is None:
        raise UpstreamError("The commons has no credentials for its object store; see StorageSettings.")
    return found
