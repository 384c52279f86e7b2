"""Where a browser may be sent on to: a path of this commons, and nowhere else.

What comes from a query is text of a stranger. Only what every browser reads in the same way is let through: no second
host, no scheme, no backslash, no empty segment, no dots to climb with, no control character, also none that is written
with percent signs.
"""

import re
from urllib.parse import unquote

from .errors import BadRequest

MAX_CHARS = 4096
_PATH = re.compile(r"/(?:[A-Za-z0-9_\-.~/@+,=]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(r"(?:[A-Za-z0-9_\-.~/@+,=&:;!*?]|%[0-9A-Fa-f]{2})*")
_CLIMBING = re.compile(r"//|\\|[\x00-\x1f\x7f]|(?:^|/)\.{1,2}(?:/|$)")


def own_path(text: str, origin: str = "") -> str:
    """`text` as a path of this commons, with its query.

    Parameters
    ----------
    origin
        Scheme, host and port of this commons: in front of a path they are dropped, exactly as written here.

    Raises
    ------
    BadRequest
        `text` is anything else, or too long.
    """
    path, mark, query = text.removeprefix(origin).partition("?")
    if len(text) > MAX_CHARS or not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        raise BadRequest("The address to go on to must be a path of this commons, such as /portal/.")
    # Programs on the way may decode a path once more than they should.
    if any(_CLIMBING.search(each) for each in (path, unquote(path), unquote(unquote(path)))):
        raise BadRequest("The address to go on to must be a plain path of this commons, such as /portal/.")
    return path + mark + query
