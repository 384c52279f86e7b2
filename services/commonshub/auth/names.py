"""Names of users: one form of each, at every door."""

import re
import unicodedata

from commonshub.core.errors import BadRequest

MAX_CHARS = 255
_FORBIDDEN = re.compile(r"[\s/\\%*\x00-\x1f\x7f]")


def username(name: str) -> str:
    """The form of a user's name that policies and tokens use: lower case, as the hub has it.

    Raises
    ------
    BadRequest
        The name is empty or too long, has blanks, slashes, ``%``, ``*`` or control characters, or is written in
        characters that only look like others (it changes under Unicode's compatibility normalization).
    """
    if not name or len(name) > MAX_CHARS or _FORBIDDEN.search(name) or not name.isprintable():
        raise BadRequest(f"{name[:80]!r} cannot be the name of a user.")
    lower = name.lower()
    if unicodedata.normalize("NFKC", lower) != lower:
        raise BadRequest(f"{name[:80]!r} cannot be the name of a user: it is not in Unicode's normal form.")
    return lower
