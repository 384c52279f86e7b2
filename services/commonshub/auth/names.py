"""Names of users: one form of each, at every door."""

import re
import unicodedata

from commonshub.core.errors import BadRequest, PermissionDenied

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


def as_the_hub_has_it(name: str) -> str:
    """The name of a user whom the hub vouches for.

    Raises
    ------
    PermissionDenied
        It is not in the form that policies use; so two users whom the hub tells apart by case can never be one here.
    """
    if username(name) != name:
        raise PermissionDenied(f"The hub calls you {name!r}; this commons only knows names in lower case.")
    return name
